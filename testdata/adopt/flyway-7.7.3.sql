-- What Flyway 7.7.3 left; see record.sh.
CREATE SCHEMA app;
CREATE TABLE app.customer (
    id integer NOT NULL,
    name text,
    email text
);
CREATE TABLE app.flyway_schema_history (
    installed_rank integer NOT NULL,
    version character varying(50),
    description character varying(200) NOT NULL,
    type character varying(20) NOT NULL,
    script character varying(1000) NOT NULL,
    checksum integer,
    installed_by character varying(100) NOT NULL,
    installed_on timestamp without time zone DEFAULT now() NOT NULL,
    execution_time integer NOT NULL,
    success boolean NOT NULL
);
CREATE VIEW app.names AS
 SELECT customer.name,
    'hello'::text AS greeting
   FROM app.customer;
CREATE TABLE app.orders (
    id integer NOT NULL,
    customer integer
);
INSERT INTO app.customer VALUES (1, 'Ada', NULL);
INSERT INTO app.customer VALUES (2, 'Ada', NULL);
INSERT INTO app.flyway_schema_history VALUES (0, NULL, '<< Flyway Schema Creation >>', 'SCHEMA', '"app"', NULL, 'postgres', '2026-11-22 20:16:47.364592', 0, true);
INSERT INTO app.flyway_schema_history VALUES (1, '1', 'init', 'SQL', 'V1__init.sql', 696652664, 'postgres', '2026-11-22 20:16:47.396301', 5, true);
INSERT INTO app.flyway_schema_history VALUES (2, '1.1', 'email', 'SQL', 'V1.1__email.sql', 1541637242, 'postgres', '2026-11-22 20:16:47.417648', 5, true);
INSERT INTO app.flyway_schema_history VALUES (3, '2', 'orders', 'SQL', 'V2__orders.sql', 2113001967, 'postgres', '2026-11-22 20:16:47.431588', 5, true);
INSERT INTO app.flyway_schema_history VALUES (4, NULL, 'names', 'SQL', 'R__names.sql', 74345176, 'postgres', '2026-11-22 20:16:47.44973', 3, true);
ALTER TABLE ONLY app.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY app.flyway_schema_history
    ADD CONSTRAINT flyway_schema_history_pk PRIMARY KEY (installed_rank);
ALTER TABLE ONLY app.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
CREATE INDEX flyway_schema_history_s_idx ON app.flyway_schema_history USING btree (success);
ALTER TABLE ONLY app.orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES app.customer(id);
