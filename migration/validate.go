package migration

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one reason why scripts and history do not agree.
type Problem struct {
	Code        Code
	Version     Version
	Description string
	Path        string // where the script is found, "" without one
	Message     string // Flyway's words; several lines
	Entry       *Entry
}

// Validate returns what is wrong in the table, at most one problem an entry, in the entries' order (flyway.md §5.3).
// migrate adds IgnorePending to the patterns that it was given.
func Validate(entries []Entry, ignore []IgnorePattern) []Problem {
	v := validator{ignore: ignore, pending: ignoresAll(ignore, StatePending), ignored: ignoresAll(ignore, StateIgnored),
		missing: ignoresAll(ignore, StateMissing), future: ignoresAll(ignore, StateFuture)}
	for i := range entries {
		if row := entries[i].Applied; row != nil && row.Type.IsBaseline() && row.Version.Compare(v.baseline) > 0 {
			v.baseline = row.Version
		}
	}
	var problems []Problem
	for i := range entries {
		e := &entries[i]
		if code, message := v.check(e); code != "" {
			problems = append(problems, Problem{Code: code, Version: e.Version(), Description: e.Description(),
				Path: e.Physical(), Message: message, Entry: e})
		}
	}
	return problems
}

// ValidationError joins problems into the one error that validate and migrate end with; nil when there are none.
func ValidationError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	text := []string{"Validate failed: Migrations have failed validation"}
	for _, p := range problems {
		text = append(text, p.Message)
	}
	return &Error{Code: CodeValidate, Message: strings.Join(text, "\n")}
}

// AllPendingIgnored reports whether the patterns let every pending migration pass.
func AllPendingIgnored(patterns []IgnorePattern) bool { return ignoresAll(patterns, StatePending) }

type validator struct {
	ignore                            []IgnorePattern
	pending, ignored, missing, future bool // ignored for every type of migration
	baseline                          Version
}

func (v *validator) check(e *Entry) (Code, string) {
	versioned := !e.Version().IsZero()
	switch {
	case e.State == StateUndone, e.State == StateAboveTarget, e.State == StateDeleted, e.Tolerated:
		return "", ""
	case anyMatches(v.ignore, versioned, e.State):
		return "", ""
	case e.State.Failed() && !(e.State == StateFutureFailed && v.future):
		return failedProblem(e)
	case e.Unpicked:
		return "", ""
	case v.unresolved(e):
		return unresolvedProblem(e)
	}
	switch e.State {
	case StateIgnored:
		if k := e.Script.Type; !v.ignored && !k.IsBaseline() && !k.IsUndo() && !e.Excluded {
			return ignoredProblem(e)
		}
	case StatePending:
		if !v.pending {
			return pendingProblem(e)
		}
	case StateOutdated:
		if !v.pending {
			return CodeOutdatedRepeatable, fmt.Sprintf("Detected outdated resolved repeatable migration that should be re-applied to database: %s."+
				"\nRun migrate to execute this migration.", e.Description())
		}
	}
	if e.Script != nil && e.Applied != nil && e.Applied.Type != TypeDelete && !e.Applied.Type.IsUndo() {
		return v.compare(e)
	}
	return "", ""
}

// unresolved reports whether the entry's script is gone without leave.
func (v *validator) unresolved(e *Entry) bool {
	if e.Script != nil || e.Applied.Type.Synthetic() || e.Applied.Type.IsUndo() || e.State == StateSuperseded {
		return false
	}
	if v.missing && (e.State == StateMissing || e.State == StateMissingFailed) {
		return false
	}
	return !(v.future && e.State.future())
}

// compare holds both sides of an entry against each other; what a baseline covers is left alone.
func (v *validator) compare(e *Entry) (Code, string) {
	versioned := !e.Version().IsZero()
	if versioned && e.Version().Compare(v.baseline) <= 0 {
		return "", ""
	}
	if e.Script.Type != e.Applied.Type {
		return CodeTypeMismatch, mismatchMessage("type", e, e.Applied.Type, e.Script.Type)
	}
	settled := v.pending && e.State != StateOutdated && e.State != StateSuperseded
	known := e.Applied.Checksum != nil && e.Script.Checksum != nil // Flyway 8.5.4 minds an unknown one, 13 does not
	if (versioned || settled) && known && !e.checksum {
		return CodeChecksumMismatch, mismatchMessage("checksum", e, sumText(e.Applied.Checksum), sumText(e.Script.Checksum))
	}
	if AbbreviateDescription(e.Script.Description) != e.Applied.Description {
		return CodeDescriptionMismatch, mismatchMessage("description", e, e.Applied.Description, e.Script.Description)
	}
	return "", ""
}

func failedProblem(e *Entry) (Code, string) {
	const advice = ".\nPlease remove any half-completed changes then run repair to fix the schema history."
	if e.Version().IsZero() {
		return CodeFailedRepeatable, "Detected failed repeatable migration: " + e.Description() + advice
	}
	return CodeFailedVersioned, fmt.Sprintf("Detected failed migration to version %s (%s)", e.Version(), e.Description()) + advice
}

func unresolvedProblem(e *Entry) (Code, string) {
	const format = "Detected applied migration not resolved locally: %s." +
		"\nIf you removed this migration intentionally, run repair to mark the migration as deleted."
	if e.Version().IsZero() {
		return CodeAppliedRepeatableGone, fmt.Sprintf(format, e.Description())
	}
	return CodeAppliedVersionedGone, fmt.Sprintf(format, e.Version())
}

func ignoredProblem(e *Entry) (Code, string) {
	const advice = ".\nTo ignore this migration, set -ignoreMigrationPatterns='*:ignored'."
	if e.Version().IsZero() {
		return CodeRepeatableNotApplied, "Detected resolved repeatable migration not applied to database: " + e.Description() + advice
	}
	return CodeVersionedNotApplied, "Detected resolved migration not applied to database: " + e.Version().String() + advice +
		" To allow executing this migration, set -outOfOrder=true."
}

func pendingProblem(e *Entry) (Code, string) {
	const advice = ".\nTo fix this error, either run migrate, or set -ignoreMigrationPatterns='*:pending'."
	if e.Version().IsZero() {
		return CodeRepeatableNotApplied, "Detected resolved repeatable migration not applied to database: " + e.Description() + advice
	}
	return CodeVersionedNotApplied, "Detected resolved migration not applied to database: " + e.Version().String() + advice
}

func mismatchMessage(what string, e *Entry, applied, resolved any) string {
	name := e.Applied.Script
	if !e.Applied.Version.IsZero() {
		name = "version " + e.Applied.Version.String()
	}
	return fmt.Sprintf("Migration %s mismatch for migration %s\n-> Applied to database : %v\n-> Resolved locally    : %v\n"+
		"Either revert the changes to the migration, or run repair to update the schema history.", what, name, applied, resolved)
}

func sumText(sum *int32) string {
	if sum == nil {
		return "null"
	}
	return strconv.Itoa(int(*sum))
}
