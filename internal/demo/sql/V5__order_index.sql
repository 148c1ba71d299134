-- Built beside running orders, so it must not be in a transaction.
create index concurrently orders_customer_idx on shop.orders (customer_id, ordered_at);
