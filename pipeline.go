package skein

import (
	"context"
	"slices"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// What travels together at most. A slice of steps ends with a commit that waits for the disk, and only then are its
// scripts told to be applied.
const (
	sliceSteps = 100
	sliceBytes = 256 << 10
)

// companions prepares the steps after s that can travel with it: each is small, is a transaction of its own and needs
// no look at the target before it starts. What has a fault is left to its own turn, when the steps before it are done.
func (r *run) companions(s *step, plan migration.Plan) []*step {
	if s.x.mode != together || s.x.hold || !s.sendsText() || len(r.cfg.ErrorOverrides) > 0 || r.cfg.DurableEach || r.cfg.Detach || r.cfg.Admit != nil {
		return nil
	}
	var more []*step
	bytes, most := size(s.x.pieces), r.slice()
	for i := s.index + 1; i < len(plan.Steps) && len(more) < most-1; i++ {
		next := r.newStep(plan, i)
		repeats := next.Script.Kind == migration.Repeatable
		if repeats != (s.Script.Kind == migration.Repeatable) || !r.accompanies(next) {
			break // callbacks come between the two kinds
		}
		if bytes += size(next.x.pieces); bytes > sliceBytes {
			break
		}
		more = append(more, next)
	}
	return more
}

// accompanies prepares a step if its text alone tells that it is one small transaction.
func (r *run) accompanies(s *step) bool {
	if !s.sendsText() || s.Script.Open != nil {
		return false
	}
	inside := !r.cfg.NoTransactions
	if set := s.Script.Config.ExecuteInTransaction; set != nil {
		inside = *set
	}
	pieces, err := r.prepareScript(s.Script)
	if err != nil || !inside {
		return false
	}
	for _, p := range pieces {
		switch {
		case p.verdict.Class == txblock.Plain, p.verdict.Class == txblock.Opaque:
		case p.verdict.Class == txblock.Control && p.verdict.Control == txblock.Savepoint:
		default:
			return false
		}
	}
	return s.surround(pieces) == nil && s.x.mode == together
}

// runTogether runs several steps without waiting for the server in between. Each is a transaction of its own; only the
// last commit waits for the disk, and brings the earlier ones there as well.
func (r *run) runTogether(ctx context.Context, steps []*step, begin time.Time) error {
	m := &message{}
	rank := r.nextRank()
	for i, s := range steps {
		s.row.Rank, s.row.ExecutionTime = rank+i, postgres.ServerMillis
		s.x.last = r.record(s.Script, &s.row)
		s.x.asynchronous = i < len(steps)-1
		s.x.addTo(m, s.start)
	}
	var f *fuse
	if i := slices.IndexFunc(steps, func(s *step) bool { return s.x.strong != nil }); i >= 0 {
		f = steps[i].x.lightFuse()
	}
	err := m.pipeline(ctx, r.conn, r.resultLimit())
	blown := f.out() > 0
	if r.canGoOn(ctx, err) {
		return &brokenOff{cause: err, steps: steps, give: func() error { return r.endTogether(ctx, err, blown, steps, begin) }}
	}
	return r.endTogether(ctx, err, blown, steps, begin)
}

// endTogether tells of the steps that are kept, all without an error, and completes the error of the one after them.
func (r *run) endTogether(ctx context.Context, err error, blown bool, steps []*step, begin time.Time) error {
	kept := len(steps)
	if err != nil {
		if kept = r.kept(ctx, steps); !r.conn.Lost() {
			steps[kept].x.recover(ctx)
		}
	}
	for _, s := range steps[:kept] {
		s.done(s.x.committed.Sub(begin))
		begin = s.x.committed
	}
	if err == nil {
		return nil
	}
	if s := steps[kept]; s.x.committed.IsZero() && s.x.repeatable() && s.x.gaveWay(ctx, err, blown) != "" {
		s.x.last = nil
		s.x.backOut(ctx, err, 1, "")
		if err = r.perform(ctx, s.x, s.Script, &s.row); err == nil {
			s.done(time.Since(begin))
			return nil
		}
		if r.canGoOn(ctx, err) {
			return &brokenOff{cause: err, steps: steps[kept : kept+1], give: func() error { return r.stepFailed(ctx, err, s) }}
		}
	}
	return r.stepFailed(ctx, err, steps[kept])
}

// kept finds out, after an error, how many of the steps are committed, and sees to it that they are on disk; the last
// one is never among them. What is not known to be so is not counted.
func (r *run) kept(ctx context.Context, steps []*step) int {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	n := 0
	for n < len(steps)-1 && !steps[n].x.committed.IsZero() {
		n++
	}
	conn := r.conn
	if conn.Lost() {
		other, err := r.dial(ctx)
		if err != nil {
			return 0
		}
		defer other.Close()
		rows, err := other.ReadHistory(ctx, r.history)
		if err != nil {
			return 0
		}
		for n = 0; n < len(steps)-1 && recorded(rows, steps[n].row); n++ {
			if x := steps[n].x; x.committed.IsZero() {
				x.committed = time.Now()
			}
		}
		conn = other
	}
	if n == 0 || conn.Rollback(ctx) != nil || conn.Durable(ctx, r.history) != nil {
		return 0
	}
	return n
}
