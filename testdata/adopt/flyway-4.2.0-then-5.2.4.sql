-- What Flyway 4.2.0 and then 5.2.4 left; see record.sh.
CREATE SCHEMA app;
CREATE TABLE app.customer (
    id integer NOT NULL,
    name text,
    email text
);
CREATE TABLE app.later (
    id integer
);
CREATE VIEW app.names AS
 SELECT customer.name,
    'hello'::text AS greeting
   FROM app.customer;
CREATE TABLE app.orders (
    id integer NOT NULL,
    customer integer
);
CREATE TABLE app.schema_version (
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
INSERT INTO app.customer VALUES (1, 'Ada', NULL);
INSERT INTO app.customer VALUES (2, 'Ada', NULL);
INSERT INTO app.schema_version VALUES (1, NULL, '<< Flyway Schema Creation >>', 'SCHEMA', '"app"', NULL, 'postgres', '2026-11-22 20:17:10.968433', 0, true);
INSERT INTO app.schema_version VALUES (2, '1', 'init', 'SQL', 'V1__init.sql', 696652664, 'postgres', '2026-11-22 20:17:11.094723', 9, true);
INSERT INTO app.schema_version VALUES (3, '1.1', 'email', 'SQL', 'V1.1__email.sql', 1541637242, 'postgres', '2026-11-22 20:17:11.11312', 3, true);
INSERT INTO app.schema_version VALUES (4, '2', 'orders', 'SQL', 'V2__orders.sql', 2113001967, 'postgres', '2026-11-22 20:17:11.120858', 2, true);
INSERT INTO app.schema_version VALUES (5, NULL, 'names', 'SQL', 'R__names.sql', -1308263839, 'postgres', '2026-11-22 20:17:11.127714', 1, true);
INSERT INTO app.schema_version VALUES (6, '2.1', 'later', 'SQL', 'V2.1__later.sql', -526936722, 'postgres', '2026-11-22 20:17:12.317282', 10, true);
ALTER TABLE ONLY app.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY app.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY app.schema_version
    ADD CONSTRAINT schema_version_pk PRIMARY KEY (installed_rank);
CREATE INDEX schema_version_s_idx ON app.schema_version USING btree (success);
ALTER TABLE ONLY app.orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES app.customer(id);
