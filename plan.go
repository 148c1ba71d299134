package skein

import (
	"context"
	"errors"
	"strings"
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

// planUnderLock plans, and when there is something to do takes the lock: such that the plan holds, or plans again.
func (r *run) planUnderLock(ctx context.Context, decide planner) (migration.Plan, []migration.Entry, error) {
	plan, entries, err := r.plan(ctx, decide)
	if err != nil || len(plan.Steps) == 0 || r.lock != nil || r.inSession {
		return plan, entries, err
	}
	if err = r.acquireFor(ctx, plan, r.history.EndsAtSQL(r.nextRank()-1)); err != nil || r.inSession {
		return plan, entries, err
	}
	return r.plan(ctx, decide)
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
	left    []*migration.Script // what the plan has after them
}

// runSteps runs the steps of a plan, each after before, which may be nil. After an error it tells what stays done.
func (r *run) runSteps(ctx context.Context, plan migration.Plan, before func(*migration.Script) error) (progress, error) {
	var done progress
	if err := r.programsFor(plan); err != nil {
		return done, err
	}
	var g *group
	err := r.surviving(ctx, func() (err error) {
		g, err = r.openGroup(ctx, plan)
		return err
	})
	if err != nil {
		return done, err
	}
	for err == nil && len(done.steps) < len(plan.Steps) {
		if err = r.nextSteps(ctx, plan, before, g, &done); g == nil && errors.Is(err, errBusy) {
			err = r.afterOther(ctx, err)
		}
	}
	if err == nil {
		if err = r.closeGroup(ctx, g); err != nil {
			err = r.mend(ctx, err, g)
		}
	}
	if errors.Is(err, errRestart) {
		return r.runSteps(ctx, plan, before)
	}
	if err != nil && g != nil && g.mode == stepwise {
		done = progress{failed: done.failed}
	}
	for _, s := range plan.Steps[len(done.steps):] {
		done.left = append(done.left, s.Script)
	}
	return done, r.andLeft(err, done)
}

// nextSteps runs the next step, and with it those after it that can travel with it.
func (r *run) nextSteps(ctx context.Context, plan migration.Plan, before func(*migration.Script) error, g *group, done *progress) error {
	first := len(done.steps)
	if err := ctx.Err(); err != nil {
		e := interrupted(err)
		e.Kept = strings.TrimPrefix(r.earlier(first), "; ")
		return e
	}
	if err := r.outOfTime(); err != nil && (g == nil || g.mode != stepwise || first == 0) { // a group is one transaction
		e := r.wrapped(err)
		e.Kept = strings.TrimPrefix(r.earlier(first), "; ")
		return e
	}
	if before != nil {
		if err := before(plan.Steps[first].Script); err != nil {
			return err
		}
	}
	if err := r.stillLocked(ctx, first); err != nil {
		return r.mend(ctx, r.broken(ctx, err), g)
	}
	begin := time.Now()
	s, err := r.prepareStep(ctx, plan, first, g)
	if err != nil {
		if r.canGoOn(ctx, err) {
			return r.mend(ctx, r.broken(ctx, err), g)
		}
		done.failed = plan.Steps[first].Script
		return r.beforeStart(err, done.failed, first)
	}
	steps := r.unblocked(ctx, append([]*step{s}, r.companions(s, plan)...))
	if len(steps) == 1 {
		err = r.runStep(ctx, s, begin)
	} else {
		err = r.runTogether(ctx, steps, begin)
	}
	err = r.mend(ctx, err, g)
	for _, s := range steps {
		if s.recorded {
			done.add(s)
		}
	}
	if done.failed = nil; err != nil {
		done.failed = plan.Steps[min(len(done.steps), len(plan.Steps)-1)].Script
	}
	return err
}

// mend goes on after a connection that broke.
func (r *run) mend(ctx context.Context, err error, g *group) error {
	if b, ok := errors.AsType[*brokenOff](err); ok {
		return r.goOn(ctx, b, g)
	}
	return err
}

func (p *progress) add(s *step) {
	p.steps = append(p.steps, AppliedMigration{Script: s.Script, Took: s.took})
	p.took += s.took
	if v := s.Script.Version; !v.IsZero() {
		p.version = v
	}
}

// stillLocked makes sure, every few seconds at most, that the lock's connection is alive.
func (r *run) stillLocked(ctx context.Context, done int) error {
	if r.lock == nil || time.Since(r.lockSeen) < lockCheck {
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
