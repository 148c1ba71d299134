--liquibase formatted sql

--changeset bob:names runOnChange:true
create or replace view names as select name from customer;
