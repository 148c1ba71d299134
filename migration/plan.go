package migration

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// PlanOptions says what a plan may do. What outOfOrder and cherryPick say has done its work in Reconcile.
type PlanOptions struct {
	Target Target          // PlanMigrate asks only whether it is "next", which makes one step; PlanUndo stops below it
	Ignore []IgnorePattern // with "*:future" among them a failed migration from the future is a warning
	Schema string          // how messages name the schema, quoted: `"public"`
}

// Plan is what migrate or undo will do to one database, in order.
type Plan struct {
	Steps []Step
	// Fingerprint is the SHA-256, in hexadecimal, of the history and the steps: of each row its rank, version, description,
	// type, script, checksum and success, of each step the kind, version, description, path, checksum and SHA-256 of the
	// text as written. Two plans with one fingerprint run the same scripts in the same order on the same history.
	// Placeholder values are part of it only as far as the checksum of a repeatable shows them.
	Fingerprint string
	Warnings    []Warning
}

// Step is one script to run.
type Step struct {
	Script     *Script
	OutOfOrder bool // a higher version is already applied
	Undoes     *Row // the row of the migration that Script, an undo script, takes back; nil for everything else
}

// PlanMigrate turns what is pending into steps. A failed row in the history is an *Error with the code
// FAILED_VERSIONED_MIGRATION or FAILED_REPEATABLE_MIGRATION.
func PlanMigrate(entries []Entry, opt PlanOptions) (Plan, error) {
	if opt.Schema == "" {
		opt.Schema = `"public"`
	}
	var plan Plan
	plan.warnFuture(entries, opt)
	if err := plan.checkFailed(entries, opt); err != nil {
		return Plan{}, err
	}
	current, _ := CurrentVersion(entries)
	highest := current // as it will be when the step's turn comes: cherryPick may put a lower version behind a higher one
	for i := range entries {
		e := &entries[i]
		switch {
		case e.State == StatePending:
			late := !e.Version().IsZero() && e.Version().Compare(highest) < 0
			if e.Version().Compare(highest) > 0 {
				highest = e.Version()
			}
			plan.Steps = append(plan.Steps, Step{Script: e.Script, OutOfOrder: late})
		case e.State == StateAboveTarget && e.pick > 0:
			plan.Warnings = append(plan.Warnings, Warning{Path: e.Script.Path,
				Text: fmt.Sprintf("version %s is picked and does not run: it is above the target", e.Version()), Hint: "raise target, or leave it out"})
		case e.State == StateIgnored && !e.Excluded && !e.Unpicked && !e.Script.Type.IsBaseline():
			plan.Warnings = append(plan.Warnings, Warning{Path: e.Script.Path,
				Text: fmt.Sprintf("version %s is not applied, because version %s already is", e.Version(), current),
				Hint: "to run it, set outOfOrder=true; or give it a version above " + current.String()})
		}
	}
	if opt.Target.IsNext() && len(plan.Steps) > 1 {
		plan.Steps = plan.Steps[:1]
	}
	plan.Fingerprint = fingerprint(entries, plan.Steps)
	return plan, nil
}

func (p *Plan) warnFuture(entries []Entry, opt PlanOptions) {
	if !slices.ContainsFunc(entries, func(e Entry) bool { return e.State.future() && !e.Tolerated }) {
		return
	}
	current := CurrentVersionText(entries)
	newest := ""
	resolved := false
	for i := len(entries) - 1; i >= 0 && newest == ""; i-- {
		if e := &entries[i]; e.Script != nil && e.State != StateAvailable {
			resolved = true
			newest = e.Version().String()
		}
	}
	switch {
	case !resolved:
		p.Warnings = append(p.Warnings, Warning{Text: fmt.Sprintf("Schema %s has version %s, but no migration could be resolved in the configured locations !", opt.Schema, current),
			Hint: "check locations"})
	case newest != "":
		p.Warnings = append(p.Warnings, Warning{Text: fmt.Sprintf("Schema %s has a version (%s) that is newer than the latest available migration (%s) !", opt.Schema, current, newest)})
	}
}

func (p *Plan) checkFailed(entries []Entry, opt PlanOptions) error {
	var failed []*Entry
	for i := range entries {
		if entries[i].State.Failed() {
			failed = append(failed, &entries[i])
		}
	}
	if len(failed) == 0 {
		return nil
	}
	first := failed[0]
	if len(failed) == 1 && first.State == StateFutureFailed && ignoresAll(opt.Ignore, StateFuture) {
		p.Warnings = append(p.Warnings, Warning{Text: fmt.Sprintf("Schema %s contains a failed future migration to version %s !", opt.Schema, first.Version())})
		return nil
	}
	e := &Error{Code: CodeFailedVersioned, Hint: "remove what it left behind, then run repair",
		Message: fmt.Sprintf("Schema %s contains a failed migration to version %s !", opt.Schema, first.Version())}
	if first.Version().IsZero() {
		e.Code = CodeFailedRepeatable
		e.Message = fmt.Sprintf("Schema %s contains a failed repeatable migration (\"%s\") !", opt.Schema, first.Description())
	}
	return e
}

func fingerprint(entries []Entry, steps []Step) string {
	h := sha256.New()
	var rows []*Row
	for i := range entries {
		if row := entries[i].Applied; row != nil {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b *Row) int { return cmp.Compare(a.Rank, b.Rank) })
	for _, row := range rows {
		row.digest(h)
	}
	for _, step := range steps {
		s := step.Script
		fmt.Fprintf(h, "%d %q %q %q %s %x\n", s.Kind, s.Version, s.Description, s.Path, sumText(s.Checksum), s.digest())
	}
	return hex.EncodeToString(h.Sum(nil))
}
