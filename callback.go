package skein

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

// has reports whether there is a callback for the event.
func (r *run) has(event string) bool {
	return slices.ContainsFunc(r.callbacks, func(c migration.Callback) bool { return c.Event == event })
}

// fire runs the callbacks of an event, each in a transaction of its own.
func (r *run) fire(ctx context.Context, event string) error {
	for i := range r.callbacks {
		c := &r.callbacks[i]
		if c.Event != event {
			continue
		}
		if err := r.called(c, r.callback(ctx, c)); err != nil {
			return err
		}
	}
	return nil
}

// called completes the error of a callback, if it is one.
func (r *run) called(c *migration.Callback, err error) error {
	if err == nil {
		return nil
	}
	e := r.explain(err, "DB_CONNECTION", "after the last statement of "+c.Path)
	e.Callback = c.Event
	if e.At == nil {
		e.At = &Location{Path: c.Path, Physical: c.Physical}
	}
	if e.Kept == "" && strings.HasPrefix(c.Event, "before") {
		e.Kept = "the command stopped there, before its own work"
	}
	e.Hint = cmp.Or(e.Hint, "fix the callback, then run the same command again")
	return e
}

func (r *run) callback(ctx context.Context, c *migration.Callback) error {
	if c.Type == migration.TypeScript {
		r.report(CallbackStarted{Callback: c})
		r.changed()
		return r.runProgram(ctx, program{c.Path, c.Physical, c.Text, c.Config})
	}
	pieces, err := r.prepare(c.Path, c.Physical, c.Text, c.Config)
	if err != nil {
		return err
	}
	m, err := r.decide(ctx, pieces, c.Config)
	if err != nil {
		return err
	}
	r.report(CallbackStarted{Callback: c, Transactional: m.transactional()})
	r.changed() // real callbacks do edit the history
	return r.runText(ctx, c.Path, pieces, m)
}

// fireError runs the callbacks of an error event. Their own failure is a warning: the error that called them is the
// one to tell.
func (r *run) fireError(ctx context.Context, event string) {
	if r.conn.Lost() || !r.has(event) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	if err := r.fire(ctx, event); err != nil {
		r.warn(Warning{Text: err.Error()})
	}
}

// around gives the statements of the each-callbacks of an event, which share their script's session and transaction,
// and what is to be told when they run.
func (r *run) around(event string) (all []*piece, events []Event, err error) {
	for i := range r.callbacks {
		c := &r.callbacks[i]
		if c.Event != event {
			continue
		}
		if c.Type == migration.TypeScript {
			all = append(all, &piece{callback: c})
			continue
		}
		pieces, err := r.prepare(c.Path, c.Physical, c.Text, c.Config)
		if err != nil {
			return nil, nil, err
		}
		events = append(events, CallbackStarted{Callback: c, Transactional: true})
		all = append(all, pieces...)
	}
	return all, events, nil
}

// withCallbacks puts the each-callbacks around a script's statements.
func (r *run) withCallbacks(script []*piece) (all []*piece, events []Event, err error) {
	if len(r.callbacks) == 0 {
		return script, nil, nil
	}
	parts := map[string][]*piece{}
	each := "Each" + r.way.event()
	before, after := "before"+each, "after"+each
	for _, event := range []string{before, before + "Statement", after + "Statement", after} {
		pieces, told, err := r.around(event)
		if err != nil {
			return nil, nil, err
		}
		parts[event], events = pieces, append(events, told...)
	}
	all = slices.Clone(parts[before])
	for _, p := range script {
		all = append(all, parts[before+"Statement"]...)
		all = append(all, p)
		all = append(all, parts[after+"Statement"]...)
	}
	return append(all, parts[after]...), events, nil
}

// each runs the each-callbacks before or after a migration that has no statements of its own, in its transaction.
func (x *execution) each(ctx context.Context, when string) error {
	pieces, events, err := x.run.around(when + "Each" + x.run.way.event())
	for _, e := range events {
		x.run.report(e)
	}
	for i := 0; i < len(pieces) && err == nil; i++ {
		err = x.statement(ctx, &message{}, pieces[i])
	}
	return err
}

// ours reports whether an error is already told in Skein's words, or comes from a statement that Skein sent.
func ours(err error) bool {
	_, told := errors.AsType[*Error](err)
	_, sent := errors.AsType[*failure](err)
	return told || sent
}
