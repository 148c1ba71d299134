package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/pipeline"
)

// deployText is the end of a deployment, for people: what every target came to, or why nothing happened, and what to do.
func deployText(o *deploy.Outcome, order deploy.Order, err error) string {
	var b strings.Builder
	switch {
	case o.Decision.Blocked():
		b.WriteString(fmt.Sprintf("blocked   %s to %s: nothing was changed\n", orWord(o.Release.Name, "the deployment"), o.Environment))
		b.WriteString(reasonsText(closed(o.Decision.Reasons)))
		return b.String()
	case !o.Ran:
		return idleText(o, order)
	}
	failed := len(o.Result.Failed)
	done := 0
	for _, d := range o.Result.Done {
		if d.Err == nil {
			done++
		}
	}
	has := done + len(o.Decision.Rollout.Done)
	word, name := "done", o.Release.Name
	switch {
	case err != nil, o.Result.State == pipeline.Stopped:
		word = "stopped"
	case failed > 0:
		word = "partly"
	}
	verb := "has"
	if o.Decision.Rollout.Back {
		verb = "is back at"
	}
	fmt.Fprintf(&b, "%-9s %s %s %s on %d of %d targets, %s\n", word, o.Environment, verb, name, has, o.Targets, clock(o.Result.Took))
	for _, d := range o.Result.Done {
		if d.Err != nil {
			fmt.Fprintf(&b, "failed    %s: %s\n", d.Target, firstLineOf(d.Err.Error()))
		}
	}
	b.WriteString(reasonsText(o.Result.Reasons))
	switch left := o.Result.Left; {
	case len(left) > 0:
		fmt.Fprintf(&b, "left      %s\n", some(left, 8))
		if len(o.Result.Reasons) == 0 {
			fmt.Fprintf(&b, "next      put right what failed, then: skein deploy %s --resume\n", o.Environment)
		}
	default:
		b.WriteString(nextText(o, order))
	}
	return b.String()
}

// nextText says where a release goes when an environment has it.
func nextText(o *deploy.Outcome, order deploy.Order) string {
	if order.BackTo == "" && o.After != "" {
		return "next      skein promote " + o.After + "\n"
	}
	return "next      skein status shows where it stands\n"
}

// idleText is for a deployment that had nothing to do, or was only asked what it would do.
func idleText(o *deploy.Outcome, order deploy.Order) string {
	r := o.Decision.Rollout
	var b strings.Builder
	switch {
	case len(r.Waves) > 0 && order.DryRun:
		for i, wave := range r.Waves {
			var names []string
			for _, w := range wave {
				names = append(names, fmt.Sprintf("%s (%s)", w.Target, plural(len(w.Steps), "script")))
			}
			fmt.Fprintf(&b, "wave      %d of %d: %s\n", i+1, len(r.Waves), some(names, 8))
		}
		b.WriteString("dry run   nothing was changed\n")
	case len(r.Held) > 0:
		fmt.Fprintf(&b, "partly    nothing could be done on %s\n", plural(len(r.Held), "target"))
	default:
		fmt.Fprintf(&b, "done      %s has %s on all of its targets (%d) already\n", o.Environment, o.Release.Name, o.Targets)
		b.WriteString(nextText(o, order))
	}
	return b.String()
}

// closed leaves out gates that will be asked when all others are open.
func closed(reasons []pipeline.Reason) []pipeline.Reason {
	if !slices.ContainsFunc(reasons, func(r pipeline.Reason) bool { return !r.Ask }) {
		return reasons
	}
	return slices.DeleteFunc(slices.Clone(reasons), func(r pipeline.Reason) bool { return r.Ask })
}

// reasonsText tells why something does not happen: the gate, what is the matter, what to do.
func reasonsText(reasons []pipeline.Reason) string {
	var b strings.Builder
	for _, same := range alike(reasons) {
		r := same[0]
		text := r.Text
		if r.Target != "" && !strings.Contains(text, r.Target) {
			text = r.Target + ": " + text
		}
		fmt.Fprintf(&b, "  %-12s %s\n", r.Gate, text)
		for _, d := range r.Details {
			if r.Gate == pipeline.GateBudget || r.Ask {
				break // the targets are told already
			}
			fmt.Fprintf(&b, "  %-12s   %s\n", "", firstLineOf(d))
		}
		next := r.Next
		if !r.Until.IsZero() {
			next = strings.TrimSpace(next + " (in " + spanText(time.Until(r.Until)) + ")")
		}
		if next != "" {
			fmt.Fprintf(&b, "  %-12s next: %s\n", "", next)
		}
		if len(same) > 1 {
			var names []string
			for _, other := range same[1:] {
				names = append(names, other.Target)
			}
			fmt.Fprintf(&b, "  %-12s the same for %s\n", "", some(names, 5))
		}
	}
	return b.String()
}

// alike puts reasons together that say the same of several targets: of a fleet a person wants to read each once.
func alike(reasons []pipeline.Reason) [][]pipeline.Reason {
	var out [][]pipeline.Reason
	known := map[string]int{}
	for _, r := range reasons {
		nameless := func(text string) string { return strings.ReplaceAll(text, r.Target, "") }
		key := string(r.Gate) + "\x00" + r.Text + "\x00" + strings.Join(r.Details, "\x00") + "\x00" + r.Next
		if r.Target != "" {
			key = nameless(key)
		}
		at, ok := known[key]
		if !ok || r.Target == "" {
			known[key] = len(out)
			out = append(out, []pipeline.Reason{r})
			continue
		}
		out[at] = append(out[at], r)
	}
	return out
}

// spanText is a length of time for people, to the minute.
func spanText(d time.Duration) string {
	d = max(d, time.Minute).Round(time.Minute)
	days, rest := d/(24*time.Hour), d%(24*time.Hour)
	var parts []string
	for _, p := range []struct {
		n    time.Duration
		unit string
	}{{days, "d"}, {rest / time.Hour, "h"}, {rest % time.Hour / time.Minute, "min"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.unit))
		}
	}
	return strings.Join(parts, " ")
}

func orWord(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func firstLineOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// deployDocument is the same as JSON.
func deployDocument(o *deploy.Outcome, order deploy.Order, err error) object {
	doc := object{
		"operation": "deploy", "deployment": o.ID, "environment": o.Environment, "release": o.Release.Name, "digest": o.Release.Digest,
		"status": deployStatus(o, order, err), "reasons": reasonList(append(o.Decision.Reasons, o.Result.Reasons...)),
		"waves": waveList(o.Decision.Rollout), "upToDate": stringList(o.Decision.Rollout.Done), "held": reasonList(o.Decision.Rollout.Held),
		"overridden": reasonList(o.Decision.Rollout.Overridden), "notes": stringList(o.Decision.Rollout.Notes),
		"failed": stringList(o.Result.Failed), "left": stringList(o.Result.Left), "milliseconds": o.Result.Took.Milliseconds(),
	}
	targets := list{}
	for _, d := range o.Result.Done {
		t := object{"name": d.Target, "applied": stringList(d.Applied), "milliseconds": d.Took.Milliseconds(), "status": "done"}
		if d.Err != nil {
			t["status"], t["error"] = "failed", d.Err.Error()
		}
		targets = append(targets, t)
	}
	doc["targets"] = targets
	return doc
}

func deployStatus(o *deploy.Outcome, order deploy.Order, err error) string {
	switch {
	case err != nil:
		return "interrupted"
	case o.Decision.Blocked():
		return "blocked"
	case !o.Ran && order.DryRun && len(o.Decision.Rollout.Waves) > 0:
		return "planned"
	case !o.Ran && len(o.Decision.Rollout.Held) > 0:
		return "partly"
	case !o.Ran:
		return "nothing"
	case o.Result.State == pipeline.Stopped:
		return "stopped"
	case len(o.Result.Failed) > 0:
		return "partly"
	}
	return "done"
}

func waveList(r pipeline.Rollout) list {
	out := list{}
	for _, wave := range r.Waves {
		targets := list{}
		for _, w := range wave {
			steps := []string{}
			for _, s := range w.Steps {
				steps = append(steps, s.Path)
			}
			targets = append(targets, object{"name": w.Target, "scripts": stringList(steps), "fingerprint": w.Fingerprint})
		}
		out = append(out, targets)
	}
	return out
}

func reasonList(reasons []pipeline.Reason) list {
	out := list{}
	for _, r := range reasons {
		o := object{"gate": string(r.Gate), "environment": r.Environment, "target": r.Target, "text": r.Text, "details": stringList(r.Details), "next": r.Next}
		if !r.Until.IsZero() {
			o["until"] = r.Until.Format(time.RFC3339)
		}
		out = append(out, o)
	}
	return out
}

func stringList(texts []string) list {
	out := list{}
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}
