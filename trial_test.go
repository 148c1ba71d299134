package skein_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// tried writes a trial's statements down, one a line: place, rows, locks, what was rewritten, why it was left out.
func tried(result *skein.TrialResult) string {
	var b strings.Builder
	for _, s := range result.Statements {
		fmt.Fprintf(&b, "%s:%d %s", s.Path, s.Line, s.Tag)
		for _, l := range s.Locks {
			fmt.Fprintf(&b, " %s=%s", l.Relation, l.Mode)
		}
		if len(s.Rewritten) > 0 {
			fmt.Fprintf(&b, " rewrites %s", strings.Join(s.Rewritten, ","))
		}
		if s.Untried != "" {
			fmt.Fprintf(&b, " untried: %s", s.Untried)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTrial(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table a(id int primary key, n int); insert into a select i, i from generate_series(1, 10) i; create table c(id int primary key); create table log(t text); create table p(id int) partition by range (id); create index p_id on p(id)")
	code := inGo
	code.Version = "9"
	before, rows := whole(t, db), touched(t, db)
	result, err := skein.Trial(context.Background(), skein.Config{
		URL: db.URL, BaselineOnMigrate: true, BaselineVersion: migration.MustVersion("0"), Mixed: true, Migrations: []skein.Migration{code},
		Source: scripts(
			"V1__alter.sql", "alter table a alter n type bigint;\nupdate a set n = 2 where id > 5;\ncreate table b(id int references a);",
			"V2__index.sql", "create index concurrently on a(n);",
			"V3__own.sql", "begin;\ninsert into b values (1);\nrollback;\nbegin;\ntruncate log;\ncommit;\ninsert into log values ('x');",
			"V4__copy.sql", "copy b from stdin;\n3\n4\n\\.\n",
			"V5__enum.sql", "create type e as enum ('x');", "V6__enum.sql", "alter type e add value 'y';", "V7__enum.sql", "select 'y'::e;",
			"V8__p.sh", "exit 1", "V10__vacuum.sql", "reindex index p_id;\ndo $$ begin commit; end $$;", "V10__vacuum.sql.conf", "executeInTransaction=false",
			"V11__cluster.sql", "cluster c using c_pkey;\nreindex index c_pkey;", "R__r.sql", "create view v as select * from c;", "afterEachMigrate.sql", "select 1 where false", "beforeConnect.sh", "exit 1",
			"afterConnect.sql", "set lock_timeout = '3s'",
		),
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, whole(t, db)); diff != "" || rows != touched(t, db) {
		t.Errorf("the trial has left something: %s", diff)
	}
	want := strings.ReplaceAll(`V1__alter.sql:1 ALTER TABLE public.a=AccessExclusiveLock public.a_pkey=AccessExclusiveLock rewrites public.a
V1__alter.sql:2 UPDATE 5 public.a=RowExclusiveLock public.a_pkey=RowExclusiveLock
V1__alter.sql:3 CREATE TABLE public.a=ShareRowExclusiveLock
EACH
V2__index.sql:1  untried: CREATE INDEX CONCURRENTLY cannot run in a transaction
EACH
V3__own.sql:1 BEGIN
V3__own.sql:2 INSERT 0 1 public.a=RowShareLock public.a_pkey=RowShareLock
V3__own.sql:3 ROLLBACK
V3__own.sql:4 BEGIN
V3__own.sql:5 TRUNCATE TABLE public.log=AccessExclusiveLock
V3__own.sql:6 COMMIT
V3__own.sql:7 INSERT 0 1 public.log=RowExclusiveLock
EACH
V4__copy.sql:1 COPY 2 public.a=RowShareLock public.a_pkey=RowShareLock
EACH
V5__enum.sql:1 CREATE TYPE
EACH
V6__enum.sql:1 ALTER TYPE
EACH
V7__enum.sql:1  untried: it cannot run in the transaction of a trial: unsafe use of new value "y" of enum type e
EACH
V8__p.sh:0  untried: it is a program
EACH
go:9 x:0  untried: it is written in Go
V10__vacuum.sql:1  untried: REINDEX INDEX cannot run in a transaction
V10__vacuum.sql:2  untried: it cannot run in the transaction of a trial: invalid transaction termination
EACH
V11__cluster.sql:1 CLUSTER public.c=AccessExclusiveLock public.c_pkey=AccessExclusiveLock rewrites public.c
V11__cluster.sql:2 REINDEX rewrites public.c_pkey
EACH
R__r.sql:1 CREATE VIEW public.c=AccessShareLock
EACH
`, "EACH", "afterEachMigrate.sql:1 SELECT 0")
	if diff := cmp.Diff(want, tried(result)); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, tried(result))
	}
	if len(result.Steps) != 12 || len(result.Fingerprint) != 64 || result.InitialText != "0" || len(result.Sequences) != 0 {
		t.Errorf("%d steps from %s, sequences %v", len(result.Steps), result.InitialText, result.Sequences)
	}
}

func TestTrialNamesSequences(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create table "A b"(id serial, n int); create sequence used; select nextval('used'); create sequence restarted; select nextval('restarted')`)
	result, err := skein.Trial(context.Background(), skein.Config{URL: db.URL, BaselineOnMigrate: true, BaselineVersion: migration.MustVersion("0"),
		Source: scripts("V1__a.sql", `insert into "A b"(n) values (1), (2); create sequence new; select nextval('new'), setval('used', 7); alter sequence restarted restart 5`)})
	if err != nil {
		t.Fatal(err)
	}
	want := []skein.SequenceMove{{Sequence: `public."A b_id_seq"`, To: "2"}, {Sequence: "public.used", From: "1", To: "7"}}
	if diff := cmp.Diff(want, result.Sequences); diff != "" {
		t.Error(diff)
	}
}

// Constraints that a script's own commit would have checked are checked, and deferred again for the next.
func TestTrialKeepsDeferral(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pairs := []string{
		"V1__a.sql", "create table a(id int primary key); create table b(id int, a int references a deferrable initially deferred)",
		"V2__b.sql", "insert into b values (1, 1); insert into a values (1)",
		"V3__c.sql", "alter table b add n int; insert into b values (1, 2); insert into a values (2)",
	}
	cfg := skein.Config{URL: db.URL, Source: scripts(pairs...)}
	if _, err := skein.Trial(context.Background(), cfg); err != nil {
		t.Error(err)
	}
	cfg.Source = scripts(append(pairs, "V4__d.sql", "begin; insert into b values (1, 3); commit; insert into a values (3)")...)
	_, err := skein.Trial(context.Background(), cfg)
	if e, ok := errors.AsType[*skein.Error](err); !ok || e.SQL == nil || e.SQL.State != "23503" {
		t.Errorf("a constraint that the commit checks: %v", err)
	}
}

func TestTrialErrors(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	holder := db.Conn(t)
	run := func(cfg skein.Config) (*skein.TrialResult, *skein.Error) {
		t.Helper()
		cfg.URL = db.URL
		before := whole(t, db)
		result, err := skein.Trial(context.Background(), cfg)
		e, ok := errors.AsType[*skein.Error](err)
		if !ok {
			t.Fatalf("no *Error: %v", err)
		}
		if whole(t, db) != before {
			t.Errorf("%v: the database changed", err)
		}
		return result, e
	}
	result, e := run(skein.Config{Source: scripts("V1__a.sql", "create table a()", "V2__b.sql", "create table b();\n select 1,\n  nowhere;")})
	if e.At == nil || e.At.Path != "V2__b.sql" || e.At.Line != 3 || e.At.Column != 3 || !strings.Contains(e.Kept, "trial") || len(result.Statements) != 2 {
		t.Errorf("%+v at %+v, %d statements", e, e.At, len(result.Statements))
	}
	_, e = run(skein.Config{Source: scripts("V1__p.sh", "exit 1", "V2__b.sql", "select * from made_by_p")})
	if e.At == nil || e.At.Path != "V2__b.sql" || !strings.Contains(e.Hint, "left out") {
		t.Errorf("%+v", e)
	}
	if _, e = run(skein.Config{Source: scripts("afterConnect.sql", "create table x()")}); !strings.Contains(e.Message, "afterConnect writes") {
		t.Errorf("%+v", e)
	}
	if _, err := holder.Exec(t.Context(), "select pg_advisory_lock($1)", migration.LockKey("public", "flyway_schema_history")); err != nil {
		t.Fatal(err)
	}
	waited := 0
	_, e = run(skein.Config{Source: scripts("V1__a.sql", "create table a()"), LockRetryCount: new(int), Report: func(e skein.Event) {
		if _, ok := e.(skein.LockWaiting); ok {
			waited++
		}
	}})
	if e.Kind != skein.KindLock || waited != 1 {
		t.Errorf("%+v, %d events of waiting", e, waited)
	}
}

// On a production target a trial has to be allowed; it is refused before it connects.
func TestTrialOnProduction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{URL: "postgres://nobody@127.0.0.1:1/none", Production: true, Source: scripts("V1__a.sql", "create table a()")}
	_, err := skein.Trial(context.Background(), cfg)
	if e, ok := errors.AsType[*skein.Error](err); !ok || e.Kind != skein.KindRefused || !strings.Contains(e.Hint, "--allow-production") {
		t.Errorf("%v", err)
	}
	cfg.URL, cfg.AllowProduction = db.URL, true
	result, err := skein.Trial(context.Background(), cfg)
	if err != nil || len(result.Statements) != 1 {
		t.Errorf("%d statements, %v", len(result.Statements), err)
	}
}
