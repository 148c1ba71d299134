package pipeline

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/migration"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// TestManual runs testdata. The section "given" of a file is said before each of its cases; a case is lines of facts and
// evidence, questions among them, and behind "=>" the answers.
func TestManual(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			given := ""
			for i := range ar.Files {
				f := &ar.Files[i]
				if f.Name == "given" {
					given = string(f.Data)
					continue
				}
				told, want, _ := strings.Cut(string(f.Data), "=>\n")
				s := &story{t: t}
				s.read(given)
				s.read(told)
				got := s.answers()
				if *update {
					f.Data = []byte(told + "=>\n" + got)
				} else if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (s *story) answers() string {
	var out strings.Builder
	for _, ask := range s.asks {
		switch ask[0] {
		case "next":
			rel := s.named(ask[2])
			facts := s.facts(rel)
			tellDecision(&out, Next(s.p, ask[1], rel, facts, s.bind(facts), s.now))
		case "back":
			from, to := s.named(ask[2]), s.named(ask[3])
			facts := s.facts(from)
			for i := range facts {
				facts[i].Pending = nil
				for _, v := range Undo(to, facts[i]) {
					facts[i].Pending = append(facts[i].Pending, Step{Kind: migration.Undo, Version: v, Path: "U" + v.String() + "__.sql"})
				}
				facts[i].seal()
			}
			if len(ask) > 4 { // somebody else was there between survey and decision
				facts[0].Pending = facts[0].Pending[1:]
			}
			tellDecision(&out, Back(s.p, ask[1], from, to, facts, s.bind(facts), s.now))
		case "proceed":
			s.tellProgress(&out, ask)
		case "promote":
			rel, reasons := Promote(s.p, ask[1], s.releases, s.facts(Release{}))
			if len(reasons) == 0 {
				fmt.Fprintf(&out, "release %s\n", rel.Name)
			}
			tellReasons(&out, reasons, "")
		case "board":
			tellBoard(&out, Standing(s.p, s.releases, s.facts(s.releases[len(s.releases)-1])))
		case "why":
			rel := s.named(ask[3])
			facts := s.facts(rel)
			target := strings.TrimPrefix(ask[2], "*")
			for _, l := range Why(s.p, ask[1], target, rel, facts, map[string]Evidence{ask[1]: s.bind(facts)}, s.now) {
				fmt.Fprintf(&out, "%s: %s\n", l.Environment, l.Text)
				tellReasons(&out, l.Reasons, "  ")
				if l.Next != "" {
					fmt.Fprintf(&out, "  so: %s\n", l.Next)
				}
			}
		}
	}
	return out.String()
}

// tellProgress answers "proceed ENV RELEASE over=a,b! running=c health=0:yes,1:no later=10m".
func (s *story) tellProgress(out *strings.Builder, ask []string) {
	rel := s.named(ask[2])
	facts := s.facts(rel)
	d := Next(s.p, ask[1], rel, facts, s.bind(facts), s.now)
	if d.Blocked() {
		tellDecision(out, d)
		return
	}
	e, _, _ := s.p.place(ask[1])
	o := options(ask[3:])
	var outcomes []Outcome
	var health []Health
	for _, name := range fields(o["over"]) {
		target, failed := strings.CutSuffix(name, "!")
		outcomes = append(outcomes, Outcome{Target: target, Failed: failed, Text: "it broke"})
	}
	for _, text := range fields(o["health"]) {
		n, answer, _ := strings.Cut(text, ":")
		health = append(health, Health{Wave: int(n[0] - '0'), Answer: Answer{Yes: answer == "yes", Text: "replicas are 300 MB behind"}})
	}
	p := Proceed(e, d.Rollout, fields(o["running"]), outcomes, health, s.now.Add(s.duration(o["later"])))
	fmt.Fprintf(out, "%s wave %d %s\n", p.State, p.Wave+1, strings.Join(p.Targets, " "))
	tellReasons(out, p.Reasons, "  ")
	if len(p.Failed) > 0 {
		fmt.Fprintf(out, "  failed: %s\n", strings.Join(p.Failed, " "))
	}
	if len(p.Left) > 0 {
		fmt.Fprintf(out, "  left: %s\n", strings.Join(p.Left, " "))
	}
}

func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

func tellDecision(out *strings.Builder, d Decision) {
	if d.Blocked() {
		word := "blocked"
		if d.OnlyAsks() {
			word = "asks"
		}
		if at := d.Opens(); !at.IsZero() {
			word += " until " + at.Format("Mon 2006-01-02 15:04 -0700")
		}
		fmt.Fprintln(out, word)
		tellReasons(out, d.Reasons, "")
		return
	}
	r := d.Rollout
	fmt.Fprintf(out, "rollout of %s to %s", r.Release, r.Environment)
	if r.Back {
		out.WriteString(" by undo")
	}
	if r.Budget > 0 {
		fmt.Fprintf(out, ", budget %d", r.Budget)
	}
	if r.Estimate.Time > 0 {
		fmt.Fprintf(out, ", takes %s", r.Estimate.Time)
	}
	if !r.Closes.IsZero() {
		fmt.Fprintf(out, ", closes %s", r.Closes.Format("Mon 15:04"))
	}
	fmt.Fprintln(out)
	for i, wave := range r.Waves {
		fmt.Fprintf(out, "wave %d:", i+1)
		for _, w := range wave {
			var steps []string
			for _, s := range w.Steps {
				steps = append(steps, s.Path)
			}
			fmt.Fprintf(out, " %s (%s)", w.Target, strings.Join(steps, " "))
		}
		fmt.Fprintln(out)
	}
	if len(r.Done) > 0 {
		fmt.Fprintf(out, "done: %s\n", strings.Join(r.Done, " "))
	}
	if len(r.Held) > 0 {
		fmt.Fprintln(out, "held:")
		tellReasons(out, r.Held, "  ")
	}
	if len(r.Overridden) > 0 {
		fmt.Fprintln(out, "overridden:")
		tellReasons(out, r.Overridden, "  ")
	}
	for _, n := range r.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
}

func tellReasons(out *strings.Builder, reasons []Reason, indent string) {
	for _, r := range reasons {
		where := r.Environment
		if r.Target != "" {
			where += "/" + r.Target
		}
		fmt.Fprintf(out, "%s%s [%s] %s\n", indent, r.Gate, where, r.Text)
		for _, d := range r.Details {
			fmt.Fprintf(out, "%s  - %s\n", indent, d)
		}
		fmt.Fprintf(out, "%s  next: %s\n", indent, r.Next)
		if r.Passing != "" {
			fmt.Fprintf(out, "%s  passing: %s\n", indent, r.Passing)
		}
		if !r.Until.IsZero() {
			fmt.Fprintf(out, "%s  until: %s\n", indent, r.Until.UTC().Format(time.RFC3339))
		}
	}
}

func tellBoard(out *strings.Builder, b Board) {
	for _, e := range b.Environments {
		fmt.Fprintf(out, "%s", e.Name)
		if e.Skew {
			out.WriteString(" (skew)")
		}
		fmt.Fprintln(out)
		for _, t := range e.Targets {
			if t.Unreachable != "" {
				fmt.Fprintf(out, "  %s down: %s\n", t.Name, t.Unreachable)
				continue
			}
			fmt.Fprintf(out, "  %s version=%s release=%s beyond=%v changed=%v last=%s\n", t.Name, t.Version, t.Release, t.Beyond, t.Changed, t.Last.Format("2006-01-02"))
		}
	}
	for _, r := range b.Releases {
		fmt.Fprintf(out, "%s:", r.Name)
		for _, p := range r.Places {
			fmt.Fprintf(out, " %s=%d/%d", p.Environment, p.Have, p.All)
			for _, x := range []struct {
				n    int
				what string
			}{{p.Beyond, "beyond"}, {p.Part, "part"}, {p.Unknown, "unknown"}} {
				if x.n > 0 {
					fmt.Fprintf(out, ",%d %s", x.n, x.what)
				}
			}
			if !p.Since.IsZero() {
				fmt.Fprintf(out, " since %s", p.Since.Format("2006-01-02"))
			}
		}
		fmt.Fprintln(out)
	}
}
