package skein_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// prepared are settings for many databases with these scripts.
func prepared(t *testing.T, files ...string) skein.Config {
	t.Helper()
	cfg := skein.Config{Source: scripts(files...)}
	var err error
	if cfg.Prepared, err = skein.Prepare(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// deployedTo is a database to which the first of the small scripts has been deployed.
func deployedTo(t *testing.T) *pgtest.DB {
	t.Helper()
	db := pgtest.New(t)
	if _, err := migrate(t, db, skein.Config{Source: scripts(small[:2]...), Deployment: deployed}); err != nil {
		t.Fatal(err)
	}
	return db
}

// surveyed is such a database, and the settings of a run that does what a survey with the same scripts has found.
func surveyed(t *testing.T, files ...string) (*pgtest.DB, skein.Config) {
	t.Helper()
	db, cfg := deployedTo(t), prepared(t, files...)
	found := survey(t, db.URL, cfg)
	cfg.URL, cfg.Deployment = db.URL, deployed
	cfg.Expect = &skein.Expect{Fingerprint: found.Fingerprint, HistoryHash: found.HistoryHash}
	return db, cfg
}

// entries are what the audit holds, which is to hold.
func entries(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	audit, err := skein.Audit(t.Context(), skein.Config{URL: db.URL})
	if err != nil || audit.Fault != nil {
		t.Errorf("audit: %v, %v", audit.Fault, err)
	}
	var all []string
	for _, e := range audit.Entries {
		all = append(all, e.What)
	}
	return strings.Join(all, ", ")
}

// What a survey has found is not found out once more: one message tells that it is still so, under the lock, and brings
// what a glance does.
func TestMetAgain(t *testing.T) {
	t.Parallel()
	db, cfg := surveyed(t, small...)
	cfg, trips := counted(t, db, cfg)
	cfg, locks := locksOf(cfg)
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	once(t, db)
	appliedOnce(t, db, 3)
	// Connecting, that message, a row of the audit, the scripts, another row.
	if trips.Load() > 5 || locks.Load() != 0 {
		t.Errorf("%d round trips, %d connections for the lock", trips.Load(), locks.Load())
	}
	if got := entries(t, db); got != "migrate, migrate ended, migrate, migrate ended" {
		t.Errorf("audit: %s", got)
	}
	if got := db.Value(t, "select bool_and(db_user = session_user and at between now() - interval '10 minutes' and clock_timestamp()) from skein.audit"); got != "t" {
		t.Errorf("moments and users: %s", got)
	}
}

// What has become another is asked as if nothing had been known, and refused as it would have been then; the lock stays
// with nobody.
func TestMetAgainAsAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"a row more":       {`insert into flyway_schema_history (installed_rank, description, type, script, installed_by, execution_time, success) values (2, 'x', 'SQL', 'R__x.sql', 'eve', 0, true)`, "the schema history is not what was approved"},
		"no history":       {"drop table flyway_schema_history", "the schema history is not what was approved"},
		"another path":     {"create schema o; do $$ begin execute 'alter database ' || quote_ident(current_database()) || ' set search_path = o, public'; end $$", "the schema history is not what was approved"},
		"a newer layout":   {"update skein.layout set version = 99", "have layout 99"},
		"no audit":         {"drop table skein.audit_head", "audit_head"},
		"another database": {"insert into skein.identity (environment, system_identifier, cluster, database, host, pinned_by) values ('prod', '7', '', 'shop', 'there', 'ana')", "pinned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, cfg := surveyed(t, small...)
			db.Exec(t, c.sql)
			_, err := skein.Migrate(t.Context(), cfg)
			var e *skein.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if got := db.Value(t, "select count(*) from pg_class where relname in ('b', 'a_id')"); got != "0" {
				t.Error("something was applied")
			}
			soon(t, db, pgtest.Unlocked)
		})
	}
}

// Whoever has the lock, or still works behind the fence, is waited for.
func TestMetAgainInTheWay(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]int64{"lock": migration.LockKey("public", "flyway_schema_history"), "fence": migration.FenceKey("public", "flyway_schema_history")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, cfg := surveyed(t, small...)
			other := session(t, db)
			do(t, other, fmt.Sprintf("select pg_advisory_lock(%d)", key))
			waited := false
			cfg.Report = func(e skein.Event) {
				switch e.(type) {
				case skein.LockWaiting:
					waited = true
					do(t, other, "select pg_advisory_unlock_all()")
				case skein.StepStarted:
					if !waited {
						t.Errorf("%T before the lock was free", e)
					}
				}
			}
			if _, err := skein.Migrate(t.Context(), cfg); err != nil || !waited {
				t.Fatalf("waited %t, %v", waited, err)
			}
			once(t, db)
		})
	}
}

// A plan that looked small, and has a script that is not one transaction, gets a connection for the lock.
func TestMetAgainForMore(t *testing.T) {
	t.Parallel()
	db, cfg := surveyed(t, append(small[:4:4], "V3__c.sql", "create index concurrently a_id on a(id);")...)
	cfg, n := locks(db, cfg)
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	once(t, db)
	if n.Load() != 1 {
		t.Errorf("%d connections for the lock", n.Load())
	}
}

// Others write into the audit whenever they like: the rows of a run go after theirs.
func TestAuditGoesOnAfterOthers(t *testing.T) {
	t.Parallel()
	db, cfg := surveyed(t, small...)
	others := 0
	environments := []string{"qa", "qb"} // what is pinned so already is not pinned again
	cfg.Report = func(e skein.Event) {
		switch e.(type) {
		case skein.Connected, skein.Migrated:
			pin(t, db.URL, environments[others], skein.PinOptions{Replace: true})
			others++
		}
	}
	cfg.Environment = "qa"
	if _, err := skein.Migrate(t.Context(), cfg); err != nil || others != 2 {
		t.Fatal(others, err)
	}
	if got := entries(t, db); got != "migrate, migrate ended, pin, migrate, pin, migrate ended" {
		t.Errorf("audit: %s", got)
	}
}

// A survey that guesses from another database of the fleet finds what one finds that asks.
func TestSurveyOfDatabasesThatMayBeAlike(t *testing.T) {
	t.Parallel()
	first := deployedTo(t)
	for name, sql := range map[string]string{
		"alike":          "select 1",
		"further":        "create table b(id int)",
		"another path":   "create schema o; do $$ begin execute 'alter database ' || quote_ident(current_database()) || ' set search_path = o, public'; end $$",
		"no side tables": "drop schema skein cascade",
		"no history":     "drop table flyway_schema_history",
		"nothing":        "drop schema skein cascade; drop table flyway_schema_history; drop table a",
		"pinned":         "insert into skein.identity (environment, system_identifier, cluster, database, host, pinned_by) values ('prod', '7', '', 'shop', 'there', 'ana')",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, db := prepared(t, small...), deployedTo(t)
			db.Exec(t, sql)
			survey(t, first.URL, cfg)
			want := survey(t, db.URL, skein.Config{Source: scripts(small...)})
			for range 2 { // the second time it is known itself
				got := survey(t, db.URL, cfg)
				same := cmp.Options{
					cmpopts.IgnoreFields(skein.SurveyResult{}, "Took", "Clock", "Entries", "Steps"),
					cmp.Comparer(func(a, b migration.Version) bool { return a.Compare(b) == 0 }),
					cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }),
				}
				if diff := cmp.Diff(want, got, same); diff != "" {
					t.Errorf("-asked +guessed\n%s", diff)
				}
				if len(got.Steps) != len(want.Steps) {
					t.Errorf("%d steps, want %d", len(got.Steps), len(want.Steps))
				}
			}
		})
	}
}
