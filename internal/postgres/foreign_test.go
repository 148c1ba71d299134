package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/adoption"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

// TestHistoryTables has tables of each kind under odd names, and others that only look alike.
func TestReadForeign(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create schema "o'dd ""one";
		create table "o'dd ""one"."My Migrations" (version bigint primary key, dirty boolean not null);
		insert into "o'dd ""one"."My Migrations" values (-1, false), (7, true);
		create table goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp default now());
		insert into goose_db_version (version_id, is_applied) values (0, true), (1, true), (2, true), (2, false), (3, true), (3, false), (3, true);
		create table log (id text, author text, filename text, dateexecuted timestamp, orderexecuted int, exectype text, md5sum text);
		create table loglock (id int, locked boolean, lockgranted timestamp, lockedby text);
		insert into loglock values (1, true, now(), 'ada''s laptop');
		insert into log values ('b', 'ada', 'x.sql', '2024-01-02', 2, 'ran', null), ('a', 'ada', null, '2024-01-02', 1, 'EXECUTED', null);
		create table old (version_rank int, installed_rank int, version text, description text, type text, script text, checksum int, installed_by text,
			installed_on timestamp default now(), execution_time int default 0, success boolean);
		insert into old values (1, 1, '1', 'init', 'INIT', 'init', null, 'ada', now(), 0, true);
		create schema rails; create table rails.schema_migrations (version varchar primary key);
		create table alike (version text, dirty boolean); create table alike2 (version bigint, dirty boolean, more int);
		create view a_view as select * from goose_db_version`)
	c := open(t, db.URL, postgres.Options{})
	if err := c.BeginReadOnly(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := c.HistoryTables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if err := c.ReadRows(t.Context(), &got[i]); err != nil {
			t.Fatal(err)
		}
	}
	want := []adoption.Table{
		{Tool: adoption.GolangMigrate, Schema: `o'dd "one`, Name: "My Migrations", Marks: []adoption.Mark{{Version: 7, Applied: true, Dirty: true}}},
		{Tool: adoption.Goose, Schema: "public", Name: "goose_db_version", Marks: []adoption.Mark{{Version: 1, Applied: true}, {Version: 2}, {Version: 3, Applied: true}}},
		{Tool: adoption.Liquibase, Schema: "public", Name: "log", Changesets: []adoption.Changeset{{ID: "a", Author: "ada", Type: "EXECUTED"}, {ID: "b", Author: "ada", File: "x.sql", Type: "RAN"}}, LockedBy: "ada's laptop"},
		{Tool: adoption.Flyway, Schema: "public", Name: "old", Ranked: true, Fault: "its column type holds what is no such value: unknown migration type 'INIT' found in schema history"},
		{Tool: adoption.Unknown, Schema: "rails", Name: "schema_migrations"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := c.Exec(t.Context(), "create table written (id int)", nil); err == nil || !strings.Contains(err.Error(), "25006") {
		t.Errorf("writing gives %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `revoke all on schema public from public; create schema "in Side"; create schema seen`)
	name, url := db.Role(t, "")
	db.Exec(t, "grant usage on schema seen to "+postgres.Ident(name))
	c := open(t, url, postgres.Options{})
	for _, want := range []struct {
		schemas []string
		grants  string
	}{
		{nil, "public"}, {[]string{"seen"}, ""}, {[]string{"in Side", "seen", "missing"}, `"in Side"`},
	} {
		got, err := c.Closed(t.Context(), want.schemas)
		text := ""
		if want.grants != "" {
			text = "grant usage on schema " + postgres.Ident(strings.Trim(want.grants, `"`)) + " to " + postgres.Ident(name) + ";"
		}
		if err != nil || strings.Join(got, "\n") != text {
			t.Errorf("%q: %q, %v", want.schemas, got, err)
		}
	}
}
