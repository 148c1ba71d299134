package skein_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// refusing gives connections of which the first few fail.
func refusing(db *pgtest.DB, first int64) func(context.Context) (*pgx.ConnConfig, error) {
	var dialled atomic.Int64
	return func(context.Context) (*pgx.ConnConfig, error) {
		cfg, err := pgx.ParseConfig(db.URL)
		if err != nil {
			return nil, err
		}
		cfg.Fallbacks = nil
		cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dialled.Add(1) <= first {
				return nil, errors.New("nobody is there yet")
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		return cfg, nil
	}
}

// A failed connection is tried again as often as connectRetries says, after waits that double up to
// connectRetriesInterval.
func TestConnectRetries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retries, interval int
		fails             int64
		waits             []string
		ok                bool
	}{
		"none":                 {0, 0, 1, nil, false},
		"one too few":          {1, 0, 2, []string{"Retrying in 1 sec..."}, false},
		"enough":               {2, 0, 2, []string{"Retrying in 1 sec...", "Retrying in 2 sec..."}, true},
		"enough, and no more":  {9, 1, 1, []string{"Retrying in 1 sec..."}, true},
		"with the waits bound": {3, 1, 3, []string{"Retrying in 1 sec...", "Retrying in 1 sec...", "Retrying in 1 sec..."}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			var waits []string
			_, err := skein.Info(t.Context(), skein.Config{
				Source: scripts("V1__a.sql", "select 1;"), Connection: refusing(db, c.fails), ConnectRetries: c.retries, ConnectRetriesInterval: c.interval,
				Report: func(e skein.Event) {
					if w, ok := e.(skein.Warning); ok && strings.Contains(w.Text, "nobody is there yet\n") {
						_, wait, _ := strings.Cut(w.Text, "\n")
						waits = append(waits, wait)
					}
				},
			})
			var e *skein.Error
			if !slices.Equal(waits, c.waits) || c.ok != (err == nil) || !c.ok && (!errors.As(err, &e) || e.Kind != skein.KindConnection) {
				t.Errorf("waits %q, error %v", waits, err)
			}
		})
	}
}

// The lock is waited for as long as lockRetryCount says: 0 not at all, 1 a second, -1 without bound.
func TestLockRetryCount(t *testing.T) {
	t.Parallel()
	src := scripts("V1__a.sql", "select 1;")
	held := func(t *testing.T) (*pgtest.DB, *pgx.Conn) {
		t.Helper()
		db := pgtest.New(t)
		holder := db.Conn(t)
		if _, err := holder.Exec(t.Context(), "select pg_advisory_lock($1)", migration.LockKey("public", "flyway_schema_history")); err != nil {
			t.Fatal(err)
		}
		return db, holder
	}
	for count, want := range map[int]time.Duration{0: 0, 1: time.Second} {
		db, _ := held(t)
		left := time.Duration(-1)
		_, err := migrate(t, db, skein.Config{Source: src, LockRetryCount: &count, Report: func(e skein.Event) {
			if w, ok := e.(skein.LockWaiting); ok {
				left = w.Left + w.Waited
			}
		}})
		var e *skein.Error
		if !errors.As(err, &e) || e.Kind != skein.KindLock || !strings.Contains(e.Message, "and did so for "+want.String()) {
			t.Errorf("%d: %v", count, err)
		}
		if count > 0 && left != want {
			t.Errorf("%d: %s to wait", count, left)
		}
	}
	db, holder := held(t)
	_, err := migrate(t, db, skein.Config{Source: src, LockRetryCount: new(-1), Report: func(e skein.Event) {
		if w, ok := e.(skein.LockWaiting); ok {
			if w.Left != 0 {
				t.Errorf("a bound of %s", w.Left)
			}
			if _, err := holder.Exec(context.Background(), "select pg_advisory_unlock_all()"); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestQueryResultsCanBeLeftOut(t *testing.T) {
	t.Parallel()
	for _, discard := range []bool{false, true} {
		db := pgtest.New(t)
		heard := 0
		_, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "select 1 as one;"), DiscardQueryResults: discard, Report: func(e skein.Event) {
			if _, ok := e.(skein.QueryResult); ok {
				heard++
			}
		}})
		if err != nil || (heard == 0) != discard {
			t.Errorf("discarded %t: %d results, %v", discard, heard, err)
		}
	}
}

// A run that is stopped is an interrupted one also when the server does not hear of it and the connection is given up.
func TestStoppedWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var deaf atomic.Bool // the next connection, which is the request to cancel, fails
	cfg := skein.Config{
		Source: scripts("V1__a.sql", "select 1;", "V2__b.sql", "create table b(id int); select pg_sleep(600);"),
		Connection: func(context.Context) (*pgx.ConnConfig, error) {
			c, err := pgx.ParseConfig(db.URL)
			if err != nil {
				return nil, err
			}
			c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if deaf.CompareAndSwap(true, false) {
					return nil, errors.New("no way through")
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			return c, nil
		},
		Report: func(e skein.Event) {
			if s, ok := e.(skein.StepStarted); ok && s.Script.Path == "V2__b.sql" {
				deaf.Store(true)
				stop()
			}
		},
	}
	_, err := skein.Migrate(ctx, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindInterrupted || !strings.Contains(e.Kept, "nothing of V2 was kept") {
		t.Errorf("error %+v", err)
	}
	db.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
}

func TestPing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var host string
	got, err := skein.Ping(t.Context(), skein.Config{Connection: refusing(db, 1), ConnectRetries: 1, InitSQL: "create table seen()", Report: func(e skein.Event) {
		if c, ok := e.(skein.Connected); ok {
			host = c.Host
		}
	}})
	if err != nil || got.Database != db.Name || got.ServerVersion == "" || host == "" || len(got.Warnings) != 1 || db.Value(t, "select count(*) from seen") != "0" {
		t.Errorf("%+v on %s, %v", got, host, err)
	}
	var e *skein.Error
	if _, err := skein.Ping(t.Context(), skein.Config{Connection: refusing(db, 1)}); !errors.As(err, &e) || e.Kind != skein.KindConnection {
		t.Errorf("error %v", err)
	}
}
