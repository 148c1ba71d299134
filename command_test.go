package skein_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

func states(t *testing.T, db *pgtest.DB, cfg skein.Config) string {
	t.Helper()
	cfg.URL = db.URL
	res, err := skein.Info(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range res.Entries {
		e := &res.Entries[i]
		fmt.Fprintf(&b, "%s %s %s %s\n", e.Category(), e.Version(), e.Description(), e.State)
	}
	return b.String()
}

func TestGroupIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	bad := scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "copy a from stdin;\n1\n\\.\n", "V3__c.sql", "select 1/0;")
	res, err := migrate(t, db, skein.Config{Group: true, Source: bad})
	var e *skein.Error
	if !errors.As(err, &e) || !strings.Contains(e.Kept, "nothing of this run was kept") || len(res.Applied) != 0 {
		t.Fatalf("error %v, applied %d", err, len(res.Applied))
	}
	if n := db.Value(t, "select count(*) from pg_tables where tablename = 'a'"); n != "0" || history(t, db) != "" {
		t.Error("something stayed")
	}
	goStep := skein.Migration{Version: "2.5", Description: "go", Run: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into a values (7)")
		return err
	}}
	good := scripts("V1__a.sql", "create table a(id int); set search_path = '';", "V2__b.sql", "copy a from stdin;\n1\n\\.\n", "R__v.sql", "create view v as select * from a;")
	if _, err := migrate(t, db, skein.Config{Group: true, Source: good, Migrations: []skein.Migration{goStep}}); err != nil {
		t.Fatal(err)
	}
	if n := db.Value(t, "select sum(id) from v"); n != "8" || strings.Count(history(t, db), "\n") != 4 {
		t.Errorf("sum %s, history\n%s", n, history(t, db))
	}
	if n := db.Value(t, "select count(distinct xmin::text) from flyway_schema_history"); n != "1" {
		t.Errorf("%s transactions, want one", n)
	}
}

func TestGroupOfBothKinds(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "vacuum a;")
	_, err := migrate(t, db, skein.Config{Group: true, Source: src})
	if err == nil || !strings.Contains(err.Error(), "within the same migration group") || history(t, db) != "" {
		t.Fatalf("error %v", err)
	}
	if _, err := migrate(t, db, skein.Config{Group: true, Mixed: true, Source: src}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(history(t, db), "\n") != 2 {
		t.Error(history(t, db))
	}
}

func TestMixedRunsOutsideATransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, err := migrate(t, db, skein.Config{Mixed: true, Source: scripts("V1__a.sql", "create table a(id int);\nvacuum a;\nselect 1/0;")})
	if err == nil || !strings.Contains(err.Error(), "the 2 statements of V1 before it stay") {
		t.Fatalf("error %v", err)
	}
	if n := db.Value(t, "select count(*) from pg_tables where tablename = 'a'"); n != "1" || history(t, db) != "" {
		t.Error("want the table and no row")
	}
}

// The catalog decides whether these refuse a transaction (postgres.md §2.3).
func TestPartitionedReindexAndClusterAskTheCatalog(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	tables := `create table pt(id int) partition by range (id); create table pt1 partition of pt for values from (1) to (10);
		create index pt_i on pt(id); create table plain(id int); create index plain_i on plain(id);`
	src := []string{"V1__t.sql", tables, "V2__r.sql", "reindex table pt;", "V3__i.sql", "reindex index public.pt_i;",
		"V4__p.sql", "reindex table plain; reindex index plain_i; cluster plain using plain_i;"}
	if pgtest.Major(t) >= 15 {
		src = append(src, "V5__c.sql", "cluster pt using pt_i;")
	}
	modes := map[string]bool{}
	report := func(e skein.Event) {
		if s, ok := e.(skein.StepStarted); ok {
			modes[s.Script.Path] = s.Transactional
		}
	}
	if _, err := migrate(t, db, skein.Config{Source: scripts(src...), Report: report}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"V2__r.sql": false, "V3__i.sql": false, "V4__p.sql": true} {
		if modes[path] != want {
			t.Errorf("%s in a transaction: %t", path, modes[path])
		}
	}
}

func TestBaselineRepairInfo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table old(id int)")
	ctx := context.Background()
	cfg := skein.Config{URL: db.URL, Source: scripts("V1__a.sql", "select 1;", "V2__b.sql", "create table b(id int);", "V3__c.sql", "select 3;", "R__r.sql", "select 4;")}
	base, err := skein.Baseline(ctx, cfg)
	if err != nil || base.Already {
		t.Fatal(base, err)
	}
	if base, err = skein.Baseline(ctx, cfg); err != nil || !base.Already {
		t.Fatal(base, err)
	}
	if _, err := skein.Migrate(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Source = scripts("V2__b_renamed.sql", "create table b(id bigint);", "V4__d.sql", "select 5;", "R__r.sql", "select 4, 4;")
	v, err := skein.Validate(ctx, cfg)
	if err != nil || len(v.Problems) == 0 {
		t.Fatal(v, err)
	}
	if _, err := skein.Migrate(ctx, cfg); err == nil || !strings.Contains(err.Error(), "Validate failed") {
		t.Fatalf("migrate: %v", err)
	}
	fixed, err := skein.Repair(ctx, cfg)
	if err != nil || len(fixed.Deleted) != 1 || len(fixed.Aligned) != 1 {
		t.Fatalf("%+v %v", fixed, err)
	}
	cfg.URL = db.URL
	want := ` 1 << Flyway Baseline >> Baseline
Versioned 2 b renamed Success
Versioned 3 c Deleted
Repeatable  r Outdated
Versioned 4 d Pending
Repeatable  r Pending
`
	if got := states(t, db, cfg); got != want {
		t.Errorf("info:\n%swant:\n%s", got, want)
	}
	if _, err := skein.Migrate(ctx, cfg); err != nil {
		t.Fatal(err)
	}
}

func TestSchemasAreCreatedAndCleaned(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx := context.Background()
	db.Exec(t, "create schema other")
	cfg := skein.Config{URL: db.URL, Schemas: []string{"one", "Two's", "other"}, Source: scripts("V1__a.sql", `create table a(id int primary key); create table "Two's".b(id int references a);
		create view v as select * from a; create materialized view mv as select * from v; create type color as enum ('red'); create domain d as int; create sequence s;
		create function f() returns color language sql as 'select ''red''::color'; create procedure p() language sql as ''; create aggregate g(int) (sfunc = int4pl, stype = int);
		create table pt(id int) partition by range (id); create table pt1 partition of pt for values from (1) to (2); create type r as range (subtype = int); create type c as (x int);
		create table other.o(id int references one.a);`)}
	if _, err := skein.Migrate(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select script from one.flyway_schema_history where type = 'SCHEMA' and installed_rank = 0"); got != `"one","Two's"` {
		t.Errorf("schema row %s", got)
	}
	if _, err := skein.Clean(ctx, cfg); err == nil || !strings.Contains(err.Error(), "cleanDisabled") {
		t.Fatalf("clean: %v", err)
	}
	cfg.AllowClean = true
	res, err := skein.Clean(ctx, cfg)
	if err != nil || len(res.Cleaned) != 3 || len(res.Dropped) != 2 {
		t.Fatalf("%+v %v", res, err)
	}
	left := db.Value(t, `select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname in ('one', 'Two''s', 'other')`)
	if left != "0" || db.Value(t, "select count(*) from pg_namespace where nspname in ('one', 'Two''s', 'other')") != "1" {
		t.Errorf("%s relations left", left)
	}
}

// AT-5a: many engines against an empty database.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, nil)
	db := pgtest.On(t, server)
	src := scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "create index concurrently a_i on a(id);", "V3__c.sql", "insert into a values (1);")
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for range cap(errs) {
		wg.Go(func() {
			_, err := skein.Migrate(context.Background(), skein.Config{URL: db.URL, Source: src, Schemas: []string{"app"}})
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if n := db.Value(t, "select count(*) || ',' || max(installed_rank) from app.flyway_schema_history"); n != "4,3" {
		t.Errorf("rows %s", n)
	}
	if n := db.Value(t, "select count(*) from app.a"); n != "1" {
		t.Errorf("%s rows in a", n)
	}
	if log, err := server.Log(); err != nil || strings.Contains(log, "ERROR:") {
		t.Errorf("server log:\n%s", log)
	}
}

// AT-5b: with nothing pending, somebody else's lock does not matter.
func TestNothingPendingTakesNoLock(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("V1__a.sql", "create table a(id int);")
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	holder := db.Conn(t)
	if _, err := holder.Exec(context.Background(), "select pg_advisory_lock($1)", migration.LockKey("public", "flyway_schema_history")); err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(t, db, skein.Config{Source: src, LockRetryCount: new(1)}); err != nil {
		t.Fatal(err)
	}
	var waiting *skein.LockWaiting
	report := func(e skein.Event) {
		if w, ok := e.(skein.LockWaiting); ok {
			waiting = &w
		}
	}
	_, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "select 1;"), LockRetryCount: new(1), Report: report})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindLock {
		t.Fatalf("error %v", err)
	}
	if pid := holder.PgConn().PID(); waiting == nil || waiting.Holder.PID != int32(pid) || !strings.Contains(e.Message, fmt.Sprint("pid ", pid)) {
		t.Errorf("holder %+v, want pid %d; %s", waiting, pid, e.Message)
	}
}
