-- What Liquibase 4.33.0 left; see record.sh.
CREATE TABLE public.customer (
    id integer NOT NULL,
    name text,
    email text
);
CREATE TABLE public.databasechangelog (
    id character varying(255) NOT NULL,
    author character varying(255) NOT NULL,
    filename character varying(255) NOT NULL,
    dateexecuted timestamp without time zone NOT NULL,
    orderexecuted integer NOT NULL,
    exectype character varying(10) NOT NULL,
    md5sum character varying(35),
    description character varying(255),
    comments character varying(255),
    tag character varying(255),
    liquibase character varying(20),
    contexts character varying(255),
    labels character varying(255),
    deployment_id character varying(10)
);
CREATE TABLE public.databasechangeloglock (
    id integer NOT NULL,
    locked boolean NOT NULL,
    lockgranted timestamp without time zone,
    lockedby character varying(255)
);
CREATE VIEW public.names AS
 SELECT customer.name
   FROM public.customer;
CREATE TABLE public.orders (
    id integer
);
INSERT INTO public.databasechangelog VALUES ('1', 'ada', 'shop.sql', '2026-11-22 20:17:28.703667', 1, 'EXECUTED', '9:ae5d03d68737d9664b827132c0215df4', 'sql', '', NULL, '4.33.0', NULL, NULL, '5378644056');
INSERT INTO public.databasechangelog VALUES ('2', 'ada', 'shop.sql', '2026-11-22 20:17:28.724851', 2, 'EXECUTED', '9:ca10e4952ea4140ab016c69ec9dca0a1', 'sql', '', NULL, '4.33.0', 'prod', NULL, '5378644056');
INSERT INTO public.databasechangelog VALUES ('names', 'bob', 'views.sql', '2026-11-22 20:17:28.805164', 3, 'EXECUTED', '9:0e8b8f8077260049896f580c9eacc1f9', 'sql', '', NULL, '4.33.0', NULL, NULL, '5378644056');
INSERT INTO public.databasechangelog VALUES ('orders', 'bob', 'orders.xml', '2026-11-22 20:17:29.114538', 4, 'EXECUTED', '9:07e6bbaa0e107adfa649a41433d88fe1', 'createTable tableName=orders', '', NULL, '4.33.0', NULL, NULL, '5378644056');
INSERT INTO public.databasechangeloglock VALUES (1, false, NULL, NULL);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.databasechangeloglock
    ADD CONSTRAINT databasechangeloglock_pkey PRIMARY KEY (id);
