package skein

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The migration lock belongs to a connection of its own. When the client dies, or that connection alone, the lock is
// free, while the server may still work on what the client had sent. So each transaction of a step begins with a fence:
// it takes a second lock, which lives exactly as long as the transaction, and makes sure that the first is still held.
// Whoever gets the first lock next waits until the second is free. A run of a few small scripts does without the connection
// (see holdInSession).
//
// A fence that does not let through raises an error in the server: of a pipeline nothing after it runs. The error is
// that of a setting that does not exist, because the name is all that its message needs.
const (
	fenceBusy = "skein.another_run_is_at_work"
	fenceLost = "skein.the_migration_lock_was_lost"
)

// fence is the statement that lets a transaction of a step begin.
func (r *run) fence() []string { return selecting(r.fenceExpr()) }

func (r *run) fenceExpr() string {
	if r.tape() != nil {
		return "" // who runs the file holds no lock
	}
	lock, fence := r.lockKeys()
	if r.inSession {
		return guard(lock, fence)
	}
	return fmt.Sprintf(`case when not pg_catalog.pg_try_advisory_xact_lock(%d) then pg_catalog.current_setting('%s') `+
		`when pg_catalog.pg_try_advisory_xact_lock_shared(%d) then pg_catalog.current_setting('%s') end`, fence, fenceBusy, lock, fenceLost)
}

// fencedOff is the error of a step whose fence did not let it through, else nil.
func (r *run) fencedOff(err error) *Error {
	f, ok := errors.AsType[*failure](err)
	switch {
	case !ok || f.piece != nil:
		return nil
	case strings.Contains(f.err.Err.Message, fenceLost):
		return &Error{
			Kind: KindConnection, Code: "DB_CONNECTION", Message: "the migration lock was lost: its connection broke", Err: err,
			Hint: "run the same command again: it goes on where this one stopped",
		}
	case strings.Contains(f.err.Err.Message, fenceBusy):
		return &Error{
			Kind: KindLock, Code: "ERROR", Message: "an earlier run, whose client is gone, is still at work on this history", Err: errBusy,
			Hint: "wait for it, then run the same command again",
		}
	}
	return nil
}

// errBusy says that another run's transaction holds the fence.
var errBusy = errors.New("the fence is held")

// afterOther waits for the run that the fence stopped at. Where that run has recorded nothing, ours goes on; else busy,
// with errMoved in it, says that the plan does not hold any more.
func (r *run) afterOther(ctx context.Context, busy error) error {
	before := r.nextRank()
	if r.inSession {
		if err := r.leaveSession(ctx); err != nil {
			return err
		}
	} else if err := r.awaitFence(ctx); err != nil {
		return r.wrap(err)
	}
	r.changed()
	if err := r.readHistory(ctx); err != nil {
		return err
	}
	if r.nextRank() == before {
		return nil
	}
	return errors.Join(errMoved, busy)
}

// errMoved says that another run has written to the history since the plan was made.
var errMoved = errors.New("the history was changed by another run")

// awaitFence waits until no transaction of an earlier run works on the history, as long as for the migration lock.
func (r *run) awaitFence(ctx context.Context) error {
	_, key := r.lockKeys()
	return r.await(ctx, key, func() (bool, error) { return r.conn.Free(ctx, key) })
}
