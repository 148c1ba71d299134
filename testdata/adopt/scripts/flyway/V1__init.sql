create table customer (
    id int primary key,
    name text
);
insert into customer values (1, 'Ada'), (2, 'Ada');
