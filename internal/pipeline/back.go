package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/skein-db/skein/migration"
)

// Undo lists what a target has to take back to be where release to was: the versions, the one that was applied last first.
// They are what the survey for Back picks (cherryPick), in the other order: undo takes the last picked first.
func Undo(to Release, t TargetFacts) []migration.Version {
	var out []migration.Version
	for _, row := range taken(to, &t) {
		out = append(out, row.Version)
	}
	return out
}

// taken gives the rows that are to go, the last applied first.
func taken(to Release, t *TargetFacts) []*Applied {
	keep := shelve(to.Scripts)
	var out []*Applied
	for _, row := range presentIn(t.Applied).versions {
		if _, ok := keep.script(row); !ok && row.Success && row.Version.Compare(keep.stands) > 0 {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b *Applied) int { return cmp.Compare(b.Rank, a.Rank) })
	return out
}

// Back decides about the way back to an older release, by undo scripts: those of from, the release that is there now. It is
// asked like Next, with facts whose plan is that of undo for the versions that Undo lists. The environment before, soak and
// validate have no say in it; windows, approvals (given for release to and for the fingerprint of the way back), restore
// points, commands and queries have.
func Back(p Pipeline, environment string, from, to Release, facts []TargetFacts, evidence Evidence, now time.Time) Decision {
	j, reasons := newJudge(p, environment, to, facts, evidence, now)
	if j == nil {
		return Decision{Reasons: reasons}
	}
	j.back, j.from = true, from
	return j.decide()
}

// undoable says why a target cannot go back.
func (j *judge) undoable(t *TargetFacts) (Reason, bool) {
	var why []string
	var unwritten []migration.Version
	scripts := j.from.Scripts // not as they read for the target: that they are there is all that counts
	rows := taken(j.rel, t)
	want := make([]migration.Version, 0, len(rows))
	for _, row := range rows {
		want = append(want, row.Version)
		if !slices.ContainsFunc(scripts, func(s Script) bool { return s.Kind == migration.Undo && s.Version.Compare(row.Version) == 0 }) {
			unwritten = append(unwritten, row.Version)
			why = append(why, row.label()+" has no undo script")
		}
	}
	p := j.has(t)
	for _, s := range j.rel.Scripts {
		if _, how := p.of(s); how == changed && s.Kind == migration.Versioned {
			why = append(why, s.label()+" was applied with other bytes than release "+j.rel.Name+" has")
		}
	}
	if top := highest(j.rel.Scripts); p.baseline.Compare(top) > 0 {
		why = append(why, fmt.Sprintf("a baseline at %s stands for more than the release has, and cannot be undone", p.baseline))
	}
	r := Reason{Gate: GateUndo, Details: why, Next: "write a new migration that takes back what they did, and deploy it"}
	if len(unwritten) > 0 {
		r.Next = fmt.Sprintf("add U%s__….sql to the release that is there, or write a new migration that takes back what it did", unwritten[0])
	}
	if len(why) > 0 {
		r.Text = fmt.Sprintf("%s cannot go back to %s: %s", t.Name, j.rel.Name, list(why))
		return r, true
	}
	if !slices.EqualFunc(t.Pending, want, func(s Step, v migration.Version) bool { return s.Kind == migration.Undo && s.Version.Compare(v) == 0 }) {
		r.Text = fmt.Sprintf("the plan of %s is not the way back to %s: it undoes %s, and it should undo %s", t.Name, j.rel.Name, steps(t.Pending), versions(want))
		r.Next = "run the same command again: something was applied or undone in between"
		return r, true
	}
	return Reason{}, false
}

func steps(all []Step) string {
	var out []migration.Version
	for _, s := range all {
		out = append(out, s.Version)
	}
	return versions(out)
}

func versions(all []migration.Version) string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = v.String()
	}
	return list(out)
}

// backNotes tells what undo does not bring back.
func (j *judge) backNotes() []string {
	var again []string
	late := map[string]bool{}
	for i := range j.here {
		t := &j.here[i]
		if t.Unreachable != "" {
			continue
		}
		p := j.has(t)
		for _, s := range j.rel.Scripts {
			if _, how := p.of(s); how == changed && s.Kind == migration.Repeatable && !slices.Contains(again, s.Path) {
				again = append(again, s.Path)
			}
		}
		rows := taken(j.rel, t)
		if len(rows) == 0 {
			continue
		}
		first := rows[len(rows)-1]
		for _, row := range p.versions {
			if row.Rank > first.Rank && !slices.Contains(rows, row) {
				late[fmt.Sprintf("%s stays, and was applied to %s after %s, which goes", row.label(), t.Name, first.label())] = true
			}
		}
	}
	out := keys(late)
	if len(again) > 0 {
		out = append(out, fmt.Sprintf("undo leaves repeatable migrations as they are; then run %s, which applies %s again", deploy(j.env.Name, j.rel.Name), list(again)))
	}
	return out
}
