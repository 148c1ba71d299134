-- +goose NO TRANSACTION
-- +goose Up
create table orders (id int primary key);

-- +goose Down
drop table orders;
