package skein

import (
	"cmp"
	"context"
	"slices"

	"github.com/skein-db/skein/migration"
)

// openGroup begins the one transaction of a grouped run. Without Group, or with nothing to do, there is none.
func (r *run) openGroup(ctx context.Context, plan migration.Plan) (*group, error) {
	if !r.cfg.Group || len(plan.Steps) == 0 {
		return nil, nil
	}
	g := &group{mode: stepwise, known: slices.Clone(r.rows), created: map[string]bool{}}
	locks := &demand{created: map[string]bool{}}
	repeatable := r.gentle()
	var inside, out *migration.Script
	for _, s := range plan.Steps {
		if s.Script.Program {
			out = cmp.Or(out, s.Script)
			continue
		}
		m, err := r.modeOf(ctx, s.Script, locks)
		if err != nil {
			return nil, err
		}
		repeatable = repeatable && m != steered && s.Script.Type != migration.TypeJDBC
		switch {
		case m == outside && out == nil:
			out = s.Script
		case m != outside && inside == nil:
			inside = s.Script
		}
	}
	if out != nil {
		if inside != nil && !r.cfg.Mixed {
			return nil, &Error{
				Kind: KindScript, Code: "ERROR", At: &Location{Path: out.Path, Physical: out.Physical}, Kept: "nothing of this run was kept",
				Message: "Detected both transactional and non-transactional migrations within the same migration group (even though mixed is false). First offending migration: " + name(out),
				Hint:    "leave group off, or set mixed=true to run the whole group without a transaction",
			}
		}
		g.mode = outside
		return g, nil
	}
	if repeatable = repeatable && !r.programsBeside(); repeatable {
		if err := r.awaitGroup(ctx, g, locks); err != nil {
			return nil, err
		}
	}
	m := &message{}
	m.own("begin")
	m.own(r.fence()...)
	err := m.send(ctx, r.conn, 0, nil)
	if out := r.fencedOff(err); out != nil {
		_ = r.conn.Rollback(ctx) // a connection that does not even do that is of no use to the next step either
		return nil, out
	}
	return g, r.wrap(err)
}

// modeOf is the mode of a script by itself; the locks that it wants go into locks.
func (r *run) modeOf(ctx context.Context, s *migration.Script, locks *demand) (mode, error) {
	if s.Open != nil {
		return r.judge(ctx, s, locks)
	}
	pieces, err := r.prepareScript(s)
	if err != nil {
		return 0, err
	}
	locks.add(pieces)
	return r.decide(ctx, pieces, s.Config)
}

// closeGroup commits what the group did.
func (r *run) closeGroup(ctx context.Context, g *group) error {
	if g == nil || g.mode != stepwise {
		return nil
	}
	m := &message{}
	m.own("commit")
	if err := m.send(ctx, r.conn, 0, nil); err != nil {
		if r.canGoOn(ctx, err) {
			return &brokenOff{cause: err, give: func() error { return r.wrapped(err) }}
		}
		e := r.explain(err, "ERROR", "the commit of the group failed")
		e.Kept = "nothing of this run was kept (its scripts share one transaction)"
		return e
	}
	return nil
}
