package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawStory draws a pipeline, facts and evidence in the words of the cases.
func drawStory(t *rapid.T) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	some := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	say("people ana=ana-key bob=bob-key,bob-phone carl=carl-key")
	say("now %s", some("now", "2026-11-30T20:30:00+01:00", "2026-11-30T12:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-12-24T21:00:00+01:00"))
	say("environment dev")
	say("environment qa zone=Europe/Oslo %s %s %s %s %s %s %s", some("previous", "", "previous", "soak=24h"), some("validate", "", "validate"),
		some("approvals", "", "approvals=1", "approvals=2"), some("windows", "", `windows="mon-thu 20:00-23:00"`, `freezes=2026-12-20..2027-01-03`),
		some("waves", "", "waves=1;rest", "waves=1;25%;rest"), some("budget", "", "budget=1", "budget=40%"),
		some("ask", "", "query=q", "restorePoint=pitr", "command=c"))
	say("environment production production")
	say("release R1 author=ana key=ana-key V1 V2 U2")
	say("release R2 author=ana key=ana-key V1 V2 V3 R.views U2 U3")
	for i := range rapid.IntRange(0, 2).Draw(t, "before") {
		say("target dev/dev%d %s", i, some("dev", "V1 V2", "V1 V2 V3@2026-11-28T10:00Z R.views@2026-11-28T10:00Z", "V1 V2 V3@2026-11-30T10:00Z/10m R.views",
			"V1 V2 V3?2026-11-28T10:00 R.views", "V1 V2 V3=draft R.views", "down=timeout", "V1 V2 V3@2028-01-01T00:00Z R.views", "baseline1 V2 V3 R.views"))
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "targets") {
		say("target qa/qa%d %s", i, some("target", "V1 V2", "V1", "", "V1 V2 V3 R.views", "down=timeout", "V1 V2 busy=flyway", "V1 V2 problems=wrong",
			"V1 V2 pin=production:1", "V1 V2 V9", "V1 V1.5 V2", "V1 V2!", "V1 V2 clock=2026-11-01T00:00Z", "V1 V2 noplan=broken", "V1=other V2"))
		switch some("answer", "yes", "yes", "no", "") {
		case "yes":
			say("query qa%d yes", i)
			say("restore qa%d at=2026-10-25T00:00Z", i)
		case "no":
			say("query qa%d no", i)
			say("restore qa%d err=quota", i)
		}
	}
	say("%s", some("command", "command yes", "command no", ""))
	for range rapid.IntRange(0, 3).Draw(t, "approvals") {
		who := some("who", "ana key=ana-key", "bob key=bob-key", "bob key=bob-phone", "carl key=carl-key", "carl key=bob-key", "zoe key=zoe-key")
		say("approval %s environment=%s release=%s %s", who, some("for", "qa", "qa", "production"), some("of", "R2", "R2", "R1"),
			some("bound", "", "", "expires=2026-01-01T00:00Z", "given=2028-01-01T00:00Z", "targets=qa0", "unsound=changed"))
	}
	return b.String()
}

// split gives the targets of a rollout: in waves, done, and held back.
func split(r Rollout) (work, done, held []string) {
	for _, wave := range r.Waves {
		for _, w := range wave {
			work = append(work, w.Target)
		}
	}
	for _, h := range r.Held {
		if !slices.Contains(held, h.Target) {
			held = append(held, h.Target)
		}
	}
	return work, r.Done, held
}

// TestNoTargetRunsAgainstAGate takes each target of a rollout and asks for it alone, without a budget: nothing may stand
// against it. And what is blocked, is blocked for a reason that says what to do.
func TestNoTargetRunsAgainstAGate(t *testing.T) {
	t.Parallel()
	rollouts := 0
	property := func(rt *rapid.T) {
		s := &story{t: t}
		s.read(drawStory(rt))
		rel := s.named(rapid.SampledFrom([]string{"R1", "R2"}).Draw(rt, "release"))
		facts := s.facts(rel)
		evidence := s.bind(facts)
		d := Next(s.p, "qa", rel, facts, evidence, s.now)
		for _, r := range append(slices.Clone(d.Reasons), d.Rollout.Held...) {
			if r.Text == "" || r.Next == "" || r.Environment == "" || order(r.Gate) < 0 {
				rt.Fatalf("a reason that does not say enough: %+v", r)
			}
			if !r.Until.IsZero() && r.Until.Before(s.now) {
				rt.Fatalf("a reason that has passed: %+v", r)
			}
		}
		if d.Blocked() {
			if len(d.Rollout.Waves) > 0 {
				rt.Fatal("blocked, and a rollout")
			}
			return
		}
		work, done, held := split(d.Rollout)
		if len(work) > 0 {
			rollouts++
		}
		var all []string
		for _, f := range facts {
			if f.Environment == "qa" {
				all = append(all, f.Name)
			}
		}
		union := slices.Concat(work, done, held)
		slices.Sort(union)
		slices.Sort(all)
		if !slices.Equal(union, all) {
			rt.Fatalf("work %v, done %v and held %v are not all targets once: %v", work, done, held, all)
		}
		if len(held) > d.Rollout.Budget {
			rt.Fatalf("%d held, and the budget is %d", len(held), d.Rollout.Budget)
		}
		strict := s.p
		strict.Environments = slices.Clone(s.p.Environments)
		strict.Environments[1].Budget = Budget{}
		for _, name := range work {
			alone := slices.DeleteFunc(slices.Clone(facts), func(f TargetFacts) bool { return f.Environment == "qa" && f.Name != name })
			if one := Next(strict, "qa", rel, alone, evidence, s.now); one.Blocked() {
				rt.Fatalf("%s is in the rollout, and alone it is blocked: %+v", name, one.Reasons)
			}
		}
	}
	// Most of what is drawn is blocked, and a hundred draws may have no rollout at all.
	for round := 0; round < 20 && rollouts == 0; round++ {
		rapid.Check(t, property)
	}
	if rollouts == 0 {
		t.Error("no rollout was drawn: the property says nothing")
	}
}

// TestMoreGatesNeverOpen closes a gate more, or takes evidence away: what was blocked stays so. The last target that had
// work may be held back by the new gate, and the budget may bear that: then there is a rollout, of nothing.
func TestMoreGatesNeverOpen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &story{t: t}
		s.read(drawStory(rt))
		rel := s.named("R2")
		facts := s.facts(rel)
		evidence := s.bind(facts)
		before := Next(s.p, "qa", rel, facts, evidence, s.now)
		if !before.Blocked() {
			return
		}
		e := &s.p.Environments[1]
		switch rapid.IntRange(0, 5).Draw(rt, "more") {
		case 0:
			e.Gates.Previous = true
		case 1:
			e.Gates.Soak += time.Hour
		case 2:
			e.Gates.Approvals++
		case 3:
			e.Gates.Validate = true
		case 4:
			evidence.Approvals = nil
		case 5:
			evidence.Running = &Running{ID: "d", Release: "R1", Since: s.now}
		}
		if after := Next(s.p, "qa", rel, facts, evidence, s.now); !after.Blocked() && len(after.Rollout.Waves) > 0 {
			rt.Fatalf("one gate more opened it; before: %+v", before.Reasons)
		}
	})
}

// TestRolloutsComeToAnEnd runs rollouts with targets that fail at random, stops them, kills the controller at random, and
// goes on: no target is migrated twice, no wave begins before the one before is over, the budget holds, and in the end all are done.
func TestRolloutsComeToAnEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(rt, "targets")
		env := Environment{Name: "qa", Health: rapid.Bool().Draw(rt, "health"),
			Budget: Budget{Count: rapid.IntRange(0, 3).Draw(rt, "budget")}}
		for _, text := range rapid.SampledFrom([][]string{nil, {"1", "rest"}, {"1", "25%", "rest"}, {"2", "2"}}).Draw(rt, "waves") {
			w, err := ParseWave(text)
			if err != nil {
				rt.Fatal(err)
			}
			env.Waves = append(env.Waves, w)
		}
		p := Pipeline{Environments: []Environment{env}}
		now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
		migrated := map[string]int{}
		facts := func() []TargetFacts {
			var out []TargetFacts
			for i := range n {
				f := TargetFacts{Name: fmt.Sprintf("t%02d", i), Environment: "qa"}
				if migrated[f.Name] == 0 {
					f.Pending = []Step{{Path: "V1.sql"}}
				}
				out = append(out, f)
			}
			return out
		}
		for round := 0; ; round++ {
			d := Next(p, "qa", Release{Name: "R"}, facts(), Evidence{}, now)
			if d.Blocked() {
				rt.Fatalf("blocked: %+v", d.Reasons)
			}
			work, done, _ := split(d.Rollout)
			if len(work)+len(done) != n || len(done) != len(migrated) {
				rt.Fatalf("to do %v and done %v are not all, or not what was migrated: %v", work, done, migrated)
			}
			if len(work) == 0 {
				return
			}
			failing := 3 - round // it gets better
			runRollout(rt, env, d.Rollout, migrated, failing, now)
			if round > 20*n {
				rt.Fatal("it never ends")
			}
		}
	})
}

// runRollout is a controller without a database: it does what Proceed says until that says stop, or until it is killed.
func runRollout(t *rapid.T, env Environment, r Rollout, migrated map[string]int, failing int, now time.Time) {
	var running []string
	var outcomes []Outcome
	var health []Health
	wave := func(target string) int {
		return slices.IndexFunc(r.Waves, func(w []Work) bool {
			return slices.ContainsFunc(w, func(w Work) bool { return w.Target == target })
		})
	}
	failed := 0
	for {
		p := Proceed(env, r, running, outcomes, health, now)
		switch p.State {
		case Finished, Stopped:
			if p.State == Finished && len(outcomes) != len(slices.Concat(r.Waves...)) {
				t.Fatalf("finished with %d outcomes", len(outcomes))
			}
			if p.State == Stopped && len(p.Reasons) == 0 {
				t.Fatal("stopped without a reason")
			}
			return
		case Ask:
			health = append(health, Health{Wave: p.Wave, Answer: Answer{Yes: rapid.IntRange(0, 5).Draw(t, "well") > 0}})
			continue
		case Run:
			if failed > r.Budget {
				t.Fatalf("%d failed, the budget is %d, and it goes on", failed, r.Budget)
			}
			for _, target := range p.Targets {
				if wave(target) != p.Wave || migrated[target] > 0 || slices.Contains(running, target) {
					t.Fatalf("%s must not be started in wave %d", target, p.Wave)
				}
				for _, other := range running {
					if wave(other) != p.Wave {
						t.Fatalf("%s of wave %d still runs, and wave %d begins", other, wave(other), p.Wave)
					}
				}
			}
			running = append(running, p.Targets[:rapid.IntRange(1, len(p.Targets)).Draw(t, "started")]...)
		case Wait:
			if len(running) == 0 {
				t.Fatal("it waits for nothing")
			}
		}
		over := running[rapid.IntRange(0, len(running)-1).Draw(t, "over")]
		running = slices.DeleteFunc(running, func(s string) bool { return s == over })
		if rapid.IntRange(0, 9).Draw(t, "fails") < failing {
			failed++
			outcomes = append(outcomes, Outcome{Target: over, Failed: true, Text: "it broke"})
		} else {
			migrated[over]++
			outcomes = append(outcomes, Outcome{Target: over})
		}
		if rapid.IntRange(0, 19).Draw(t, "killed") == 0 {
			for _, target := range running { // what was sent is done or not: the histories will tell
				if rapid.Bool().Draw(t, "was done") {
					migrated[target]++
				}
			}
			return
		}
	}
}

// TestBoardCounts holds the board's numbers against each other.
func TestBoardCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &story{t: t}
		s.read(drawStory(rt))
		facts := s.facts(s.named("R2"))
		b := Standing(s.p, s.releases, facts)
		for _, r := range b.Releases {
			for _, p := range r.Places {
				if p.Have+p.Part+p.Unknown > p.All || p.Beyond > p.Have {
					rt.Fatalf("%s in %s: %+v", r.Name, p.Environment, p)
				}
			}
		}
		// what Promote calls proved, the board has in all targets
		rel, reasons := Promote(s.p, "qa", s.releases, facts)
		if len(reasons) > 0 {
			return
		}
		for _, r := range b.Releases {
			if r.Name == rel.Name && r.Places[0].Have != r.Places[0].All {
				rt.Fatalf("%s is proved, and the board says %+v", rel.Name, r.Places[0])
			}
		}
	})
}
