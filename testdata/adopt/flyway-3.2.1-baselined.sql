-- What Flyway 3.2.1, baselined, left; see record.sh.
CREATE TABLE public.customer (
    id integer NOT NULL,
    name text,
    email text
);
CREATE TABLE public.orders (
    id integer NOT NULL,
    customer integer
);
CREATE TABLE public.schema_version (
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
INSERT INTO public.schema_version VALUES (1, 1, '1', 'as it was', 'BASELINE', 'as it was', NULL, 'postgres', '2026-11-22 20:17:02.240058', 0, true);
INSERT INTO public.schema_version VALUES (2, 2, '1.1', 'email', 'SQL', 'V1.1__email.sql', -2095967965, 'postgres', '2026-11-22 20:17:02.371862', 4, true);
INSERT INTO public.schema_version VALUES (3, 3, '2', 'orders', 'SQL', 'V2__orders.sql', -250455558, 'postgres', '2026-11-22 20:17:02.39842', 7, true);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pk PRIMARY KEY (version);
CREATE INDEX schema_version_ir_idx ON public.schema_version USING btree (installed_rank);
CREATE INDEX schema_version_s_idx ON public.schema_version USING btree (success);
CREATE INDEX schema_version_vr_idx ON public.schema_version USING btree (version_rank);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES public.customer(id);
