package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

// Migrate runs what is pending. With nothing pending it takes no lock.
func Migrate(ctx context.Context, cfg Config) (*MigrateResult, error) {
	r, err := open(ctx, cfg)
	if err != nil {
		return &MigrateResult{}, err
	}
	defer r.finish(ctx)
	result := &MigrateResult{Target: r.target()}
	err = r.migrate(ctx, result)
	r.ended(ctx, err, detail{"applied": len(result.Applied), "version": result.Version.String(), "remaining": len(result.Remaining)})
	result.Target = r.target()
	return result, r.hidden(err)
}

func (r *run) migrate(ctx context.Context, result *MigrateResult) error {
	if err := cmp.Or(r.mustWrite(), r.mustHaveMigrations()); err != nil {
		return err
	}
	if err := r.asExpected(ctx, migration.PlanMigrate); err != nil {
		return err
	}
	if !r.cfg.SkipValidate {
		if err := r.surviving(ctx, func() error { return r.validateFirst(ctx) }); err != nil {
			return err
		}
	}
	if err := r.createSchemas(ctx, false); err != nil {
		return err
	}
	ensure := func() error { return r.ensureHistory(ctx) }
	if !r.cfg.BaselineOnMigrate { // its callbacks must not run twice
		ensure = func() error { return r.surviving(ctx, func() error { return r.ensureHistory(ctx) }) }
	}
	if err := ensure(); err != nil {
		return err
	}
	err := r.fire(ctx, "beforeMigrate")
	if err == nil {
		err = r.runPending(ctx, result)
	}
	if err == nil && len(result.Applied) > 0 {
		err = r.fire(ctx, "afterMigrateApplied")
	}
	if err == nil {
		err = r.fire(ctx, "afterMigrate")
	}
	if err != nil {
		r.fireError(ctx, "afterMigrateError")
		return err
	}
	return r.fire(ctx, "afterMigrateOperationFinish")
}

// validateFirst is the validation that comes with migrate: what is pending is no fault there.
func (r *run) validateFirst(ctx context.Context) error {
	problems, _, err := r.validate(ctx, true)
	if err != nil || len(problems) == 0 {
		return err
	}
	return ValidationError(problems)
}

// ValidationError is the error that Migrate gives for the problems that its validation found.
func ValidationError(problems []migration.Problem) *Error {
	err := migration.ValidationError(problems)
	return &Error{
		Kind: KindValidate, Code: "VALIDATE_ERROR", Message: err.Error(), Err: err,
		Kept: "nothing was changed", Hint: validationHint(problems),
	}
}

// validationHint says what to do next, which is another thing where everything wrong is only not applied yet.
func validationHint(problems []migration.Problem) string {
	waiting := func(p migration.Problem) bool {
		return p.Code == migration.CodeVersionedNotApplied || p.Code == migration.CodeRepeatableNotApplied || p.Code == migration.CodeOutdatedRepeatable
	}
	if !slices.ContainsFunc(problems, func(p migration.Problem) bool { return !waiting(p) }) {
		return "run: skein migrate"
	}
	return "see skein info; put the script back as it was applied, or accept what it says now: skein repair"
}

// ensureHistory makes the history table, with a baseline where the settings ask for one.
func (r *run) ensureHistory(ctx context.Context) error {
	if r.facts.HasHistory {
		return nil
	}
	if err := r.acquire(ctx); err != nil {
		return err
	}
	if r.facts.HasHistory {
		return nil // whoever held the lock has made it
	}
	full, err := r.nonEmpty(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(full) == 0:
		if r.cfg.BaselineOnMigrate {
			r.report(Note{Text: "All configured schemas are empty; baseline operation skipped. " +
				"A baseline or migration script with a lower version than the baseline version may execute if available. Check the Schemas parameter if this is not intended."})
		}
	case r.cfg.SkipExecutingMigrations:
	case r.cfg.BaselineOnMigrate && r.cfg.Production:
		return productionError("baselineOnMigrate is on, and this database has no schema history",
			"make sure that the url is right; if the database is to be taken over as it is: skein baseline -baselineVersion=<the version that is already there>")
	case r.cfg.BaselineOnMigrate:
		return r.baseline(ctx, &BaselineResult{})
	default:
		return nonEmptyError(full, r.history.Table)
	}
	return r.createHistory(ctx, nil)
}

func nonEmptyError(full []string, table string) error {
	word := "schema"
	if len(full) > 1 {
		word = "schemas"
	}
	return &Error{
		Kind: KindRefused, Code: "NON_EMPTY_SCHEMA_WITHOUT_SCHEMA_HISTORY_TABLE",
		Message: fmt.Sprintf("Found non-empty %s \"%s\" but no schema history table. Use baseline() or set baselineOnMigrate to true to initialize the schema history table.",
			word, strings.Join(full, `", "`)),
		Kept: "nothing was changed",
		Hint: fmt.Sprintf("skein baseline -baselineVersion=<the version that is already there> makes %s; or set baselineOnMigrate=true", table),
	}
}

// nonEmpty lists the managed schemas that hold something.
func (r *run) nonEmpty(ctx context.Context) ([]string, error) {
	var full []string
	for _, schema := range r.managed {
		if !r.exists(schema) {
			continue
		}
		empty, known := r.empty[schema]
		if !known {
			var err error
			if empty, err = r.conn.SchemaEmpty(ctx, schema); err != nil {
				return nil, r.wrap(err)
			}
		}
		if !empty {
			full = append(full, schema)
		}
	}
	return full, nil
}

// runPending decides what is pending and runs it.
func (r *run) runPending(ctx context.Context, result *MigrateResult) error {
	var plan migration.Plan
	var entries []migration.Entry
	err := r.surviving(ctx, func() (err error) {
		plan, entries, err = r.planUnderLock(ctx, migration.PlanMigrate)
		return err
	})
	// A plan that is refused has a current version too, and its document names it.
	result.Initial, _ = migration.CurrentVersion(entries)
	if err != nil {
		return err
	}
	result.InitialText = migration.CurrentVersionText(entries)
	if err := r.mayBegin(ctx, "migrate", plan, result.InitialText); err != nil {
		return err
	}
	r.announce(plan, result.InitialText)
	versioned := false // afterVersioned has run
	done, err := r.runSteps(ctx, plan, func(s *migration.Script) error {
		if s.Kind != migration.Repeatable || versioned || r.cfg.Group {
			return nil
		}
		versioned = true
		return r.betweenKinds(ctx)
	})
	result.Applied, result.Took, result.Version, result.Failed, result.Remaining = done.steps, done.took, done.version, done.failed, done.left
	if errors.Is(err, errMoved) {
		return r.runRest(ctx, result)
	}
	if err == nil && !versioned {
		err = r.fire(ctx, "afterVersioned")
	}
	if err != nil {
		return err
	}
	r.report(Migrated{Schema: r.history.Schema, Applied: len(result.Applied), Version: result.Version, Took: result.Took})
	return nil
}

// runRest plans anew after another run has come in between.
func (r *run) runRest(ctx context.Context, result *MigrateResult) error {
	rest := MigrateResult{Target: result.Target}
	err := r.ensureHistory(ctx) // a new primary may not even have the table
	if err == nil {
		err = r.runPending(ctx, &rest)
	}
	// What a new primary did not have was run there once more.
	result.Applied = slices.DeleteFunc(result.Applied, func(a AppliedMigration) bool {
		again := slices.ContainsFunc(rest.Applied, func(b AppliedMigration) bool { return b.Script == a.Script })
		if again {
			result.Took -= a.Took
		}
		return again
	})
	result.Applied = append(result.Applied, rest.Applied...)
	result.Took += rest.Took
	result.Remaining = rest.Remaining
	if result.Failed = rest.Failed; !rest.Version.IsZero() {
		result.Version = rest.Version
	}
	return err
}

func (r *run) betweenKinds(ctx context.Context) error {
	if err := r.fire(ctx, "afterVersioned"); err != nil {
		return err
	}
	return r.fire(ctx, "beforeRepeatables")
}
