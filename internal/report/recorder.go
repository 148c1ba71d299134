package report

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/migration"
)

// Recorder hears the events of one verb. Make one for each.
type Recorder struct {
	// Redact takes secrets out of a text. Every text of the Run has been through it.
	Redact func(string) string
	// Grouped says that a failure takes back all steps of the run, as skein.Config.Group.
	Grouped bool

	run     Run
	planned []migration.Step
	current *Step // the step that events belong to; nil: none
	open    bool  // it is a script's and has not ended
	begun   int   // scripts that have begun
	said    []Message
	count   int       // migrations that validation looked at
	since   time.Time // when the wait that goes on began; zero: none does
}

// warning is the severity of what a person should look at.
const warning = "WARNING"

// What a report holds at most of one thing.
const (
	sqlCharacters = 4000 // of one statement
	outputLines   = 200  // of one program
)

// Hear takes an event that came at the given moment.
func (r *Recorder) Hear(event skein.Event, at time.Time) {
	switch event.(type) {
	case skein.Warning, skein.Notice, skein.LockWaiting: // they come while it goes on
	default:
		r.waited(at)
	}
	switch e := event.(type) {
	case skein.LockWaiting:
		r.waits(e, at)
	case skein.Connected:
		r.run.Target = &Target{Host: e.Host, Database: e.Database, User: e.User, Server: e.ServerVersion, Schema: e.Schema, Table: e.Table}
	case skein.Standing:
		r.standing(e, at.Location())
	case skein.Validated:
		r.count = e.Count
	case skein.Planned:
		r.planned, r.run.Fingerprint = e.Steps, e.Fingerprint
	case skein.StepStarted, skein.StepDone, skein.CallbackStarted, skein.Migrated, skein.Undone:
		r.stepping(event, at)
	case skein.Resumed:
		if r.current != nil {
			r.current.Resumed = &Resumed{Done: e.Done, Total: e.Total, Line: e.Line}
		}
	case skein.StatementDone:
		r.statement(e)
	case skein.GaveWay:
		if r.current != nil {
			r.current.Statements = nil
		}
	case skein.Warning:
		r.message(Message{Severity: warning, Text: e.Text, Path: e.Path, Line: e.Line, Hint: e.Hint})
	case skein.Notice:
		r.message(Message{Server: true, Severity: e.Severity, Code: e.Code, Text: e.Text})
	case skein.ProgramOutput:
		if s := r.current; s != nil && len(s.Output) < outputLines {
			s.Output = append(s.Output, e.Text)
		} else if s != nil {
			s.OutputLeft++
		}
	default:
		if text := action(event); text != "" {
			r.run.Actions = append(r.run.Actions, text)
		}
	}
}

func (r *Recorder) standing(e skein.Standing, zone *time.Location) {
	version := e.Version.String()
	if !e.After {
		r.run.VersionBefore = &version
		return
	}
	r.run.VersionAfter = &version
	r.run.Migrations = []Migration{}
	for i := range e.Entries {
		if e.Entries[i].State != migration.StateAvailable { // an undo script that waits
			m := entry(&e.Entries[i], zone)
			m.Begun = begun(e.Unfinished, e.Entries[i].Script)
			r.run.Migrations = append(r.run.Migrations, m)
		}
	}
}

func begun(unfinished []skein.Unfinished, s *migration.Script) *Begun {
	for _, u := range unfinished {
		if u.Script == s {
			return &Begun{Done: u.Done, Open: u.Open, Since: u.Since}
		}
	}
	return nil
}

// waits hears that a wait has begun or goes on.
func (r *Recorder) waits(e skein.LockWaiting, at time.Time) {
	if r.since.IsZero() {
		r.since = at.Add(-e.Waited)
		r.run.Waits = append(r.run.Waits, Wait{})
	}
	last := &r.run.Waits[len(r.run.Waits)-1]
	last.For, last.Micros = holder(e.Holder), at.Sub(r.since).Microseconds()
}

// waited ends the wait that went on.
func (r *Recorder) waited(at time.Time) {
	if !r.since.IsZero() {
		r.run.Waits[len(r.run.Waits)-1].Micros = at.Sub(r.since).Microseconds()
		r.since = time.Time{}
	}
}

func entry(e *migration.Entry, zone *time.Location) Migration {
	m := Migration{
		Version: e.Version().String(), Description: e.Description(), Type: string(e.Type()), Path: e.Path(),
		State: string(e.State), Applied: e.State.Applied(),
	}
	if row := e.Applied; row != nil {
		on := row.InstalledOn.In(zone)
		m.Rank, m.By, m.On, m.Millis = row.Rank, row.InstalledBy, &on, row.ExecutionTime
	}
	return m
}

func (r *Recorder) stepping(event skein.Event, at time.Time) {
	switch e := event.(type) {
	case skein.StepStarted:
		s := step(e.Script)
		s.Started, s.Transactional, s.OutOfOrder = &at, e.Transactional, e.OutOfOrder
		if r.begun++; e.Skipped {
			s.State, s.Started = Recorded, nil
		}
		r.begin(s)
		r.open = !e.Skipped
	case skein.StepDone:
		r.current.State, r.current.Micros = Applied, e.Took.Microseconds()
		if e.Script.Kind == migration.Undo {
			r.current.State = Undone
		}
		r.end()
	case skein.CallbackStarted:
		c := e.Callback
		// Those around each script are part of its step, which begins after they are announced.
		if r.open || strings.Contains(c.Event, "Each") {
			return
		}
		r.end()
		r.begin(Step{State: Ran, Callback: c.Event, Description: c.Description, Path: c.Path, Type: string(c.Type), Started: &at, Transactional: e.Transactional})
	default:
		r.end()
	}
}

func step(s *migration.Script) Step {
	return Step{State: NotRun, Version: s.Version.String(), Description: s.Description, Path: s.Path, Type: string(s.Type)}
}

func (r *Recorder) begin(s Step) {
	r.run.Steps = append(r.run.Steps, s)
	r.current = &r.run.Steps[len(r.run.Steps)-1]
}

// end closes the step that events belonged to, and what was said in it stays there.
func (r *Recorder) end() {
	if r.current != nil {
		r.current.Messages = append(r.current.Messages, r.said...)
	} else {
		r.run.Messages = append(r.run.Messages, r.said...)
	}
	r.said, r.current, r.open = nil, nil, false
}

func (r *Recorder) message(m Message) {
	if r.current == nil {
		r.run.Messages = append(r.run.Messages, m)
		return
	}
	if m.Path == "" {
		m.Path = r.current.Path
	}
	r.said = append(r.said, m)
}

func (r *Recorder) statement(e skein.StatementDone) {
	s := r.current
	if s == nil {
		return // no text of a script's or callback's: nothing that a person wrote
	}
	done := Statement{Line: e.Line, Tag: e.Tag, Rows: e.Rows, SQL: e.SQL}
	if e.Path != s.Path {
		done.Path = e.Path
	}
	if e.Took > 0 {
		done.Micros = new(e.Took.Microseconds())
	}
	s.Statements = append(s.Statements, done)
	if s.Callback != "" {
		s.Micros += e.Took.Microseconds()
	}
	for i := range r.said { // what the server said came before its answer
		if m := &r.said[i]; m.Server && m.Line == 0 {
			m.Path, m.Line = e.Path, e.Line
		}
	}
	s.Messages, r.said = append(s.Messages, r.said...), nil
}

// Outcome is what the recorder cannot hear.
type Outcome struct {
	Verb           string
	Skein          string // version
	Started, Ended time.Time
	ExitCode       int
	Err            error
	Problems       []migration.Problem
}

// Run closes the record.
func (r *Recorder) Run(o Outcome) Run {
	r.waited(o.Ended)
	failed := r.failed(o.Err)
	if failed != nil && failed.Started != nil {
		failed.Micros = o.Ended.Sub(*failed.Started).Microseconds()
	}
	r.end()
	run := r.run
	run.Verb, run.Skein, run.Started, run.Ended, run.ExitCode = o.Verb, o.Skein, o.Started, o.Ended, o.ExitCode
	run.OK = o.Err == nil && len(o.Problems) == 0
	for _, p := range o.Problems {
		run.Problems = append(run.Problems, Problem{Code: string(p.Code), Version: p.Version.String(), Text: p.Message, Path: p.Path})
	}
	if o.Err != nil {
		run.fail(o.Err, failed, r.Grouped)
	}
	for _, s := range r.planned[min(r.begun, len(r.planned)):] {
		run.Steps = append(run.Steps, step(s.Script))
	}
	run.Summary = run.summary(r.count)
	run.scrub(r.Redact)
	run.Verb = o.Verb
	return run
}

// failed marks the step that an error belongs to: a script that has not ended, or the callback that it names.
func (r *Recorder) failed(err error) *Step {
	e, ok := errors.AsType[*skein.Error](err)
	s := r.current
	if !ok || s == nil {
		return nil
	}
	recording := s.State == Recorded && strings.HasPrefix(e.Code, "FAILED_")
	if !r.open && !recording && (s.Callback == "" || e.Callback != s.Callback) {
		return nil
	}
	s.State = Failed
	return s
}

// fail enters the error, and in a group what it took back.
func (run *Run) fail(err error, failed *Step, grouped bool) {
	run.Failure = failure(err)
	if grouped {
		for i := range run.Steps {
			if s := &run.Steps[i]; s.State == Applied || s.State == Undone {
				s.State = RolledBack
			}
		}
	}
	e, ok := errors.AsType[*skein.Error](err)
	if failed == nil || !ok || e.At == nil || e.At.Statement == "" {
		return
	}
	s := Statement{Failed: true}
	s.SQL, s.Line = begins(e)
	if e.At.Path != failed.Path {
		s.Path = e.At.Path
	}
	failed.Statements = append(failed.Statements, s)
}

// begins gives a failed statement without the comments before it, and the line on which it begins: the error's own line
// may be further down.
func begins(e *skein.Error) (sql string, line int) {
	sql, line = e.At.Statement, e.At.Line
	body := 0
	for token := range sqlsplit.Tokens(sql) {
		body = token.Start
		break
	}
	if e.SQL != nil && e.SQL.Position > 0 && e.At.Column > 0 {
		runes := []rune(sql)
		before := string(runes[:min(e.SQL.Position-1, len(runes))])
		line -= strings.Count(before[min(body, len(before)):], "\n")
	}
	return sql[body:], line
}

func failure(err error) *Failure {
	e, ok := errors.AsType[*skein.Error](err)
	if !ok {
		return &Failure{Kind: skein.KindInternal.String(), Code: "FAULT", Message: err.Error()}
	}
	f := &Failure{Kind: e.Kind.String(), Code: e.Code, Message: e.Message, Kept: e.Kept, Next: e.Hint}
	if at := e.At; at != nil {
		f.Path, f.Line, f.Column, f.Source = at.Path, at.Line, at.Column, strings.TrimRight(at.Source, "\r\n")
	}
	if sql := e.SQL; sql != nil {
		f.SQLState, f.Detail, f.Hint, f.Where = sql.State, sql.Detail, sql.Hint, sql.Where
	}
	return f
}

// warnings are what a person should look at: Skein's own, and the server's of that name.
func (run *Run) warnings() []Message {
	var found []Message
	add := func(list []Message) {
		for _, m := range list {
			if m.Severity == warning {
				found = append(found, m)
			}
		}
	}
	add(run.Messages)
	for _, s := range run.Steps {
		add(s.Messages)
	}
	return found
}

// count is how many steps are in one of the states.
func (run *Run) count(states ...State) int {
	n := 0
	for _, s := range run.Steps {
		if slices.Contains(states, s.State) && s.Callback == "" {
			n++
		}
	}
	return n
}

// waiting are the migrations that are not applied.
func (run *Run) waiting() []Migration {
	return slices.DeleteFunc(slices.Clone(run.Migrations), func(m Migration) bool { return m.Applied })
}

func (run *Run) pending() int {
	n := 0
	for _, m := range run.Migrations {
		if m.State == string(migration.StatePending) {
			n++
		}
	}
	return n
}

// installed are the rows of the history, in the order in which they were written.
func (run *Run) installed() []Migration {
	rows := slices.DeleteFunc(slices.Clone(run.Migrations), func(m Migration) bool { return m.Rank == 0 && !m.Applied })
	slices.SortStableFunc(rows, func(a, b Migration) int { return cmp.Compare(a.Rank, b.Rank) })
	return rows
}
