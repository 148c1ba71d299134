create table shop.customers (
    id         bigint generated always as identity primary key,
    email      text not null unique,
    name       text not null,
    created_at timestamptz not null default now()
);

insert into shop.customers (email, name) values
    ('ada@example.com', 'Ada Moreno'),
    ('bo@example.com', 'Bo Lindqvist'),
    ('chi@example.com', 'Chi Okafor');
