package skein_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// AT-5c: Wait blocks until the version is there, through a server and a history that are not, with SELECT only.
func TestWait(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role, url := db.Role(t, "")
	db.Exec(t, "create schema app; grant usage on schema app to "+pgx.Identifier{role}.Sanitize()+"; alter default privileges in schema app grant select on tables to "+pgx.Identifier{role}.Sanitize())
	apply := func(to string) {
		if _, err := migrate(t, db, skein.Config{DefaultSchema: "app", TargetVersion: target(to), Source: scripts("V1__a.sql", "create table a(id int)", "V2__b.sql", "create table b(id int)", "V3__c.sql", "create table c(id int)")}); err != nil {
			t.Error(err)
		}
	}
	calls, seen := 0, []string{}
	cfg := skein.Config{DefaultSchema: "app", InitSQL: "create table never(id int)"}
	cfg.Connection = func(context.Context) (*pgx.ConnConfig, error) {
		c, err := pgx.ParseConfig(url)
		if calls++; calls == 1 && err == nil {
			c.Port = 1 // nobody listens there
		}
		return c, err
	}
	cfg.Report = func(e skein.Event) {
		if n, ok := e.(skein.Note); ok {
			seen = append(seen, n.Text)
			apply("1") // while it waits
			go apply("3")
		}
	}
	result, err := skein.Wait(t.Context(), cfg, migration.MustVersion("2"), time.Minute)
	if err != nil || result.Version.Compare(migration.MustVersion("2")) < 0 || calls != 2 {
		t.Fatalf("%+v, %v, %d connections", result, err, calls)
	}
	if len(seen) != 1 || !strings.HasPrefix(seen[0], "waiting for version 2, for at most ") {
		t.Errorf("told %q", seen)
	}
	cfg.Report = nil
	result, err = skein.Wait(t.Context(), cfg, migration.MustVersion("9"), 50*time.Millisecond)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindTimeout || !strings.HasPrefix(e.Message, "version 9 was not there within 50ms: the database is at version ") || result.Version.IsZero() {
		t.Errorf("%+v, %v", result, err)
	}
	db.Exec(t, "revoke select on app.flyway_schema_history from "+pgx.Identifier{role}.Sanitize())
	if _, err = skein.Wait(t.Context(), cfg, migration.MustVersion("1"), time.Minute); !errors.As(err, &e) || e.Kind == skein.KindTimeout || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("without the privilege: %v", err)
	}
}

// AT-1g: whoever waits for the migration lock is told which session works for its holder, and at what.
func TestWhoWorksForTheLock(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table gate(); create function at_gate(text) returns void language plpgsql as 'begin while not exists (select from gate) loop perform pg_sleep(0.01); end loop; end'")
	files := []string{"V2__b.sql", "create table b(id int);\nselect at_gate('hidden text');"}
	first := make(chan error)
	go func() {
		_, err := migrate(t, db, skein.Config{Source: scripts(files...), BaselineOnMigrate: true, Report: func(skein.Event) {}})
		first <- err
	}()
	eventually(t, db.URL, "select exists (select from pg_stat_activity where datname = current_database() and query like '%at_gate(%' and wait_event = 'PgSleep')"+
		" and exists (select from pg_stat_activity where datname = current_database() and query like '/* skein:run %')")
	gate := session(t, db)
	var told skein.LockWaiting
	cfg := skein.Config{Source: scripts(files...), BaselineOnMigrate: true}
	cfg.Report = func(e skein.Event) {
		if e, ok := e.(skein.LockWaiting); ok {
			told = e
			do(t, gate, "insert into gate default values")
		}
	}
	_, err := migrate(t, db, cfg)
	if err := errors.Join(err, <-first); err != nil {
		t.Fatal(err)
	}
	if told.Holder.Application != "skein/lock" || told.Worker.PID == 0 || told.Worker.PID == told.Holder.PID || told.Worker.Since <= 0 ||
		!strings.Contains(told.Worker.Query, "at_gate('…')") || !strings.HasPrefix(told.Doing, "V2__b.sql") || !strings.Contains(told.Doing, ", script 1 of 1") {
		t.Errorf("%+v", told)
	}
}
