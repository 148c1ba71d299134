package skein_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/source"
)

// AT-18a: what a script sets does not reach the next script or the history write.
func TestSessionStateEndsWithItsScript(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"pg_dump":               "select pg_catalog.set_config('search_path', '', false); create table public.dumped(id int);",
		"set role":              "create role ROLE; grant ROLE to current_user; set role ROLE;",
		"session authorization": "create role ROLE; set session authorization ROLE;",
		"a timeout":             "set lock_timeout = '7s'; set statement_timeout = '1h';",
		"a temporary table":     "create temp table leftover(id int);",
		"a prepared statement":  "prepare leftover as select 1;",
		"an advisory lock":      "select pg_advisory_lock(42);",
		"a custom setting":      "set my.setting = 'x';",
		"a channel":             "listen leftover;",
		"a cursor":              "declare leftover cursor with hold for select 1;",
		"a sequence's memory":   "create sequence s; select nextval('s');",
	}
	const look = `create table seen as select current_setting('search_path') as path, current_user::text as who, session_user::text as login,
		current_setting('lock_timeout') as lt, current_setting('statement_timeout') as st, coalesce(current_setting('my.setting', true), '') as own,
		(select count(*) from pg_class where relnamespace = pg_my_temp_schema()) as temp, (select count(*) from pg_prepared_statements) as prepared,
		(select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objid = 42) as locks,
		(select count(*) from pg_listening_channels()) as channels, (select count(*) from pg_cursors where name = 'leftover') as cursors;`
	for name, script := range cases {
		for _, mode := range []string{"in one message", "statement by statement", "outside"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				db := pgtest.New(t)
				role := "r_" + db.Name
				script := strings.ReplaceAll(script, "ROLE", role)
				t.Cleanup(func() { db.Exec(t, "drop owned by "+role+" cascade; drop role "+role) })
				db.Exec(t, "create schema app; ")
				if !strings.Contains(script, role) {
					db.Exec(t, "create role "+role)
				}
				files := []string{"V1__state.sql", script, "V2__look.sql", look}
				switch mode {
				case "statement by statement":
					files[1] += strings.Repeat("select 1;", 60)
				case "outside":
					files = append(files, "V1__state.sql.conf", "executeInTransaction=false")
				}
				if _, err := migrate(t, db, skein.Config{Source: scripts(files...), DefaultSchema: "app", InitSQL: "set lock_timeout = '3s'; set my.setting = 'mine'"}); err != nil {
					t.Fatal(err)
				}
				user := db.Value(t, "select current_user")
				got := db.Rows(t, "select * from app.seen")[0]
				want := []string{`"app","$user", public`, user, user, "3s", "0", "mine", "0", "0", "0", "0", "0"}
				if !slices.Equal(got, want) {
					t.Errorf("seen by the next script %q, want %q", got, want)
				}
				if n := db.Value(t, "select string_agg(installed_by, ',') from app.flyway_schema_history"); n != user+","+user {
					t.Errorf("installed_by %s", n)
				}
			})
		}
	}
}

func TestWhatInitSQLLeavesStays(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	init := `create temp table mine(id int); insert into mine values (1); prepare p as select 1; select pg_advisory_lock_shared(99); listen ours; set search_path = public, pg_temp`
	cfg := skein.Config{InitSQL: init, Source: scripts(
		"V1__a.sql", "create temp table theirs(id int); prepare q as select 2; select pg_advisory_lock(100); listen theirs; insert into mine values (2);",
		"V2__b.sql", `create table public.seen as select (select sum(id) from mine) as mine, to_regclass('theirs') is null as gone,
			(select string_agg(name, ',') from pg_prepared_statements) as prepared, (select string_agg(c, ',') from pg_listening_channels() c) as channels,
			(select string_agg(objid::text, ',') from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objid in (99, 100)) as locks;`)}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if got, want := db.Rows(t, "select * from seen")[0], []string{"3", "t", "p", "ours", "99"}; !slices.Equal(got, want) {
		t.Errorf("seen %q, want %q", got, want)
	}
}

func TestKeepSessionStateLeaksAsFlywayDoes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{KeepSessionState: true, Source: scripts("V1__a.sql", "set lock_timeout = '9s'; create role r_x_"+db.Name+"; set role r_x_"+db.Name,
		"V2__b.sql", "create table seen as select current_setting('lock_timeout') as lt, current_user::text as u")}
	t.Cleanup(func() { db.Exec(t, "drop role if exists r_x_"+db.Name) })
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if got := db.Rows(t, "select lt, u = current_user from seen")[0]; got[0] != "9s" || got[1] != "t" {
		t.Errorf("seen %q", got)
	}
}

// AT-18b: with a role, everything belongs to it from the first statement on.
func TestRoleOwnsEverything(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role := "owner_" + db.Name
	db.Exec(t, "create role "+role+"; grant create on schema public to "+role)
	t.Cleanup(func() { db.Exec(t, "drop owned by "+role+" cascade; drop role "+role) })
	if _, err := migrate(t, db, skein.Config{Role: role, Source: scripts("V1__a.sql", "create table a(id int); reset role;", "V2__b.sql", "create table b(id int);")}); err != nil {
		t.Fatal(err)
	}
	if n := db.Value(t, "select string_agg(distinct tableowner, ',') from pg_tables where schemaname = 'public'"); n != role {
		t.Errorf("owners %s", n)
	}
}

// AT-2e: a script's own BEGIN and COMMIT are passed on; what it leaves outside them is atomic with its history row.
func TestScriptWithItsOwnTransactions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var warned []string
	report := func(e skein.Event) {
		if w, ok := e.(skein.Warning); ok {
			warned = append(warned, w.Path+": "+w.Text)
		}
	}
	src := func(last string) source.Source {
		return scripts("V1__own.sql", "create table a(id int);\nbegin;\ninsert into a values (1);\ncommit;\ninsert into a values (2);\n"+last)
	}
	_, err := migrate(t, db, skein.Config{Report: report, Source: src("insert into a values ('x');")})
	var e *skein.Error
	if !errors.As(err, &e) || e.At.Line != 6 || !strings.Contains(e.Kept, "what V1 had committed before stays") {
		t.Fatalf("error %v", err)
	}
	if n := db.Value(t, "select string_agg(id::text, ',') from a"); n != "1" {
		t.Errorf("kept %s, want what the script committed: 1", n)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "V1__own.sql: the script begins and commits") {
		t.Errorf("warnings %q", warned)
	}
	if _, err := migrate(t, db, skein.Config{Source: src("insert into a values (3);")}); err != nil {
		t.Fatal(err)
	}
	if got := history(t, db); got != "1|1|SQL|V1__own.sql|t\n" {
		t.Errorf("history %s", got)
	}
	if n := db.Value(t, "select string_agg(id::text, ',') from a"); n != "1,2,3" {
		t.Errorf("rows %s", n)
	}
}

func TestMigrationsWrittenInGo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	sum := int32(77)
	fail := true
	cfg := skein.Config{
		Source: scripts("V1__a.sql", "create table a(id int);", "V3__c.sql", "insert into a values (3);"),
		Migrations: []skein.Migration{{
			Version: "2", Description: "in go", Checksum: &sum,
			Run: func(ctx context.Context, tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "set search_path = ''; insert into public.a values ($1)", pgx.QueryExecModeSimpleProtocol, 2); err != nil {
					return err
				}
				if fail {
					return errors.New("not today")
				}
				return nil
			},
		}},
	}
	_, err := migrate(t, db, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Message != "not today" || !strings.Contains(e.Kept, "nothing of V2 was kept") {
		t.Fatalf("error %v", err)
	}
	if n := db.Value(t, "select count(*) from a"); n != "0" {
		t.Errorf("%s rows stayed", n)
	}
	fail = false
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if got, want := history(t, db), "1|1|SQL|V1__a.sql|t\n2|2|JDBC|go:2 in go|t\n3|3|SQL|V3__c.sql|t\n"; got != want {
		t.Errorf("history %s", got)
	}
	if n := db.Value(t, "select checksum from flyway_schema_history where version = '2'"); n != "77" {
		t.Errorf("checksum %s", n)
	}
	sum = 78
	cfg.URL = db.URL
	v, err := skein.Validate(context.Background(), cfg)
	if err != nil || len(v.Problems) != 1 || v.Problems[0].Code != "CHECKSUM_MISMATCH" {
		t.Errorf("validate %v %v", v.Problems, err)
	}
}

// Each-callbacks share the session and the transaction of a migration written in Go, as they do those of a script.
func TestCallbacksAroundAMigrationWrittenInGo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{
		Source: scripts("V1__a.sql", "create table heard(n serial, what text);",
			"beforeEachMigrate.sql", "set my.state = 'set before';", "afterEachMigrate.sql", "insert into heard (what) values ('after');",
			"beforeEachMigrateStatement.sql", "select 1/0;"),
		Migrations: []skein.Migration{{Version: "2", Description: "go", Run: func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into heard (what) values (current_setting('my.state'))")
			return err
		}}},
	}
	first := cfg
	first.Source, first.Migrations = scripts("V1__a.sql", "create table heard(n serial, what text);"), nil
	if _, err := migrate(t, db, first); err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(what, ',' order by n) from heard"); got != "set before,after" {
		t.Errorf("heard %s", got)
	}
	cfg.Source = scripts("V1__a.sql", "create table heard(n serial, what text);", "afterEachMigrate__bad.sql", "insert into heard (what) values ('rolled back');\nselect 1/0;")
	cfg.Migrations = append(cfg.Migrations, skein.Migration{Version: "3", Description: "go", Run: func(context.Context, pgx.Tx) error { return nil }})
	_, err := migrate(t, db, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.At == nil || e.At.Path != "afterEachMigrate__bad.sql" || e.At.Line != 2 || !strings.Contains(e.Kept, "nothing of V3 was kept") {
		t.Fatalf("error %v", err)
	}
	if got := db.Value(t, "select count(*) from heard"); got != "2" {
		t.Errorf("%s rows", got)
	}
}

// What afterConnect sets is there for every script and callback, as what initSql sets is.
func TestWhatAfterConnectSetsStays(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create schema helpers; create function helpers.seven() returns int language sql as 'select 7'; create role ac_"+db.Name+"; grant all on schema public to ac_"+db.Name+"; grant usage on schema helpers to ac_"+db.Name)
	t.Cleanup(func() { db.Exec(t, "drop owned by ac_"+db.Name+" cascade; drop role ac_"+db.Name) })
	cfg := skein.Config{InitSQL: "set my.a = 'init'", Source: scripts(
		"afterConnect.sql", "set my.b = 'after'; set lock_timeout = '4s'; set search_path = public, helpers; set role ac_"+db.Name+"; create temp table kept as select 1 as one;",
		"V1__a.sql", "create table seen as select current_setting('my.a') as a, current_setting('my.b') as b, current_setting('lock_timeout') as lt, seven() as f, current_user::text as u, one from kept;",
		"V2__b.sql", "set my.b = 'V2'; set lock_timeout = '9s'; set search_path = public; reset role;",
		"V3__c.sql", "insert into seen select current_setting('my.a'), current_setting('my.b'), current_setting('lock_timeout'), seven(), current_user, one from kept;")}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	want := []string{"init", "after", "4s", "7", "ac_" + db.Name, "1"}
	rows := db.Rows(t, "select * from seen")
	if len(rows) != 2 || !slices.Equal(rows[0], want) || !slices.Equal(rows[1], want) {
		t.Errorf("seen %q, want twice %q", rows, want)
	}
}
