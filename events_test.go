//go:build unix

package skein_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Which commands fire each event; undo and deploy are commands of their own and not here.
var firedBy = map[string]string{
	"beforeConnect": "migrate", "afterConnect": "migrate", "beforeValidate": "migrate", "afterValidate": "migrate", "afterValidateError": "invalid",
	"createSchema": "migrate", "beforeCreateSchema": "migrate",
	"beforeMigrate": "migrate", "beforeEachMigrate": "migrate", "beforeEachMigrateStatement": "migrate", "afterEachMigrateStatement": "migrate",
	"afterEachMigrateStatementError": "failing", "afterEachMigrate": "migrate", "afterEachMigrateError": "failing", "afterVersioned": "migrate",
	"beforeRepeatables": "migrate", "afterMigrateApplied": "migrate", "afterMigrate": "migrate", "afterMigrateError": "failing",
	"afterMigrateOperationFinish": "migrate",
	"beforeClean":                 "clean", "afterClean": "clean", "afterCleanError": "clean without the right",
	"beforeInfo": "info", "afterInfo": "info", "afterInfoError": "info with a missing target", "afterInfoOperationFinish": "info",
	"beforeBaseline": "baseline", "afterBaseline": "baseline", "afterBaselineError": "baseline over another",
	"beforeRepair": "repair", "afterRepair": "repair", "afterRepairError": "repair without the right",
}

// Every event of migration.Events is fired, for a SQL script (where there is a connection) and for a program, once
// each, the two in the order of their descriptions.
func TestEveryEventFires(t *testing.T) {
	t.Parallel()
	known := slices.DeleteFunc(slices.Clone(migration.Events), func(e string) bool {
		return strings.Contains(e, "Undo") || strings.Contains(e, "Deploy")
	})
	if want := slices.Sorted(maps.Keys(firedBy)); !slices.Equal(slices.Sorted(slices.Values(known)), want) {
		t.Fatalf("events are %q, the table has %q", known, want)
	}
	for event, command := range firedBy {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			got := fired(t, event, command)
			want := []string{"a sql", "b program", "c sql"}
			if event == "beforeConnect" {
				want = []string{"b program"}
			}
			if strings.Contains(event, "EachMigrate") && command == "migrate" {
				want = slices.Concat(want, want) // V1 and R, of one statement each
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %s: fired %q, want %q", event, command, got, want)
			}
		})
	}
}

// fired runs a command and tells what its callbacks of an event wrote down, in order. The SQL ones tell it by a message
// of the server, since what they write into tables may be rolled back.
func fired(t *testing.T, event, command string) (got []string) {
	db := pgtest.New(t)
	ctx := t.Context()
	migrations := []string{"V1__a.sql", "create table a(id int);", "R__r.sql", "select 2;"}
	cfg := skein.Config{URL: db.URL, AllowClean: true, DefaultSchema: "work"}
	db.Exec(t, "create schema work")
	before := func(do func(context.Context, skein.Config) error) {
		cfg.Source = scripts(migrations...)
		if err := do(ctx, cfg); err != nil {
			t.Fatal(err)
		}
	}
	run, fails := doMigrate, true
	switch command {
	case "invalid":
		before(doMigrate)
		migrations[1] += " -- changed"
	case "failing":
		migrations = []string{"V1__a.sql", "select 1/0;"}
	case "clean", "info", "baseline", "repair":
		run, fails = map[string]func(context.Context, skein.Config) error{"clean": doClean, "info": doInfo, "baseline": doBaseline, "repair": doRepair}[command], false
	case "clean without the right":
		before(doMigrate)
		run = doClean
		db.Exec(t, "set role none; create table work.mine(id int); create function public.no() returns event_trigger language plpgsql as $$begin raise 'no'; end$$; create event trigger no on sql_drop execute function public.no()")
		t.Cleanup(func() { db.Exec(t, "drop event trigger no") })
	case "info with a missing target":
		run, cfg.TargetVersion = doInfo, target("99")
	case "baseline over another":
		before(doMigrate)
		run, cfg.BaselineVersion = doBaseline, migration.MustVersion("7")
	case "repair without the right":
		before(doMigrate)
		migrations[1] += " -- changed"
		run = doRepair
		db.Exec(t, "create function no() returns trigger language plpgsql as $$begin raise 'no'; end$$; create trigger no before update on work.flyway_schema_history execute function no()")
	default:
		fails = false
	}
	cfg.Source = scripts(append(migrations,
		event+"__a.sql", "do $$begin raise notice 'fired a sql'; end$$;", event+"__b.sh", "echo fired b program", event+"__c.sql", "do $$begin raise notice 'fired c sql'; end$$;")...)
	cfg.Report = func(e skein.Event) {
		text := ""
		switch e := e.(type) {
		case skein.Notice:
			text = e.Text
		case skein.ProgramOutput:
			text = e.Text
		}
		if what, found := strings.CutPrefix(text, "fired "); found {
			got = append(got, what)
		}
	}
	if err := run(ctx, cfg); (err != nil) != fails {
		t.Errorf("%s: %v", command, err)
	}
	return got
}

func doMigrate(ctx context.Context, c skein.Config) error {
	_, err := skein.Migrate(ctx, c)
	return err
}
func doClean(ctx context.Context, c skein.Config) error { _, err := skein.Clean(ctx, c); return err }
func doInfo(ctx context.Context, c skein.Config) error  { _, err := skein.Info(ctx, c); return err }
func doBaseline(ctx context.Context, c skein.Config) error {
	_, err := skein.Baseline(ctx, c)
	return err
}
func doRepair(ctx context.Context, c skein.Config) error { _, err := skein.Repair(ctx, c); return err }

// A program among the each-callbacks runs between the statements of a script that would else travel in one message,
// and when it fails, the script is rolled back.
func TestProgramsAroundAScript(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var heard []string
	files := []string{"V1__a.sql", "create table a(id int); insert into a values (1);", "beforeEachMigrate.sh", "echo before", "beforeEachMigrateStatement.sh", "echo statement",
		"afterEachMigrate__x.sh", "echo after; exit 4"}
	_, err := migrate(t, db, skein.Config{Source: scripts(files...), Report: outputs(&heard)})
	var e *skein.Error
	if !errors.As(err, &e) || e.Callback != "afterEachMigrate" || e.At.Path != "afterEachMigrate__x.sh" || !strings.Contains(e.Kept, "nothing of V1 was kept") {
		t.Errorf("error %+v", err)
	}
	if want := []string{"beforeEachMigrate.sh: before", "beforeEachMigrateStatement.sh: statement", "beforeEachMigrateStatement.sh: statement", "afterEachMigrate__x.sh: after"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q", heard)
	}
	if history(t, db) != "" || db.Value(t, "select to_regclass('a') is null") != "t" {
		t.Error("V1 stayed")
	}
}

// Around a migration that is a program, each-callbacks run in transactions of their own.
func TestCallbacksAroundAProgram(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create schema work; create table public.heard(n serial, event text)")
	cfg := skein.Config{DefaultSchema: "work", Source: scripts("V1__p.sh", "echo", "beforeEachMigrate.sql", note("beforeEachMigrate"), "afterEachMigrate.sql", note("afterEachMigrate"),
		"beforeEachMigrateStatement.sql", note("statement"))}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(event, ',' order by n) from heard"); got != "beforeEachMigrate,afterEachMigrate" {
		t.Errorf("heard %s", got)
	}
}

// beforeConnect really comes before: here it makes what the connection needs.
func TestBeforeConnectComesBeforeTheConnection(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	flag := filepath.Join(t.TempDir(), "there")
	cfg := skein.Config{Source: scripts("beforeConnect.sh", `echo "$FP__flyway_user__ $FP__flyway_table__" >"$FP__flag__"`, "V1__a.sql", "select 1;"),
		Placeholders: migration.Placeholders{Values: map[string]string{"flag": flag}}}
	opened := 0
	cfg.Connection = connecting(db, func() {
		if _, err := os.Stat(flag); err == nil {
			opened++
		}
	})
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(flag); err != nil || string(text) != db.Value(t, "select current_user")+" flyway_schema_history\n" || opened == 0 {
		t.Errorf("%q, %v, %d connections after it", text, err, opened)
	}
	cfg.URL, cfg.Connection = "postgres://127.0.0.1:1/nowhere", nil
	cfg.Source = scripts("beforeConnect__check.sh", "exit 9")
	_, err := skein.Migrate(t.Context(), cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Callback != "beforeConnect" || !strings.Contains(e.Message, "exit status 9") {
		t.Errorf("error %+v", err)
	}
}

func TestCallbackPlacesAndSwitches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(*skein.Config)
		want string
	}{
		{"beside the scripts", func(*skein.Config) {}, "beforeMigrate.sh: here"},
		{"in a place of their own", func(c *skein.Config) {
			c.CallbackSource = source.FS(fstest.MapFS{"beforeMigrate.sh": {Data: []byte("echo there")}, "beforeConnect.sh": {Data: []byte("echo early")}})
		}, "beforeConnect.sh: early,beforeMigrate.sh: there"},
		{"skipDefaultCallbacks leaves programs", func(c *skein.Config) { c.SkipDefaultCallbacks = true }, "beforeMigrate.sh: here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			var heard []string
			cfg := skein.Config{Source: scripts("V1__a.sql", "select 1;", "beforeMigrate.sh", "echo here"), Report: outputs(&heard)}
			c.set(&cfg)
			if _, err := migrate(t, db, cfg); err != nil || strings.Join(heard, ",") != c.want {
				t.Errorf("%v, heard %q", err, heard)
			}
		})
	}
}
