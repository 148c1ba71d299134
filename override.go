package skein

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// overriding sends one statement under ErrorOverrides, with what already waits in m.
//
// An error aborts the whole transaction in PostgreSQL. Where a rule may turn one into something less, each statement
// therefore has a savepoint of its own. It is made in a message before the statement's: of a message with a syntax
// error nothing runs, the savepoint neither.
func (x *execution) overriding(ctx context.Context, m *message, p *piece) error {
	r := x.run
	open, _ := r.conn.InTransaction()
	// The script's own savepoints would end with ours.
	guarded := r.forgives() && (open || !m.empty()) && p.verdict.Class != txblock.Control
	if guarded {
		m.own("savepoint " + savepoint)
	}
	if err := m.send(ctx, r.conn, 0, nil); err != nil {
		return err
	}
	raised, err := x.heeding(ctx, p)
	if err == nil && guarded {
		release := &message{}
		release.own("release savepoint " + savepoint)
		err = release.send(ctx, r.conn, 0, nil)
	}
	if err == nil {
		return raised
	}
	f, refused := errors.AsType[*failure](err)
	if !refused || f.piece == nil || ctx.Err() != nil || r.conn.Lost() {
		return err
	}
	rule, found := migration.OverrideFor(r.cfg.ErrorOverrides, f.err.Err.Code)
	if open, _ := r.conn.InTransaction(); !found || rule.To == migration.ToError || open && !guarded {
		return err
	}
	if guarded {
		back := &message{}
		back.own("rollback to savepoint "+savepoint, "release savepoint "+savepoint)
		if err := back.send(ctx, r.conn, 0, nil); err != nil {
			return err
		}
	}
	loc := f.location()
	r.overridden(rule, f.err.Err.Message, f.err.Err.Code, loc.Path, loc.Line)
	return nil
}

// savepoint is the name of the savepoint around a statement.
const savepoint = "skein_statement"

// forgives reports whether some error may become less than one.
func (r *run) forgives() bool {
	for _, o := range r.cfg.ErrorOverrides {
		if o.To != migration.ToError {
			return true
		}
	}
	return false
}

// heeding sends one statement and listens to the server's messages about it. raised is the error that a rule made of
// one of them, after the statement was carried out.
func (x *execution) heeding(ctx context.Context, p *piece) (raised, err error) {
	r := x.run
	r.heeded.Store(&heeded{piece: p})
	err = x.sendOne(ctx, &message{}, p)
	heard := r.heeded.Swap(nil)
	if err == nil && heard.raised != nil {
		return heard.raised, nil
	}
	return nil, err
}

// heeded is the statement whose messages are listened to, and the first that a rule made an error.
type heeded struct {
	piece  *piece
	raised error
}

// heed gives a message of the server what the rules say, and reports whether one did.
func (r *run) heed(severity, code, text string) bool {
	h := r.heeded.Load()
	if h == nil {
		return false
	}
	rule, found := migration.OverrideFor(r.cfg.ErrorOverrides, code)
	if !found {
		return false
	}
	loc := (&failure{piece: h.piece, offset: -1}).location()
	if rule.To != migration.ToError {
		r.overridden(rule, text, code, loc.Path, loc.Line)
		return true
	}
	if h.raised == nil {
		e := &Error{
			Kind: KindSQL, Code: "ERROR", Message: text, At: loc, SQL: &SQLError{State: code, Severity: severity, Message: text},
			Hint: fmt.Sprintf("the server had it as %s; errorOverrides makes it an error (%s)", severity, rule.Text),
		}
		if rule.Brief {
			e.Hint = "errorOverrides makes it an error"
		}
		h.raised = e
	}
	return true
}

// overridden tells of an error or message what a rule made of it.
func (r *run) overridden(rule migration.ErrorOverride, text, state, path string, line int) {
	if !rule.Brief {
		text = fmt.Sprintf("%s (SQL State: %s - Error Code: 0)", text, state)
	}
	switch rule.To {
	case migration.ToWarning:
		r.warn(Warning{Text: text, Path: path, Line: line})
	case migration.ToInfo:
		r.report(Note{Text: fmt.Sprintf("%s:%d: %s", path, line, text)})
	default:
		r.report(Detail{Text: fmt.Sprintf("%s:%d: %s", path, line, text)})
	}
}

// sendOne sends one statement, together with what already waits in m.
func (x *execution) sendOne(ctx context.Context, m *message, p *piece) error {
	r := x.run
	start := time.Now()
	if p.verdict.Class != txblock.CopyIn {
		m.add(p, p.sql())
		return m.send(ctx, r.conn, r.resultLimit(), func(p *piece, res postgres.Result) { x.answered(p, res, time.Since(start)) })
	}
	if err := m.send(ctx, r.conn, 0, nil); err != nil {
		return err
	}
	data := p.text.sql[p.stmt.DataStart:p.stmt.DataEnd]
	res, err := r.conn.CopyIn(ctx, p.sql(), data)
	if err != nil {
		alone := &message{}
		alone.add(p, p.sql())
		return alone.copyFailure(err)
	}
	r.countCopied(p, data, res)
	x.answered(p, res, time.Since(start))
	return nil
}
