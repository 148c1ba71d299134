create type shop.order_status as enum ('new', 'paid', 'shipped', 'cancelled');

create table shop.orders (
    id          bigint generated always as identity primary key,
    customer_id bigint not null references shop.customers,
    status      shop.order_status not null default 'new',
    ordered_at  timestamptz not null default now()
);

create table shop.order_items (
    order_id bigint not null references shop.orders on delete cascade,
    sku      text not null references shop.products,
    quantity integer not null check (quantity > 0),
    price    numeric(10, 2) not null,
    primary key (order_id, sku)
);
