package skein

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/stall"
)

// While a statement waits in the queue for its lock, or works with it, others wait behind it. They are counted live over
// a connection of their own, and when too many wait for too long the statement is cancelled: it gives way like one that
// did not get its lock.

const (
	defaultBehind = 20
	fuseAfter     = 400 * time.Millisecond // most statements have ended by then
	fuseEvery     = 100 * time.Millisecond
	fuseTries     = 3 // each of them has held up others for the whole budget
)

// fuse watches one attempt of an execution.
type fuse struct {
	run   *run
	judge stall.Fuse
	stop  context.CancelFunc
	done  chan struct{}
	blown int // sessions that waited when it was cancelled; 0: it was not
}

// lightFuse starts a fuse; nil where nobody has to wait for what runs.
func (x *execution) lightFuse() *fuse {
	r := x.run
	limit := r.behindLimit()
	if x.strong == nil || limit <= 0 || !r.gentle() {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &fuse{run: r, judge: stall.Fuse{Limit: limit, Budget: r.stallBudget()}, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.burn(ctx)
	}()
	return f
}

func (r *run) behindLimit() int {
	if r.cfg.BehindLimit == 0 {
		return defaultBehind
	}
	return r.cfg.BehindLimit
}

// out ends the watching and tells how many sessions the attempt was cancelled for.
func (f *fuse) out() int {
	if f == nil {
		return 0
	}
	f.stop()
	<-f.done
	return f.blown
}

func (f *fuse) burn(ctx context.Context) {
	if sleep(ctx, fuseAfter) != nil {
		return
	}
	r := f.run
	conn, err := r.beside(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.report(Detail{Text: "who waits behind the statement cannot be counted: " + err.Error()})
		}
		return
	}
	begin := time.Now()
	_, fence := r.lockKeys()
	worker := postgres.Backend{PID: r.conn.PID(), Fence: fence}
	for {
		behind, err := conn.Behind(ctx, worker, f.judge.Limit+1)
		if err != nil {
			return // what cannot be counted is bounded by the timeouts alone
		}
		if f.judge.Blown(time.Since(begin), behind) {
			f.blown = behind
			r.conn.Cancel(ctx)
		}
		if sleep(ctx, fuseEvery) != nil {
			return
		}
	}
}

// beside is a connection of the fuse's, kept for the next one; one attempt at a time runs.
func (r *run) beside(ctx context.Context) (*postgres.Conn, error) {
	if r.aside != nil && !r.aside.Lost() {
		return r.aside, nil
	}
	var err error
	r.aside, err = r.dialBeside(ctx, "skein/queue")
	return r.aside, err
}

// blownText says why the attempt gave way.
func (x *execution) blownText() string {
	return fmt.Sprintf("more than %d sessions waited behind it for over %s", x.run.behindLimit(), x.run.stallBudget())
}

// tooMany is the error of an execution that gave way for those behind it once too often.
func (q *queue) tooMany() error {
	e := &Error{
		Kind: KindLock, Code: "ERROR", At: (&failure{piece: q.x.strong, offset: -1}).location(), Err: q.last,
		Message: fmt.Sprintf("the statement gave way %d times: %s", q.blown, q.x.blownText()),
		Hint:    "run the same command again at a quieter time, or let more sessions wait: behindLimit, 0 for any number",
	}
	if f, ok := errors.AsType[*failure](q.last); ok {
		e.SQL = sqlError(f.err.Err)
		if f.piece != nil {
			e.At = f.location()
		}
	}
	return e
}
