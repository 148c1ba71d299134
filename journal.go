package skein

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// journaling is the execution of a script that cannot be one transaction. What commits with a transaction is recorded in
// that transaction; a statement that refuses one has its intent recorded before it, and after it that it is done.
// A later run reads that and goes on where this one stopped, whatever stopped it.
type journaling struct {
	*execution
	journal postgres.Journal
	script  *migration.Script
	hashes  []string
	pending []int // statements of the transaction that is open
	// unfenced says that the script has opened a transaction in which the fence is still to come: SET TRANSACTION has to
	// be before it.
	unfenced bool
	created  map[string]bool // relations that are new with it
	own      bool            // it has set a timeout itself
}

// defaultJournalSchema is where Skein keeps what is not Flyway's.
const defaultJournalSchema = "skein"

func (r *run) journal() postgres.Journal {
	return postgres.Journal{Schema: cmp.Or(r.cfg.JournalSchema, defaultJournalSchema), History: r.history}
}

// journaled runs the execution's pieces outside of a single transaction, from where an earlier run stopped.
func (x *execution) journaled(ctx context.Context) error {
	r := x.run
	j := &journaling{execution: x, journal: r.journal(), script: x.journals, hashes: hashes(x.pieces), created: map[string]bool{}}
	all := &demand{created: map[string]bool{}}
	all.add(x.pieces)
	j.own = all.own
	if err := r.conn.EnsureJournal(ctx, j.journal); err != nil {
		return r.journalError(err)
	}
	// A ROLLBACK of the script's own must not take the search path back.
	m := &message{}
	m.own(r.searchPath()...)
	if err := m.send(ctx, r.conn, 0, nil); err != nil {
		return err
	}
	next, err := j.resume(ctx)
	if err != nil {
		return err
	}
	for i := 0; i < len(x.pieces); {
		n := 1
		switch p := x.pieces[i]; {
		case i >= next:
			n, err = j.gentlyFrom(ctx, i)
		case p.setsSession():
			err = j.piece(ctx, i, p)
		}
		if err != nil {
			return err
		}
		i += n
	}
	x.last = append([]string{j.journal.ForgetSQL(j.script.Path)}, x.last...)
	return x.finish(ctx, &message{})
}

// piece runs one statement and records it.
func (j *journaling) piece(ctx context.Context, i int, p *piece) error {
	r := j.run
	open, failed := r.conn.InTransaction()
	v := p.verdict
	switch {
	case p.callback != nil || !open && p.setsSession():
		return j.statement(ctx, &message{}, p)
	case open || v.Control == txblock.Begin:
		return j.within(ctx, i, p, open && !failed)
	case j.mode == steered && v.Class != txblock.Refused:
		j.pending = []int{i}
		return j.statement(ctx, j.begin(p), p)
	}
	alone, err := r.refusesTransaction(ctx, v)
	if err != nil {
		return err
	}
	if alone || v.Class == txblock.Opaque {
		return j.alone(ctx, i, p)
	}
	return j.recorded(ctx, i, p)
}

// recorded runs a statement in a transaction that records it.
func (j *journaling) recorded(ctx context.Context, i int, p *piece) error {
	m, begin := j.begin(p), time.Now()
	if j.oneMessage {
		m.add(p, p.sql())
	} else {
		if err := j.statement(ctx, m, p); err != nil {
			return err
		}
		m = &message{}
	}
	j.write(m, migration.JournalDone, "", i)
	m.own("commit")
	return m.send(ctx, j.run.conn, j.run.resultLimit(), func(p *piece, res postgres.Result) { j.answered(p, res, time.Since(begin)) })
}

// begin opens a transaction that records what it does. The fence is in each of them, as in those of other steps: it
// keeps out a run whose lock is gone, and lets the run that got the lock wait for what this one has sent. What bounds the
// first statement, which may be nil, is in it.
func (j *journaling) begin(first *piece) *message {
	m := &message{}
	m.own("begin")
	m.own(j.run.fence()...)
	if first != nil {
		m.own(j.bound(first)...)
	}
	return m
}

// within runs a statement of a transaction that the script opened, or opens here. What that transaction did is recorded
// in it just before the script ends it.
func (j *journaling) within(ctx context.Context, i int, p *piece, sound bool) error {
	m := &message{}
	j.pending = append(j.pending, i)
	ends := p.verdict.Control == txblock.End || p.verdict.Control == txblock.Chain
	if j.unfenced && sound && !p.setsTransaction() {
		m.own(j.run.fence()...)
		j.unfenced = false
	}
	if sound {
		m.own(j.bound(p)...)
	}
	if p.verdict.Control == txblock.Chain || p.verdict.Control == txblock.Begin && !sound {
		j.unfenced = true
	}
	if ends && sound {
		j.write(m, migration.JournalDone, "", j.pending...)
	}
	if ends {
		j.pending = nil
	}
	return j.statement(ctx, m, p)
}

// alone runs a statement that no transaction of ours can hold: its intent is on disk before it starts.
func (j *journaling) alone(ctx context.Context, i int, p *piece) error {
	r := j.run
	before, err := r.conn.Look(ctx, p.verdict)
	if err != nil {
		return err
	}
	if err := j.record(ctx, i, migration.JournalIntent, before); err != nil {
		return err
	}
	half, err := j.finishDetach(ctx, p, before)
	if !half && err == nil {
		bare := *p // awaitStatement looks for a text that begins as the journal's does
		bare.stmt.Start = bare.stmt.Body
		err = j.withoutBounds(ctx, p, func() error { return j.statement(ctx, &message{}, &bare) })
	}
	_, refused := errors.AsType[*failure](err)
	if err == nil {
		err = j.stillInvalid(ctx, before, p)
		_, refused = errors.AsType[*Error](err)
	}
	if err != nil {
		// Stopped from outside, it was cancelled, or never sent: the next run is to know that it has ended.
		if !r.conn.Lost() && (refused || ctx.Err() != nil) {
			if noted := j.record(ctx, i, migration.JournalFailed, before); noted != nil {
				return errors.Join(err, noted)
			}
		}
		return err
	}
	return j.record(ctx, i, migration.JournalDone, "")
}

// entry is the statement that records the state of the i-th piece.
func (j *journaling) entry(i int, state migration.JournalState, before string) string {
	p := j.pieces[i]
	return j.journal.WriteSQL(j.script.Path, migration.JournalEntry{
		Statement: i, Hash: j.hashes[i], Start: j.run.masks.String(p.start()), State: state, Before: before, AfterRank: j.run.nextRank() - 1,
	})
}

// write adds what records the state of pieces to a message, in a transaction: as the role that Skein is, whatever the
// script has made of the session. The session gets its own role back with the end of the transaction.
func (j *journaling) write(m *message, state migration.JournalState, before string, pieces ...int) {
	m.own("set local role " + postgres.Ident(j.run.facts.User))
	for _, i := range pieces {
		m.own(j.entry(i, state, before))
	}
}

func (j *journaling) record(ctx context.Context, i int, state migration.JournalState, before string) error {
	if state != migration.JournalIntent {
		var end context.CancelFunc
		ctx, end = outlasting(ctx)
		defer end()
	}
	m := j.begin(nil)
	j.write(m, state, before, i)
	m.own("commit")
	return m.send(ctx, j.run.conn, 0, nil)
}

// resume finds the statement to go on with, after it has waited for what still works and cleared away what was left
// half done.
func (j *journaling) resume(ctx context.Context) (int, error) {
	for {
		if next, err := j.lookBack(ctx); !errors.Is(err, errSteppedAside) {
			return next, err
		}
	}
}

// lookBack is resume, unless the lock was away meanwhile.
func (j *journaling) lookBack(ctx context.Context) (int, error) {
	r := j.run
	all, err := r.conn.ReadJournal(ctx, j.journal)
	if err != nil {
		return 0, err
	}
	entries := all[j.script.Path]
	if len(entries) == 0 {
		return 0, nil
	}
	at, err := migration.Resume(j.script, j.hashes, entries, r.rows)
	if err != nil {
		return 0, decisionError(err)
	}
	done := false
	if at.Open != nil {
		if done, err = j.settleOpen(ctx, *at.Open, at.Changed); err != nil {
			return 0, err
		}
	}
	if at.Next, err = at.StillDone(j.script, done); err != nil {
		return 0, decisionError(err)
	}
	if at.Next == 0 && at.Open == nil {
		m := &message{}
		m.own(j.journal.ForgetSQL(j.script.Path)) // from another life of the history
		return 0, m.send(ctx, r.conn, 0, nil)
	}
	j.resumed = at.Next
	e := Resumed{Script: j.script, Done: at.Next, Total: len(j.pieces)}
	if at.Next < len(j.pieces) {
		e.Line = j.pieces[at.Next].line()
	}
	r.report(e)
	return at.Next, nil
}

// settleOpen finds out what became of a statement whose end nobody recorded, and clears away what it left.
func (j *journaling) settleOpen(ctx context.Context, e migration.JournalEntry, changed bool) (done bool, err error) {
	r := j.run
	text := e.Start
	if !changed {
		text = j.pieces[e.Statement].start() // without the mask of a secret
	}
	if err := r.awaitStatement(ctx, text); err != nil {
		return false, err
	}
	outcome, first, err := r.conn.Outcome(ctx, e.Before)
	if err != nil {
		return false, err
	}
	if outcome == postgres.Unknown && e.State == migration.JournalIntent {
		out := &Error{
			Kind: KindRefused, Code: "ERROR", At: &Location{Path: j.script.Path, Physical: j.script.Physical}, Kept: "nothing was changed by this run",
			Message: fmt.Sprintf("statement %d of %s was begun on %s and how it ended is not known: no catalog tells", e.Statement+1, j.script.Path, e.Written),
			Hint: "find out whether it is done; if so, finish the script by hand and run: skein repair -markApplied=" + j.script.Version.String() +
				" -reason=...; if nothing of it is, run: skein repair -runAgain=" + j.script.Version.String() + " -reason=...",
		}
		if !changed {
			out.At = (&failure{piece: j.pieces[e.Statement], offset: -1}).location()
		}
		return false, out
	}
	for _, sql := range first {
		r.report(Note{Text: "clearing away what an interrupted run left: " + sql})
		m := &message{}
		m.own(sql)
		if err := m.send(ctx, r.conn, 0, nil); err != nil {
			return false, err
		}
	}
	return outcome == postgres.Done, nil
}

// awaitStatement waits, without bound, for a backend that still works on the statement: its client is gone, the work is
// not.
func (r *run) awaitStatement(ctx context.Context, sql string) error {
	begin := time.Now()
	var reported time.Time
	for {
		h, working, err := r.conn.Working(ctx, sql)
		if err != nil || !working {
			return err
		}
		if err := r.stepAside(ctx, h); err != nil {
			return err
		}
		if reported.IsZero() || time.Since(reported) >= lockReport {
			r.report(LockWaiting{Holder: holderOf(h), Waited: time.Since(begin)})
			reported = time.Now()
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unfinished lists the pending scripts of which the journal knows that they were begun.
func (r *run) unfinished(ctx context.Context, entries []migration.Entry) ([]Unfinished, error) {
	if !r.facts.HasHistory {
		return nil, nil
	}
	_, readable, err := r.conn.HasJournal(ctx, r.journal())
	if err != nil || !readable {
		return nil, r.wrap(err) // whoever may only look at the history sees what the history says
	}
	all, err := r.conn.ReadJournal(ctx, r.journal())
	if err != nil {
		return nil, r.wrap(err)
	}
	var out []Unfinished
	for i := range entries {
		s := entries[i].Script
		if s == nil || entries[i].Applied != nil || len(all[s.Path]) == 0 {
			continue
		}
		u := Unfinished{Script: s, Since: all[s.Path][0].Written}
		for _, e := range all[s.Path] {
			if e.State == migration.JournalDone {
				u.Done++
			} else {
				u.Open = e.State == migration.JournalIntent
			}
		}
		out = append(out, u)
	}
	return out, nil
}

// forgetJournal removes what the journal holds of a history that is about to go.
func (r *run) forgetJournal(ctx context.Context) error {
	if !r.facts.HasHistory {
		return nil
	}
	there, _, err := r.conn.HasJournal(ctx, r.journal())
	if err == nil && there {
		err = r.conn.Exec(ctx, r.journal().ForgetAllSQL(), nil)
	}
	return r.wrap(err)
}

func (r *run) journalError(err error) error {
	if layout, ok := errors.AsType[*postgres.LayoutError](err); ok {
		return &Error{Kind: KindRefused, Code: "ERROR", Message: layout.Error(), Err: err, Hint: "use the newer version of Skein, or another schema: journalSchema"}
	}
	e := r.wrapped(err)
	if e.SQL != nil && e.SQL.State == stateNoPrivilege {
		schema, role := postgres.Ident(r.journal().Schema), postgres.Ident(r.facts.User)
		e.Message = "a script that cannot be one transaction needs Skein's journal, and " + e.Message
		e.Hint = fmt.Sprintf("as an administrator: create schema %s authorization %s; or name a schema in which %s may create tables: journalSchema (docs/grants.md)", schema, role, role)
	}
	return e
}

func hashes(pieces []*piece) []string {
	all := make([]string, len(pieces))
	for i, p := range pieces {
		var text string
		if p.callback != nil {
			text = p.callback.Text
		} else {
			text = p.sql()
		}
		sum := sha256.Sum256([]byte(text))
		all[i] = hex.EncodeToString(sum[:16])
	}
	return all
}

// start is the beginning of the statement's text, for people who look into the journal.
func (p *piece) start() string {
	if p.callback != nil {
		return p.callback.Path
	}
	text := p.text.sql[p.stmt.Body:p.stmt.End]
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return text
}
