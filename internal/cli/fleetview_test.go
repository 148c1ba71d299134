package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/migration"
)

// fleetOf is a view of n targets t01, t02, …: the first has nothing to do, the second is held, the others are one wave.
func fleetOf(n int, out *bytes.Buffer, screen *live) *fleetView {
	v := &fleetView{console: &console{stdout: out, stderr: out, live: screen, redactor: &secret.Redactor{}}}
	name := func(i int) string { return fmt.Sprintf("t%02d", i) }
	for i := 1; i <= n; i++ {
		facts := pipeline.TargetFacts{Name: name(i), Environment: "qa"}
		if i == 2 {
			facts.Unreachable = "no answer"
		}
		v.report(fleet.Surveyed{Environment: "qa", Facts: facts, Done: i, Total: n})
	}
	rollout := pipeline.Rollout{Environment: "qa", Done: []string{name(1)}, Held: []pipeline.Reason{{Target: name(2), Text: "it is down"}, {Target: name(2), Text: "twice"}}}
	var wave []pipeline.Work
	var names []string
	for i := 3; i <= n; i++ {
		wave, names = append(wave, pipeline.Work{Target: name(i)}), append(names, name(i))
	}
	rollout.Waves = [][]pipeline.Work{wave}
	v.report(fleet.Decided{Environment: "qa", Release: pipeline.Release{Name: "r1"}, Decision: pipeline.Decision{Rollout: rollout}})
	v.report(fleet.WaveStarted{Wave: 0, Waves: 1, Targets: names})
	return v
}

func TestFleetMap(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := fleetOf(24, &out, &live{})
	for i := 3; i <= 8; i++ {
		v.report(fleet.TargetStarted{Target: fmt.Sprintf("t%02d", i), Scripts: 2})
		v.report(fleet.TargetTold{Target: fmt.Sprintf("t%02d", i), Event: skein.StepStarted{Script: &migration.Script{Path: fmt.Sprintf("V%d.sql", i)}}})
	}
	v.report(fleet.TargetDone{Target: "t03", Applied: 2})
	v.report(fleet.TargetDone{Target: "t04", Err: errors.New("it broke")})
	for width, want := range map[int]string{
		10: "-?#x>>>>..\n..........\n....\n   t05  V5.sql\n   t06  V6.sql\n   t07  V7.sql\n   t08  V8.sql",
		79: "-?#x>>>>................\n   t05  V5.sql\n   t06  V6.sql\n   t07  V7.sql\n   t08  V8.sql",
	} {
		lines := v.lines(width)
		if got := strings.Join(lines[1:], "\n"); got != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, got, want)
		}
		if !strings.HasPrefix(lines[0], "wave 1 of 1   1 done, 4 running, 16 waiting, 1 failed   ") {
			t.Errorf("%q", lines[0])
		}
	}
	if !strings.Contains(out.String(), "t04: it broke") || !strings.Contains(out.String(), "t02 in qa does not answer") {
		t.Errorf("%s", out.String())
	}
}

// A fleet that is larger than the screen has cells of several targets, each with the worst.
func TestFleetMapOfMany(t *testing.T) {
	t.Parallel()
	v := fleetOf(1000, &bytes.Buffer{}, &live{})
	v.report(fleet.TargetStarted{Target: "t500"})
	v.report(fleet.TargetDone{Target: "t500", Err: errors.New("it broke")})
	lines := v.lines(39)
	if len(lines) > mapRows+2 || len(lines[1]) != 39 || !strings.HasPrefix(lines[1], "?....") || strings.Count(strings.Join(lines[1:len(lines)-1], ""), "x") != 1 {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	if want := "   each sign is 3 targets, and shows the worst of them"; lines[len(lines)-1] != want {
		t.Errorf("%q", lines[len(lines)-1])
	}
}

// Where there is no terminal a large wave tells each tenth, a small one each target.
func TestFleetInLines(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		22: "2 of 20|4 of 20|6 of 20|8 of 20|10 of 20|12 of 20|14 of 20|16 of 20|18 of 20|20 of 20",
		5:  "deployed  t03  1 script  00:00.000s|deployed  t04  1 script  00:00.000s|deployed  t05  1 script  00:00.000s",
	} {
		var out bytes.Buffer
		v := fleetOf(n, &out, nil)
		out.Reset()
		for i := 3; i <= n; i++ {
			v.report(fleet.TargetStarted{Target: fmt.Sprintf("t%02d", i)})
			v.report(fleet.TargetDone{Target: fmt.Sprintf("t%02d", i), Applied: 1})
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.TrimSpace(line))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s\nwant\n%s", strings.Join(got, "|"), want)
		}
	}
}
