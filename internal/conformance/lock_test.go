package conformance

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/conformance/flywaylive"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// The second script of the project waits at a gate that the test holds shut, so whoever runs it holds the migration
// lock for as long as the test wants.
const (
	gate      = 4242
	gateShut  = "select pg_advisory_lock(4242)"
	gateOpens = "select pg_advisory_unlock(4242)"
)

func gated(t *testing.T) project {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"V1__first.sql":  "create table first (i int);",
		"V2__gate.sql":   "select pg_advisory_xact_lock(" + strconv.Itoa(gate) + ");\ncreate table gate (i int);",
		"V3__third.sql":  "create table third (i int);",
		"R__view.sql":    "create view seen as select * from third;", // fails the second time
		"V4__fourth.sql": "create table fourth (i int);",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return project{dir: dir, schema: "public", args: []string{"-locations=filesystem:" + dir, "-outputType=json"}}
}

// queue is a database with the gate shut in front of whoever comes first.
type queue struct {
	db   *pgtest.DB
	p    project
	conn *pgx.Conn // holds the gate, and looks around
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	db := pgtest.New(t)
	q := &queue{db: db, p: gated(t), conn: db.Conn(t)}
	q.exec(t, gateShut)
	return q
}

func (q *queue) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := q.conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// until asks again and again, until the answer is not empty or the test's limit is reached.
func (q *queue) until(t *testing.T, what, sql string, args ...any) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), flywaylive.Limit)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		rows, err := q.conn.Query(ctx, sql, args...)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(found) > 0 {
			tick.Stop()
			return found
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not seen", what)
		}
	}
}

// holder waits until somebody stands at the gate, and gives the session that holds the migration lock then.
func (q *queue) holder(t *testing.T) string {
	t.Helper()
	q.until(t, "a script at the gate", `select pid::text from pg_locks where locktype = 'advisory' and not granted
		and classid = 0 and objid = $1 and database = (select oid from pg_database where datname = current_database())`, gate)
	key := migration.LockKey(q.p.schema, "flyway_schema_history")
	holders := q.until(t, "the migration lock", `select pid::text from pg_locks where locktype = 'advisory' and granted
		and classid::bigint << 32 | objid::bigint = $1 and objsubid = 1
		and database = (select oid from pg_database where datname = current_database())`, key)
	if len(holders) != 1 {
		t.Fatalf("%d sessions hold the migration lock", len(holders))
	}
	return holders[0]
}

// check wants each migration applied once, and that both tools accept what is there.
func (q *queue) check(t *testing.T, flyway tool) {
	t.Helper()
	var versions []any
	for _, row := range history(t, q.db, q.p.schema, "flyway_schema_history") {
		versions = append(versions, row[1])
		if row[6] != true {
			t.Errorf("not successful: %v", row)
		}
	}
	if d := cmp.Diff([]any{"1", "2", "3", "4", nil}, versions); d != "" {
		t.Errorf("versions in the history (-want +got):\n%s", d)
	}
	for name, run := range map[string]tool{"flyway": flyway, "skein": bySkein} {
		if seen := see(t, run(t.Context(), t, q.p, q.db.URL, "validate", "migrate", "info")); !seen.Valid || seen.Executed != 0 {
			t.Errorf("%s afterwards: %+v", name, seen)
		}
	}
}

// background runs f beside the test, which does not end before it. A channel that is closed without a value means that f
// failed the test.
func background[T any](t *testing.T, f func() T) <-chan T {
	t.Helper()
	value, ended := make(chan T, 1), make(chan struct{})
	t.Cleanup(func() { <-ended }) // the test's context is over by then, so f ends
	go func() {
		defer close(ended)
		defer close(value)
		value <- f()
	}()
	return value
}

// TestSkeinWaitsForFlyway: while Flyway is in the middle of a script, Skein says that it waits for Flyway's session, and
// goes on when the lock is free.
func TestSkeinWaitsForFlyway(t *testing.T) {
	t.Parallel()
	for _, f := range flywaylive.All(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			q := newQueue(t)
			flyway := byFlyway(f)
			ended := background(t, func() outcome { return flyway(t.Context(), t, q.p, q.db.URL, "migrate") })
			holder := q.holder(t)

			src, err := source.Locations([]string{"filesystem:" + q.p.dir}, source.Options{})
			if err != nil {
				t.Fatal(err)
			}
			waiting := make(chan skein.LockWaiting, 1)
			done := background(t, func() error {
				_, err := skein.Migrate(t.Context(), skein.Config{URL: q.db.URL, Source: src, Report: func(e skein.Event) {
					if w, ok := e.(skein.LockWaiting); ok {
						select {
						case waiting <- w:
						default: // told every ten seconds
						}
					}
				}})
				return err
			})
			select {
			case w := <-waiting:
				if got := strconv.Itoa(int(w.Holder.PID)); got != holder {
					t.Errorf("Skein says that it waits for session %s, and %s holds the lock", got, holder)
				}
			case err := <-done:
				t.Fatalf("Skein did not wait; it ended with %v", err)
			case o := <-ended:
				t.Fatalf("Flyway did not wait at the gate: %s", o)
			}
			q.exec(t, gateOpens)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if o := <-ended; o.Exit != 0 {
				t.Errorf("Flyway: %s", o)
			}
			q.check(t, flyway)
		})
	}
}

// TestFlywayWaitsForSkein: while Skein is in the middle of a script, Flyway asks for the lock again and again, and goes
// on when it is free.
func TestFlywayWaitsForSkein(t *testing.T) {
	t.Parallel()
	for _, f := range flywaylive.All(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			q := newQueue(t)
			flyway := byFlyway(f)
			skeinEnded := background(t, func() outcome { return bySkein(t.Context(), t, q.p, q.db.URL, "migrate") })
			holder := q.holder(t)
			if q.db.Value(t, "select application_name like 'skein%' from pg_stat_activity where pid = $1::int", holder) != "t" {
				t.Errorf("session %s, which holds the lock, does not say that it is Skein's", holder)
			}
			flywayEnded := background(t, func() outcome { return flyway(t.Context(), t, q.p, q.db.URL, "migrate") })
			// The session is idle and its last query the request, so that was refused; and it comes again.
			const asks = `select query_start::text from pg_stat_activity where datname = current_database() and pid <> $1::int
				and state <> 'active' and query like '%pg_try_advisory%' and query_start::text <> $2`
			first := q.until(t, "Flyway asks for the lock", asks, holder, "")[0]
			q.until(t, "Flyway asks again", asks, holder, first)
			select {
			case o := <-flywayEnded:
				t.Fatalf("Flyway did not wait: %s", o)
			default:
			}
			q.exec(t, gateOpens)
			if o := <-skeinEnded; o.Exit != 0 {
				t.Errorf("Skein: %s", o)
			}
			if o := <-flywayEnded; o.Exit != 0 {
				t.Errorf("Flyway: %s", o)
			}
			q.check(t, flyway)
		})
	}
}
