-- Everything of the shop lives in a schema of its own.
create schema if not exists shop;
comment on schema shop is 'customers, products and orders';
