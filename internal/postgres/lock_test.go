package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

// key has bits in both halves, and the sign.
const key = -0x123456789abcdef

func openLock(t *testing.T, db *pgtest.DB) *postgres.Lock {
	t.Helper()
	l, err := postgres.OpenLock(t.Context(), config(t, db.URL), postgres.Options{ApplicationName: "skein/lock"}, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func try(t *testing.T, l *postgres.Lock, want bool) {
	t.Helper()
	if got, err := l.Try(t.Context()); err != nil || got != want {
		t.Fatalf("Try = %v, %v; want %v", got, err, want)
	}
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	a, b := openLock(t, db), openLock(t, db)
	if err := a.Check(t.Context()); err == nil {
		t.Error("a lock that was never taken counts as held")
	}
	try(t, a, true)
	try(t, b, false)
	try(t, b, false)
	if err := b.Check(t.Context()); err == nil {
		t.Error("a lock that was refused counts as held")
	}
	if err := a.Check(t.Context()); err != nil {
		t.Error(err)
	}
	watcher := open(t, db.URL, postgres.Options{})
	holder, found, err := watcher.Blocker(t.Context(), key)
	if err != nil || !found || uint32(holder.PID) != a.PID() || holder.Application != "skein/lock" ||
		holder.User != db.Owner || holder.State != "idle in transaction" || holder.Age <= 0 {
		t.Errorf("holder %+v, %v, %v; want pid %d", holder, found, err, a.PID())
	}
	if _, found, err := watcher.Blocker(t.Context(), key+1); found || err != nil {
		t.Errorf("somebody holds a lock that nobody took: %v", err)
	}
	a.Close()
	awaitFree(t, watcher)
	try(t, b, true)
}

// awaitFree waits until the server has noticed that the lock's connection is gone.
func awaitFree(t *testing.T, c *postgres.Conn) {
	t.Helper()
	run(t, c, "begin; select pg_advisory_xact_lock("+itoa(key)+"); rollback")
}

// Flyway holds the same key by its session.
func TestLockExcludesFlyway(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	l, flyway := openLock(t, db), open(t, db.URL, postgres.Options{})
	const take = "select pg_try_advisory_lock(%)"
	try(t, l, true)
	if got := ask(t, flyway, strings.Replace(take, "%", itoa(key), 1)); got != "f" {
		t.Error("Flyway gets the lock that Skein holds")
	}
	l.Close()
	awaitFree(t, flyway)
	if got := ask(t, flyway, strings.Replace(take, "%", itoa(key), 1)); got != "t" {
		t.Error("Flyway does not get the lock that Skein gave back")
	}
	try(t, openLock(t, db), false)
}

// AT-1b: the lock's session holds no snapshot, whatever isolation is the database's default, so a concurrent index
// build does not wait for it.
func TestLockHoldsNoSnapshot(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table t(id int)")
			db.Exec(t, "do $$ begin execute format('alter database %I set default_transaction_isolation = %L', current_database(), '"+isolation+"'); end $$")
			l := openLock(t, db)
			try(t, l, true)
			for range 2 { // Check must not make one either
				got := db.Rows(t, "select backend_xmin is null and backend_xid is null, state from pg_stat_activity where pid = $1", int(l.PID()))
				if len(got) != 1 || got[0][0] != "t" || got[0][1] != "idle in transaction" {
					t.Errorf("the lock's session: no snapshot, state = %q", got)
				}
				if err := l.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			builder := open(t, db.URL, postgres.Options{})
			run(t, builder, "set statement_timeout = '30s'", "create index concurrently t_id on t(id)")
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The server's timeouts end a session that idles in a transaction; the lock's is not among them.
func TestLockOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	cases := map[string]string{"idle_in_transaction_session_timeout": "25P03", "transaction_timeout": "25P04"}
	for name, state := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "transaction_timeout" && pgtest.Major(t) < 17 {
				t.Skip("servers before 17 have no such setting")
			}
			db := pgtest.New(t)
			db.Exec(t, "do $$ begin execute format('alter database %I set "+name+" = 100', current_database()); end $$")
			l := openLock(t, db)
			try(t, l, true)
			// Another session begins later and is ended: by then the lock's would have been.
			other := open(t, db.URL, postgres.Options{Pgx: true})
			run(t, other, "begin")
			_, err := other.Pgx().WaitForNotification(t.Context())
			if pe, ok := errors.AsType[*pgconn.PgError](err); !ok || pe.Code != state {
				t.Fatalf("the other session ended with %v, want SQLSTATE %s", err, state)
			}
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLockLossIsNoticed(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	l := openLock(t, db)
	try(t, l, true)
	db.Exec(t, "select pg_terminate_backend($1)", int(l.PID()))
	if err := l.Check(t.Context()); err == nil {
		t.Error("a lock whose backend was ended counts as held")
	}
}
