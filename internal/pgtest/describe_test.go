package pgtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDescribeSeesChanges breaks a copy in one way after another: each has to show.
func TestDescribeSeesChanges(t *testing.T) {
	t.Parallel()
	db := New(t)
	db.Exec(t, `create schema app; create table app.a(id serial primary key, note text default 'x'); create view app.v as select id from app.a;
		create function app.f() returns int language sql as 'select 1'; create type app.e as enum ('one'); insert into app.a(note) values ('first');
		create schema skein; create table skein.journal(id int); create table app.flyway_schema_history(id int)`)
	describe := func() string {
		return db.Describe(t, "skein", func(table string) bool { return table != "flyway_schema_history" })
	}
	last := describe()
	for _, sql := range []string{
		"comment on table app.a is 'why'", "alter table app.a alter note set default 'y'", "create index on app.a(note)", "alter table app.a add check (id > 0)",
		"create or replace function app.f() returns int language sql as 'select 2'", "alter type app.e add value 'two'", "grant select on app.a to public",
		"update app.a set note = 'second'", "select nextval('app.a_id_seq')", "create or replace view app.v as select id + 0 as id from app.a", "create schema more",
		"alter table app.a enable row level security", "drop view app.v", "create statistics app.s on id, note from app.a",
		"alter default privileges grant select on tables to public",
	} {
		db.Exec(t, sql)
		now := describe()
		if now == last {
			t.Errorf("not seen: %s", sql)
		}
		last = now
	}
	db.Exec(t, "comment on schema skein is 'why'; insert into skein.journal values (1); insert into app.flyway_schema_history values (1)")
	if diff := cmp.Diff(last, describe()); diff != "" {
		t.Errorf("what was left out shows:\n%s", diff)
	}
}
