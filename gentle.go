package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/stall"
)

// Whoever waits for a strong lock on a table holds up everyone who comes after. So a transaction that is to change
// relations that exist already first looks who holds them, waits outside the queue as long as that takes, and asks with
// a lock_timeout that keeps what others may have to wait within the budget. What it does not get in time it rolls back
// whole, and tries again.

const (
	defaultStallBudget  = time.Second
	defaultLockDeadline = 10 * time.Minute
	lookAgain           = 50 * time.Millisecond  // between two looks, on average
	giveWay             = 100 * time.Millisecond // from giving way to the next look, at least; at most three times that
	conflictTries       = 5                      // after deadlocks and serialization failures
)

// gentle reports whether locks are asked for in that way at all.
func (r *run) gentle() bool { return r.cfg.StallBudget >= 0 && r.cfg.instead == nil }

func (r *run) stallBudget() time.Duration { return cmp.Or(r.cfg.StallBudget, defaultStallBudget) }

func (r *run) lockDeadline() time.Duration { return cmp.Or(r.cfg.LockDeadline, defaultLockDeadline) }

// repeatable reports whether the whole of the execution is one transaction of its own, and nothing of it reaches
// beyond: a program that runs between its statements does.
func (x *execution) repeatable() bool {
	return x.run.gentle() && x.mode.transactional() && !x.hold && len(x.pieces) > 0 &&
		!slices.ContainsFunc(x.pieces, func(p *piece) bool { return p.callback != nil })
}

// wants finds out which locks the text wants, on relations that are not in created, and from which statement on it
// needs a lock_timeout. What it creates itself goes into created.
func (x *execution) wants(step int, created map[string]bool) []postgres.Wanted {
	d := x.foreseen
	if d == nil {
		d = &demand{step: step, created: created}
		d.add(x.pieces)
	}
	x.strong, x.bounded = d.strong, d.strong != nil && !d.own
	return d.wanted
}

// demand is which locks statements want.
type demand struct {
	step    int
	created map[string]bool
	wanted  []postgres.Wanted
	strong  *piece // the first that wants one
	own     bool   // the text sets a lock_timeout itself
	seen    int    // statements of a large script
}

func (d *demand) add(pieces []*piece) {
	for _, p := range pieces {
		n := p.needs()
		d.own = d.own || n.OwnTimeout
		strong := n.Opaque
		for _, t := range n.Targets {
			if !d.created[stall.Key(t.Name)] {
				t.Name = strings.Clone(t.Name) // not to keep a window of a large script
				d.wanted, strong = append(d.wanted, postgres.Wanted{Step: d.step, Target: t}), true
			}
		}
		for _, name := range n.Creates {
			d.created[strings.Clone(name)] = true
		}
		if strong && d.strong == nil {
			d.strong = p
		}
	}
}

// unblocked gives the first of the steps that can go at once, after one look for all of them; at least the first.
func (r *run) unblocked(ctx context.Context, steps []*step) []*step {
	if len(steps) == 1 || !r.gentle() {
		return steps
	}
	var wanted []postgres.Wanted
	created := map[string]bool{}
	for i, s := range steps {
		wanted = append(wanted, s.x.wants(i, created)...)
	}
	found := map[int][]postgres.InTheWay{}
	if len(wanted) > 0 {
		all, err := r.conn.WhoIsInTheWay(ctx, r.history.Schema, wanted)
		if err != nil {
			return steps[:1] // which looks again, and tells
		}
		for _, w := range all {
			found[w.Step] = append(found[w.Step], w)
		}
	}
	for i, s := range steps {
		q := r.queue(s.x)
		s.x.timeout = r.stallBudget()
		if !slices.ContainsFunc(wanted, func(w postgres.Wanted) bool { return w.Step == i }) {
			continue
		}
		d := q.judge(found[i])
		if d.Action != stall.Try {
			return steps[:max(i, 1)]
		}
		s.x.timeout = d.Timeout
	}
	return steps
}

// queue is an execution that is to get its locks.
type queue struct {
	x                   *execution
	watch               stall.Watch
	wanted              []postgres.Wanted
	begin, told         time.Time
	holders             []postgres.InTheWay
	attempts, conflicts int
	blown               int   // attempts that were cancelled for those behind them
	behind              int   // sessions that the last attempt was cancelled for
	last                error // of it
}

func (r *run) queue(x *execution) *queue {
	return &queue{x: x, begin: time.Now(), watch: stall.Watch{Budget: r.stallBudget(), Deadline: r.lockDeadline()}}
}

// gently runs once, which is one transaction, when its locks are likely to be had, and again when it had to give way.
func (x *execution) gently(ctx context.Context, once func(context.Context) error) error {
	switch {
	case x.group != nil:
		return x.group.queue.attempt(ctx, x, once)
	case !x.repeatable():
		return once(ctx)
	}
	q := x.run.queue(x)
	q.wanted = x.wants(0, map[string]bool{})
	return q.until(ctx, once)
}

// until tries once until it does not give way any more.
func (q *queue) until(ctx context.Context, once func(context.Context) error) error {
	for {
		if err := q.wait(ctx); err != nil {
			return err
		}
		err := q.attempt(ctx, q.x, once)
		if err == nil {
			return nil
		}
		again, err := q.again(ctx, err)
		if !again {
			return err
		}
	}
}

// attempt is one, with those counted who wait behind it.
func (q *queue) attempt(ctx context.Context, x *execution, once func(context.Context) error) error {
	x.past = false
	f := x.lightFuse()
	err := once(ctx)
	q.behind = f.out()
	return err
}

// wait returns when the execution is to be tried.
func (q *queue) wait(ctx context.Context) error {
	for {
		d, err := q.look(ctx)
		if err != nil {
			return err
		}
		switch d.Action {
		case stall.Try:
			q.x.timeout = d.Timeout
			return nil
		case stall.GiveUp:
			return q.deadline()
		}
		q.tell()
		if err := sleep(ctx, lookAgain/2+rand.N(lookAgain)); err != nil {
			return err
		}
	}
}

// look looks at the locks, if there are any to look at, and decides.
func (q *queue) look(ctx context.Context) (stall.Decision, error) {
	if len(q.wanted) == 0 {
		if time.Since(q.begin) >= q.watch.Deadline {
			return stall.Decision{Action: stall.GiveUp}, nil
		}
		return stall.Decision{Action: stall.Try, Timeout: q.watch.Budget}, nil
	}
	found, err := q.x.run.conn.WhoIsInTheWay(ctx, q.x.run.history.Schema, q.wanted)
	if _, refused := errors.AsType[*postgres.StatementError](err); refused && ctx.Err() == nil {
		q.wanted = nil // a name that cannot be looked up: the statement itself tells what is wrong with it
		return q.look(ctx)
	}
	if err != nil {
		return stall.Decision{}, err
	}
	if q.attempts == 0 || len(found) > 0 {
		q.holders = found
	}
	return q.judge(found), nil
}

func (q *queue) judge(found []postgres.InTheWay) stall.Decision {
	holders := make([]stall.Holder, len(found))
	var deadlock time.Duration
	for i, f := range found {
		holders[i] = stall.Holder{PID: f.Holder.PID, Age: time.Duration(f.Holder.Age * float64(time.Second)), Autovacuum: f.Autovacuum}
		if !f.AgeKnown {
			holders[i].Age = -1
		}
		deadlock = f.DeadlockTimeout
	}
	return q.watch.Decide(time.Since(q.begin), holders, deadlock)
}

// again prepares another attempt after one that was rolled back, if there is to be one; else it gives the error.
func (q *queue) again(ctx context.Context, err error) (bool, error) {
	pause := giveWay + rand.N(2*giveWay)
	state := q.x.gaveWay(ctx, err, q.behind > 0)
	q.last = cmp.Or(err, q.last)
	why := ""
	switch {
	case state == "":
		return false, err
	case state == stateLockTimeout:
		q.watch.Refused()
	case state == stateQueryCancelled && q.behind > 0:
		if q.blown++; q.blown >= fuseTries {
			return false, q.tooMany()
		}
		why, pause = q.x.blownText(), time.Duration(q.blown)*q.watch.Budget+pause // they have waited long enough for once
	default:
		if q.conflicts++; q.conflicts > conflictTries {
			return false, err
		}
	}
	q.attempts++
	q.x.backOut(ctx, err, q.attempts, why)
	if stopped := sleep(ctx, pause); stopped != nil {
		return false, err
	}
	return true, nil
}

// gaveWay is the SQLSTATE of an error that only says that others were in the way, or that the statement was in theirs;
// else "". A cancelled statement is one only when it was bounded as a whole, or the fuse has blown.
func (x *execution) gaveWay(ctx context.Context, err error, blown bool) string {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || x.run.conn.Lost() || ctx.Err() != nil {
		return ""
	}
	switch pe.Code {
	case stateLockTimeout, stateDeadlock, stateSerialization:
		return pe.Code
	case stateQueryCancelled:
		if blown || x.bounded && x.hurried && strings.Contains(pe.Message, "statement timeout") {
			return pe.Code
		}
	}
	return ""
}

// backOut forgets an attempt. why is the reason where it is not the error's.
func (x *execution) backOut(ctx context.Context, err error, attempt int, why string) {
	if x.mode.transactional() {
		x.recover(ctx)
	} else {
		_ = x.run.conn.Rollback(ctx) // what the script has made of its session stays; if it fails the next attempt tells
	}
	x.run.work.again(x)
	x.done, x.asynchronous = x.settled, false
	e := GaveWay{Attempt: attempt}
	if x.journals != nil {
		e.Path = x.journals.Path
	} else if len(x.pieces) > 0 {
		e.Path = x.pieces[0].text.path
	}
	if f, ok := errors.AsType[*failure](err); ok {
		if e.Why = f.err.Err.Message; f.piece != nil {
			loc := f.location()
			e.Path, e.Line = loc.Path, loc.Line
		}
	}
	e.Why = cmp.Or(why, e.Why)
	x.run.report(e)
}

// tell says who is in the way, at once and then now and again.
func (q *queue) tell() {
	if len(q.holders) == 0 || !q.told.IsZero() && time.Since(q.told) < lockReport {
		return
	}
	q.told = time.Now()
	loc := (&failure{piece: q.x.strong, offset: -1}).location()
	waited := time.Since(q.begin)
	e := LockWaiting{Path: loc.Path, Line: loc.Line, Relation: q.holders[0].Relation, Waited: waited, Left: q.watch.Deadline - waited}
	for i, h := range q.sessions() {
		if i == 0 {
			e.Holder = h
		} else {
			e.Others = append(e.Others, h)
		}
	}
	q.x.run.report(e)
}

// sessions are the holders, each once.
func (q *queue) sessions() []Holder {
	var all []Holder
	for _, h := range q.holders {
		session := holderOf(h.Holder)
		if session.PID == 0 || !slices.ContainsFunc(all, func(o Holder) bool { return o.PID == session.PID }) {
			all = append(all, session)
		}
	}
	return all
}

// deadline is the error of an execution that did not get its locks in time.
func (q *queue) deadline() error {
	r := q.x.run
	if q.x.strong == nil {
		return q.last // it set a lock_timeout of its own for something else
	}
	loc := (&failure{piece: q.x.strong, offset: -1}).location()
	e := &Error{
		Kind: KindLock, Code: "ERROR", At: loc, Err: q.last,
		Message: fmt.Sprintf("the statement did not get its locks within %s: no moment was likely to hold others up for less than %s", r.lockDeadline(), r.stallBudget()),
		Hint:    "run the same command again at a quieter time, or raise lockDeadline, or stallBudget, which lets others wait longer",
	}
	if f, ok := errors.AsType[*failure](q.last); ok {
		e.SQL = sqlError(f.err.Err)
	}
	if len(q.holders) == 0 {
		return e
	}
	e.Message += "; " + q.holders[0].Relation + " is held by"
	for _, h := range q.sessions() {
		e.Message += "\n  " + heldBy(h)
	}
	if pid := q.holders[0].Holder.PID; pid != 0 {
		e.Hint = fmt.Sprintf("wait for them, or end them: select pg_terminate_backend(%d); then %s", pid, e.Hint)
	}
	return e
}

// heldBy describes a session in a line.
func heldBy(h Holder) string {
	who := fmt.Sprintf("pid %d (%s, user %s), %s for %s", h.PID, cmp.Or(h.Application, "no application name"), cmp.Or(h.User, "unknown"), cmp.Or(h.State, "working"), h.Since.Round(time.Millisecond))
	if h.PID == 0 {
		who = fmt.Sprintf("a prepared transaction (user %s) for %s", cmp.Or(h.User, "unknown"), h.Since.Round(time.Millisecond))
	}
	if query := strings.Join(strings.Fields(h.Query), " "); query != "" {
		who += ": " + strings.ToValidUTF8(query[:min(len(query), 200)], "")
	}
	return who
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
