package skein

import (
	"context"
	"slices"
	"time"

	"github.com/skein-db/skein/migration"
)

// Info tells the state of every migration, resolved or applied. It changes nothing.
func Info(ctx context.Context, cfg Config) (*InfoResult, error) {
	r, err := open(ctx, cfg)
	if err != nil {
		return &InfoResult{}, err
	}
	defer r.finish(ctx)
	result := &InfoResult{Target: r.target()}
	err = r.surrounded(ctx, "Info", func() error { return r.info(ctx, result) })
	if err == nil {
		err = r.fire(ctx, "afterInfoOperationFinish")
	}
	result.Target = r.target()
	return result, r.hidden(err)
}

// surrounded runs a command between its before and after callbacks.
func (r *run) surrounded(ctx context.Context, command string, do func() error) error {
	if err := r.fire(ctx, "before"+command); err != nil {
		return err
	}
	if err := do(); err != nil {
		r.fireError(ctx, "after"+command+"Error")
		return err
	}
	return r.fire(ctx, "after"+command)
}

func (r *run) info(ctx context.Context, result *InfoResult) error {
	entries, err := r.reconcile(ctx)
	if err != nil {
		return err
	}
	result.Entries = entries
	if result.Unfinished, err = r.unfinished(ctx, entries); err != nil {
		return err
	}
	result.Version, _ = migration.CurrentVersion(entries)
	result.SchemasEmpty = true
	for _, schema := range r.managed {
		empty, err := r.conn.SchemaEmpty(ctx, schema)
		if err != nil {
			return r.wrap(err)
		}
		result.SchemasEmpty = result.SchemasEmpty && empty
	}
	return nil
}

// Validate compares the scripts with the history. It changes nothing; what is wrong is in the result, not in the error.
func Validate(ctx context.Context, cfg Config) (*ValidateResult, error) {
	r, err := open(ctx, cfg)
	if err != nil {
		return &ValidateResult{}, err
	}
	defer r.finish(ctx)
	result := &ValidateResult{Target: r.target()}
	if err = r.mustHaveMigrations(); err == nil {
		result.Problems, result.Count, err = r.validate(ctx, false)
	}
	result.Target = r.target()
	return result, r.hidden(err)
}

// validate reads the history and compares. Callbacks run around it, except where there is no schema to speak of.
// Before a migrate what is pending is no fault.
func (r *run) validate(ctx context.Context, pendingIsFine bool) ([]migration.Problem, int, error) {
	begin := time.Now()
	if !r.exists(r.history.Schema) {
		return r.validateNothing(pendingIsFine), 0, nil
	}
	if err := r.fire(ctx, "beforeValidate"); err != nil {
		return nil, 0, err
	}
	problems, count, err := r.compare(ctx, pendingIsFine)
	if err != nil || len(problems) > 0 {
		r.fireError(ctx, "afterValidateError")
		return problems, 0, err
	}
	r.report(Validated{Count: count, Took: time.Since(begin)})
	return nil, count, r.fire(ctx, "afterValidate")
}

func (r *run) compare(ctx context.Context, pendingIsFine bool) ([]migration.Problem, int, error) {
	entries, err := r.reconcile(ctx)
	if err != nil {
		return nil, 0, err
	}
	count := 0
	for i := range entries {
		if entries[i].State != migration.StateAvailable { // an undo script that waits is no migration of its own
			count++
		}
	}
	return migration.Validate(entries, r.ignore(pendingIsFine)), count, nil
}

// ignore lists the patterns in force.
func (r *run) ignore(pendingIsFine bool) []migration.IgnorePattern {
	patterns := r.cfg.IgnoreMigrationPatterns
	if patterns == nil {
		patterns = migration.DefaultIgnorePatterns
	}
	if pendingIsFine {
		patterns = append(slices.Clone(patterns), migration.IgnorePending)
	}
	return patterns
}

// validateNothing is the answer for a default schema that does not exist: well, unless something waits for it.
func (r *run) validateNothing(pendingIsFine bool) []migration.Problem {
	if len(r.scripts) == 0 || migration.AllPendingIgnored(r.ignore(pendingIsFine)) {
		return nil
	}
	return []migration.Problem{{Code: "SCHEMA_DOES_NOT_EXIST", Message: "Schema " + r.history.Schema + " doesn't exist yet"}}
}
