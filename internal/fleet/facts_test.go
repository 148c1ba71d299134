package fleet_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/migration"
)

func surveyOne(t *testing.T, target fleet.Target, scripts *skein.Prepared) pipeline.TargetFacts {
	t.Helper()
	var told []fleet.Surveyed
	facts := fleet.Survey(context.Background(), "qa", []fleet.Target{target}, scripts, 1, 0, func(s fleet.Surveyed) { told = append(told, s) })
	if len(facts) != 1 || len(told) != 1 || told[0].Done != 1 || told[0].Total != 1 || told[0].Facts.Name != target.Name || facts[0].Environment != "qa" {
		t.Fatalf("facts %+v, told %+v", facts, told)
	}
	return facts[0]
}

// Every fact that the pipeline decides on is what its comment says, before and after a deployment.
func TestFacts(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	to, _ := connect(db.URL)
	target := fleet.Target{Name: "shop", Config: skein.Config{Connection: to, Environment: "qa", Releaser: "ana"}}
	if _, err := skein.Pin(context.Background(), target.Config, skein.PinOptions{}); err != nil {
		t.Fatal(err)
	}
	d := deployment(t, pipeline.Environment{}, []fleet.Target{target}, "V1__one.sql", "create table one (id int);", "R__view.sql", "create or replace view v as select '${flyway:database}' as db;", "U1__one.sql", "drop table one;")
	before := surveyOne(t, target, d.Scripts)
	if before.Identity.System != db.Value(t, "select system_identifier from pg_control_system()") || before.Identity.Database != db.Name || before.Identity.Host == "" || before.Key == "" {
		t.Errorf("identity %+v, key %q", before.Identity, before.Key)
	}
	if p := before.Pinned; p == nil || p.Environment != "qa" || p.Database != db.Name || p.Host != "" {
		t.Errorf("pin %+v", p)
	}
	if before.Unreachable+before.Misplaced+before.ReadOnly+before.NoPlan+before.Busy != "" || len(before.Problems)+len(before.Applied)+len(before.Skipped) != 0 {
		t.Errorf("%+v", before)
	}
	if len(before.Pending) != 2 || before.Pending[0].Path != "V1__one.sql" || before.Pending[0].Version.String() != "1" || before.Pending[0].SHA256 != before.Scripts[0].SHA256 || len(before.Scripts) != 2 {
		t.Errorf("pending %+v, scripts %+v", before.Pending, before.Scripts)
	}
	if *before.Scripts[1].Checksum == *before.Scripts[1].RawChecksum || before.Fingerprint == "" || before.History == "" || before.Clock.IsZero() {
		t.Errorf("%+v", before)
	}
	rollout, _ := decide(t, d)
	run(t, d, rollout)
	after := surveyOne(t, target, d.Scripts)
	if len(after.Pending) != 0 || len(after.Applied) != 2 || after.History == before.History || after.Fingerprint == before.Fingerprint {
		t.Errorf("after: %+v", after)
	}
	a := after.Applied[0]
	if a.Rank != 1 || a.Version.String() != "1" || a.Script != "V1__one.sql" || a.Type != "SQL" || *a.Checksum != *before.Scripts[0].Checksum || !a.Success || !a.Zoned ||
		a.SHA256 != before.Scripts[0].SHA256 || a.Release != "r1" || a.Digest != "sha256:1" || a.Releaser != "ana" || a.At.Before(before.Clock) || a.At.After(before.Clock.Add(time.Hour)) {
		t.Errorf("applied %+v", a)
	}
	db.Exec(t, "delete from skein.applied; update flyway_schema_history set checksum = 7 where version = '1'")
	changed := surveyOne(t, target, d.Scripts)
	if changed.Applied[0].Zoned || changed.Applied[0].SHA256 != "" || len(changed.Problems) != 1 || !strings.Contains(changed.Problems[0], "checksum mismatch") {
		t.Errorf("changed: %+v", changed)
	}
	db.Exec(t, "update flyway_schema_history set success = false where version = '1'")
	if failed := surveyOne(t, target, d.Scripts); failed.NoPlan == "" && len(failed.Problems) == 0 || failed.Applied != nil && failed.Applied[0].Success {
		t.Errorf("failed: %+v", failed)
	}
}

// Databases that cannot be deployed to say why, and nothing of the others' is held up by them.
func TestFactsOfTargetsThatAreNotWell(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	to, _ := connect(db.URL)
	scripts, _ := prepared(t, "V1__one.sql", "create table one (id int);")
	base := skein.Config{Connection: to, Environment: "qa"}

	down := base
	down.Connection, _ = connect("postgres://nobody@127.0.0.1:1/none")
	if f := surveyOne(t, fleet.Target{Name: "down", Config: down}, scripts); !f.Silent || !strings.Contains(f.Unreachable, "127.0.0.1:1") || strings.Contains(f.Unreachable, "\n") {
		t.Errorf("down: %q", f.Unreachable)
	}
	readOnly := base
	readOnly.Connection = func(ctx context.Context) (*pgx.ConnConfig, error) {
		cfg, err := to(ctx)
		cfg.RuntimeParams["default_transaction_read_only"] = "on"
		return cfg, err
	}
	if f := surveyOne(t, fleet.Target{Name: "ro", Config: readOnly}, scripts); !strings.Contains(f.ReadOnly, "read only") || f.Unreachable != "" {
		t.Errorf("read only: %+v", f)
	}
	if _, err := skein.Pin(context.Background(), skein.Config{Connection: to, Environment: "production"}, skein.PinOptions{}); err != nil {
		t.Fatal(err)
	}
	if f := surveyOne(t, fleet.Target{Name: "prod", Config: base}, scripts); !strings.Contains(f.Misplaced, "production") || f.Pinned == nil || f.Pinned.Environment != "production" {
		t.Errorf("misplaced: %+v", f)
	}
	base.Environment = "production"
	if f := surveyOne(t, fleet.Target{Name: "idle", Config: base}, scripts); f.Busy != "" || f.Misplaced != "" {
		t.Errorf("idle: %+v", f)
	}
	held, release := make(chan struct{}), make(chan struct{})
	slow, _ := prepared(t, "V1__one.sql", "select pg_advisory_lock(4711);")
	lock := db.Conn(t)
	if _, err := lock.Exec(context.Background(), "select pg_advisory_lock(4711)"); err != nil {
		t.Fatal(err)
	}
	busy := base
	busy.Prepared = slow
	busy.Report = func(e skein.Event) {
		if _, ok := e.(skein.StepStarted); ok {
			close(held)
		}
	}
	go func() {
		defer close(release)
		if _, err := skein.Migrate(context.Background(), busy); err != nil {
			t.Error(err)
		}
	}()
	<-held
	if f := surveyOne(t, fleet.Target{Name: "busy", Config: base}, scripts); !strings.Contains(f.Busy, "application skein/lock") || !strings.Contains(f.Busy, "user "+db.Owner) {
		t.Errorf("busy: %q", f.Busy)
	}
	if err := lock.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-release
	// What a run has left behind is at work as well, without the lock.
	behind := db.Conn(t)
	if _, err := behind.Exec(context.Background(), "select set_config('application_name', 'left behind', false), pg_advisory_lock($1)", migration.FenceKey("public", "flyway_schema_history")); err != nil {
		t.Fatal(err)
	}
	if f := surveyOne(t, fleet.Target{Name: "behind", Config: base}, scripts); !strings.Contains(f.Busy, "application left behind") {
		t.Errorf("behind: %q", f.Busy)
	}
}

// Evidence is asked for only when nothing else stands in the way, and once for one decision.
func TestEvidence(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table asked (who text)")
	dir := t.TempDir()
	asked := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
	gates := pipeline.Gates{
		Validate: true, Command: `echo "$SKEIN_ENVIRONMENT $SKEIN_RELEASE $SKEIN_DIGEST $SKEIN_DEPLOYMENT" >>command; test ! -e no`,
		Query: "select current_setting('search_path') <> ''", RestorePoint: `echo "$SKEIN_TARGET" >>points; echo "snapshot of $SKEIN_TARGET"`,
	}
	d := deployment(t, pipeline.Environment{Gates: gates}, schemas(t, db, 2))
	d.Dir, d.Concurrency = dir, 1

	if err := os.WriteFile(filepath.Join(dir, "no"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	decision, _, err := d.Decide(context.Background(), time.Now)
	if err != nil || len(decision.Reasons) != 2 || decision.Reasons[0].Gate != pipeline.GateCommand || !decision.Reasons[1].Ask || asked("points") != "" {
		t.Fatalf("%+v, %v; restore points are dear, and come last: %q", decision.Reasons, err, asked("points"))
	}
	if err := os.Remove(filepath.Join(dir, "no")); err != nil {
		t.Fatal(err)
	}
	d.Evidence, d.Targets = pipeline.Evidence{}, schemas(t, db, 2)
	if err := os.Remove(filepath.Join(dir, "command")); err != nil {
		t.Fatal(err)
	}
	rollout, _ := decide(t, d)
	if got := asked("command"); got != "qa r1 sha256:1 d-1\n" {
		t.Errorf("the command was asked %q", got)
	}
	if got := asked("points"); got != "s00\ns01\n" {
		t.Errorf("restore points of %q", got)
	}
	if p := d.Evidence.RestorePoints["s01"]; p.What != "snapshot of s01" || p.Err != "" || p.At.IsZero() {
		t.Errorf("%+v", p)
	}
	if a := d.Evidence.Queries["s00"]; !a.Yes || len(d.Evidence.Queries) != 2 {
		t.Errorf("%+v", d.Evidence.Queries)
	}
	run(t, d, rollout)
	// With nothing to do there is nothing to guard.
	d.Evidence = pipeline.Evidence{}
	if again, _ := decide(t, d); len(again.Waves) != 0 || strings.Count(asked("command"), "\n") != 1 {
		t.Errorf("%+v, and the command was asked %q", again, asked("command"))
	}
	// What is refused for another reason asks nothing.
	db.Exec(t, "update s00.flyway_schema_history set checksum = 7 where version = '1'; drop schema s01 cascade")
	d.Evidence = pipeline.Evidence{}
	if decision, _, err = d.Decide(context.Background(), time.Now); err != nil || !decision.Blocked() || strings.Count(asked("command"), "\n") != 1 {
		t.Errorf("%+v, %v, and the command was asked %q", decision.Reasons, err, asked("command"))
	}
}

func TestRestorePointInTime(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := deployment(t, pipeline.Environment{Gates: pipeline.Gates{RestorePoint: "pitr", Query: "select null"}}, schemas(t, db, 1))
	decision, _, err := d.Decide(context.Background(), time.Now)
	if err != nil || len(decision.Reasons) != 2 || decision.Reasons[0].Gate != pipeline.GateQuery || !decision.Reasons[1].Ask || !strings.Contains(decision.Reasons[0].Text, "null") {
		t.Errorf("%+v, %v", decision.Reasons, err)
	}
	d.Pipeline.Environments[0].Gates.Query, d.Evidence = "", pipeline.Evidence{}
	_, facts := decide(t, d)
	if p := d.Evidence.RestorePoints["s00"]; p.What != "pitr" || !p.At.Equal(facts[0].Clock) {
		t.Errorf("%+v, the server's clock %v", p, facts[0].Clock)
	}
}
