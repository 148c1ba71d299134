package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

// state is what a script could leave behind, a line for each piece; numbers of processes and the like left out.
const state = `select coalesce(string_agg(line, e'\n' order by line collate "C"), '') from (
	select 'who ' || session_user || ' ' || current_user || ' ' || current_setting('role')
	union all select 'setting ' || name || ' = ' || setting from pg_settings where source = 'session'
	union all select 'own ' || n || ' = ' || coalesce(nullif(current_setting(n, true), ''), '-') from unnest(array['app.tenant', 'app.odd', 'other.x']) n
	union all select 'relation ' || relkind::text || ' ' || relname from pg_class where relnamespace = pg_my_temp_schema()
	union all select 'routine ' || proname from pg_proc where pronamespace = pg_my_temp_schema()
	union all select 'type ' || typname from pg_type where typnamespace = pg_my_temp_schema() and typrelid = 0 and typcategory <> 'A'
	union all select 'prepared ' || name from pg_prepared_statements
	union all select 'cursor ' || name from pg_cursors where is_holdable
	union all select 'listens ' || c from pg_listening_channels() c
	union all select 'lock ' || classid || ' ' || objid || ' ' || objsubid || ' ' || mode from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) x(line)`

// mess is what a script does, everything of it beside what init does.
const mess = `set search_path = 'messy'; set lock_timeout = 77; set session_replication_role = replica; set app.tenant = 'theirs'; set other.x = 'y';
	set datestyle = 'German'; set standard_conforming_strings = off; set plan_cache_mode = force_custom_plan;
	create temp table messy(id serial); create temp view messy_v as select * from messy; create temp sequence messy_s;
	create function pg_temp.messy_f() returns int language sql as 'select 1'; create type pg_temp.messy_e as enum ('a'); create domain pg_temp.messy_d as int; create type pg_temp.messy_r as range (subtype = float8);
	create function pg_temp.messy_f(pg_temp.messy_d) returns int language sql as 'select 1'; create type pg_temp.messy_c as (a int); create procedure pg_temp.messy_p() language sql as 'select 1';
	prepare messy as select 1; listen "Messy"; declare messy_c cursor with hold for select 1;
	select pg_advisory_lock(12, -3), pg_advisory_lock(-4), pg_advisory_lock(-4), pg_advisory_lock_shared(-5), pg_advisory_lock_shared(-6, 7), pg_advisory_lock(99);
	set role MESSY; set session authorization MESSY`

func TestResetBringsTheSessionBack(t *testing.T) {
	t.Parallel()
	for name, init := range map[string]string{
		"nothing":                "",
		"settings":               "set lock_timeout = '3s'; set search_path = app, public; set datestyle = 'SQL, DMY'; set time zone interval '-08:00' hour to minute; set work_mem = '9MB'",
		"settings of one's own":  `set app.tenant = 'it''s \ mine'; select set_config('app.odd', 'o', false)`,
		"a role":                 "set role OTHER",
		"authorization":          "set session authorization OTHER",
		"authorization and role": "set session authorization OTHER; set role THIRD",
		"what only a superuser may set, before a role":  "set session_replication_role = replica; set role OTHER",
		"the same before another session authorization": "set session_replication_role = replica; set session authorization OTHER",
		"temporary objects": `create temp table "m'i\ne"(id serial); create temp view mine_v as select 1; create temp sequence mine_s; create type pg_temp.mine_c as (a int);
			create function pg_temp.mine_f() returns int language sql as 'select 1'; create type pg_temp.mine_e as enum ('a')`,
		"a prepared statement": `prepare "it's \ mine" as select 1`,
		"channels":             `listen "It's mine"; listen other`,
		"locks":                "select pg_advisory_lock(-99), pg_advisory_lock_shared(99), pg_advisory_lock(1, -2), pg_advisory_lock_shared(-1, -1)",
	} {
		for _, inside := range []string{"", " in a transaction"} {
			t.Run(name+inside, func(t *testing.T) {
				t.Parallel()
				db := pgtest.New(t)
				roles := strings.NewReplacer("OTHER", "other_"+db.Name, "THIRD", "third_"+db.Name, "MESSY", "messy_"+db.Name)
				db.Exec(t, roles.Replace("create role THIRD; create role OTHER in role THIRD; create role MESSY"))
				t.Cleanup(func() { db.Exec(t, roles.Replace("drop role OTHER, THIRD, MESSY")) })
				var warnings []string
				c := open(t, db.URL, postgres.Options{InitSQL: roles.Replace(init), OnNotice: func(severity, _, text string) {
					if severity == "WARNING" {
						warnings = append(warnings, text)
					}
				}})
				session, err := c.CaptureSession(t.Context(), false, "select 1", roles.Replace(init))
				if err != nil {
					t.Fatal(err)
				}
				want := ask(t, c, state)
				run(t, c, "reset session authorization; reset role")
				run(t, c, roles.Replace(mess))
				if ask(t, c, state) == want {
					t.Fatal("the script left nothing behind")
				}
				if inside != "" {
					run(t, c, "begin")
				}
				run(t, c, session.Reset()...)
				if inside != "" {
					run(t, c, "commit")
				}
				if diff := cmp.Diff(want, ask(t, c, state)); diff != "" {
					t.Errorf("-before +after the reset\n%s", diff)
				}
				if len(warnings) > 0 {
					t.Errorf("warnings: %q", warnings)
				}
			})
		}
	}
}

// A connection on which nothing but "set role" ran needs no look at it.
func TestCleanSession(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"", "other's"} {
		db := pgtest.New(t)
		messy := "messy_" + db.Name
		if role != "" {
			role += db.Name
			db.Exec(t, "create role "+postgres.Ident(role))
			t.Cleanup(func() { db.Exec(t, "drop role "+postgres.Ident(role)) })
		}
		db.Exec(t, "create role "+messy)
		t.Cleanup(func() { db.Exec(t, "drop role "+messy) })
		c := open(t, db.URL, postgres.Options{Role: role})
		want := ask(t, c, state)
		run(t, c, "reset role")
		run(t, c, strings.ReplaceAll(mess, "MESSY", messy))
		run(t, c, postgres.CleanSession(role, false).Reset()...)
		if diff := cmp.Diff(want, ask(t, c, state)); diff != "" {
			t.Errorf("role %q: -before +after the reset\n%s", role, diff)
		}
	}
}

// No catalog lists settings of an application's own: their names are found in the texts that set them.
func TestCaptureFindsSettingsOfOnesOwn(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const text = `set my.bare = 1; select set_config('my.string', 'x', false); do $$ begin set my.hidden = 2; end $$; -- my.comment
		set "my"."quoted" = 3; select 'my.nothing'; set My.Mixed = 4; set my.deep.er = 5`
	c := open(t, db.URL, postgres.Options{InitSQL: text})
	session, err := c.CaptureSession(t.Context(), false, text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"my.bare": "1", "my.string": "x", "my.hidden": "2", "my.quoted": "3", "my.mixed": "4", "my.deep.er": "5"}
	for name := range want {
		run(t, c, "set "+name+" = 'changed'")
	}
	run(t, c, session.Reset()...)
	for name, want := range want {
		if got := ask(t, c, "show "+name); got != want {
			t.Errorf("%s is %q after the reset, want %q", name, got, want)
		}
	}
}
