package skein

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

const (
	lockPoll   = 250 * time.Millisecond // between two tries, on average
	lockReport = 10 * time.Second       // between two LockWaiting events
)

// acquire takes the migration lock, waiting as long as LockRetryCount allows, and looks at the target anew: whoever
// held the lock before may have changed it since the first look.
func (r *run) acquire(ctx context.Context) error {
	if r.lock != nil || r.inSession || r.tape() != nil {
		return nil
	}
	key, fence := r.lockKeys()
	var lock *postgres.Lock
	err := r.logIn(ctx, func(cfg *pgx.ConnConfig) (err error) {
		// The lock's session is Skein's alone: what initSql does is for the scripts'.
		cfg, _ = r.aim(cfg)
		lock, err = postgres.OpenLock(ctx, cfg, postgres.Options{ApplicationName: "skein/lock"}, key)
		return err
	})
	if err != nil {
		return r.wrap(err)
	}
	r.lock = lock // close gives it back whatever happens
	if err := r.await(ctx, key, func() (bool, error) { return lock.Try(ctx) }); err != nil {
		return r.wrap(err)
	}
	r.lockSeen = time.Now()
	r.changed()
	if err := r.await(ctx, fence, func() (bool, error) { return r.surveyBehind(ctx, fence) }); err != nil {
		return r.wrap(err)
	}
	r.place.read, r.place.free = !r.facts.HasSide, 0 // who held the lock may have pinned the database, and recorded what it did
	return r.located(ctx)
}

// lockKeys are the keys of the migration lock and of the fence.
func (r *run) lockKeys() (lock, fence int64) {
	return migration.LockKey(r.history.Schema, r.history.Table), migration.FenceKey(r.history.Schema, r.history.Table)
}

// await tries until try succeeds, naming the holder of the key meanwhile.
func (r *run) await(ctx context.Context, key int64, try func() (bool, error)) error {
	tries := 50
	if r.cfg.LockRetryCount != nil {
		tries = *r.cfg.LockRetryCount
	}
	start := time.Now()
	bound := time.Duration(tries) * time.Second
	var reported time.Time
	for {
		got, err := try()
		if err != nil || got {
			return err
		}
		if reported.IsZero() || time.Since(reported) >= lockReport {
			r.reportHolder(ctx, key, time.Since(start), bound)
			reported = time.Now()
		}
		if err := r.outOfTime(); err != nil {
			return err
		}
		if tries >= 0 && time.Since(start) >= bound {
			return r.lockError(ctx, key, bound)
		}
		select {
		case <-time.After(lockPoll/2 + rand.N(lockPoll)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *run) reportHolder(ctx context.Context, key int64, waited, bound time.Duration) {
	holder, _ := r.holder(ctx, key)
	event := LockWaiting{Holder: holder, Waited: waited}
	event.Worker, event.Doing = r.atWorkThere(ctx)
	if bound > 0 {
		event.Left = bound - waited
	}
	r.report(event)
}

// atWorkThere finds the session that works for whoever holds the migration lock, and what it is at: the lock's own session
// only waits.
func (r *run) atWorkThere(ctx context.Context) (Holder, string) {
	lock, fence := r.lockKeys()
	seen, err := r.conn.Sight(ctx, lock, fence, markOf(lock))
	if err != nil {
		return Holder{}, "" // not to be seen: the lock's holder has to do
	}
	doing := ""
	for _, looker := range seen.Lookers {
		if m, ok := readMark(looker.Query); ok {
			doing = m.text()
		}
	}
	switch worker := seen.Fence; {
	case worker.PID != 0:
		return holderIn(worker, r.masks.String), doing
	case len(seen.Siblings) > 0 && seen.Siblings[0].State == "active":
		return holderIn(seen.Siblings[0], r.masks.String), doing
	}
	return Holder{}, doing
}

// text is what a run says of itself.
func (m mark) text() string {
	text := m.Path
	if m.Line > 0 {
		text += fmt.Sprintf(":%d", m.Line)
	}
	if m.Scripts > 0 {
		text += fmt.Sprintf(", script %d of %d", m.Script, m.Scripts)
	}
	if m.Statements > 0 {
		text += fmt.Sprintf(", statement %d of %d", m.Statement, m.Statements)
	}
	return text
}

func (r *run) holder(ctx context.Context, keys ...int64) (Holder, bool) {
	h, found, err := r.conn.Blocker(ctx, keys...)
	if err != nil || !found {
		return Holder{}, false // gone meanwhile, or not to be seen: the next try tells
	}
	return holderOf(h), true
}

func holderOf(h postgres.LockHolder) Holder {
	return Holder{
		PID: h.PID, User: h.User, Application: h.Application, Host: h.Host, State: h.State, Query: h.Query,
		Since: time.Duration(h.Age * float64(time.Second)),
	}
}

func (r *run) lockError(ctx context.Context, key int64, bound time.Duration) error {
	e := &Error{
		Kind: KindLock, Code: "ERROR",
		Message: fmt.Sprintf("another migration holds the lock of %q.%q, and did so for %s", r.history.Schema, r.history.Table, bound),
		Hint:    "wait for it, or raise lockRetryCount (-1: no bound)",
	}
	if h, found := r.holder(ctx, key); found {
		e.Message += fmt.Sprintf(": pid %d (%s, user %s), %s for %s", h.PID, h.Application, h.User, h.State, h.Since.Round(time.Second))
	}
	return e
}
