package pipeline

import (
	"fmt"
	"slices"
	"time"
)

// Proceed decides how a running rollout goes on: which targets are to be migrated next, whether the health query is to be
// asked, whether to stop. It is asked whenever a target is over, and again after each answer.
//
// running are the targets that have been started and are not over, outcomes those that are over. A rollout stops when more
// targets have failed than the budget allows, when a wave is not well, or when the window closes before the next wave
// could be done; what runs is waited for first. What is left then is what Next finds when it is asked again, in the same waves.
func Proceed(e Environment, r Rollout, running []string, outcomes []Outcome, health []Health, now time.Time) Progress {
	over := map[string]bool{}
	var p Progress
	for _, h := range r.Held {
		if !slices.Contains(p.Failed, h.Target) {
			p.Failed = append(p.Failed, h.Target)
		}
	}
	var words []string
	for _, o := range outcomes {
		over[o.Target] = !o.Failed
		if o.Failed {
			p.Failed = append(p.Failed, o.Target)
			words = append(words, o.Target+": "+o.Text)
		}
	}
	held := ""
	if len(r.Held) > 0 {
		held = " or could not be migrated"
	}
	started := func(w Work) bool {
		_, is := over[w.Target]
		return is || slices.Contains(running, w.Target)
	}
	p.Left = append(p.Left, heldTargets(r)...)
	for _, wave := range r.Waves {
		for _, w := range wave {
			if !over[w.Target] {
				p.Left = append(p.Left, w.Target)
			}
		}
	}
	if len(p.Failed) > r.Budget {
		for i, wave := range r.Waves {
			if slices.ContainsFunc(wave, started) {
				p.Wave = i
			}
		}
		return p.stop(running, Reason{Gate: GateBudget, Environment: r.Environment, Details: words,
			Text: fmt.Sprintf("%s failed%s, and the budget is %d", count(len(p.Failed), "target"), held, r.Budget),
			Next: "put right what they say, then go on: skein deploy " + r.Environment + " --resume (a script is mended in a new release)"})
	}
	for i, wave := range r.Waves {
		var open []string
		for _, w := range wave {
			if !started(w) {
				open = append(open, w.Target)
			}
		}
		if len(open) == 0 {
			if slices.ContainsFunc(wave, func(w Work) bool { return slices.Contains(running, w.Target) }) {
				p.State, p.Wave = Wait, i
				return p
			}
			continue
		}
		return p.wave(e, r, i, open, len(open) == len(wave), running, health, now)
	}
	p.State, p.Wave = Finished, max(0, len(r.Waves)-1)
	return p
}

func heldTargets(r Rollout) []string {
	var out []string
	for _, h := range r.Held {
		if !slices.Contains(out, h.Target) {
			out = append(out, h.Target)
		}
	}
	return out
}

// wave decides about targets of one wave that have not been started; fresh: none of it has.
func (p Progress) wave(e Environment, r Rollout, i int, open []string, fresh bool, running []string, health []Health, now time.Time) Progress {
	p.Wave = i
	if i > 0 && fresh && e.Health {
		at := slices.IndexFunc(health, func(h Health) bool { return h.Wave == i-1 })
		switch {
		case at < 0:
			p.State, p.Wave = Ask, i-1
			return p
		case !health[at].Yes:
			return p.stop(running, Reason{Gate: GateHealth, Environment: r.Environment,
				Text: fmt.Sprintf("the database is not well after wave %d: %s", i, health[at].Text),
				Next: "look at what the health query says; then go on: skein deploy " + r.Environment + " --resume"})
		}
	}
	if !r.Closes.IsZero() {
		var need time.Duration
		if fresh && i < len(r.Estimate.Waves) {
			need = r.Estimate.Waves[i]
		}
		if left := r.Closes.Sub(now); left <= 0 || need > left {
			text := fmt.Sprintf("the window closed at %s", moment(r.Closes, e.zone()))
			if left > 0 {
				text = fmt.Sprintf("the window closes in %s, and wave %d takes %s by what was measured", span(left), i+1, span(need))
			}
			next := e.Gates.Windows.NextFit(now, need)
			reason := Reason{Gate: GateWindow, Environment: r.Environment, Text: text, Until: next,
				Next: "go on in the next window: skein deploy " + r.Environment + " --resume"}
			if !next.IsZero() {
				reason.Next = fmt.Sprintf("go on at %s: skein deploy %s --resume", moment(next, e.zone()), r.Environment)
			}
			return p.stop(running, reason)
		}
	}
	p.State, p.Targets = Run, open
	return p
}

// stop waits for what runs, then stops.
func (p Progress) stop(running []string, why Reason) Progress {
	p.State, p.Reasons = Stopped, []Reason{why}
	if len(running) > 0 {
		p.State = Wait
	}
	return p
}
