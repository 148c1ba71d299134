package deploy

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/schedule"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
)

// TestSettingsOfAPipeline: what the settings of an environment say reaches those who decide and those who act.
func TestSettingsOfAPipeline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "skein.toml"), []byte(`[environments.dev]
url = "postgres://h/dev"
[environments.qa]
url = "postgres://h/qa"
[skein]
pipeline = ["dev", "qa"]
signReleases = true
releaser = "ana"
[skein.environments.qa]
targetsQuery = "select name, url from targets"
targetsFrom = "postgres://catalog/all"
waves = ["1", "10%", "rest"]
concurrency = 7
maxConnections = 30
failureBudget = "2%"
healthQuery = "select true"
healthWait = "90s"
[skein.environments.qa.gates]
previous = false
soak = "2d"
validate = false
approvals = 0
approvalExpiry = "12h"
windows = ["mon-thu 20:00-23:00"]
freezes = ["2026-12-24..2027-01-02"]
timeZone = "Europe/Oslo"
restorePoint = "pitr"
command = "true"
query = "select 1"
`), 0o600); err != nil {
		t.Fatal(err)
	}
	world, secrets := wire.World{Dir: dir}, &secret.Redactor{}
	environments, _, err := world.LoadAll(t.Context(), config.CommandLine{}, "", secrets)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(Options{World: world, Environments: environments, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	windows, err := schedule.ParseWindows([]string{"mon-thu 20:00-23:00"}, []string{"2026-12-24..2027-01-02"}, oslo)
	if err != nil {
		t.Fatal(err)
	}
	want := pipeline.Environment{
		Name: "qa", Waves: []pipeline.Wave{{Count: 1}, {Percent: 10}, {}}, Budget: pipeline.Budget{Percent: 2}, Health: true, HealthWait: 90 * time.Second, Concurrent: 7,
		Gates: pipeline.Gates{Soak: 48 * time.Hour, ApprovalExpiry: 12 * time.Hour, RestorePoint: "pitr", Command: "true", Query: "select 1"},
	}
	got := p.Pipeline.Environments[1]
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(pipeline.Gates{}, "Windows")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.Gates.Windows.String() != windows.String() || got.Gates.Windows.Zone.String() != "Europe/Oslo" {
		t.Errorf("windows: %v in %v", got.Gates.Windows, got.Gates.Windows.Zone)
	}
	if !p.Pipeline.SignReleases {
		t.Error("signReleases is lost")
	}
	l := p.stations[1].listing
	if from, err := l.From(t.Context()); err != nil || from.Host != "catalog" || from.Database != "all" || l.Query == "" {
		t.Errorf("targets: %q from %+v, %v", l.Query, from, err)
	}
	d := p.deployment(p.stations[1], Order{Factor: 3})
	if d.Concurrency != 7 || d.Connections != 30 || d.HealthQuery != "select true" || d.Releaser != "ana" || d.Evidence.Factor != 3 || d.ID == "" {
		t.Errorf("%+v", d)
	}
}
