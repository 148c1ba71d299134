create table orders (id int primary key); select 1/0;
