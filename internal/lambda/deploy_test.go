package lambda_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/source"
)

// push makes a release of the function's scripts.
func (f *function) push(name string) {
	f.t.Helper()
	from, err := source.Locations([]string{"filesystem:" + filepath.Join(f.dir, "sql")}, source.Options{})
	if err != nil {
		f.t.Fatal(err)
	}
	files, err := from.Load(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	scripts, err := source.Describe(files)
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := release.Build(name, "ana", "a test", time.Now(), scripts)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, _, err := source.FolderStore(filepath.Join(f.dir, "releases")).Push(f.t.Context(), m, files); err != nil {
		f.t.Fatal(err)
	}
}

// TestBareDeployment is one of files without a release, which has no name that the next invocation could ask for.
func TestBareDeployment(t *testing.T) {
	t.Parallel()
	dev := pgtest.New(t)
	f := start(t, map[string]string{"dev": dev.URL}, slow(4, 600*time.Millisecond), lambdatest.Options{Timeout: 2 * time.Second, Env: []string{"SKEIN_ALLOW_BARE_PREFIX=true"}})
	f.Send(`{"command": "deploy", "environment": "dev"}`)
	f.Wait(time.Minute)
	once(t, f, dev, 4)
	all := f.answers()
	if last := all[len(all)-1]; len(all) < 2 || last.Status != lambda.StatusSucceeded || !strings.HasPrefix(last.Release, "files-") {
		t.Errorf("%d answers, the last %+v %+v", len(all), last, last.Error)
	}
}

// TestDeployment is a release that is longer than the function may be, deployed to dev and promoted to qa, which a gate
// keeps closed at first.
func TestDeployment(t *testing.T) {
	t.Parallel()
	dev, qa := pgtest.New(t), pgtest.New(t)
	const scripts = 6
	f := start(t, map[string]string{"dev": dev.URL, "qa": qa.URL}, slow(scripts, 600*time.Millisecond), lambdatest.Options{Timeout: 3 * time.Second})
	settings := func(soak string) {
		f.write("skein.toml", fmt.Sprintf(`[environments.dev]
url = %q
[environments.qa]
url = %q
[skein]
pipeline = ["dev", "qa"]
releases = "filesystem:releases"
[skein.environments.qa.gates]
soak = %q
`, dev.URL, qa.URL, soak))
	}
	settings("1h")
	f.push("r1")
	f.Send(`{"command": "deploy", "environment": "dev"}`)
	f.Wait(time.Minute)
	once(t, f, dev, scripts)
	runs, last := map[string]bool{}, lambda.Answer{}
	for _, a := range f.answers() {
		runs[a.Run], last = true, a
	}
	if len(runs) != 1 || len(f.answers()) < 2 || last.Status != lambda.StatusSucceeded || last.Release != "r1" {
		t.Errorf("%d run ids, %d answers, the last %+v\n%s", len(runs), len(f.answers()), last, f.story())
	}
	a := f.ask(`{"command": "promote", "environment": "qa"}`)
	if a.Status != lambda.StatusBlocked || len(a.Reasons) != 1 || a.Reasons[0].Gate != "soak" || a.Reasons[0].Next == "" {
		t.Errorf("blocked: %+v", a)
	}
	if m := f.metrics(); m["RunBlocked"] != 1 || m["RunFailed"] != 0 {
		t.Errorf("metrics: %v", m)
	}
	settings("0")
	f.Send(`{"command": "promote", "environment": "qa"}`)
	f.Wait(time.Minute)
	once(t, f, qa, scripts)
	a = f.ask(`{"command": "status"}`)
	if len(a.Targets) != 2 || a.Targets[0].Release != "r1" || a.Targets[1].Release != "r1" || a.Targets[1].Environment != "qa" {
		t.Errorf("status: %+v", a)
	}
	if a = f.ask(`{"command": "deploy", "environment": "qa"}`); a.Status != lambda.StatusNothing {
		t.Errorf("again: %+v", a)
	}
}
