package skein_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

func survey(t *testing.T, url string, cfg skein.Config) *skein.SurveyResult {
	t.Helper()
	cfg.URL = url
	s, err := skein.Survey(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A survey says before and after a deployment what there is to know, and what it says before holds under the lock.
func TestSurveyAndDeploy(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Source: scripts("V1__one.sql", "create table one(id int);", "V2__two.sql", "create index concurrently i on one(id);", "R__r.sql", "select 1;")}
	before := survey(t, db.URL, cfg)
	if len(before.Steps) != 3 || before.HasHistory || before.Pin != nil || before.Misplaced != nil || before.Blocked != nil || before.ReadOnly != nil || len(before.Applied) != 0 {
		t.Errorf("before: %+v", before)
	}
	if before.Identity.System != db.Value(t, "select system_identifier from pg_control_system()") || before.Identity.Database != db.Name || before.Identity.Host == "" {
		t.Errorf("identity %+v", before.Identity)
	}
	cfg.Expect = &skein.Expect{Identity: before.Identity, Fingerprint: before.Fingerprint, HistoryHash: before.HistoryHash}
	cfg.Deployment = &skein.Deployment{ID: "d-1", Release: "2026.11", Digest: "sha256:abc", Releaser: "ana", Environment: "qa"}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Expect, cfg.Environment = nil, "qa"
	after := survey(t, db.URL, cfg)
	if len(after.Steps) != 0 || len(after.Applied) != 3 || len(after.Problems) != 0 || after.HistoryHash == before.HistoryHash || after.Version.String() != "2" {
		t.Errorf("after: %+v", after)
	}
	for i, a := range after.Applied {
		if a.Rank != i+1 || a.Releaser != "ana" || a.Release != "2026.11" || a.Digest != "sha256:abc" || a.Deployment != "d-1" || a.Environment != "qa" || a.At.IsZero() {
			t.Errorf("applied %+v", a)
		}
	}
	if want := (&migration.Script{Text: "select 1;"}).SHA256(); after.Applied[2].SHA256 != want {
		t.Errorf("sha256 %s, want %s", after.Applied[2].SHA256, want)
	}
	audit, err := skein.Audit(context.Background(), skein.Config{URL: db.URL})
	if err != nil || audit.Fault != nil || len(audit.Entries) != 2 {
		t.Fatalf("audit %+v, %v", audit, err)
	}
	first, last := audit.Entries[0], audit.Entries[1]
	if first.What != "migrate" || first.Plan != before.Fingerprint || first.Who != "ana" || first.Environment != "qa" || first.Release != "2026.11" ||
		first.Detail != `{"deployment":"d-1","digest":"sha256:abc","from":"<< Empty Schema >>","scripts":["V1__one.sql","V2__two.sql","R__r.sql"]}` {
		t.Errorf("first %+v", first)
	}
	if last.What != "migrate ended" || last.Plan != before.Fingerprint {
		t.Errorf("last %+v", last)
	}
}

// A session whose client has just ended may still be at the end of its work: a survey waits for it for a moment, and tells what
// there is after it. One that stays is told.
func TestSurveyLetsOthersEnd(t *testing.T) {
	t.Parallel()
	key := fmt.Sprint(migration.LockKey("public", "flyway_schema_history"))
	for name, c := range map[string]struct {
		known, stays bool
	}{"known": {known: true}, "stranger": {}, "known, stays": {true, true}, "stranger, stays": {false, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := met(t)
			if c.known {
				db = deployedTo(t)
			}
			other, ended := session(t, db), make(chan struct{})
			do(t, other, "select pg_advisory_lock("+key+")", "begin",
				"insert into flyway_schema_history select 2, '2', description, type, 'V2__b.sql', null, installed_by, now(), 1, true from flyway_schema_history where installed_rank = 1")
			go func() {
				defer close(ended)
				watcher := session(t, db)
				for looked := false; !looked && !c.stays; {
					sql := "select count(*) > 0 from pg_stat_activity where datname = current_database() and application_name = 'skein' and state = 'idle in transaction'"
					if err := watcher.QueryRow(context.Background(), sql).Scan(&looked); err != nil {
						t.Error(err)
						return
					}
				}
				if !c.stays {
					do(t, other, "commit", "select pg_advisory_unlock_all()")
				}
			}()
			found := survey(t, db.URL, skein.Config{Source: scripts(small...)})
			<-ended
			if got, want := len(found.Steps), map[bool]int{true: 2, false: 1}[c.stays]; (found.Holder != nil) != c.stays || got != want {
				t.Errorf("holder %+v, %d steps, want %d", found.Holder, got, want)
			}
		})
	}
}
