package skein_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// session is another client's.
func session(t *testing.T, db *pgtest.DB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func do(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// grow makes the session's transaction older than what a script may wait for.
const grow = "do $$ begin while clock_timestamp() < now() + interval '400 ms' loop perform pg_sleep(0.02); end loop; end $$"

// Whoever reads a table in a long transaction is waited for from outside the queue: while the script waits it has asked
// for no lock, so that nobody is held up.
func TestScriptWaitsOutsideTheQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ lock, script, relation string }{
		"outside":                {"select from t", "-- outside\nalter table t add column b int", "t"},
		"vacuum full":            {"select from t", "vacuum full t", "t"},
		"with its own begin":     {"select from t", "create table new(a int);\nbegin; insert into new values (1); alter table t add column b int; commit", "t"},
		"group":                  {"select from t", "-- group\nalter table t add column b int", "t"},
		"reader":                 {"select from t", "alter table t add column b int", "t"},
		"reader of others":       {"select from other", "create table new(t int references other);\ndrop table other cascade", "other"},
		"partition":              {"select from part1", "alter table part add column b int", "part1"},
		"other end":              {"select from t", "drop table child", "t"},
		"index":                  {"select from t", "drop index t_a", "t_a t"},
		"writer":                 {"insert into t values (1)", "create index on t(a)", "t"},
		"in a do block":          {"select from t", "do $$ begin if true then alter table t add column b int; end if; end $$", "t"},
		"statement by statement": {"select from t", "create table x(a int);\n" + strings.Repeat("insert into x values (1);\n", 60) + "truncate t cascade", "t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table t(a int primary key); create index t_a on t(a); create table other(a int primary key); create table child(a int references t)")
			db.Exec(t, "create table part(a int) partition by list (a); create table part1 partition of part for values in (1)")
			reader, app := session(t, db), session(t, db)
			do(t, reader, "begin", c.lock, grow)
			waited := 0
			cfg := skein.Config{Source: scripts("V2__first.sql", "create table first(a int)", "V3__it.sql", c.script, "V4__last.sql", "create table last(a int)")}
			cfg.BaselineOnMigrate = true
			cfg.Group, cfg.NoTransactions = strings.Contains(c.script, "-- group"), strings.Contains(c.script, "-- outside")
			cfg.Report = func(e skein.Event) {
				switch e := e.(type) {
				case skein.LockWaiting:
					waited++
					if e.Path != "V3__it.sql" || !strings.Contains(" "+c.relation+" ", " "+e.Relation+" ") || e.Holder.PID != int32(reader.PgConn().PID()) || e.Holder.State != "idle in transaction" || e.Holder.Since <= 0 {
						t.Errorf("%+v", e)
					}
					if got := db.Value(t, "select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())"); got != "0" {
						t.Errorf("%s sessions wait in a queue", got)
					}
					do(t, app, "set lock_timeout = '10s'", "select from t", "select from part")
					do(t, reader, "commit")
				case skein.GaveWay:
					t.Logf("gave way: %+v", e) // the application's session came in between
				}
			}
			if _, err := migrate(t, db, cfg); err != nil {
				t.Fatal(err)
			}
			if waited != 1 {
				t.Errorf("waited %d times", waited)
			}
			if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != "1 2 3 4" {
				t.Errorf("recorded %s", got)
			}
		})
	}
}

// A holder that never ends: the script gives up at its deadline, names it, and has changed nothing.
func TestLockDeadlineNamesTheHolder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table t(a int)")
	reader := session(t, db)
	do(t, reader, "set application_name = 'nightly report'", "begin", "select from t", grow)
	src := scripts("V2__a.sql", "create table a(a int)", "V3__t.sql", "create table b(a int);\nalter table t add column b int")
	_, err := migrate(t, db, skein.Config{Source: src, BaselineOnMigrate: true, LockDeadline: 300 * time.Millisecond})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindLock || e.At == nil || e.At.Path != "V3__t.sql" || e.At.Line != 2 {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{fmt.Sprintf("pid %d (nightly report, user %s), idle in transaction for ", reader.PgConn().PID(), db.Owner), ": do $$ begin while", "; t is held by"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("%q is not in %q", want, e.Message)
		}
	}
	if e.Kept != "nothing of V3 was kept (it ran in a transaction); 1 earlier script stays applied" || !strings.Contains(e.Hint, "pg_terminate_backend") {
		t.Errorf("kept %q, hint %q", e.Kept, e.Hint)
	}
	if got := db.Value(t, "select string_agg(relname, ' ' order by relname) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"); got != "a flyway_schema_history t" {
		t.Errorf("tables %s", got)
	}
	do(t, reader, "commit")
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
}
