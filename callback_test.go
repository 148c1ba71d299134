package skein_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// note makes a callback that writes its name down, with what it can see of the session.
func note(event string) string { return "insert into public.heard(event) values ('" + event + "');" }

func TestCallbacksComeInFlywaysOrder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create schema work; create table public.heard(n serial, event text)")
	files := []string{"V1__a.sql", "create table a(id int); select 1;", "R__r.sql", "select 2;"}
	for _, event := range []string{
		"afterConnect", "createSchema", "beforeCreateSchema", "beforeValidate", "afterValidate", "beforeMigrate", "beforeEachMigrate",
		"beforeEachMigrateStatement", "afterEachMigrateStatement", "afterEachMigrate", "afterVersioned", "beforeRepeatables",
		"afterMigrateApplied", "afterMigrate", "afterMigrateError", "afterEachMigrateError", "afterEachMigrateStatementError",
	} {
		files = append(files, event+".sql", note(event))
	}
	files = append(files, "afterMigrate__second.sql", note("afterMigrate second"))
	cfg := skein.Config{Source: scripts(files...), DefaultSchema: "work"}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	step := func(statements int) []string {
		out := []string{"beforeEachMigrate"}
		for range statements {
			out = append(out, "beforeEachMigrateStatement", "afterEachMigrateStatement")
		}
		return append(out, "afterEachMigrate")
	}
	want := slices.Concat([]string{"afterConnect", "beforeValidate", "afterValidate", "createSchema", "beforeCreateSchema", "beforeMigrate"},
		step(2), []string{"afterVersioned", "beforeRepeatables"}, step(1), []string{"afterMigrateApplied", "afterMigrate", "afterMigrate second"})
	heard := func() []string {
		return strings.Split(db.Value(t, "select string_agg(event, ',' order by n) from heard"), ",")
	}
	if got := heard(); !slices.Equal(got, want) {
		t.Errorf("heard %q\nwant  %q", got, want)
	}
	db.Exec(t, "truncate heard")
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	quiet := []string{"afterConnect", "beforeValidate", "afterValidate", "createSchema", "beforeCreateSchema", "beforeMigrate", "afterVersioned", "afterMigrate", "afterMigrate second"}
	if got := heard(); !slices.Equal(got, quiet) {
		t.Errorf("with nothing pending heard %q\nwant %q", got, quiet)
	}
	db.Exec(t, "truncate heard")
	cfg.Source = scripts(append(files, "V2__bad.sql", "select 1/0;")...)
	_, err := migrate(t, db, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.SQL == nil || e.SQL.State != "22012" {
		t.Errorf("the script's own error must be told, not %v", err)
	}
	failed := []string{"afterConnect", "beforeValidate", "afterValidate", "createSchema", "beforeCreateSchema", "beforeMigrate", "afterEachMigrateStatementError", "afterEachMigrateError", "afterMigrateError"}
	if got := heard(); !slices.Equal(got, failed) {
		t.Errorf("after a failure heard %q\nwant %q", got, failed)
	}
}

// What beforeEachMigrate sets is there for the script, and gone for the next.
func TestEachCallbacksShareTheirScriptsSession(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("beforeEachMigrate.sql", "select set_config('my.who', 'migration', false);", "beforeMigrate.sql", "set my.who = 'leak';",
		"V1__a.sql", "create table seen as select current_setting('my.who') as who; set my.who = 'V1';", "R__b.sql", "insert into seen values (current_setting('my.who'));",
		"afterMigrate.sql", "insert into seen values (coalesce(current_setting('my.who', true), ''));")
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(who, ',') from seen"); got != "migration,migration," {
		t.Errorf("seen %q", got)
	}
}

func TestFailingCallbackStops(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "select 1;", "beforeMigrate__check.sql", "select\n  nonsense;")})
	var e *skein.Error
	if !errors.As(err, &e) || e.Callback != "beforeMigrate" || e.At.Line != 2 || e.At.Path != "beforeMigrate__check.sql" {
		t.Fatalf("error %+v", err)
	}
	if history(t, db) != "" {
		t.Error("V1 ran")
	}
}

func TestCallbacksOfTheOtherCommands(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create schema work; create table heard(n serial, event text)")
	var files []string
	for _, event := range []string{"beforeInfo", "afterInfo", "beforeBaseline", "afterBaseline", "beforeRepair", "afterRepair", "beforeClean", "afterClean"} {
		files = append(files, event+".sql", note(event))
	}
	ctx := context.Background()
	cfg := skein.Config{URL: db.URL, Source: scripts(files...), DefaultSchema: "work", AllowClean: true}
	_, err1 := skein.Baseline(ctx, cfg)
	_, err2 := skein.Info(ctx, cfg)
	_, err3 := skein.Repair(ctx, cfg)
	_, err4 := skein.Clean(ctx, cfg)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	want := "beforeBaseline,afterBaseline,beforeInfo,afterInfo,beforeRepair,afterRepair,beforeClean,afterClean"
	if got := db.Value(t, "select string_agg(event, ',' order by n) from heard"); got != want {
		t.Errorf("heard %s", got)
	}
}
