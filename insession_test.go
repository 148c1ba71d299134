package skein_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// locks counts the connections that a run makes for the lock, and not those by which it looks, when it takes long, who waits.
func locks(db *pgtest.DB, cfg skein.Config) (skein.Config, *atomic.Int32) {
	cfg.Connection = func(context.Context) (*pgx.ConnConfig, error) { return pgx.ParseConfig(db.URL) }
	return locksOf(cfg)
}

// locksOf is locks for settings that have a Connection.
func locksOf(cfg skein.Config) (skein.Config, *atomic.Int32) {
	n, connection := &atomic.Int32{}, cfg.Connection
	cfg.Connection = func(ctx context.Context) (*pgx.ConnConfig, error) {
		to, err := connection(ctx)
		if err == nil {
			to.AfterConnect = func(_ context.Context, c *pgconn.PgConn) error {
				if c.ParameterStatus("application_name") == "skein/lock" {
					n.Add(1)
				}
				return nil
			}
		}
		return to, err
	}
	return cfg, n
}

// met is a database that a first script has been applied to, and small is that script and two more.
func met(t *testing.T) *pgtest.DB {
	t.Helper()
	db := pgtest.New(t)
	if _, err := migrate(t, db, skein.Config{Source: scripts(small[:2]...)}); err != nil {
		t.Fatal(err)
	}
	return db
}

// once checks that each of the small scripts is in the history once.
func once(t *testing.T, db *pgtest.DB) {
	t.Helper()
	if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != "1 2 3" {
		t.Errorf("history %s", got)
	}
}

var small = []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "create table b(id int);", "V3__c.sql", "insert into a values (1); create index a_id on a(id);"}

// A few small scripts need no connection for the lock; what may run long, or has somebody run beside it, does.
func TestLockInSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		cfg   skein.Config
		want  int32 // connections for the lock
	}{
		"small":                 {files: small},
		"one":                   {files: small[:4]},
		"outside a transaction": {files: append(small[:4:4], "V3__c.sql", "create index concurrently on a(id);"), want: 1},
		"callback":              {files: append(small[:4:4], "afterEachMigrate.sql", "select 1;"), want: 1},
		"group":                 {files: small, cfg: skein.Config{Group: true}},
		"durable each":          {files: small, cfg: skein.Config{DurableEach: true}},
		"detached":              {files: small, cfg: skein.Config{Detach: true}},
		"session state":         {files: small, cfg: skein.Config{KeepSessionState: true}, want: 1},
		"initSql":               {files: small, cfg: skein.Config{InitSQL: "select pg_advisory_lock(1)"}, want: 1},
		"nothing to do":         {files: small[:2]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := met(t)
			c.cfg.Source = scripts(c.files...)
			cfg, n := locks(db, c.cfg)
			if _, err := skein.Migrate(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			if n.Load() != c.want {
				t.Errorf("%d connections for the lock, want %d", n.Load(), c.want)
			}
		})
	}
}

// Another run may come in between the look at the history and the lock: what it has done is not done again, the rest is.
func TestLockInSessionComesLate(t *testing.T) {
	t.Parallel()
	for target, rest := range map[string][]string{"2": {"3"}, "3": nil} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			db := met(t)
			overtaken := false
			result, err := migrate(t, db, skein.Config{Source: scripts(small...), Report: func(e skein.Event) {
				if _, ok := e.(skein.Validated); ok && !overtaken {
					overtaken = true
					if _, err := migrate(t, db, withTarget(skein.Config{Source: scripts(small...)}, target)); err != nil {
						t.Error(err)
					}
				}
			}})
			if err != nil || !overtaken {
				t.Fatal(err)
			}
			var applied []string
			for _, a := range result.Applied {
				applied = append(applied, a.Script.Version.String())
			}
			if diff := cmp.Diff(rest, applied); diff != "" {
				t.Errorf("-want +applied\n%s", diff)
			}
			once(t, db)
		})
	}
}

// Whoever has the lock, or still works for a run that had it, is waited for.
func TestLockInSessionIsTaken(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]int64{"lock": migration.LockKey("public", "flyway_schema_history"), "fence": migration.FenceKey("public", "flyway_schema_history")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := met(t)
			other := session(t, db)
			do(t, other, fmt.Sprintf("select pg_advisory_lock(%d)", key))
			waited := false
			cfg, n := locks(db, skein.Config{Source: scripts(small...)})
			cfg.Report = func(e skein.Event) {
				switch e.(type) {
				case skein.LockWaiting:
					waited = true
					do(t, other, "select pg_advisory_unlock_all()")
				case skein.Planned, skein.StepStarted:
					if !waited {
						t.Errorf("%T before the lock was free", e)
					}
				}
			}
			if result, err := skein.Migrate(t.Context(), cfg); err != nil || !waited || n.Load() != 1 || len(result.Applied) != 2 {
				t.Errorf("waited %t, %d connections for the lock, %v", waited, n.Load(), err)
			}
			once(t, db)
		})
	}
}

// A script that gives back all locks of the session, itself or through a function, does not let anybody in, even one who
// is next in the queue. Nor does the reset after each script.
func TestLockInSessionIsNotLetGo(t *testing.T) {
	t.Parallel()
	db := met(t)
	waiter := session(t, db)
	db.Exec(t, "create function let_go() returns void language plpgsql as 'begin while not exists (select from pg_locks where locktype = ''advisory'' and not granted and "+
		"database = (select oid from pg_database where datname = current_database())) loop perform pg_sleep(0.005); end loop; perform pg_advisory_unlock_all(); end'")
	files := append([]string{}, small...)
	files[3] += "select let_go();"
	began, got := make(chan struct{}), make(chan error, 1)
	go func() {
		<-began
		_, err := waiter.Exec(t.Context(), fmt.Sprintf("select pg_advisory_lock(%d)", migration.LockKey("public", "flyway_schema_history")))
		got <- err
	}()
	cfg, n := locks(db, skein.Config{Source: scripts(files...), Report: func(e skein.Event) {
		switch e.(type) {
		case skein.Planned:
			close(began)
		case skein.Migrated:
			select {
			case err := <-got:
				t.Errorf("somebody else had the lock meanwhile: %v", err)
			default:
			}
		}
	}})
	if result, err := skein.Migrate(t.Context(), cfg); err != nil || n.Load() != 0 || len(result.Applied) != 2 {
		t.Errorf("%d connections for the lock, %v", n.Load(), err)
	}
	if err := <-got; err != nil { // the run has given it back
		t.Error(err)
	}
	once(t, db)
}

// A script that has to wait for a table does so under the lock.
func TestLockInSessionWhileWaiting(t *testing.T) {
	t.Parallel()
	db := met(t)
	reader := session(t, db)
	do(t, reader, "begin", "lock table a in share mode")
	blocked := false
	cfg := skein.Config{URL: db.URL, Source: scripts(append(small[:4:4], "V3__c.sql", "alter table a add column more int;")...)}
	cfg.Report = func(e skein.Event) {
		if w, ok := e.(skein.LockWaiting); ok && w.Relation != "" && !blocked {
			blocked = true
			if got := db.Value(t, "select count(*) from pg_locks join pg_stat_activity a using (pid) where locktype = 'advisory' and granted and a.datname = current_database() and application_name = 'skein'"); got != "1" {
				t.Errorf("%s sessions hold the lock", got)
			}
			do(t, reader, "commit")
		}
	}
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if !blocked {
		t.Error("it did not wait")
	}
	once(t, db)
}
