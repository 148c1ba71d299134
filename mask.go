package skein

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// learn takes note of what no event and no error may show: secret placeholders, other secrets and, once it is known, the
// password.
func (r *run) learn(c *pgx.ConnConfig) {
	if c != nil {
		r.login = c
		r.masks.Add(c.Password)
		return
	}
	for _, value := range r.cfg.Secrets {
		r.masks.Add(value)
	}
	for _, name := range r.cfg.SecretPlaceholders {
		for key, value := range r.cfg.Placeholders.Values {
			if strings.EqualFold(name, key) {
				r.masks.Add(value)
			}
		}
	}
}

// masked is an event without secrets in its texts. Names (of databases, roles, scripts) stay as they are, and so does the
// text of a script as its file has it.
func (r *run) masked(e Event) Event {
	mask := r.masks.String
	switch e := e.(type) {
	case Warning:
		e.Text, e.Hint = mask(e.Text), mask(e.Hint)
		return e
	case Note:
		return Note{Text: mask(e.Text)}
	case Detail:
		return Detail{Text: mask(e.Text)}
	case StepStarted:
		e.Attached = mask(e.Attached)
		return e
	case Notice:
		e.Text = mask(e.Text)
		return e
	case LockWaiting:
		e.Holder.Query, e.Holder.Application = mask(e.Holder.Query), mask(e.Holder.Application)
		e.Worker.Query, e.Worker.Application, e.Doing = mask(e.Worker.Query), mask(e.Worker.Application), mask(e.Doing)
		e.Others = slices.Clone(e.Others)
		for i := range e.Others {
			e.Others[i].Query, e.Others[i].Application = mask(e.Others[i].Query), mask(e.Others[i].Application)
		}
		return e
	case GaveWay:
		e.Why = mask(e.Why)
		return e
	case Progress:
		return maskedProgress(e, mask)
	case ProgramOutput:
		e.Text = mask(e.Text)
		return e
	case StatementDone:
		e.SQL = mask(e.SQL)
		return e
	case DecidedByHand:
		e.Reason = mask(e.Reason)
		return e
	case BaselineWritten:
		e.Text = mask(e.Text)
		return e
	case ProgramStarted:
		e.Command = slices.Clone(e.Command)
		for i, word := range e.Command {
			e.Command[i] = mask(word)
		}
		return e
	case QueryResult:
		e.Columns = slices.Clone(e.Columns)
		for i, name := range e.Columns {
			e.Columns[i] = mask(name)
		}
		rows := make([][]*string, len(e.Rows))
		for i, row := range e.Rows {
			rows[i] = make([]*string, len(row))
			for j, value := range row {
				if value != nil {
					rows[i][j] = new(mask(*value))
				}
			}
		}
		e.Rows = rows
		return e
	}
	return e
}

// maskedProgress is its own part, for the slice that it holds.
func maskedProgress(e Progress, mask func(string) string) Progress {
	e.SQL = mask(e.SQL)
	for i := range e.Blockers { // nobody else has the slice
		e.Blockers[i].Query, e.Blockers[i].Application = mask(e.Blockers[i].Query), mask(e.Blockers[i].Application)
	}
	return e
}

// hidden is the error of a command without secrets in its texts. Its cause stays what it is: a program that looks at
// the server's own error sees what the server said.
func (r *run) hidden(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	mask, out := r.masks.String, *e
	out.Message, out.Kept, out.Hint = mask(e.Message), mask(e.Kept), mask(e.Hint)
	if e.SQL != nil {
		sql := *e.SQL
		sql.Message, sql.Detail, sql.Hint, sql.Where = mask(sql.Message), mask(sql.Detail), mask(sql.Hint), mask(sql.Where)
		out.SQL = &sql
	}
	if e.At != nil {
		at := *e.At
		at.Statement = mask(at.Statement)
		if at.Source = mask(e.At.Source); at.Source != e.At.Source {
			at.Column = 0 // it counted the characters of what is not shown
		}
		out.At = &at
	}
	return &out
}
