package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
)

// fleetView tells a deployment while it runs: on a terminal a map of all targets, a character each, that is written again
// in place; elsewhere a line for each wave, each failure and each tenth part of a wave. The result comes at the end.
type fleetView struct {
	console *console

	order   []string          // targets, as they were surveyed
	states  map[string]rune   // of each
	running map[string]string // target → the script that runs
	wave    string
	begun   time.Time
	left    int // in this wave
	wavelen int
	told    int // tenths of this wave
	drawn   time.Time
}

// States of a target on the map.
const (
	cellUnknown = '?' // it did not answer
	cellIdle    = '-' // nothing to do
	cellWaiting = '.' // has work, and waits for its wave
	cellRunning = '>'
	cellDone    = '#'
	cellFailed  = 'x'
)

// redraw is how often the map is drawn at most.
const redraw = 100 * time.Millisecond

func (v *fleetView) report(event fleet.Event) {
	switch e := event.(type) {
	case fleet.Surveyed:
		v.surveyed(e)
	case fleet.Decided:
		v.decided(e)
	case fleet.WaveStarted:
		v.waveStarted(e)
	case fleet.TargetStarted:
		v.states[e.Target], v.running[e.Target] = cellRunning, ""
	case fleet.TargetTold:
		v.hear(e)
	case fleet.TargetDone:
		v.done(e)
	case fleet.HealthAsked:
		word := "well"
		if !e.Answer.Yes {
			word = "not well"
		}
		v.console.info("health    wave %d is %s: %s", e.Wave+1, word, e.Answer.Text)
	case fleet.Warned:
		v.console.warn(e.Text)
	}
	v.draw(false)
}

func (v *fleetView) surveyed(e fleet.Surveyed) {
	if v.begun.IsZero() {
		v.begun, v.states, v.running = time.Now(), map[string]rune{}, map[string]string{}
	}
	v.wave = fmt.Sprintf("asking %s: %d of %d", e.Environment, e.Done, e.Total)
	if e.Done == e.Total {
		v.wave = ""
	}
	if e.Facts.Unreachable != "" {
		v.console.info("survey    %s in %s does not answer: %s", e.Facts.Name, e.Environment, e.Facts.Unreachable)
	}
}

func (v *fleetView) decided(e fleet.Decided) {
	v.order, v.wave, v.states = nil, "", map[string]rune{}
	add := func(name string, cell rune) {
		if _, known := v.states[name]; !known { // a target may be held for several reasons
			v.order = append(v.order, name)
		}
		v.states[name] = cell
	}
	r := e.Decision.Rollout
	for _, name := range r.Done {
		add(name, cellIdle)
	}
	for _, h := range r.Held {
		add(h.Target, cellUnknown)
	}
	for _, wave := range r.Waves {
		for _, w := range wave {
			add(w.Target, cellWaiting)
		}
	}
	if !e.Decision.Blocked() {
		for _, line := range rolloutLines(e.Environment, e.Release, r) {
			v.console.info("%s", line)
		}
	}
}

func (v *fleetView) waveStarted(e fleet.WaveStarted) {
	v.wave, v.left, v.wavelen, v.told = fmt.Sprintf("wave %d of %d", e.Wave+1, e.Waves), len(e.Targets), len(e.Targets), 0
	v.console.info("wave      %d of %d: %s", e.Wave+1, e.Waves, some(e.Targets, 5))
}

// hear follows the runs of single targets: which script runs, and what a person should look at.
func (v *fleetView) hear(e fleet.TargetTold) {
	switch inner := e.Event.(type) {
	case skein.StepStarted:
		v.running[e.Target] = inner.Script.Path
	case skein.Warning:
		v.console.warn(e.Target + ": " + inner.Text)
	case skein.LockWaiting:
		if inner.Relation != "" {
			v.console.info("waiting   %s: %s:%d waits for %s, held by pid %d", e.Target, inner.Path, inner.Line, inner.Relation, inner.Holder.PID)
		} else {
			v.console.info("waiting   %s: the migration lock is held by pid %d (%s)", e.Target, inner.Holder.PID, orUnknown(inner.Holder.Application))
		}
	}
}

func (v *fleetView) done(e fleet.TargetDone) {
	delete(v.running, e.Target)
	v.left--
	v.states[e.Target] = cellDone
	if e.Err != nil {
		v.states[e.Target] = cellFailed
		v.console.error(e.Target + ": " + e.Err.Error())
		return
	}
	if v.console.live == nil && v.wavelen > 10 {
		if tenth := (v.wavelen - v.left) * 10 / v.wavelen; tenth > v.told {
			v.told = tenth
			v.console.info("          %d of %d", v.wavelen-v.left, v.wavelen)
		}
	} else if v.wavelen <= 10 {
		v.console.info("deployed  %s  %s  %s", e.Target, plural(e.Applied, "script"), clock(e.Took))
	}
}

// draw puts the map at the bottom of a terminal.
func (v *fleetView) draw(now bool) {
	if v.console.live == nil || v.console.noProgress || !now && time.Since(v.drawn) < redraw {
		return
	}
	v.drawn = time.Now()
	if lines := v.lines(v.console.live.width() - 1); len(lines) > 0 {
		v.console.show(lines...)
	}
}

// mapRows is how many rows the map has at most: more than a terminal has could not be written again in place.
const mapRows = 12

// worst orders states for a cell that stands for several targets: the first that one of them is in is shown.
var worst = []rune{cellFailed, cellRunning, cellUnknown, cellWaiting, cellDone, cellIdle}

// cells are the states of the targets, in rows of that width, and how many targets one sign stands for.
func (v *fleetView) cells(width int) (rows []string, each int) {
	width = max(10, width)
	each = max(1, (len(v.order)+width*mapRows-1)/(width*mapRows))
	var cells []rune
	for some := range slices.Chunk(v.order, each) {
		cells = append(cells, worst[slices.IndexFunc(worst, func(state rune) bool {
			return slices.ContainsFunc(some, func(name string) bool { return v.states[name] == state })
		})])
	}
	for row := range slices.Chunk(cells, width) {
		rows = append(rows, string(row))
	}
	return rows, each
}

// lines are the map and what runs at the moment.
func (v *fleetView) lines(width int) []string {
	if v.wave == "" {
		return nil
	}
	counts := map[rune]int{}
	for _, name := range v.order {
		counts[v.states[name]]++
	}
	out := []string{v.wave}
	if len(v.order) == 0 {
		return out
	}
	out[0] += fmt.Sprintf("   %d done, %d running, %d waiting", counts[cellDone], counts[cellRunning], counts[cellWaiting])
	if n := counts[cellFailed]; n > 0 {
		out[0] += fmt.Sprintf(", %d failed", n)
	}
	out[0] += "   " + clock(time.Since(v.begun).Round(time.Second))
	rows, each := v.cells(width)
	if out = append(out, rows...); each > 1 {
		out = append(out, fmt.Sprintf("   each sign is %d targets, and shows the worst of them", each))
	}
	n := 0
	for _, name := range v.order {
		if script := v.running[name]; script != "" && n < 4 {
			out = append(out, "   "+name+"  "+script)
			n++
		}
	}
	return out
}

// end takes the map away.
func (v *fleetView) end() { v.console.show() }

// rolloutLines say what will run.
func rolloutLines(environment string, rel pipeline.Release, r pipeline.Rollout) []string {
	var out []string
	targets, scripts := 0, 0
	for _, wave := range r.Waves {
		for _, w := range wave {
			targets++
			scripts = max(scripts, len(w.Steps))
		}
	}
	name := "release   " + rel.Name + "  " + shortDigest(rel.Digest)
	if rel.Author != "" {
		name += "  by " + rel.Author
	}
	out = append(out, name)
	if targets > 0 {
		verb := "to run"
		if r.Back {
			verb = "to undo"
		}
		text := fmt.Sprintf("plan      %s: %s of %d, up to %s %s each", environment, plural(targets, "target"), targets+len(r.Done)+len(r.Held), plural(scripts, "script"), verb)
		if r.Estimate.Time > 0 {
			text += ", about " + clock(r.Estimate.Time)
		}
		out = append(out, text)
	}
	if targets <= namedTargets {
		for _, wave := range r.Waves {
			for _, w := range wave {
				out = append(out, fmt.Sprintf("target    %s: %s", w.Target, identityText(w.Identity)))
			}
		}
	}
	for _, h := range r.Held {
		out = append(out, fmt.Sprintf("held      %s: %s (%s)", h.Target, h.Text, h.Next))
	}
	for _, o := range r.Overridden {
		out = append(out, fmt.Sprintf("override  %s: %s", o.Gate, o.Text))
	}
	for _, n := range r.Notes {
		out = append(out, "note      "+n)
	}
	if !r.Closes.IsZero() {
		out = append(out, "window    closes "+r.Closes.Format("2006-01-02 15:04 MST"))
	}
	return out
}

// namedTargets is up to how many targets are named one by one, with the databases that they are.
const namedTargets = 10

// identityText names a database by what tells it from others (AT-10c).
func identityText(i pipeline.Identity) string {
	return skein.Identity{System: i.System, Cluster: i.Cluster, Database: i.Database, Host: i.Host}.String()
}

// shortDigest is the beginning of a digest, for people.
func shortDigest(digest string) string {
	if len(digest) > len("sha256:")+12 {
		return digest[:len("sha256:")+12]
	}
	return digest
}

// some lists the first names, and how many more there are.
func some(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}
