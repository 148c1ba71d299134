package skein

import (
	"context"
	"errors"

	"github.com/skein-db/skein/internal/postgres"
)

// A concurrent index build waits for every transaction that has a snapshot at the moment when it looks. The lock's
// transaction has none while it is idle, but it had one while it took the lock; a build that an earlier run left behind
// may have looked just then. It then waits for our transaction, and we wait for the build.

// errSteppedAside says that the lock was given back and taken again: whatever was read before may be old.
var errSteppedAside = errors.New("the lock was taken anew")

// stepAside gives the lock back if the session waits for it, and takes it again; errSteppedAside then says so, and
// errMoved that another run was faster and has recorded something.
func (r *run) stepAside(ctx context.Context, waiting postgres.LockHolder) error {
	key, _ := r.lockKeys()
	blocked, err := r.conn.InTheWay(ctx, waiting.PID, key)
	if err != nil || !blocked || r.lock == nil {
		return err
	}
	if err := r.lock.Yield(ctx); err != nil {
		return err
	}
	if err := r.await(ctx, key, func() (bool, error) { return r.lock.Try(ctx) }); err != nil {
		return err
	}
	faster := &Error{Kind: KindLock, Code: "ERROR", Message: "another run came in between", Hint: "run the same command again"}
	if err := r.afterOther(ctx, faster); err != nil {
		return err
	}
	return errSteppedAside
}
