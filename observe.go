package skein

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/internal/watch"
)

const (
	observeAfter = time.Second            // of a script; before that nobody looks
	observeTick  = 250 * time.Millisecond // how often it is asked whether it is time
	observeEvery = time.Second
	observeLimit = 3 * time.Second  // of one look
	observeAgain = 10 * time.Second // after a look that failed
	queryLimit   = 120              // characters of other sessions' statements, and of ours
)

// observer looks at the run's own work over a connection of its own, and reports Progress. Whatever goes wrong with it,
// the run goes on: what cannot be seen is left out.
type observer struct {
	run     *run
	conn    *postgres.Conn // nil: not open
	retry   time.Time      // not before
	pace    watch.Pace
	latest  time.Time
	session watch.Session // as the look before saw it
	failing bool
}

// observe works until ctx ends.
func (o *observer) observe(ctx context.Context) {
	tick := time.NewTicker(observeTick)
	defer tick.Stop()
	defer o.drop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p, ok := o.run.work.look(observeAfter)
		if !ok || time.Since(o.latest) < observeEvery {
			continue
		}
		o.latest = time.Now()
		facts := o.facts(ctx, p)
		if ctx.Err() != nil {
			return
		}
		o.run.work.same(p, func(moved bool) {
			if moved {
				facts = watch.Facts{}
				p = *o.run.work.now
			}
			o.run.report(o.event(p, facts))
		})
	}
}

// facts asks the server; the zero Facts when it cannot.
func (o *observer) facts(ctx context.Context, p spot) watch.Facts {
	if time.Now().Before(o.retry) {
		return watch.Facts{}
	}
	ctx, cancel := context.WithTimeout(ctx, observeLimit)
	defer cancel()
	if o.conn == nil {
		conn, err := o.run.dialBeside(ctx, "skein/progress")
		if err != nil {
			o.failed(err)
			return watch.Facts{}
		}
		o.conn = conn
	}
	facts, err := o.conn.ReadProgress(ctx, postgres.Backend{PID: p.pid, Fence: p.fence, Mark: p.mark(o.session)})
	o.session = facts.Session
	if err != nil {
		o.failed(err)
	}
	return facts
}

// failed gives the connection up for a while.
func (o *observer) failed(err error) {
	o.drop()
	o.retry = time.Now().Add(observeAgain)
	if !o.failing {
		o.failing = true
		o.run.report(Detail{Text: "progress cannot be read: " + err.Error()})
	}
}

func (o *observer) drop() {
	if o.conn != nil {
		o.conn.Close()
		o.conn = nil
	}
}

// dialBeside opens a connection that has nothing of the scripts' session: neither role nor initSql.
func (r *run) dialBeside(ctx context.Context, application string) (*postgres.Conn, error) {
	var conn *postgres.Conn
	err := r.logIn(ctx, func(cfg *pgx.ConnConfig) (err error) {
		cfg = cfg.Copy()
		cfg.RuntimeParams = maps.Clone(cfg.RuntimeParams)
		cfg.RuntimeParams["application_name"] = application
		conn, err = postgres.Open(ctx, cfg, postgres.Options{ReadOnly: true})
		return err
	})
	return conn, err
}

// event is what there is to tell of the spot.
func (o *observer) event(p spot, facts watch.Facts) Progress {
	s := facts.Session
	e := Progress{
		Script: p.script, Path: p.path, Index: p.index, Total: p.total,
		Took: time.Since(p.since), ScriptTook: time.Since(p.began),
		Blockers: holders(facts.Blockers, o.run.masks.String), Behind: facts.Behind,
	}
	if s.State == "active" {
		e.Wait = s.Wait
		if s.StatementAge > 0 && s.StatementAge < e.ScriptTook+observeEvery {
			e.Took = s.StatementAge
		}
	}
	work := facts.Work
	if q := p.piece(facts.Session); q != nil {
		e.Statement, e.Statements = p.count(q)
		if q.callback != nil {
			e.Path = q.callback.Path
		} else {
			e.Path, e.Line = q.text.path, q.line()
			e.SQL = watch.OneLine(o.run.masks.String(q.text.sql[q.stmt.Body:q.stmt.End]), queryLimit)
			if q.verdict.Class == txblock.CopyIn && work.Command == "COPY" && work.All == 0 {
				work.All = int64(q.stmt.DataEnd - q.stmt.DataStart)
			}
		}
	}
	e.tell(work)
	e.Left = o.pace.Left(time.Now(), work)
	return e
}

// tell takes over what PostgreSQL counts.
func (e *Progress) tell(w watch.Work) {
	e.Command, e.Phase, e.Relation, e.Done, e.All, e.Unit, e.Rows = w.Command, w.Phase, w.Relation, w.Done, w.All, w.Unit, w.Rows
}

// Percent is how much of the phase is done, from 0 to 100; false where that is not known.
func (e Progress) Percent() (float64, bool) { return watch.Work{Done: e.Done, All: e.All}.Percent() }

// count says which statement of its text the piece is, from 1, and how many there are; 0 for a program.
func (p *spot) count(q *piece) (number, all int) {
	if q.text == nil {
		return 0, 0
	}
	if p.x.rest != nil && q.text.path == p.path {
		return q.index + 1, p.x.total
	}
	for _, other := range p.pieces {
		if other.text == q.text {
			all++
		}
	}
	return q.index + 1, all
}

func holders(sessions []watch.Session, mask func(string) string) []Holder {
	var all []Holder
	for _, s := range sessions {
		all = append(all, holderIn(s, mask))
	}
	return all
}

// holderIn describes a session without the values in its statement, and without secrets, which a cut could halve.
func holderIn(s watch.Session, mask func(string) string) Holder {
	return Holder{
		PID: int32(s.PID), User: s.User, Application: s.Application, Host: s.Host, State: s.State,
		Since: s.TransactionAge, Query: watch.Redact(mask(s.Query), queryLimit),
	}
}

// mark is what a run's observer writes before its query, for Watch to read in pg_stat_activity.
type mark struct {
	PID        uint32 `json:"pid"`
	Path       string `json:"path"`
	Script     int    `json:"script,omitempty"` // from 1; 0: a callback
	Scripts    int    `json:"scripts,omitempty"`
	Statement  int    `json:"statement,omitempty"`
	Statements int    `json:"statements,omitempty"`
	Line       int    `json:"line,omitempty"`
	Program    bool   `json:"program,omitempty"`
}

// markOf is how the marks of runs on one history begin.
func markOf(lock int64) string { return fmt.Sprintf("skein:run %d ", lock) }

func (p *spot) mark(s watch.Session) string {
	m := mark{PID: p.pid, Path: p.path, Program: p.program()}
	if p.script != nil {
		m.Script, m.Scripts = p.index+1, p.total
	}
	if q := p.piece(s); q != nil {
		m.Statement, m.Statements = p.count(q)
		if q.text != nil {
			m.Line = q.line()
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return "" // numbers and a text always have a form
	}
	return markOf(p.lock) + string(body)
}
