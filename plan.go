package skein

import (
	"context"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// plan reads the history and lets decide what to run.
func (r *run) plan(ctx context.Context, decide planner) (migration.Plan, []migration.Entry, error) {
	entries, err := r.reconcile(ctx)
	if err != nil {
		return migration.Plan{}, nil, err
	}
	plan, err := decide(entries, migration.PlanOptions{
		Schema: postgres.Ident(r.history.Schema), Target: r.cfg.TargetVersion, Ignore: r.ignore(false),
	})
	if err != nil {
		return plan, entries, decisionError(err)
	}
	return plan, entries, nil
}

// planner is migration.PlanMigrate or migration.PlanUndo.
type planner func([]migration.Entry, migration.PlanOptions) (migration.Plan, error)

// planUnderLock plans, and when there is something to do, plans again under the lock.
func (r *run) planUnderLock(ctx context.Context, decide planner) (migration.Plan, []migration.Entry, error) {
	plan, entries, err := r.plan(ctx, decide)
	if err == nil && len(plan.Steps) > 0 && r.lock == nil {
		if err = r.acquire(ctx); err == nil {
			plan, entries, err = r.plan(ctx, decide)
		}
	}
	return plan, entries, err
}

// announce tells what is about to be done.
func (r *run) announce(plan migration.Plan, current string) {
	r.report(Planned{Schema: r.history.Schema, Current: current, Steps: plan.Steps, Fingerprint: plan.Fingerprint})
	if r.cfg.OutOfOrder && r.way == forth {
		r.report(Note{Text: "outOfOrder mode is active. Migration of schema " + postgres.Ident(r.history.Schema) + " may not be reproducible."})
	}
	for _, w := range plan.Warnings {
		r.warn(Warning{Text: w.Text, Path: w.Path, Line: w.Line, Hint: w.Hint})
	}
}

// progress is what runSteps did.
type progress struct {
	steps   []AppliedMigration
	took    time.Duration
	version migration.Version // of the last versioned script
	failed  *migration.Script
}

// runSteps runs the steps of a plan, each after before, which may be nil. After an error it tells what stays done.
func (r *run) runSteps(ctx context.Context, plan migration.Plan, before func(*migration.Script) error) (progress, error) {
	var done progress
	if err := r.programsFor(plan); err != nil {
		return done, err
	}
	g, err := r.openGroup(ctx, plan)
	if err != nil {
		return done, err
	}
	for i := range plan.Steps {
		if err = r.nextStep(ctx, plan, i, before, g, &done); err != nil {
			break
		}
	}
	if err == nil {
		err = r.closeGroup(ctx, g)
	}
	if err != nil && g != nil && g.mode == stepwise {
		done = progress{failed: done.failed}
	}
	return done, err
}

func (r *run) nextStep(ctx context.Context, plan migration.Plan, i int, before func(*migration.Script) error, g *group, done *progress) error {
	s := plan.Steps[i]
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	if before != nil {
		if err := before(s.Script); err != nil {
			return err
		}
	}
	if err := r.stillLocked(ctx, i); err != nil {
		return err
	}
	ran, err := r.step(ctx, s, i, len(plan.Steps), g)
	if err != nil {
		done.failed = s.Script
		return err
	}
	done.steps = append(done.steps, ran)
	done.took += ran.Took
	if !s.Script.Version.IsZero() {
		done.version = s.Script.Version
	}
	return nil
}

// stillLocked makes sure, every few seconds at most, that the lock's connection is alive.
func (r *run) stillLocked(ctx context.Context, done int) error {
	if time.Since(r.lockSeen) < lockCheck {
		return nil
	}
	if err := r.lock.Check(ctx); err != nil {
		e := r.wrapped(err)
		e.Message = "the migration lock was lost: " + e.Message
		e.Kept = r.way.earlier(done)
		return e
	}
	r.lockSeen = time.Now()
	return nil
}

// lockCheck is how old the last sign of life of the lock's connection may be.
const lockCheck = time.Second
