-- What Flyway 3.2.1 left; see record.sh.
CREATE SCHEMA app;
CREATE TABLE app.customer (
    id integer NOT NULL,
    name text,
    email text
);
CREATE TABLE app.orders (
    id integer NOT NULL,
    customer integer
);
CREATE TABLE app.schema_version (
    version_rank integer NOT NULL,
    installed_rank integer NOT NULL,
    version character varying(50) NOT NULL,
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
INSERT INTO app.schema_version VALUES (1, 1, '0', '<< Flyway Schema Creation >>', 'SCHEMA', '"app"', NULL, 'postgres', '2026-11-22 20:16:40.343215', 0, true);
INSERT INTO app.schema_version VALUES (2, 2, '1', 'init', 'SQL', 'V1__init.sql', 173316292, 'postgres', '2026-11-22 20:16:40.424993', 13, true);
INSERT INTO app.schema_version VALUES (3, 3, '1.1', 'email', 'SQL', 'V1.1__email.sql', -2095967965, 'postgres', '2026-11-22 20:16:40.45958', 5, true);
INSERT INTO app.schema_version VALUES (4, 4, '2', 'orders', 'SQL', 'V2__orders.sql', -250455558, 'postgres', '2026-11-22 20:16:40.488101', 8, true);
ALTER TABLE ONLY app.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY app.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY app.schema_version
    ADD CONSTRAINT schema_version_pk PRIMARY KEY (version);
CREATE INDEX schema_version_ir_idx ON app.schema_version USING btree (installed_rank);
CREATE INDEX schema_version_s_idx ON app.schema_version USING btree (success);
CREATE INDEX schema_version_vr_idx ON app.schema_version USING btree (version_rank);
ALTER TABLE ONLY app.orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES app.customer(id);
