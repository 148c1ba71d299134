create or replace view names as select name, '${greeting}' as greeting from customer;
