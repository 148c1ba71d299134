package skein

import (
	"context"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// A run over many databases looks at each of them twice: all are surveyed before the first is touched. Where both share
// their Prepared, the second look asks one message in the place of three: what the survey has found is looked at again, not
// found out anew, and a plan of a few small scripts has its lock before that. A survey does the same with what it found in
// another database of the fleet. Whatever is not so any more, or not so here, is asked as of a stranger.

// acquaintance is what is known of a database before it is asked.
type acquaintance struct {
	facts postgres.Facts
	small bool // its plan may be one that runs in the session that holds the lock
}

// whereabouts tell databases apart, and histories in them.
type whereabouts struct {
	host, database, login, role, schema, table, others string
}

func (r *run) whereabouts() whereabouts {
	p := r.tables()
	return whereabouts{
		host: r.conn.Host(), database: r.conn.Database(), login: r.conn.User(), role: r.cfg.Role,
		schema: p.Schema, table: p.Table, others: strings.Join(p.Others, "\x00") + "\x00" + p.Side,
	}
}

// kin is where databases are that may be like one another.
func (w whereabouts) kin() whereabouts {
	w.database = ""
	return w
}

// remember keeps what the survey has found for the run with that plan.
func (r *run) remember(plan migration.Plan) {
	p := r.cfg.Prepared
	if p == nil || !r.facts.Reach.Known || !r.facts.HasHistory {
		return
	}
	a, where := &acquaintance{facts: r.facts, small: r.small(plan)}, r.whereabouts()
	p.met.Store(where, a)
	p.met.LoadOrStore(where.kin(), a)
}

// acquainted gives what is known of the database, or of one that it may be like; nil: nothing.
func (r *run) acquainted() (a *acquaintance, itself bool) {
	p := r.cfg.Prepared
	if p == nil || !r.glances() {
		return nil, false
	}
	where := r.whereabouts()
	known, ok := p.met.Load(where)
	if itself = ok; !ok && r.cfg.surveys {
		known, ok = p.met.Load(where.kin())
	}
	if ok {
		a = known.(*acquaintance)
	}
	return a, itself
}

// glances reports whether the run is to know at once all that a Glance tells, in a session on which nothing else has run.
func (r *run) glances() bool {
	return r.cfg.instead == nil && r.cfg.InitSQL == "" && (r.cfg.surveys || r.cfg.Deployment != nil || r.cfg.expecting())
}

// meet finds out about the target: the facts, and of a database that Skein knows where this is and what its history holds;
// nil: not of this one, or not so.
func (r *run) meet(ctx context.Context, wide bool) (*postgres.Glance, error) {
	seen, err := r.meetAgain(ctx, wide)
	if err != nil || seen != nil {
		return seen, err
	}
	if err := r.survey(ctx); err != nil || !r.facts.Reach.Known {
		return nil, err
	}
	how := postgres.Look{Wide: wide}
	if wide {
		how.Lock, how.Fence = r.lockKeys()
	}
	return r.glance(ctx, how)
}

// meetAgain looks at a database of which something is known; nil: nothing is, or it is another now.
func (r *run) meetAgain(ctx context.Context, wide bool) (*postgres.Glance, error) {
	a, itself := r.acquainted()
	if a == nil {
		return nil, nil
	}
	if err := r.found(a.facts, nil); err != nil {
		return nil, err
	}
	place := r.tables() // it was the survey's as well
	how := postgres.Look{Wide: wide, Again: &place}
	// Whether the plan is as small as it seemed is for asExpected to see.
	if wide || itself && a.small && r.cfg.Expect != nil && r.cfg.Expect.Fingerprint != "" {
		how.Lock, how.Fence = r.lockKeys()
	}
	seen, err := r.glance(ctx, how)
	if seen == nil {
		if err == nil && !itself { // whoever guessed wrong leaves an error in the server's log: that is not done again
			r.cfg.Prepared.met.Store(r.whereabouts().kin(), (*acquaintance)(nil))
		}
		return nil, err
	}
	if seen.Got && !seen.Free {
		return seen, r.wrap(r.conn.UnlockSession(ctx))
	}
	r.inSession = seen.Got
	return seen, nil
}

func (r *run) glance(ctx context.Context, how postgres.Look) (*postgres.Glance, error) {
	asked := time.Now()
	g, err := r.conn.Glance(ctx, r.facts, r.journal(), how)
	if err != nil || g == nil {
		return nil, r.wrap(err)
	}
	r.facts = g.Facts
	r.place = locality{read: true, side: g.Side, asked: true, identity: g.Identity}
	r.place.identity.Environment = r.cfg.environment()
	if g.Got {
		r.place.chain = chain{AuditHead: g.Head, login: g.Login, clock: g.Clock, asked: asked}
	}
	r.rows, r.prefetched = g.Rows, true
	if r.facts.HasHistory && (how.Wide || r.facts.Reach.Little) {
		r.place.free = 1
		if n := len(g.Applied); n > 0 {
			r.place.free = g.Applied[n-1].Rank + 1
		}
	}
	return g, nil
}
