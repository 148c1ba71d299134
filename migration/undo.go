package migration

import (
	"cmp"
	"fmt"
	"slices"
)

// PlanUndo decides which applied versioned migrations are taken back, in which order, by which undo scripts
// (flyway.md §4.8). Repeatable migrations never are.
//
//   - Without a target version: the one that was applied last. The words latest, current and next mean the same.
//   - With one: all in reverse order of application, up to the first whose version is below the target or that has no
//     undo script. What keeps the target from being reached is a warning; if it stops the very first, an error.
//   - With cherry-picked entries: those, in reverse of the order in which they were picked.
//
// A plan without steps means that nothing is there to undo. A failed row in the history is an error, as for PlanMigrate.
func PlanUndo(entries []Entry, opt PlanOptions) (Plan, error) {
	if opt.Schema == "" {
		opt.Schema = `"public"`
	}
	var plan Plan
	err := plan.checkFailed(entries, opt)
	if err != nil {
		return Plan{}, err
	}
	done := takeable(entries)
	target, bounded := opt.Target.Version()
	switch {
	case slices.ContainsFunc(entries, func(e Entry) bool { return e.Unpicked || e.pick > 0 }):
		if bounded {
			return Plan{}, &Error{Code: CodeConfiguration, Message: "cherryPick and target both say what to undo",
				Hint: "leave one of them out"}
		}
		err = plan.undoPicked(entries, done)
	case bounded:
		err = plan.undoTo(target, done)
	case len(done) > 0:
		err = plan.undo(done[0])
	}
	if err != nil {
		return Plan{}, err
	}
	plan.Fingerprint = fingerprint(entries, plan.Steps)
	return plan, nil
}

// takeable lists what is applied and could be undone, the latest first.
func takeable(entries []Entry) []*Entry {
	var done []*Entry
	for i := range entries {
		e := &entries[i]
		if live(e) && !e.Version().IsZero() && !e.Applied.Type.Synthetic() && !e.Applied.Type.IsUndo() {
			done = append(done, e)
		}
	}
	slices.SortFunc(done, func(a, b *Entry) int { return cmp.Compare(b.Applied.Rank, a.Applied.Rank) })
	return done
}

// undo adds one step.
func (p *Plan) undo(e *Entry) error {
	if why := e.permanent(); why != "" {
		return &Error{Code: CodeError, Path: e.Path(), Message: fmt.Sprintf("version %s cannot be undone: %s", e.Version(), why), Hint: e.undoHint()}
	}
	p.Steps = append(p.Steps, Step{Script: e.Undo, Undoes: e.Applied})
	return nil
}

// permanent says why an applied migration cannot be undone, "" if it can.
func (e *Entry) permanent() string {
	switch {
	case e.Applied.Type.IsBaseline():
		return "a baseline migration stands for all versions up to its own"
	case e.Undo == nil:
		return "it has no undo script"
	}
	return ""
}

func (e *Entry) undoHint() string {
	if e.Applied.Type.IsBaseline() {
		return "write a new migration that changes what has to change"
	}
	return fmt.Sprintf("add an undo script for version %s beside it, or write a new migration that takes back what it did", e.Version())
}

// undoTo walks back to the target and says what is left above it.
func (p *Plan) undoTo(target Version, done []*Entry) error {
	var stop *Entry
	for _, e := range done {
		if stop == nil && e.Version().Compare(target) >= 0 && e.permanent() == "" {
			p.Steps = append(p.Steps, Step{Script: e.Undo, Undoes: e.Applied})
			continue
		}
		if stop == nil {
			stop = e
		}
		if e.Version().Compare(target) < 0 {
			continue
		}
		why, hint := stop.permanent(), stop.undoHint()
		if stop.Version().Compare(target) < 0 {
			why, hint = "it is below the target and was applied after version "+e.Version().String(), "cherryPick names versions to undo whatever was applied after them"
		}
		text := fmt.Sprintf("undo does not reach the target %s: it stops before version %s, for %s", target, stop.Version(), why)
		if len(p.Steps) == 0 {
			return &Error{Code: CodeError, Path: stop.Path(), Message: text, Hint: hint}
		}
		p.Warnings = append(p.Warnings, Warning{Path: stop.Path(), Text: text, Hint: hint})
		return nil
	}
	return nil
}

// undoPicked undoes what was picked, the last of the list first.
func (p *Plan) undoPicked(entries []Entry, done []*Entry) error {
	picked := slices.DeleteFunc(slices.Clone(done), func(e *Entry) bool { return e.pick == 0 })
	slices.SortStableFunc(picked, func(a, b *Entry) int { return comparePick(b, a) })
	for _, e := range picked {
		if err := p.undo(e); err != nil {
			return err
		}
	}
	for i := range entries {
		e := &entries[i]
		switch {
		case e.pick == 0 || e.State == StateAvailable:
		case e.Version().IsZero():
			return &Error{Code: CodeError, Path: e.Path(), Message: "a repeatable migration cannot be undone",
				Hint: "take it out of cherryPick; change the script and run migrate"}
		case e.Applied == nil && !slices.ContainsFunc(picked, func(other *Entry) bool { return other.Version().Compare(e.Version()) == 0 }):
			p.Warnings = append(p.Warnings, Warning{Path: e.Path(), Text: fmt.Sprintf("version %s is not applied: nothing of it is undone", e.Version())})
		}
	}
	return nil
}
