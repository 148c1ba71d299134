package skein

import (
	"cmp"
	"context"

	"github.com/skein-db/skein/migration"
)

// Undo takes applied versioned migrations back by their undo scripts: the last one, or with TargetVersion or CherryPick
// those that they ask for (migration.PlanUndo). Each is recorded in a row of its own, and is pending again. With
// nothing to undo it takes no lock and changes nothing.
func Undo(ctx context.Context, cfg Config) (*UndoResult, error) {
	r, err := open(ctx, cfg)
	if err != nil {
		return &UndoResult{}, err
	}
	defer r.finish(ctx)
	r.way = back
	result := &UndoResult{Target: r.target()}
	err = r.undo(ctx, result)
	r.ended(ctx, err, detail{"undone": len(result.Undone), "version": result.Version.String(), "remaining": len(result.Remaining)})
	result.Target = r.target()
	return result, r.hidden(err)
}

func (r *run) undo(ctx context.Context, result *UndoResult) error {
	if err := cmp.Or(r.mustWrite(), r.mustHaveMigrations()); err != nil {
		return err
	}
	err := r.asExpected(ctx, migration.PlanUndo)
	if err != nil {
		return err
	}
	err = r.fire(ctx, "beforeUndo")
	if err == nil {
		err = r.takeBack(ctx, result)
	}
	if err == nil {
		err = r.fire(ctx, "afterUndo")
	}
	if err != nil {
		r.fireError(ctx, "afterUndoError")
		return err
	}
	return r.fire(ctx, "afterUndoOperationFinish")
}

func (r *run) takeBack(ctx context.Context, result *UndoResult) error {
	var plan migration.Plan
	var entries []migration.Entry
	err := r.surviving(ctx, func() (err error) {
		plan, entries, err = r.planUnderLock(ctx, migration.PlanUndo)
		return err
	})
	if err != nil {
		return err
	}
	result.Initial, _ = migration.CurrentVersion(entries)
	result.InitialText = migration.CurrentVersionText(entries)
	result.Version = result.Initial
	if err := r.mayBegin(ctx, "undo", plan, result.InitialText); err != nil {
		return err
	}
	r.announce(plan, result.InitialText)
	done, err := r.runSteps(ctx, plan, nil)
	for i, a := range done.steps {
		result.Undone = append(result.Undone, UndoneMigration{Row: *plan.Steps[i].Undoes, Script: a.Script, Took: a.Took})
	}
	result.Took, result.Failed, result.Remaining = done.took, done.failed, done.left
	if len(result.Undone) > 0 {
		result.Version = highest(entries, result.Undone)
	}
	if err != nil {
		return err
	}
	r.report(Undone{Schema: r.history.Schema, Count: len(result.Undone), Took: result.Took})
	return nil
}

// highest is the current version once some of the entries are undone.
func highest(entries []migration.Entry, undone []UndoneMigration) migration.Version {
	gone := map[int]bool{}
	for _, u := range undone {
		gone[u.Row.Rank] = true
	}
	var left []migration.Entry
	for i := range entries {
		if e := entries[i]; e.Applied == nil || !gone[e.Applied.Rank] {
			left = append(left, e)
		}
	}
	v, _ := migration.CurrentVersion(left)
	return v
}
