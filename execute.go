package skein

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// execution is one text, or a script with the callbacks around it, on its way through the server.
type execution struct {
	run    *run
	mode   mode
	pieces []*piece
	// rest gives the pieces that follow those, and none at the end; nil: they are all. restart goes back to the start of
	// that, close ends it.
	rest           func() ([]*piece, error)
	restart, close func()
	foreseen       *demand // of all of them
	total          int     // how many the script has
	// last are Skein's statements that belong into the transaction of the text: a history row, or nothing.
	last []string
	// row gives more of them, asked for at the last moment; may be nil.
	row func() []string
	// hold keeps the transaction open at the end, and finds it open at the start: a member of a group.
	hold bool
	done int // statements of scripts that were carried out
	// settled are those that stay when the transaction that is open is rolled back.
	settled int
	// resumed is how many statements an earlier run had carried out.
	resumed int
	// began says of a program that it was started, or was about to be.
	began bool
	// journals is the script whose progress the journal keeps when it runs outside of a single transaction; nil: none.
	journals *migration.Script
	// fenced says that its transaction is to be one that records a step (see fence).
	fenced bool
	group  *group // that it is a member of; nil: of none, or of one that cannot be repeated
	// oneMessage says that all of it goes to the server at once, which finishes it whatever becomes of the client.
	oneMessage bool
	// asynchronous lets the commit return before it is on disk; a later one brings both there.
	asynchronous bool
	committed    time.Time // when the answer to the commit came; zero before

	strong  *piece        // the first statement that wants a lock others may have to wait for; nil: none
	bounded bool          // its waits are bounded by timeout
	timeout time.Duration // see bound
	past    bool          // the first strong statement is behind
	hurried bool          // the bound of those that only change catalogs is set
}

// execute runs the text, its last statements, and brings the session back. After an error nothing is open any more
// and the session is back too.
func (x *execution) execute(ctx context.Context) error {
	if x.close != nil {
		defer x.close()
	}
	var err error
	switch {
	case x.oneMessage && x.mode.transactional():
		err = x.gently(ctx, x.whole)
	case x.mode == together && !x.hold && len(x.run.cfg.ErrorOverrides) == 0:
		err = x.gently(ctx, x.together)
	case !x.mode.transactional() && x.journals != nil && x.run.cfg.instead == nil:
		err = x.journaled(ctx)
	default:
		err = x.gently(ctx, x.stepwise)
	}
	if err != nil {
		x.recover(ctx)
	}
	return err
}

// together sends all in one go: begin, the text, the row, commit.
func (x *execution) together(ctx context.Context) error {
	m := &message{}
	x.addTo(m, nil)
	return m.pipeline(ctx, x.run.conn, x.run.resultLimit())
}

// addTo adds the whole transaction to m; started hears when it has begun, and may be nil. The answer to the commit comes
// with that to the begin of the next.
func (x *execution) addTo(m *message, started func()) {
	m.own("begin")
	if started != nil {
		m.last().live, m.last().then = true, func(postgres.Result) { started() }
	}
	for i, p := range x.pieces {
		if i == x.lead() {
			m.own(x.prologue()...)
		}
		m.own(x.bound(p)...)
		m.add(p, p.sql())
		m.last().then = func(res postgres.Result) { x.answered(p, res, 0) }
	}
	if x.lead() == len(x.pieces) {
		m.own(x.prologue()...)
	}
	x.settle(m)
	m.own("commit")
	m.last().then = func(postgres.Result) { x.committed = time.Now() }
}

// prologue is what a transaction does before the text.
func (x *execution) prologue() []string {
	if !x.fenced || x.hold {
		return x.run.searchPath()
	}
	return selecting(x.run.fenceExpr(), x.run.searchPathExpr()) // one statement costs less than two
}

// lead is how many statements come before that: SET TRANSACTION has to be the first of its transaction.
func (x *execution) lead() int {
	n := 0
	for n < len(x.pieces) && x.pieces[n].setsTransaction() {
		n++
	}
	return n
}

// settle brings the session back and adds the last statements. Deferred constraints are checked first, while the
// session is still the script's.
func (x *execution) settle(m *message) {
	if x.mode != outside {
		m.own("set constraints all immediate")
	}
	if x.asynchronous {
		m.own(x.run.reset("pg_catalog.set_config('synchronous_commit', 'off', true)")...)
	} else {
		m.own(x.run.reset()...)
	}
	m.own(x.last...)
	if x.row != nil {
		m.own(x.row()...)
	}
}

// stepwise sends statement by statement, or several ahead, opening a transaction where the mode wants one and none is
// open.
func (x *execution) stepwise(ctx context.Context) error {
	r := x.run
	m := &message{}
	if x.restart != nil {
		x.restart()
		r.work.window(x, x.pieces)
	}
	if x.mode == steered || x.mode == outside {
		// A ROLLBACK of the script's own must not take the search path back.
		m.own(r.searchPath()...)
		if err := m.send(ctx, r.conn, 0, nil); err != nil {
			return err
		}
		m = &message{}
	} else if !x.hold {
		m.own("begin")
	}
	for i, begun := 0, x.mode != stepwise; ; {
		if i == len(x.pieces) {
			more, err := x.more()
			if err != nil {
				return err
			}
			i = 0
			if !more {
				if !begun {
					m.own(x.prologue()...)
				}
				break
			}
		}
		if !begun && i == x.lead() {
			m.own(x.prologue()...)
			begun = true
		}
		p := x.pieces[i]
		n, joined := x.ahead(i)
		if n == 1 {
			m.own(x.bound(p)...)
		}
		if x.wantsBegin(p) && m.empty() {
			m.own("begin")
		}
		var err error
		if r.cfg.Account { // the statement's time is to be its own
			if err = m.send(ctx, r.conn, 0, nil); err != nil {
				return err
			}
			m = &message{}
		}
		if n > 1 {
			err = x.several(ctx, m, x.pieces[i:i+n], joined)
		} else {
			err = x.statement(ctx, m, p)
		}
		if err != nil {
			return err
		}
		m = &message{}
		i += n
	}
	return x.finish(ctx, m)
}

// more gets the pieces after those that were sent, if there are any.
func (x *execution) more() (bool, error) {
	if x.rest == nil {
		return false, nil
	}
	var err error
	x.pieces, err = x.rest()
	x.run.work.window(x, x.pieces)
	return len(x.pieces) > 0, err
}

// wantsBegin reports whether our transaction has to be opened before p.
func (x *execution) wantsBegin(p *piece) bool {
	open, _ := x.run.conn.InTransaction()
	return x.mode == steered && !open && p.verdict.Control != txblock.Begin && p.verdict.Class != txblock.Refused
}

// finish settles, in the transaction that is open or in one of its own, and commits it unless it is to be held.
func (x *execution) finish(ctx context.Context, m *message) error {
	if open, _ := x.run.conn.InTransaction(); !open && m.empty() {
		m.own("begin")
		if x.fenced {
			m.own(x.run.fence()...)
		}
	}
	x.settle(m)
	if !x.hold {
		m.own("commit")
	}
	return m.send(ctx, x.run.conn, 0, nil)
}

// statement sends one statement, together with what already waits in m.
func (x *execution) statement(ctx context.Context, m *message, p *piece) error {
	r := x.run
	r.work.reached(x, p, false)
	if p.callback != nil {
		if err := m.send(ctx, r.conn, 0, nil); err != nil {
			return err
		}
		return r.called(p.callback, r.callback(ctx, p.callback))
	}
	if len(r.cfg.ErrorOverrides) > 0 {
		return x.overriding(ctx, m, p)
	}
	return x.sendOne(ctx, m, p)
}

// answered reports a finished statement.
func (x *execution) answered(p *piece, res postgres.Result, took time.Duration) {
	x.done++
	if x.run.cfg.Report == nil {
		return
	}
	x.run.work.reached(x, p, true)
	line := p.line()
	if len(res.Columns) > 0 && !x.run.cfg.DiscardQueryResults {
		x.run.report(QueryResult{Path: p.text.path, Line: line, Columns: res.Columns, Rows: res.Values, Total: res.Rows})
	}
	x.run.report(StatementDone{Path: p.text.path, Line: line, Index: p.index, Tag: res.Tag, Rows: res.Rows, Took: took, SQL: p.text.sql[p.stmt.Body:p.stmt.End]})
}

// recover leaves the connection as the next user expects it, as far as it still can be.
func (x *execution) recover(ctx context.Context) {
	if x.run.conn.Lost() {
		return
	}
	// The run may have been stopped from outside; the statement's own error is the one to tell.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	if x.run.conn.Rollback(ctx) == nil {
		m := &message{}
		m.own(x.run.reset()...)
		_ = m.send(ctx, x.run.conn, 0, nil)
	}
}

// recoverTime bounds what is done for order's sake after an error.
const recoverTime = 5 * time.Second

func (r *run) resultLimit() int {
	if r.cfg.DiscardQueryResults || r.cfg.Report == nil {
		return 0
	}
	return QueryResultLimit
}

// selecting is the statement for the expressions, those that are "" left out; none for none.
func selecting(exprs ...string) []string {
	exprs = slices.DeleteFunc(exprs, func(e string) bool { return e == "" })
	if len(exprs) == 0 {
		return nil
	}
	return []string{"select " + strings.Join(exprs, ", ")}
}

// searchPath puts the default schema in front, as long as it exists.
func (r *run) searchPath() []string { return selecting(r.searchPathExpr()) }

func (r *run) searchPathExpr() string {
	if !r.exists(r.history.Schema) {
		return ""
	}
	return postgres.SearchPath(r.history.Schema, r.facts.SearchPath)
}

// reset is what separates one script from the next: everything, or with KeepSessionState only who acts, as Flyway
// does it. After it comes what is to be selected.
func (r *run) reset(and ...string) []string {
	if r.cfg.KeepSessionState {
		return append([]string{"set role " + postgres.Ident(r.facts.User)}, selecting(and...)...)
	}
	if r.inSession {
		lock, _ := r.lockKeys()
		and = append([]string{postgres.Retake(lock)}, and...)
	}
	return r.session.Reset(and...)
}

// runText runs a text that is no migration: a callback.
func (r *run) runText(ctx context.Context, path string, pieces []*piece, m mode) error {
	x := &execution{run: r, mode: m, pieces: pieces}
	r.beginWork(spot{path: path, x: x})
	defer r.work.end()
	return x.execute(ctx)
}

// copyFailure places an error of COPY: at the data line that the server names, if it names one.
func (m *message) copyFailure(err error) error {
	refused, ok := errors.AsType[*postgres.StatementError](err)
	if !ok {
		return err
	}
	f := m.locate(refused, m.text())
	var line int
	if _, where, found := strings.Cut(refused.Err.Where, ", line "); found && f.piece != nil {
		if n, _ := fmt.Sscanf(where, "%d", &line); n == 1 && line > 0 {
			f.piece = &piece{text: f.piece.text, verdict: f.piece.verdict, index: f.piece.index, stmt: dataLine(f.piece, line)}
		}
	}
	return f
}

// dataLine is a stand-in statement at the n-th line of the statement's data.
func dataLine(p *piece, n int) sqlsplit.Statement {
	at := p.stmt.DataStart
	for ; n > 1; n-- {
		i := strings.IndexByte(p.text.sql[at:p.stmt.DataEnd], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	end := at + len(p.text.sql[at:p.stmt.DataEnd])
	if i := strings.IndexByte(p.text.sql[at:end], '\n'); i >= 0 {
		end = at + i
	}
	return sqlsplit.Statement{Start: at, End: end, Body: at, Line: p.stmt.Line}
}
