-- +goose Up
create table customer (id int primary key, name text);

-- +goose Down
drop table customer;
