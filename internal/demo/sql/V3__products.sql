create table shop.products (
    sku   text primary key,
    name  text not null,
    price numeric(10, 2) not null check (price >= 0)
);

copy shop.products (sku, name, price) from stdin;
TEA-01	Green tea, 100 g	6.50
TEA-02	Oolong, 100 g	9.80
POT-01	Teapot, cast iron	48.00
CUP-01	Cup, porcelain	12.50
\.
