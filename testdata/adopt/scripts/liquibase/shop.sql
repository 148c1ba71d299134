--liquibase formatted sql

--changeset ada:1
create table customer (id int primary key, name text);
--rollback drop table customer;

--changeset ada:2 context:prod
alter table customer add email text;
--rollback alter table customer drop email;
