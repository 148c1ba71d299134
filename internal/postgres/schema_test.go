package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

// What Flyway counts as something in a schema (flyway.md §4.2), and what it does not.
func TestSchemaEmpty(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		"":              true,
		"drop schema S": true,
		"create table if not exists public.elsewhere()": true,

		"create table S.t(id int)":                                     false,
		"create view S.v as select 1":                                  false,
		"create sequence S.s":                                          false,
		"create unlogged table S.t()":                                  false,
		"create type S.e as enum ('a')":                                false,
		"create domain S.d as int":                                     false,
		"create type S.r as range (subtype = float8)":                  false,
		"create type S.shell":                                          false,
		"create function S.f() returns int language sql as 'select 1'": false,
		"create procedure S.p() language sql as 'select 1'":            false,
		"create aggregate S.a(int) (sfunc = int4pl, stype = int)":      false,
		"create table S.p(id int) partition by range (id); create table S.c partition of S.p default": false,

		"create materialized view S.m as select 1":         true,
		"create table S.p(id int) partition by range (id)": true,
		"create type S.c as (id int)":                      true,
		"create foreign data wrapper w; create server s foreign data wrapper w; create foreign table S.f(id int) server s": true,
		"create operator S.=== (leftarg = int, rightarg = int, function = int4eq)":                                         true,
		"create collation S.l from \"C\"":                      true,
		"create text search configuration S.c (copy = simple)": true,

		"create table S.t(id int); alter extension plpgsql add table S.t":                                                                  true,
		"create sequence S.s; create view S.v as select 1; alter extension plpgsql add sequence S.s; alter extension plpgsql add view S.v": true,
		"create type S.e as enum ('a'); alter extension plpgsql add type S.e":                                                              true,
		"create function S.f() returns int language sql as 'select 1'; alter extension plpgsql add function S.f()":                         true,
		"create table S.t(id int); create table S.u(id int); alter extension plpgsql add table S.t":                                        false,
	} {
		t.Run(sql, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			for _, schema := range []string{"plain", `o'd"d \s`} {
				sql := strings.ReplaceAll(sql, "S.", postgres.Ident(schema)+".")
				sql = strings.ReplaceAll(sql, "schema S", "schema "+postgres.Ident(schema))
				sql = strings.ReplaceAll(strings.ReplaceAll(sql, "wrapper w", "wrapper "+fmt.Sprint("w", len(schema))), "server s", fmt.Sprint("server s", len(schema)))
				db.Exec(t, "create schema "+postgres.Ident(schema)+"; "+sql)
				if got, err := open(t, db.URL, postgres.Options{}).SchemaEmpty(t.Context(), schema); err != nil || got != want {
					t.Errorf("empty: %v, %v; want %v", got, err, want)
				}
			}
		})
	}
}

// contents lists what is in a schema: relations without indexes and row types, types, routines, the rest.
const contents = `select coalesce(string_agg(what, ' ' order by what), '') from (
	select relname::text from pg_class where relnamespace = N::regnamespace and relkind not in ('i', 'I')
	union all select typname::text from pg_type where typnamespace = N::regnamespace and typcategory <> 'A' and typrelid = 0
	union all select proname || '()' from pg_proc where pronamespace = N::regnamespace
	union all select oprname::text from pg_operator where oprnamespace = N::regnamespace
	union all select collname::text from pg_collation where collnamespace = N::regnamespace
	union all select cfgname::text from pg_ts_config where cfgnamespace = N::regnamespace) x(what)`

const everything = `
create table S.t(id int generated always as identity primary key, s serial, b text);
create table S.child() inherits (S.t);
create table S.part(id int) partition by range (id); create table S.part_1 partition of S.part for values from (0) to (9);
create table S."ta""ble 'x' \" (id int references S.t);
create sequence S.seq; create sequence S.owned owned by S.t.b;
create view S.v as select * from S.t; create view S.vv as select * from S.v;
create materialized view S.m as select * from S.v;
create rule r as on insert to S.v do instead nothing;
create type S.e as enum ('a'); create type S.c as (e S.e); create type S.r as range (subtype = float8);
create domain S.d as S.e check (value <> 'a'); create table S.of_c of S.c;
create type S.shell; create type S.base;
create function S.base_in(cstring) returns S.base language internal strict immutable as 'textin';
create function S.base_out(S.base) returns cstring language internal strict immutable as 'textout';
create type S.base (input = S.base_in, output = S.base_out, like = text);
create function S.f(a S.d, variadic b int[]) returns setof S.t language sql as 'select * from S.t';
create function S.f() returns trigger language plpgsql as 'begin return new; end'; create trigger tr before insert on S.t for each row execute function S.f();
create procedure S.p(inout x int) language plpgsql as 'begin end'; create aggregate S.agg(S.d) (sfunc = S.sf, stype = int);
create collation S.l from "C";
create table S.kept(id int); alter extension plpgsql add table S.kept;
create operator S.=== (leftarg = int, rightarg = int, function = int4eq);
create text search configuration S.ts (copy = simple);
create foreign table S.foreign_t(id int) server srv;
create table public.uses(x S.e, y int default nextval('S.seq')); create view public.looks as select * from S.t;`

func TestCleanSchema(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"app", `o'd"d \s %I %s`} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			n, lit := postgres.Ident(schema), postgres.Literal(postgres.Ident(schema))
			sql := strings.ReplaceAll(everything, "create aggregate S.agg", "create function S.sf(int, S.d) returns int language sql as 'select 1'; create aggregate S.agg")
			sql = strings.ReplaceAll(sql, "'select * from S.t'", postgres.Literal("select * from "+n+".t"))
			sql = strings.ReplaceAll(sql, "'S.seq'", postgres.Literal(n+".seq"))
			db.Exec(t, "create foreign data wrapper w; create server srv foreign data wrapper w; create schema "+n+"; "+strings.ReplaceAll(sql, "S.", n+"."))
			c := open(t, db.URL, postgres.Options{InitSQL: "set search_path = public, " + n + "; set client_min_messages = warning"})
			if err := c.CleanSchema(t.Context(), schema); err != nil {
				t.Fatal(err)
			}
			// flyway.md §4.7 names what stays.
			if got := db.Value(t, strings.ReplaceAll(contents, "N::", lit+"::")); got != "=== foreign_t kept ts" {
				t.Errorf("left in the schema: %s", got)
			}
			if got := db.Value(t, strings.ReplaceAll(contents, "N::", "'public'::")); got != "uses" {
				t.Errorf("left in another schema: %s", got)
			}
			if got := db.Value(t, "select string_agg(attname, ',') from pg_attribute where attrelid = 'uses'::regclass and attnum > 0 and not attisdropped"); got != "y" {
				t.Errorf("columns left in another schema's table: %s", got)
			}
			if err := c.CleanSchema(t.Context(), schema); err != nil {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// Extensions in the schema go when they are the user's, with all that is in them.
func TestCleanSchemaExtensions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if db.Value(t, "select count(*) from pg_available_extensions where name in ('citext', 'hstore')") != "2" {
		t.Skip("this server has no contrib extensions")
	}
	role, url := db.Role(t, "superuser")
	run(t, open(t, url, postgres.Options{}), "create schema app; create extension citext schema app; create table app.t(c app.citext)")
	db.Exec(t, "create extension hstore schema app")
	if err := open(t, url, postgres.Options{}).CleanSchema(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(extname, ' ' order by extname) from pg_extension"); got != "hstore plpgsql" {
		t.Errorf("extensions left after %s cleaned: %s", role, got)
	}
	if empty, err := open(t, url, postgres.Options{}).SchemaEmpty(t.Context(), "app"); err != nil || !empty {
		t.Errorf("a schema with an extension alone is empty: %v, %v", empty, err)
	}
}

// What cannot be dropped leaves everything in place.
func TestCleanSchemaIsAtomic(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role, url := db.Role(t, "")
	db.Exec(t, "create schema app; grant all on schema app to "+role+"; create sequence app.b")
	run(t, open(t, url, postgres.Options{}), "create table app.a(id int)")
	c := open(t, url, postgres.Options{})
	err := c.CleanSchema(t.Context(), "app")
	if bad, ok := errors.AsType[*postgres.StatementError](err); !ok || bad.Err.Code != "42501" {
		t.Errorf("error %v, want a lack of privilege", err)
	}
	if state := transaction(c); state != "none" {
		t.Errorf("the transaction is %s", state)
	}
	if got := db.Value(t, strings.ReplaceAll(contents, "N::", "'app'::")); got != "a b" {
		t.Errorf("left: %s", got)
	}
}
