create unique index concurrently customer_name on customer (name);
