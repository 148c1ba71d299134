package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The distance of two clocks that is worth no word, and how far apart the zones of the world are from UTC.
const (
	clockSlack = time.Minute
	westmost   = 12 * time.Hour
	eastmost   = 14 * time.Hour
)

// target gives the reasons that lie in one target.
func (j *judge) target(t *TargetFacts) []Reason {
	if t.Unreachable != "" {
		return []Reason{{Gate: GateReachable, Target: t.Name, Passing: t.passing(), Text: fmt.Sprintf("%s could not be reached: %s", t.Name, t.Unreachable),
			Next: "bring it up, or take it out of the targets; then run the same command again"}}
	}
	var out []Reason
	add := func(r Reason, is bool) {
		if is {
			r.Target = t.Name
			out = append(out, r)
		}
	}
	add(j.identity(t))
	add(j.clock(t))
	if t.Busy != "" && len(t.Pending) > 0 {
		add(Reason{Gate: GateDeployment, Passing: AtWork, Text: fmt.Sprintf("%s is being migrated: %s", t.Name, t.Busy), Next: "wait for it; skein watch -environment=" + j.env.Name + " shows how far it is"}, true)
	}
	if t.ReadOnly != "" && len(t.Pending) > 0 {
		add(Reason{Gate: GateReachable, Passing: Silent, Text: fmt.Sprintf("nothing can be written to %s: %s", t.Name, t.ReadOnly), Next: "connect to the server that takes writes"}, true)
	}
	if t.NoPlan != "" {
		add(Reason{Gate: GateHistory, Text: fmt.Sprintf("%s has no plan: %s", t.Name, t.NoPlan),
			Next: "put right what it says, or skein repair -environment=" + j.env.Name + " where a failed migration is meant; then run the same command again"}, true)
	}
	if j.back {
		add(j.undoable(t))
		return out
	}
	add(j.history(t))
	add(Reason{Gate: GateValidate, Text: fmt.Sprintf("validate finds %s in %s", count(len(t.Problems), "problem"), t.Name), Details: t.Problems,
		Next: "what was changed after it was applied belongs into a new migration, or skein repair -environment=" + j.env.Name + " accepts it"},
		j.env.Gates.Validate && len(t.Problems) > 0)
	return out
}

// passing is why a target that could not be reached may soon be.
func (t *TargetFacts) passing() Passing {
	if t.Silent {
		return Silent
	}
	return ""
}

// identity refuses what is not the database that was pinned.
func (j *judge) identity(t *TargetFacts) (Reason, bool) {
	r := Reason{Gate: GateIdentity, Next: fmt.Sprintf("look at the url of %s; if this is the right database, pin it anew: skein pin -environment=%s --replace", t.Name, j.env.Name)}
	if t.Misplaced != "" {
		r.Text = fmt.Sprintf("%s is not the database that was meant: %s", t.Name, t.Misplaced)
		return r, true
	}
	if t.Pinned != nil && t.Pinned.Environment != "" && t.Pinned.Environment != j.env.Name {
		r.Text = fmt.Sprintf("%s says of itself that it belongs to %s: it is that database, or a physical copy of it", t.Name, t.Pinned.Environment)
		r.Next = fmt.Sprintf("look at the url of %s; a copy that is to be %s from now on is pinned anew: skein pin -environment=%s --replace", t.Name, j.env.Name, j.env.Name)
		return r, true
	}
	for _, pin := range []struct {
		of   *Identity
		says string
	}{{t.Expected, "the settings"}, {t.Pinned, "its own pin"}} {
		if pin.of == nil {
			continue
		}
		if r.Details = differences(*pin.of, t.Identity); len(r.Details) > 0 {
			r.Text = fmt.Sprintf("%s is not the database that %s name: %s", t.Name, pin.says, strings.Join(r.Details, "; "))
			if pin.says != "the settings" {
				r.Text = fmt.Sprintf("%s is not the database that it was when it was pinned (moved, or a copy): %s", t.Name, strings.Join(r.Details, "; "))
			}
			return r, true
		}
	}
	if t.Pinned == nil && t.Expected == nil && !j.env.Production {
		if name := j.productionTwin(t); name != "" {
			r.Text = fmt.Sprintf("%s is the same database as %s, or a physical copy of it", t.Name, name)
			return r, true
		}
	}
	return Reason{}, false
}

// productionTwin finds the production target that an unpinned target is, or is a copy of.
func (j *judge) productionTwin(t *TargetFacts) string { return j.twins[databaseOf(t)] }

// database is what two names of one database, or a physical copy of it, have in common.
type database struct{ system, cluster, name string }

func databaseOf(t *TargetFacts) database {
	return database{t.Identity.System, t.Identity.Cluster, t.Identity.Database}
}

// productionDatabases are the production targets that could be asked, with their names; of several the first.
func (p Pipeline) productionDatabases(facts []TargetFacts) map[database]string {
	production := map[string]bool{}
	for _, e := range p.Environments {
		production[e.Name] = e.Production
	}
	out := map[database]string{}
	for i := range facts {
		t := &facts[i]
		is := databaseOf(t)
		if _, known := out[is]; !known && production[t.Environment] && t.Unreachable == "" && is.system != "" {
			out[is] = t.Environment + "/" + t.Name
		}
	}
	return out
}

// differences compares what a pin says with what is there. What the pin leaves empty is not compared.
func differences(pin, is Identity) []string {
	var out []string
	for _, f := range []struct{ name, pin, is string }{
		{"system identifier", pin.System, is.System}, {"cluster", pin.Cluster, is.Cluster},
		{"database", pin.Database, is.Database}, {"host", pin.Host, is.Host},
	} {
		switch {
		case f.pin == "" || f.pin == f.is:
		case f.is == "":
			out = append(out, fmt.Sprintf("%s %s was pinned, and cannot be read", f.name, f.pin))
		default:
			out = append(out, fmt.Sprintf("%s %s was pinned, it is %s", f.name, f.pin, f.is))
		}
	}
	return out
}

// clock refuses to judge soak, windows and expiry when two clocks disagree: one of them has jumped.
func (j *judge) clock(t *TargetFacts) (Reason, bool) {
	const most = 5 * time.Minute
	if t.Clock.IsZero() {
		return Reason{}, false
	}
	off := t.Clock.Sub(j.now)
	if off.Abs() <= most {
		return Reason{}, false
	}
	which := "behind"
	if off > 0 {
		which = "ahead of"
	}
	return Reason{Gate: GateClock, Text: fmt.Sprintf("the clock of %s is %s %s this machine's: %s there, %s here", t.Name, span(off.Abs()), which,
		moment(t.Clock, nil), moment(j.now, nil)), Next: "set the clock that is wrong; soak, windows and approvals are judged by it"}, true
}

// history refuses a release that does not have what is there.
func (j *judge) history(t *TargetFacts) (Reason, bool) {
	scripts := t.scripts(j.rel)
	by := shelve(scripts)
	p := j.has(t)
	var lacks, beyond, differ, broken []string
	releases := map[string]bool{}
	for _, row := range p.rows() {
		s, ok := by.script(row)
		switch {
		case !row.Success:
			broken = append(broken, row.label())
		case ok:
			// a repeatable that differs simply runs again
			if _, how := p.of(s); how == changed && len(t.Problems) == 0 && !row.Version.IsZero() {
				differ = append(differ, row.label())
			}
		case by.stands.Compare(row.Version) >= 0 && !row.Version.IsZero():
		case !row.Version.IsZero() && row.Version.Compare(highest(scripts)) > 0:
			beyond = append(beyond, row.label())
			if row.Release != "" {
				releases[row.Release] = true
			}
		case !row.MissingOK:
			lacks = append(lacks, row.label())
		}
	}
	rel := "release " + j.rel.Name
	next := fmt.Sprintf("deploy a release that has %s", list(append(slices.Clone(lacks), beyond...)))
	switch {
	case len(broken) > 0 && t.NoPlan == "":
		return Reason{Gate: GateHistory, Text: fmt.Sprintf("the history of %s says that %s failed", t.Name, list(broken)),
			Next: "clear up what it left, then skein repair -environment=" + j.env.Name + " takes the row away"}, true
	case len(lacks) == 0 && len(beyond) > 0:
		came := ""
		if names := keys(releases); len(names) > 0 {
			came = " (" + list(names) + ")"
		}
		return Reason{Gate: GateHistory, Text: fmt.Sprintf("%s is older than what %s has: %s%s %s beyond it", rel, t.Name, list(beyond), came, isAre(len(beyond))),
			Next: next + fmt.Sprintf(", or go back: skein deploy %s --back-to %s", j.env.Name, j.rel.Name)}, true
	case len(lacks) > 0:
		return Reason{Gate: GateHistory, Text: fmt.Sprintf("%s lacks what %s has: %s", rel, t.Name, list(append(lacks, beyond...))),
			Next: next + "; a script that was taken out on purpose is let be with ignoreMigrationPatterns=*:missing"}, true
	case len(differ) > 0:
		return Reason{Gate: GateHistory, Text: fmt.Sprintf("%s has %s with other bytes than %s", t.Name, list(differ), rel),
			Next: "put the applied text back and write a new migration; skein repair -environment=" + j.env.Name + " accepts the new text as it is"}, true
	}
	return Reason{}, false
}

// questions are the gates that a target's evidence answers: only targets that have work are asked.
func (j *judge) questions(work []Work) []Reason {
	var out []Reason
	g := j.env.Gates
	var queries, points []string
	for _, w := range work {
		if g.Query != "" {
			a, asked := j.evidence.Queries[w.Target]
			switch {
			case !asked:
				queries = append(queries, w.Target)
			case !a.Yes:
				out = append(out, Reason{Gate: GateQuery, Target: w.Target, Text: fmt.Sprintf("the gate's query says no on %s: %s", w.Target, a.Text),
					Next: "put right what it asks for; the query is gates.query of " + j.env.Name})
			}
		}
		if g.RestorePoint != "" && g.RestorePoint != "none" {
			point, asked := j.evidence.RestorePoints[w.Target]
			if !asked {
				points = append(points, w.Target)
			} else if r, is := j.restorePoint(w, point); is {
				out = append(out, r)
			}
		}
	}
	if len(queries) > 0 {
		out = append(out, Reason{Gate: GateQuery, Ask: true, Text: "the gate's query has not been asked on " + list(queries), Details: queries,
			Next: "skein deploy asks it: " + g.Query})
	}
	if len(points) > 0 {
		out = append(out, Reason{Gate: GateRestorePoint, Ask: true, Text: "there is no restore point yet of " + list(points), Details: points,
			Next: "skein deploy makes one of each when all other gates are open: " + g.RestorePoint})
	}
	return out
}

// restorePoint refuses a state that is not the one before this rollout.
func (j *judge) restorePoint(w Work, point RestorePoint) (Reason, bool) {
	r := Reason{Gate: GateRestorePoint, Target: w.Target, Next: "make a new one: run skein deploy again"}
	i := slices.IndexFunc(j.here, func(t TargetFacts) bool { return t.Name == w.Target })
	var last time.Time
	for _, row := range j.here[i].Applied {
		if row.Zoned && row.At.After(last) {
			last = row.At
		}
	}
	switch {
	case point.Err != "":
		r.Text = fmt.Sprintf("there is no restore point of %s: %s", w.Target, point.Err)
		r.Next = "put right what gates.restorePoint says; nothing has been changed"
	case point.At.IsZero():
		r.Text = fmt.Sprintf("the restore point of %s (%s) does not say of which moment it is", w.Target, point.What)
	case point.At.After(j.now.Add(clockSlack)):
		r.Text = fmt.Sprintf("the restore point of %s is of %s, which is yet to come", w.Target, moment(point.At, j.env.zone()))
		r.Next = "look at the clocks of this machine and of what makes restore points"
	case point.At.Before(last):
		r.Text = fmt.Sprintf("the restore point of %s is of %s, and it was migrated after that, at %s", w.Target, moment(point.At, j.env.zone()), moment(last, j.env.zone()))
	default:
		return Reason{}, false
	}
	return r, true
}
