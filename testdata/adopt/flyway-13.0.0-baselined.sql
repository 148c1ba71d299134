-- What Flyway 13.0.0, baselined, left; see record.sh.
CREATE TABLE public.customer (
    id integer NOT NULL,
    name text,
    email text
);
CREATE TABLE public.flyway_schema_history (
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
CREATE VIEW public.names AS
 SELECT customer.name,
    'hello'::text AS greeting
   FROM public.customer;
CREATE TABLE public.orders (
    id integer NOT NULL,
    customer integer
);
INSERT INTO public.flyway_schema_history VALUES (1, '1', 'as it was', 'BASELINE', 'as it was', NULL, 'postgres', '2026-11-22 20:17:05.136986', 0, true);
INSERT INTO public.flyway_schema_history VALUES (2, '1.1', 'email', 'SQL', 'V1.1__email.sql', 1541637242, 'postgres', '2026-11-22 20:17:05.326446', 24, true);
INSERT INTO public.flyway_schema_history VALUES (3, '2', 'orders', 'SQL', 'V2__orders.sql', 2113001967, 'postgres', '2026-11-22 20:17:05.382356', 7, true);
INSERT INTO public.flyway_schema_history VALUES (4, NULL, 'names', 'SQL', 'R__names.sql', 74345176, 'postgres', '2026-11-22 20:17:05.412481', 4, true);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.flyway_schema_history
    ADD CONSTRAINT flyway_schema_history_pk PRIMARY KEY (installed_rank);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
CREATE INDEX flyway_schema_history_s_idx ON public.flyway_schema_history USING btree (success);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES public.customer(id);
