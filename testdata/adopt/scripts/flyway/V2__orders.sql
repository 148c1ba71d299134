create table orders (id int primary key, customer int references customer);
-- the end