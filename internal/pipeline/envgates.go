package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// gates gives the reasons that lie in the environment and in the one before, the window aside.
func (j *judge) gates(work []Work) []Reason {
	var out []Reason
	add := func(r Reason, is bool) {
		if is {
			out = append(out, r)
		}
	}
	if d := j.evidence.Running; d != nil {
		add(Reason{Gate: GateDeployment, Passing: AtWork, Text: fmt.Sprintf("%s deploys %s to %s since %s (deployment %s)", someone(d.Releaser), d.Release, j.env.Name,
			moment(d.Since, j.env.zone()), d.ID), Next: "wait until it is over; skein status shows how far it is"}, true)
	}
	add(j.signature())
	for i := range j.prior { // soak is judged by what their clocks said
		if r, is := j.clock(&j.prior[i]); is && j.env.Gates.Soak > 0 && !j.back {
			r.Environment, r.Target = j.before.Name, j.prior[i].Name
			out = append(out, r)
		}
	}
	if j.before != nil && !j.back && (j.env.Gates.Previous || j.env.Gates.Soak > 0) {
		missing := j.previous(work)
		out = append(out, missing...)
		switch {
		case j.env.Gates.Soak == 0:
		case len(missing) == 0:
			add(j.soak(work))
		case j.lifted[GatePrevious]: // else the missing proof says it all
			add(Reason{Gate: GateSoak, Environment: j.before.Name, Text: fmt.Sprintf("%s is not in all of %s, so it cannot have been there for %s", j.rel.Name,
				j.before.Name, span(j.env.Gates.Soak)), Next: "override the gate soak as well, with a reason"}, true)
		}
	}
	add(j.approvals(work))
	if c := j.env.Gates.Command; c != "" {
		switch a := j.evidence.Command; {
		case a == nil:
			add(Reason{Gate: GateCommand, Ask: true, Text: "the gate's command has not been asked", Next: "skein deploy runs it: " + c}, true)
		case !a.Yes:
			add(Reason{Gate: GateCommand, Text: "the gate's command says no: " + a.Text,
				Next: "put right what it asks for; the command is gates.command of " + j.env.Name}, true)
		}
	}
	return out
}

func someone(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}

// signature wants to know who made the release, where it matters.
func (j *judge) signature() (Reason, bool) {
	rel := j.from
	if !j.p.SignReleases && j.env.Gates.Approvals == 0 {
		return Reason{}, false
	}
	r := Reason{Gate: GateSignature, Next: "what was pushed does not change: let its author make and push a signed one: skein release create NAME -signKey=FILE"}
	switch {
	case rel.Unsound != "":
		r.Text = fmt.Sprintf("the signature of release %s does not hold: %s", rel.Name, rel.Unsound)
		r.Next = "get the release again from where it was made; do not sign what you have not read"
	case rel.Key == "" || rel.Author == "":
		r.Text = fmt.Sprintf("release %s is not signed, so nobody can tell who made it", rel.Name)
		if j.env.Gates.Approvals > 0 {
			r.Text += ", and its author must not be among those who approve it"
		}
	case !slices.Contains(j.p.People[rel.Author], rel.Key):
		r.Text = fmt.Sprintf("release %s is signed in the name of %s with %s, which is not (or no longer) a key of %s in [skein.people]",
			rel.Name, rel.Author, rel.Key, rel.Author)
		r.Next = "list the key if it is right; else let somebody who is listed make and sign the release"
	default:
		return Reason{}, false
	}
	return r, true
}

// needed are the scripts that the environment before must have: those that would run here, and those that are here.
func (j *judge) needed(work []Work) map[string]bool {
	out := running(work)
	for i := range j.here {
		t := &j.here[i]
		p := j.has(t)
		for _, s := range t.scripts(j.rel) {
			if row, _ := p.of(s); row != nil {
				out[s.Path] = true
			}
		}
	}
	return out
}

// running are the scripts of the work, by path.
func running(work []Work) map[string]bool {
	out := map[string]bool{}
	for _, w := range work {
		for _, s := range w.Steps {
			out[s.Path] = true
		}
	}
	return out
}

// previous wants the environment before to have the release, byte for byte, in every target.
func (j *judge) previous(work []Work) []Reason {
	before := j.before.Name
	if len(j.prior) == 0 {
		return []Reason{{Gate: GatePrevious, Environment: before, Text: fmt.Sprintf("%s comes before %s and has no targets, so nothing is proved there", before, j.env.Name),
			Next: fmt.Sprintf("if %s is gone, take it out of pipeline", before)}}
	}
	var out []Reason
	needed, runs := j.needed(work), running(work)
	for i := range j.prior {
		t := &j.prior[i]
		if t.Unreachable != "" {
			out = append(out, Reason{Gate: GatePrevious, Environment: before, Target: t.Name, Passing: t.passing(),
				Text: fmt.Sprintf("%s in %s could not be reached, so nothing is proved there: %s", t.Name, before, t.Unreachable),
				Next: "bring it up, or take it out of the targets of " + before})
			continue
		}
		if r, is := j.proof(t, needed, runs); is {
			out = append(out, r)
		}
	}
	return out
}

// proof compares one target of the environment before with the release.
func (j *judge) proof(t *TargetFacts, needed, runs map[string]bool) (Reason, bool) {
	p := j.has(t)
	var lacks, other, blank []string
	for _, s := range t.scripts(j.rel) {
		if !needed[s.Path] || !s.runs() && !runs[s.Path] {
			continue
		}
		switch row, how := p.of(s); how {
		case absent, failed:
			lacks = append(lacks, s.label())
		case covered:
			if runs[s.Path] {
				lacks = append(lacks, s.label()+" (a baseline stands for it)")
			}
		case changed:
			other = append(other, s.label()+provenance(row))
		case unknown:
			blank = append(blank, s.label())
		case same:
		}
	}
	r := Reason{Gate: GatePrevious, Environment: j.before.Name, Target: t.Name, Next: "first run: " + deploy(j.before.Name, j.rel.Name)}
	at := t.Name + " in " + j.before.Name
	switch {
	case len(other) > 0:
		r.Text = fmt.Sprintf("%s ran %s with other bytes than release %s has", at, list(other), j.rel.Name)
		r.Details = other
		r.Next = fmt.Sprintf("deploy the release that %s proved: skein promote %s; or make a release with what ran there", j.before.Name, j.env.Name)
	case len(lacks) > 0:
		r.Text = fmt.Sprintf("%s has not run %s of release %s", at, list(lacks), j.rel.Name)
		r.Details = lacks
	case len(blank) > 0:
		r.Text = fmt.Sprintf("%s recorded no checksum of %s, so nobody can tell whether it ran these bytes", at, list(blank))
		r.Details = blank
		r.Next = "somebody who knows may override the gate previous, with a reason"
	default:
		return Reason{}, false
	}
	return r, true
}

func provenance(row *Applied) string {
	if row.Release == "" {
		return ""
	}
	return " (from " + row.Release + ")"
}

// latest gives the latest instant at which a row can have been written, and the earliest.
func (a *Applied) latest() (earliest, latest time.Time) {
	if a.Zoned {
		return a.At, a.At
	}
	at := a.At
	digits := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	return digits.Add(-eastmost), digits.Add(westmost)
}

// soak wants the last script of the release to have been applied in the environment before for long enough, in every target.
func (j *judge) soak(work []Work) (Reason, bool) {
	var last *Applied
	var where string
	var lastAt time.Time
	needed := j.needed(work)
	for i := range j.prior {
		t := &j.prior[i]
		p := j.has(t)
		for _, s := range t.scripts(j.rel) {
			row, how := p.of(s)
			if how != same || !needed[s.Path] {
				continue
			}
			earliest, latest := row.latest()
			if row.At.IsZero() || earliest.After(j.now.Add(clockSlack)) {
				return j.future(t, row, earliest), true
			}
			if last == nil || latest.After(lastAt) {
				last, where, lastAt = row, t.Name, latest
			}
		}
	}
	if last == nil {
		return Reason{}, false
	}
	opens := lastAt.Add(j.env.Gates.Soak)
	if !j.now.Before(opens) {
		return Reason{}, false
	}
	r := Reason{Gate: GateSoak, Environment: j.before.Name, Target: where, Until: opens}
	zone := j.env.zone()
	age := max(0, j.now.Sub(lastAt))
	if last.Zoned {
		r.Text = fmt.Sprintf("%s has been in %s for %s of %s: %s applied %s at %s", j.rel.Name, j.before.Name, span(age), span(j.env.Gates.Soak),
			where, last.label(), moment(lastAt, zone))
	} else {
		r.Text = fmt.Sprintf("%s has been in %s for %s of %s for sure: %s applied %s at %s of an unknown time zone, which is %s at the latest", j.rel.Name,
			j.before.Name, span(age), span(j.env.Gates.Soak), where, last.label(), last.At.Format("2006-01-02 15:04"), moment(lastAt, zone))
	}
	r.Next = "wait until " + moment(opens, zone)
	return r, true
}

// future refuses to count from an instant that is yet to come: a clock was wrong then, or is wrong now.
func (j *judge) future(t *TargetFacts, row *Applied, earliest time.Time) Reason {
	r := Reason{Gate: GateSoak, Environment: j.before.Name, Target: t.Name,
		Next: "set the clock that is wrong; somebody who knows when it was may override the gate soak, with a reason"}
	if row.At.IsZero() {
		r.Text = fmt.Sprintf("%s in %s does not say when it applied %s", t.Name, j.before.Name, row.label())
		return r
	}
	r.Text = fmt.Sprintf("%s in %s applied %s at %s, which is yet to come: now it is %s", t.Name, j.before.Name, row.label(),
		moment(earliest, j.env.zone()), moment(j.now, j.env.zone()))
	return r
}

// window gives the reason of a freeze, of a closed window, or of one that closes before the work is done. others are the
// reasons besides: what opens later than the window makes it the next one.
func (j *judge) window(need time.Duration, others []Reason) []Reason {
	w, zone := j.env.Gates.Windows, j.env.zone()
	from := j.now
	for _, r := range others {
		if r.Until.After(from) {
			from = r.Until
		}
	}
	next := w.NextFit(from, need)
	when := func() string {
		if next.IsZero() {
			return fmt.Sprintf("no window is %s long: widen gates.windows of %s", span(need), j.env.Name)
		}
		return "wait until " + moment(next, zone)
	}
	until, open := w.Open(j.now)
	if f, frozen := w.Frozen(j.now); frozen {
		return []Reason{{Gate: GateFreeze, Text: fmt.Sprintf("%s is frozen (%s)", j.env.Name, f.Text), Until: next, Next: when()}}
	}
	left := until.Sub(j.now)
	switch {
	case !open:
		return []Reason{{Gate: GateWindow, Text: fmt.Sprintf("the window of %s is closed (%s)", j.env.Name, w), Until: next, Next: when()}}
	case until.IsZero() || need <= left:
		return nil
	}
	measured := ""
	if j.before != nil {
		measured = " by what was measured in " + j.before.Name
	}
	r := Reason{Gate: GateWindow, Until: next, Next: when(), Text: fmt.Sprintf("the window of %s closes in %s, at %s, and the rollout takes %s%s",
		j.env.Name, span(left), moment(until, zone), span(need), measured)}
	if len(w.List) == 0 { // only a freeze can be what is near
		r.Gate, r.Text = GateFreeze, strings.Replace(r.Text, "the window of "+j.env.Name+" closes", j.env.Name+" freezes", 1)
	}
	return []Reason{r}
}
