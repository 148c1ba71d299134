package skein

import (
	"cmp"
	"context"
	"slices"

	"github.com/skein-db/skein/migration"
)

// A group is one transaction: what one script of it has locked stays locked until the last has ended. So all that its
// scripts want is looked at before the first begins, and what gives way is the group.

// awaitGroup returns when the group is to be tried.
func (r *run) awaitGroup(ctx context.Context, g *group, locks *demand) error {
	if r.grouped == nil {
		r.grouped = r.queue(&execution{run: r, mode: stepwise})
	}
	q := r.grouped
	q.x.strong, q.x.bounded, q.wanted = locks.strong, locks.strong != nil && !locks.own, locks.wanted
	if err := q.wait(ctx); err != nil {
		e := r.wrapped(err)
		e.Kept = cmp.Or(e.Kept, "nothing of this run was kept (its scripts share one transaction)")
		return e
	}
	g.queue = q
	return nil
}

// programsBeside reports whether a program runs in the transaction of a script: what it did is not repeated.
func (r *run) programsBeside() bool {
	each := "Each" + r.way.event()
	return slices.ContainsFunc(r.callbacks, func(c migration.Callback) bool {
		return c.Type == migration.TypeScript && slices.Contains([]string{"before" + each, "after" + each, "before" + each + "Statement", "after" + each + "Statement"}, c.Event)
	})
}

// joins gives a member of a group the bounds of the group's locks.
func (s *step) joins(g *group) {
	if g.queue == nil || g.mode != stepwise {
		return
	}
	s.x.group = g
	s.x.wants(0, g.created)
	s.x.timeout = g.queue.x.timeout
}

// groupAgain rolls the group back and lets it begin anew, which errRestart says, when a member of it gave way; else it
// gives the error that the member ends with.
func (r *run) groupAgain(ctx context.Context, s *step, err error) error {
	g := s.x.group
	q := g.queue
	q.x.pieces, q.x.strong, q.x.bounded, q.x.hurried = s.x.pieces, s.x.strong, s.x.bounded, s.x.hurried
	again, err := q.again(ctx, err)
	if !again {
		return err
	}
	r.work.end()
	r.rows = slices.Clone(g.known)
	r.changed()
	return errRestart
}
