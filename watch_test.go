package skein_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// look looks at the run on the test's database until it looks like that.
func look(t *testing.T, cfg skein.Config, patience time.Duration, is func(*skein.WatchResult) bool) *skein.WatchResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var last *skein.WatchResult
	cfg.Report = nil
	err := skein.Watch(ctx, cfg, patience, func(seen *skein.WatchResult) bool {
		last = seen
		return !is(seen)
	})
	if err != nil || last == nil || !is(last) {
		t.Fatalf("%v: %+v", err, last)
	}
	return last
}

func verdict(v skein.Verdict) func(*skein.WatchResult) bool {
	return func(seen *skein.WatchResult) bool { return seen.Verdict == v }
}

// A run is seen from outside while it waits, with where it is in its scripts, and is gone afterwards.
func TestWatchSeesARun(t *testing.T) {
	t.Parallel()
	h := hold(t, gate, "select pg_advisory_lock(42)", "select 1;\nset max_parallel_maintenance_workers = 0;\ncreate index held on orders(gate(id));")
	seen := look(t, h.cfg, 0, func(seen *skein.WatchResult) bool {
		return seen.Verdict == skein.VerdictBlocked && seen.Progress.Statement == 3
	})
	p := seen.Progress
	if percent, known := p.Percent(); !known || percent < 10 || percent > 90 || p.Path != "V2__held.sql" || p.Total != 1 || p.Statement != 3 || p.Line != 3 {
		t.Errorf("progress %+v", p)
	}
	if len(p.Blockers) != 1 || p.Blockers[0].Application != "the obstacle" || seen.Worker.State != "active" || seen.Holder.Application != "skein/lock" || seen.Pending != 1 || seen.Version.String() != "1" {
		t.Errorf("seen %+v", seen)
	}
	_, url := h.db.Role(t, "")
	h.db.Exec(t, "grant select on all tables in schema public to public")
	blind := h.cfg
	blind.URL = url
	if seen := look(t, blind, 0, func(*skein.WatchResult) bool { return true }); seen.Worker.Query != "" || len(seen.Unseen) == 0 || seen.Verdict == skein.VerdictNothing {
		t.Errorf("an ordinary role sees %+v", seen)
	}
	h.release("select pg_advisory_unlock(42)")
	if seen := look(t, h.cfg, 0, verdict(skein.VerdictNothing)); seen.Pending != 0 || seen.Version.String() != "2" || seen.Worker.PID != 0 {
		t.Errorf("afterwards %+v", seen)
	}
}

// The client is gone and the server still works: inside a transaction, which the fence tells, and outside, which the
// journal tells. The script's own lock_timeout keeps it from giving way, which would begin another transaction.
func TestWatchSeesAnOrphan(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"inside a transaction":  "set local lock_timeout = 0;\ncreate index held on orders(gate(id));",
		"outside a transaction": "create index concurrently held on orders(gate(id));",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hold(t, gate, "select pg_advisory_lock(42)", script)
			h.until("the index", func(p skein.Progress) bool { return p.Command != "" })
			// What is left of a client that died: the lock's connection and the looker are gone, the work is not.
			h.db.Exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name in ('skein/lock', 'skein/progress')")
			seen := look(t, h.cfg, 0, verdict(skein.VerdictOrphaned))
			if !strings.HasPrefix(strings.ToLower(seen.Worker.Query), "create index") || outside(seen) != strings.Contains(script, "concurrently") {
				t.Errorf("seen %+v", seen)
			}
			if _, err := h.holder.Exec(t.Context(), "select pg_advisory_unlock(42)"); err != nil {
				t.Fatal(err)
			}
			if err := <-h.ended; err != nil { // either way: it had lost its lock
				t.Logf("the run ended with: %v", err)
			}
		})
	}
}

func outside(seen *skein.WatchResult) bool {
	return len(seen.Unfinished) == 1 && seen.Unfinished[0].Open && seen.Unfinished[0].Path == "V2__held.sql"
}

// A build that neither comes on nor waits for anybody, and a holder of the lock that does nothing.
func TestWatchSeesAStall(t *testing.T) {
	t.Parallel()
	sleeper := strings.Replace(gate, "perform pg_advisory_lock_shared(42)", "perform pg_sleep(3600)", 1)
	h := hold(t, sleeper, "", "set max_parallel_maintenance_workers = 0;\ncreate index held on orders(gate(id));")
	seen := look(t, h.cfg, 2*time.Second, verdict(skein.VerdictStalled))
	if seen.Still < 2*time.Second || seen.Progress.Wait != "Timeout:PgSleep" || !strings.Contains(seen.Reason, "CREATE INDEX has not come on") {
		t.Errorf("seen %+v", seen)
	}
	h.stop()
	if err := <-h.ended; err == nil {
		t.Error("a run that was stopped says that all is well")
	}

	db := pgtest.New(t)
	flyway := connectAs(t, db.URL, "Flyway by Redgate")
	if _, err := flyway.Exec(t.Context(), "begin; select pg_try_advisory_xact_lock(77433833903597)"); err != nil {
		t.Fatal(err)
	}
	seen = look(t, skein.Config{URL: db.URL}, time.Second, verdict(skein.VerdictStalled))
	if seen.Holder.Application != "Flyway by Redgate" || seen.Heard >= 0 || seen.Pending >= 0 || !seen.Version.IsZero() {
		t.Errorf("seen %+v", seen)
	}
}
