package skein_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// manyTables gives n scripts that make a table each; those of replaced have another text.
func manyTables(n int, replaced map[int]string) []string {
	var pairs []string
	for i := 1; i <= n; i++ {
		text := fmt.Sprintf("create table t%d(id int);", i)
		if other, ok := replaced[i]; ok {
			text = other
		}
		pairs = append(pairs, fmt.Sprintf("V%d__t.sql", i), text)
	}
	return pairs
}

// Scripts that travel together are still a transaction each: what comes before the one that fails stays and is told.
func TestSliceStopsAtTheScriptThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, message, state string }{
		"syntax":     {"create table t7(id int);\nselec 1;", `syntax error at or near "selec"`, "42601"},
		"execution":  {"create table t7(id int);\nselect 1/0;", "division by zero", "22012"},
		"deferred":   {"create table t7(id int primary key deferrable initially deferred);\ninsert into t7 values (1), (1);", "duplicate key", "23505"},
		"terminated": {"create table t7(id int);\nselect pg_terminate_backend(pg_backend_pid());", "the connection was lost", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			var told []string
			result, err := migrate(t, db, skein.Config{Source: scripts(manyTables(12, map[int]string{7: c.text})...), Report: func(e skein.Event) {
				if d, ok := e.(skein.StepDone); ok {
					told = append(told, d.Script.Version.String())
				}
			}})
			var e *skein.Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, c.message) || name != "deferred" && (e.At == nil || e.At.Path != "V7__t.sql") {
				t.Fatalf("error %v", err)
			}
			if c.state != "" && e.SQL.State != c.state || name != "deferred" && c.state != "" && e.At.Line != 2 {
				t.Errorf("state %s line %d", e.SQL.State, e.At.Line)
			}
			if want := "nothing of V7 was kept (it ran in a transaction); 6 earlier scripts stay applied"; e.Kept != want {
				t.Errorf("kept %q", e.Kept)
			}
			if got := strings.Join(told, " "); got != "1 2 3 4 5 6" || len(result.Applied) != 6 || result.Version.String() != "6" || result.Failed.Version.String() != "7" {
				t.Errorf("told %s, applied %d, at %s, failed %v", got, len(result.Applied), result.Version, result.Failed)
			}
			if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != "1 2 3 4 5 6" {
				t.Errorf("recorded %s", got)
			}
			if got := db.Value(t, "select count(*) from pg_tables where tablename ~ '^t[0-9]'"); got != "6" {
				t.Errorf("%s tables", got)
			}
			if _, err := migrate(t, db, skein.Config{Source: scripts(manyTables(12, nil)...)}); err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, "select max(installed_rank) from flyway_schema_history"); got != "12" {
				t.Errorf("rank %s", got)
			}
		})
	}
}

// A connection that breaks after the third commit of migrations (the lock's own is another message): the server may be further, and the history says where.
func TestLostSliceIsDecidedByTheHistory(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var commits atomic.Int32
	src := scripts(manyTables(9, nil)...)
	if _, err := migrate(t, db, skein.Config{Source: src, TargetVersion: target("1")}); err != nil {
		t.Fatal(err)
	}
	cfg := skein.Config{Source: src, ReconnectDeadline: -1, Connection: func(context.Context) (*pgx.ConnConfig, error) {
		cc, err := pgx.ParseConfig(db.URL)
		if err != nil {
			return nil, err
		}
		cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return &cut{conn, []byte("n\x00\x00\x00\x04C\x00\x00\x00\vCOMMIT\x00"), 3, &commits}, err
		}
		return cc, nil
	}}
	result, err := skein.Migrate(context.Background(), cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindConnection {
		t.Fatalf("error %v", err)
	}
	rows, _ := strconv.Atoi(db.Value(t, "select count(*) from flyway_schema_history"))
	if told := len(result.Applied) + 1; told > rows || rows < 4 {
		t.Errorf("%d told to be applied, %d recorded", told, rows)
	}
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select count(*) || ' ' || count(distinct version) from flyway_schema_history"); got != "9 9" {
		t.Errorf("%s rows", got)
	}
}

// watched counts how often the client sends after the server has answered: the round trips of a connection.
type watched struct {
	net.Conn
	trips *atomic.Int32
	heard atomic.Bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.heard.Store(true)
	return n, err
}

func (w *watched) Write(p []byte) (int, error) {
	const terminate = 'X'
	if w.heard.Swap(false) && p[0] != terminate {
		w.trips.Add(1)
	}
	return w.Conn.Write(p)
}

// While a transaction of an earlier run works on, its client gone, nobody else begins.
func TestFenceWaitsForWhatAnEarlierRunLeft(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx := context.Background()
	orphan, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer orphan.Close(ctx)
	tx, err := orphan.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", migration.FenceKey("public", "flyway_schema_history")); err != nil {
		t.Fatal(err)
	}
	waited := false
	_, err = migrate(t, db, skein.Config{Source: scripts(manyTables(3, nil)...), Report: func(e skein.Event) {
		if w, ok := e.(skein.LockWaiting); ok && !waited {
			waited = true
			if w.Holder.PID != int32(orphan.PgConn().PID()) {
				t.Errorf("holder %+v", w.Holder)
			}
			if _, err := tx.Exec(ctx, "create schema elsewhere"); err != nil {
				t.Error(err)
			}
			if err := tx.Commit(ctx); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil || !waited {
		t.Fatalf("waited %v, error %v", waited, err)
	}
}

// A fence that another transaction takes in the middle of a run holds the run up and does not fail it.
func TestFenceTakenInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ records, want string }{
		"which records nothing":   {"", "1 2 3 4"},
		"which records a version": {"insert into flyway_schema_history values (2, '2', 't', 'SQL', 'V2__t.sql', null, 'x', now(), 0, true)", "1 2 3 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			ctx := context.Background()
			orphan, err := pgx.Connect(ctx, db.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer orphan.Close(ctx)
			if _, err := migrate(t, db, skein.Config{Source: scripts(manyTables(1, nil)...)}); err != nil {
				t.Fatal(err)
			}
			var tx pgx.Tx
			result, err := migrate(t, db, skein.Config{Source: scripts(manyTables(4, nil)...), Report: func(e skein.Event) {
				switch e.(type) {
				case skein.Planned:
					if tx != nil {
						return
					}
					if tx, err = orphan.Begin(ctx); err == nil {
						_, err = tx.Exec(ctx, "select pg_advisory_xact_lock($1)", migration.FenceKey("public", "flyway_schema_history"))
					}
					if err != nil {
						t.Error(err)
					}
				case skein.LockWaiting:
					if tx == nil || orphan.PgConn().TxStatus() == 'I' {
						return
					}
					if c.records != "" {
						if _, err := tx.Exec(ctx, c.records); err != nil {
							t.Error(err)
						}
					}
					if err := tx.Commit(ctx); err != nil {
						t.Error(err)
					}
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != c.want {
				t.Errorf("recorded %s", got)
			}
			if want := map[bool]int{true: 3, false: 2}[c.records == ""]; len(result.Applied) != want || result.Version.String() != "4" {
				t.Errorf("%d applied, at %s", len(result.Applied), result.Version)
			}
		})
	}
}

func TestScriptMaySetItsTransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create schema app")
	text := "set transaction isolation level serializable;\nset local transaction_read_only = off;\ncreate table %s as select current_setting('transaction_isolation') as it;"
	_, err := migrate(t, db, skein.Config{DefaultSchema: "app", Source: scripts("V1__a.sql", fmt.Sprintf(text, "a"), "V2__b.sql", fmt.Sprintf(text, "b")+strings.Repeat("\nselect 1;", 60),
		"V3__c.sql", "create table c as select current_setting('transaction_isolation') as it;", "V4__d.sql", "set transaction isolation level serializable;")})
	if err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select a.it || ', ' || b.it || ', ' || c.it from app.a, app.b, app.c"); got != "serializable, serializable, read committed" {
		t.Error(got)
	}
}

// counted counts the round trips of a run.
func counted(t *testing.T, db *pgtest.DB, cfg skein.Config) (skein.Config, *atomic.Int32) {
	t.Helper()
	trips := &atomic.Int32{}
	cfg.Connection = func(context.Context) (*pgx.ConnConfig, error) {
		cc, err := pgx.ParseConfig(db.URL)
		if err != nil {
			return nil, err
		}
		cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return &watched{Conn: conn, trips: trips}, err
		}
		return cc, nil
	}
	return cfg, trips
}

// 100 small scripts, from connect to close: facts, lock, facts under the lock, history table, scripts. Where they take
// more than a second, the lock is looked at once more.
func TestFewRoundTrips(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg, trips := counted(t, db, skein.Config{Source: scripts(manyTables(100, nil)...)})
	begin := time.Now()
	if _, err := skein.Migrate(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d round trips, %s", trips.Load(), time.Since(begin))
	if got := trips.Load(); got > 7 {
		t.Errorf("%d round trips", got)
	}
	// A few more on the history that is there now: facts, history, lock, scripts.
	cfg, trips = counted(t, db, skein.Config{Source: scripts(manyTables(110, nil)...)})
	result, err := skein.Migrate(context.Background(), cfg)
	if err != nil || len(result.Applied) != 10 {
		t.Fatalf("%d applied, %v", len(result.Applied), err)
	}
	if got := trips.Load(); got > 4 {
		t.Errorf("%d round trips for ten more", got)
	}
}
