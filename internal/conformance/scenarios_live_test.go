package conformance

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/conformance/flywaylive"
)

var update = flag.Bool("update", false, "TestScenariosLive: write what the real Flyway leaves into testdata/scenarios")

// TestScenariosLive plays every scenario through the real Flyway and compares with what is recorded of its version, or
// with -update records it. A scenario without a recording of a version was not made for it.
func TestScenariosLive(t *testing.T) {
	t.Parallel()
	found := flywaylive.All(t)
	needRecordedServer(t)
	flyways, older := map[string]flywaylive.Flyway{}, map[string]bool{}
	for _, f := range found {
		if v := versionOf(t, f); slices.Contains(versions, v) {
			flyways[v], older[v] = f, v == versions[0] && olderFront(t, f)
		} else {
			t.Logf("%s is Flyway %s, of which there are no recordings", f.Name, v)
		}
	}
	if len(flyways) == 0 {
		t.Skipf("none of the Flyways is one of %s", strings.Join(versions, ", "))
	}
	all := readScenarios(t)
	var confirmed, refuted, left atomic.Int64
	t.Cleanup(func() { // once all have ended
		t.Logf("%d recordings of %d scenarios: %d confirmed by the real Flyway, %d not, %d left out", confirmed.Load()+refuted.Load()+left.Load(),
			len(all), confirmed.Load(), refuted.Load(), left.Load())
	})
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range versions {
				f, ok := flyways[v]
				switch {
				case s.recorded[v] == nil:
				case !ok:
					left.Add(1)
				case older[v] && s.ofFront(v):
					t.Logf("Flyway %s is left out: what this command line tells is its own", v)
					left.Add(1)
				case s.live(t, v, f):
					confirmed.Add(1)
				default:
					refuted.Add(1)
				}
			}
			if *update && !t.Failed() {
				s.rewrite(t)
			}
		})
	}
}

// versionOf asks a Flyway what it is. 8.5.4 has no document for that and begins its text with it.
func versionOf(t *testing.T, f flywaylive.Flyway) string {
	t.Helper()
	r := f.Run(t, flywaylive.Call{Args: []string{"-v"}})
	for _, v := range versions {
		if strings.Contains(r.Stdout, "Edition "+v+" by Redgate") {
			return v
		}
	}
	line, _, _ := strings.Cut(r.Stdout, "\n")
	return fmt.Sprintf("%q", line)
}

// olderFront tells whether the command line in front of the engine is an older one, as fetch.sh has to take for 13.0.0.
func olderFront(t *testing.T, f flywaylive.Flyway) bool {
	t.Helper()
	r := f.Run(t, flywaylive.Call{Args: []string{"version"}, JSON: true})
	return !strings.Contains(r.Stdout, "permitExpiry")
}

// ofFront tells whether the facts are the command line's and not the engine's: fetch.sh says what its mixture lacks.
func (s scenario) ofFront(version string) bool {
	f := s.recorded[version]
	report := len(f["json.htmlReport"]) > 0 && f["json.htmlReport"][0] != "null"
	return f["json.permitExpiry"] != nil || f["json.successfulConnections"] != nil || report || strings.Contains(strings.Join(f["json.error"], ""), `"errorCode":"CONFIGURATION`)
}

// live plays a scenario through one Flyway and tells whether it left what is recorded.
func (s scenario) live(t *testing.T, version string, f flywaylive.Flyway) bool {
	t.Helper()
	got := s.left(t, func(_ context.Context, t *testing.T, c call) outcome {
		args := c.args
		if version == versions[0] && c.all {
			args = append([]string{"-skipCheckForUpdate"}, args...)
		}
		r := f.Run(t, flywaylive.Call{Dir: c.dir, Args: args, Env: c.env, Stdin: c.stdin, Limit: c.limit})
		if !r.Ended {
			r.Exit = noEnd
		}
		return outcome{Stdout: r.Stdout, Stderr: r.Stderr, Exit: r.Exit}
	})
	if *update {
		s.recorded[version] = got
		return true
	}
	want := s.recorded[version]
	kinds := want.differ(got)
	for _, kind := range kinds {
		t.Errorf("Flyway %s does not leave what was recorded, in %s (-recorded +live):\n%s", version, kind, cmp.Diff(want[kind], got[kind]))
	}
	return len(kinds) == 0
}

// rewrite puts the recordings into the scenario's file, which is otherwise left as it is.
func (s scenario) rewrite(t *testing.T) {
	t.Helper()
	file := filepath.Join("testdata", "scenarios", s.name+".txtar")
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now := s.format()
	if bytes.Equal(old, now) {
		return
	}
	t.Logf("recorded anew: %s", file)
	if err := os.WriteFile(file, now, 0o600); err != nil {
		t.Fatal(err)
	}
}
