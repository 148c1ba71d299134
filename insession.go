package skein

import (
	"context"
	"fmt"
	"slices"

	"github.com/skein-db/skein/migration"
)

// A plan of a few small scripts is done before a connection for the migration lock would have been made. For such a one the
// working session holds the lock itself, as a lock of the session. It keeps it whatever becomes of the client, and needs
// no snapshot for it, so that neither the fence nor a concurrent index build is in doubt. What could take it away is a
// script that gives back all locks, and Skein's own reset after each script, which does the same. So each transaction of a
// step takes the lock a second time, for itself, and the reset takes the session's again under the cover of that.
//
// Behind a pooler it cannot be done: the session is not ours alone.

// acquireFor takes the lock for the plan, in the working session where that can be done at once and the condition that, in
// SQL, holds under the lock. Else it waits for it like acquire, and whatever was read before may be old. Where that is "",
// the history is read under the lock in any case.
func (r *run) acquireFor(ctx context.Context, plan migration.Plan, that string) error {
	fits := r.lock == nil && r.fitsInSession(plan)
	switch {
	case r.inSession && fits:
		return nil // since before the history was read
	case r.inSession:
		if err := r.leaveSession(ctx); err != nil {
			return err
		}
	case fits:
		if err := r.holdInSession(ctx, that); err != nil || r.inSession {
			return err
		}
	}
	if err := r.acquire(ctx); err != nil || that != "" {
		return err
	}
	r.changed() // the history that counts is the one under the lock, to the last byte
	err := r.readHistory(ctx)
	r.prefetched = err == nil
	return err
}

// holdInSession leaves things as they were where it cannot be done.
func (r *run) holdInSession(ctx context.Context, that string) error {
	lock, fence := r.lockKeys()
	got, free, rows, err := r.conn.LockSession(ctx, lock, fence, that, r.history)
	if err != nil || !got {
		return r.wrap(err)
	}
	if !free {
		return r.wrap(r.conn.UnlockSession(ctx))
	}
	if r.inSession = true; that == "" {
		r.changed()
		r.rows, r.prefetched = rows, true
	}
	return nil
}

// fitsInSession reports whether the plan is one of a few small scripts, with nothing else between them that resets the
// session, and nothing that initSql may have locked.
func (r *run) fitsInSession(plan migration.Plan) bool {
	if !r.small(plan) {
		return false
	}
	for i := range plan.Steps {
		if !r.accompanies(r.newStep(plan, i)) {
			return false
		}
	}
	return true
}

// small is fitsInSession before any of the scripts is cut.
func (r *run) small(plan migration.Plan) bool {
	if r.cfg.instead != nil || !r.facts.HasHistory || len(r.callbacks) > 0 || r.cfg.InitSQL != "" || r.cfg.KeepSessionState ||
		len(plan.Steps) == 0 || len(plan.Steps) > sliceSteps {
		return false
	}
	if slices.ContainsFunc(r.managed, func(schema string) bool { return !r.exists(schema) }) {
		return false // they are made under the lock, after another look whether they are there
	}
	bytes := 0
	for _, s := range plan.Steps {
		bytes += len(s.Script.Text)
	}
	return bytes <= sliceBytes
}

// leaveSession gives the lock back and takes it in the usual way.
func (r *run) leaveSession(ctx context.Context) error {
	r.inSession = false
	if err := r.conn.UnlockSession(ctx); err != nil {
		return r.wrap(err)
	}
	return r.acquire(ctx)
}

// guard is the fence of a run that holds the lock in its session.
func guard(lock, fence int64) string {
	return fmt.Sprintf(`case when not pg_catalog.pg_try_advisory_xact_lock(%d) or not pg_catalog.pg_try_advisory_xact_lock(%d) then pg_catalog.current_setting('%s') end`,
		lock, fence, fenceBusy)
}
