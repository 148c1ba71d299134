package skein_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// accounted runs a command and gives, for a report, "before 1: V1__a.sql=Success" and "V1__a.sql:2 CREATE TABLE timed | sql".
func accounted(t *testing.T, cfg skein.Config, do func(context.Context, skein.Config) error) ([]string, error) {
	t.Helper()
	var told []string
	cfg.Report = func(e skein.Event) {
		switch e := e.(type) {
		case skein.Standing:
			text := "before"
			if e.After {
				text = "after"
			}
			text += fmt.Sprintf(" %q:", e.Version.String())
			for i := range e.Entries {
				text += " " + e.Entries[i].Path() + "=" + string(e.Entries[i].State)
			}
			told = append(told, text)
		case skein.StatementDone:
			timed := "timed"
			if e.Took == 0 {
				timed = "untimed"
			}
			told = append(told, fmt.Sprintf("%s:%d %s %s | %s", e.Path, e.Line, e.Tag, timed, e.SQL))
		}
	}
	err := do(t.Context(), cfg)
	return told, err
}

func TestAccount(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts(
		"V1__a.sql", "-- first\ncreate table ${name}(id int);\ninsert into a /* two */ values (1), (2);",
		"V2__b.sql", "create table b(id int);", "V3__c.sql", "create table c(id int); select 1/0;",
		"afterEachMigrate.sql", "select 'each'",
	)
	cfg := skein.Config{URL: db.URL, Source: src, Placeholders: migration.Placeholders{Values: map[string]string{"name": "a"}}, TargetVersion: target("1")}
	plain, err := accounted(t, cfg, doMigrate)
	want := `V1__a.sql:2 CREATE TABLE untimed | create table a(id int)
V1__a.sql:3 INSERT 0 2 untimed | insert into a /* two */ values (1), (2)
afterEachMigrate.sql:1 SELECT 1 untimed | select 'each'`
	if got := strings.Join(plain, "\n"); err != nil || got != want {
		t.Errorf("without Account: %v\n%s", err, got)
	}
	db.Exec(t, "drop table a; delete from flyway_schema_history")

	cfg.Account = true
	told, err := accounted(t, cfg, doMigrate)
	want = `before "": V1__a.sql=Pending V2__b.sql=Above Target V3__c.sql=Above Target
` + strings.ReplaceAll(want, "untimed", "timed") + `
after "1": V1__a.sql=Success V2__b.sql=Above Target V3__c.sql=Above Target`
	if got := strings.Join(told, "\n"); err != nil || got != want {
		t.Errorf("with Account: %v\n%s", err, got)
	}

	cfg.TargetVersion = migration.Target{}
	told, err = accounted(t, cfg, doMigrate)
	if err == nil || told[len(told)-1] != `after "2": V1__a.sql=Success V2__b.sql=Success V3__c.sql=Pending` {
		t.Errorf("after an error: %v\n%s", err, strings.Join(told, "\n"))
	}

	cfg.AllowClean = true
	told, err = accounted(t, cfg, doClean)
	if err != nil || told[len(told)-1] != `after "": V1__a.sql=Pending V2__b.sql=Pending V3__c.sql=Pending` {
		t.Errorf("after clean: %v\n%s", err, strings.Join(told, "\n"))
	}
}

// A run that was stopped from outside still tells how it left things; one that lost its connection does not pretend to.
func TestAccountOfABrokenRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second string
		stop   bool
		want   string
	}{
		"stopped": {"select pg_sleep(600)", true, `after "1": V1__a.sql=Success V2__b.sql=Pending`},
		"lost":    {"select pg_terminate_backend(pg_backend_pid())", false, `V1__a.sql:1 CREATE TABLE timed | create table a(id int)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			cfg := skein.Config{URL: db.URL, Account: true, Source: scripts("V1__a.sql", "create table a(id int)", "V2__b.sql", c.second)}
			told, err := accounted(t, cfg, func(_ context.Context, cfg skein.Config) error {
				hear := cfg.Report
				cfg.Report = func(e skein.Event) {
					hear(e)
					if s, ok := e.(skein.StepStarted); ok && c.stop && s.Index == 1 {
						stop()
					}
				}
				return doMigrate(ctx, cfg)
			})
			if err == nil || told[len(told)-1] != c.want {
				t.Errorf("%v\n%s", err, strings.Join(told, "\n"))
			}
		})
	}
}
