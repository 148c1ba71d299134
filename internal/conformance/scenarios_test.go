package conformance

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/cli"
)

// difference is a line of testdata/differences.txt: the kinds of facts in which a scenario differs from Flyway on
// purpose.
type difference struct {
	kinds  []string
	reason string
}

const differencesFile = "testdata/differences.txt"

// readDifferences reads the list. A line `= REASON` stands above the scenarios that it is the reason for, each a line
// `SCENARIO: KIND KIND…`. A reason names a heading of docs/flyway.md, or what this release does not have.
func readDifferences(t *testing.T) map[string]difference {
	t.Helper()
	text, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/flyway.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]difference{}
	reason := ""
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		at := fmt.Sprintf("%s:%d", differencesFile, i+1)
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		if r, ok := strings.CutPrefix(line, "= "); ok {
			reason = r
			checkReason(t, at, r, string(page))
			continue
		}
		name, kinds, ok := strings.Cut(line, ": ")
		if _, twice := out[name]; !ok || twice || reason == "" {
			t.Fatalf("%s: want a scenario that was not named before, a colon and kinds of facts, below a reason: %s", at, line)
		}
		out[name] = difference{strings.Fields(kinds), reason}
	}
	return out
}

var section = regexp.MustCompile(`^docs/flyway\.md, ([^:]+): .`)

// checkReason holds a reason to the page that says what differs on purpose, so that neither goes without the other.
func checkReason(t *testing.T, at, reason, page string) {
	t.Helper()
	if feature, ok := strings.CutPrefix(reason, "not part of this release: "); ok && feature != "" {
		return
	}
	m := section.FindStringSubmatch(reason)
	if m == nil {
		t.Fatalf("%s: a reason is `docs/flyway.md, HEADING: why` or `not part of this release: what`", at)
	}
	if !regexp.MustCompile(`(?m)^#+ ` + regexp.QuoteMeta(m[1]) + `$`).MatchString(page) {
		t.Fatalf("%s: docs/flyway.md has no heading %q", at, m[1])
	}
}

// replay is the runner of the command line in this process.
func replay(ctx context.Context, _ *testing.T, c call) outcome {
	var stdout, stderr bytes.Buffer
	exit := cli.Main(ctx, cli.Process{
		Args: append([]string{"flyway"}, c.args...), Dir: c.dir, Env: c.env,
		Stdin: strings.NewReader(c.stdin), Stdout: &stdout, Stderr: &stderr,
	})
	return outcome{Stdout: stdout.String(), Stderr: stderr.String(), Exit: exit}
}

// TestScenarios replays every scenario through Skein and compares the facts with those that Flyway 13.0.0 left, or
// 8.5.4 where only that was recorded. What is listed as a difference has to be one.
func TestScenarios(t *testing.T) {
	t.Parallel()
	all, known := readScenarios(t), readDifferences(t)
	var inDatabase, versionsRun atomic.Int64
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.compare(t, known[s.name]) {
				inDatabase.Add(1)
			}
			versionsRun.Add(int64(len(s.recorded)))
		})
	}
	for name := range known {
		if !slices.ContainsFunc(all, func(s scenario) bool { return s.name == name }) {
			t.Errorf("%s names %s, and there is no such scenario", differencesFile, name)
		}
	}
	t.Cleanup(func() { // once all have ended
		t.Logf("%d scenarios, %d with known differences (%d recordings, %d scenarios leave something in the database)",
			len(all), len(known), versionsRun.Load(), inDatabase.Load())
	})
}

// compare replays one scenario and tells whether Flyway left anything in the database.
func (s scenario) compare(t *testing.T, known difference) (database bool) {
	t.Helper()
	version := versions[0]
	if s.recorded[version] == nil {
		version = versions[1]
	}
	want := s.recorded[version]
	got := s.left(t, replay)
	kinds := want.differ(got)
	slices.Sort(known.kinds)
	var diff strings.Builder
	for _, kind := range kinds {
		if !slices.Contains(known.kinds, kind) {
			fmt.Fprintf(&diff, "%s (-flyway +skein):\n%s", kind, cmp.Diff(want[kind], got[kind]))
		}
	}
	if diff.Len() > 0 {
		t.Errorf("%s\nnot as Flyway %s left it, in: %s\n%s", s.about, version, strings.Join(kinds, " "), diff.String())
	}
	for _, kind := range known.kinds {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%s lists a difference in %s (%s), and there is none any more", differencesFile, kind, known.reason)
		}
	}
	return len(want["history"]) > 0 || len(want["relation"]) > 0
}
