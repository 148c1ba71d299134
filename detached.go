package skein

import (
	"context"
	"errors"
	"slices"

	"github.com/skein-db/skein/internal/detach"
	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// With Config.Detach a script goes to the server as one message that has its history row and its commit in it, and the
// session keeps quiet meanwhile. The server then finishes it alone when the client is killed, and whoever runs next waits
// for that (see fence). Scripts for which that cannot be run as ever: when their client is gone they are rolled back.

// Upcoming is a script that is about to start.
type Upcoming struct {
	Script       *migration.Script
	Index, Total int // as in StepStarted
	// Attached says, as a clause, why the server would not finish the script without its client; "" when it would: the
	// script and its history row or, outside of a transaction, the statement that runs and what the journal needs.
	Attached string
}

// admit asks Config.Admit.
func (s *step) admit() error {
	r := s.x.run
	if r.cfg.Admit == nil || r.cfg.instead != nil {
		return nil
	}
	err := r.cfg.Admit(Upcoming{Script: s.Script, Index: s.index, Total: s.total, Attached: s.attached})
	if err == nil || ours(err) {
		return err
	}
	return &Error{
		Kind: KindRefused, Code: "ERROR", Message: err.Error(), Err: err, At: &Location{Path: s.Script.Path, Physical: s.Script.Physical},
		Kept: "nothing of " + name(s.Script) + " ran",
	}
}

// detach finds out whether the step can do without its client, and if so and wanted makes it one message.
func (s *step) detach(ctx context.Context, g *group) error {
	r := s.x.run
	if !r.cfg.Detach && r.cfg.Admit == nil && r.cfg.instead == nil {
		return nil
	}
	proxied, err := r.isProxied(ctx)
	if err != nil {
		return err
	}
	d := detach.Script{Outside: s.x.mode == outside, Steered: s.x.mode == steered, Proxy: proxied}
	switch {
	case s.Script.Program:
		d.Client = "it is a program"
	case s.Script.Type == migration.TypeJDBC:
		d.Client = "it is written in Go"
	case slices.ContainsFunc(s.x.pieces, func(p *piece) bool { return p.callback != nil }):
		d.Client = "a program runs between its statements"
	case g != nil && g.mode == stepwise:
		d.Parts = "the scripts of a group share one transaction"
	case r.cfg.Detach && !r.quiet && !proxied && r.cfg.instead == nil:
		d.Parts = "the session cannot be kept quiet without PL/pgSQL"
	case s.x.rest != nil:
		d.Parts = "it is too long for one message"
	case len(r.cfg.ErrorOverrides) > 0:
		d.Parts = "errorOverrides judges its statements one by one"
	case r.cfg.Account:
		d.Parts = "for a report its statements are timed one by one"
	case r.cfg.KeepSessionState:
		d.Parts = "keepSessionState lets earlier scripts change the session"
	}
	for _, p := range s.x.pieces {
		if p.callback == nil {
			d.Statements = append(d.Statements, detach.Statement{Text: p.text.sql[p.stmt.Body:p.stmt.End], Verdict: p.verdict})
		}
	}
	able, why := detach.Detachable(d)
	if s.attached = r.masks.String(why); !able && r.cfg.Detach && r.cfg.instead == nil {
		r.report(Note{Text: s.Script.Path + " stays attached to this process: " + s.attached})
	}
	s.x.oneMessage = able && r.cfg.Detach && r.cfg.instead == nil && s.sendsText()
	return nil
}

// isProxied reports whether the server is behind a pooler, asked once for each connection.
func (r *run) isProxied(ctx context.Context) (bool, error) {
	if r.proxied == nil {
		yes, err := r.conn.Proxied(ctx)
		if err != nil {
			return false, r.wrap(err)
		}
		r.proxied = &yes
	}
	return *r.proxied, nil
}

// keepQuiet makes the session one that outlives its client. Behind a pooler the settings would reach others.
func (r *run) keepQuiet(ctx context.Context) error {
	r.proxied, r.quiet = nil, false
	if !r.cfg.Detach || r.cfg.instead != nil {
		return nil
	}
	if proxied, err := r.isProxied(ctx); proxied || err != nil {
		return err
	}
	err := r.conn.Exec(ctx, postgres.QuietSQL(false), nil)
	if e, ok := errors.AsType[*postgres.StatementError](err); ok && e.Err.Code == "42704" {
		return nil // there is no PL/pgSQL
	}
	r.quiet = err == nil
	return r.wrap(err)
}

// whole sends the execution's transaction as one message of the simple protocol, which the server has read to its end
// before it begins.
func (x *execution) whole(ctx context.Context) error {
	m := &message{}
	x.addTo(m, nil)
	return m.send(ctx, x.run.conn, x.run.resultLimit(), func(p *piece, res postgres.Result) { x.answered(p, res, 0) })
}
