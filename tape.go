package skein

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// standIn takes the server's place in a run that is to change nothing: a tape or a trial.
type standIn interface {
	postgres.Instead
	// start is told when only changes are left to send; until then the session is read only.
	start(ctx context.Context, r *run) error
	// stop is told of what is no SQL, and would run now.
	stop(path, what string) error
}

// tape is nil in a run that is no dry run.
func (r *run) tape() *tape {
	t, _ := r.cfg.instead.(*tape)
	return t
}

// tape takes down what a run would have the server carry out, and knows what would be so if it had. It stands in the
// server's place from the moment on at which only changes are left to send.
type tape struct {
	verb    string
	run     *run // nil until then
	parts   []PlanPart
	open    bool     // a transaction block
	session []string // gives another client's session what this connection began with
	started bool     // the session is taken down

	history bool            // there would be a new history table
	rows    []migration.Row // and these rows more in it, apart from those of steps
	schemas []string
}

// start looks at the session that the scripts would find, takes down how psql gets there, and takes the server's place.
func (t *tape) start(ctx context.Context, r *run) error {
	session, err := r.conn.StartSQL(ctx, r.facts.SearchPath)
	if err != nil {
		return err
	}
	t.run, t.session = r, session
	r.conn.Divert(t)
	t.part("session", "")
	own := slices.Clone(session)
	if r.cfg.Role != "" {
		own = append(own, "set role "+postgres.Ident(r.cfg.Role))
	}
	for _, sql := range own {
		t.add(PlanStatement{SQL: sql})
	}
	initSQL, err := r.cfg.Placeholders.Replace(r.cfg.InitSQL)
	if err == nil {
		err = t.Exec(ctx, initSQL, 0, nil)
	}
	if err == nil {
		err = r.fire(ctx, "afterConnect")
	}
	t.part(t.verb+" (with callbacks)", "")
	t.started = true
	return err
}

// Exec is postgres.Instead's: it takes the statements down.
func (t *tape) Exec(_ context.Context, sql string, _ int, _ func(postgres.Result)) error {
	statements, err := sqlsplit.Split(sql)
	if err != nil {
		return err
	}
	heeded := t.run.heeded.Load() != nil
	for i, s := range statements {
		text := sql[s.Start:s.End]
		if err := psqlAble(text, i); err != nil {
			return err
		}
		statement := PlanStatement{SQL: text}
		if heeded {
			statement.forgive, statement.inside = t.run.cfg.ErrorOverrides, t.open
		}
		t.add(statement)
		switch txblock.Of(text, t.run.facts.VersionNum).Control {
		case txblock.Begin, txblock.Chain:
			t.open = true
		case txblock.End:
			t.open = false
		}
		if strings.EqualFold(text, "reset all") {
			for _, s := range t.session { // RESET gives psql what psql's connection began with
				t.add(PlanStatement{SQL: s})
			}
		}
	}
	return nil
}

// psqlAble refuses what psql would read in another way than the server.
func psqlAble(statement string, index int) error {
	if _, err := psqlSafe(statement); err != nil {
		return &postgres.StatementError{Index: index, Err: &pgconn.PgError{Severity: "ERROR", Code: "42601", Message: err.Error()}}
	}
	return nil
}

// CopyIn is postgres.Instead's.
func (t *tape) CopyIn(_ context.Context, statement, data string) (postgres.Result, error) {
	if err := psqlAble(statement, 0); err != nil {
		return postgres.Result{}, err
	}
	s := PlanStatement{SQL: statement, Copy: true, Data: data}
	if t.run.heeded.Load() != nil {
		s.forgive, s.inside = t.run.cfg.ErrorOverrides, t.open
	}
	t.add(s)
	return postgres.Result{}, nil
}

// InTransaction is postgres.Instead's.
func (t *tape) InTransaction() (open, failed bool) { return t.open, false }

func (t *tape) add(s PlanStatement) {
	last := &t.parts[len(t.parts)-1]
	last.Statements = append(last.Statements, s)
}

func (t *tape) part(title, source string) {
	t.parts = append(t.parts, PlanPart{Title: title, Source: source})
}

// stop takes down that something comes which psql cannot do. Whoever does it then goes on behind it in a session that
// is to be made anew.
func (t *tape) stop(path, what string) error {
	if !t.started {
		return nil // beforeConnect, afterConnect: they are about Skein's connection, not psql's
	}
	source := t.parts[len(t.parts)-1].Source
	why := path + " " + what + ": psql cannot run it"
	t.part("", path)
	sql := "do " + postgres.Literal("begin raise exception using message = "+postgres.Literal(why)+", hint = "+postgres.Literal(t.way())+"; end") + " language plpgsql"
	t.add(PlanStatement{SQL: sql, Stop: why})
	t.part("", source)
	for _, s := range t.session {
		t.add(PlanStatement{SQL: s})
	}
	return nil
}

// way is how to get past a stop.
func (t *tape) way() string {
	if t.open {
		return "the transaction around it is rolled back; run skein " + t.verb + ", which does the rest"
	}
	return "what stands before it is done; run it yourself and then what stands behind it in this file, or skein " + t.verb + ", which does both"
}

// hear learns from the run's events where it is, and what it takes for done.
func (t *tape) hear(e Event) {
	switch e := e.(type) {
	case SchemaCreated:
		t.schemas = append(t.schemas, e.Schema)
	case HistoryCreated:
		t.history = true
	case CallbackStarted:
		if t.run != nil {
			t.part("", e.Callback.Path)
		}
	case StepStarted:
		what := e.Script.Description
		if !e.Script.Version.IsZero() {
			what = "v" + e.Script.Version.String()
		}
		t.part(fmt.Sprintf("%s -> %s (with callbacks)", t.verb, what), e.Script.Path)
	}
}

// amend makes the facts what they would be.
func (t *tape) amend(f *postgres.Facts) {
	if t != nil {
		f.HasHistory = f.HasHistory || t.history
		f.Existing = append(f.Existing, t.schemas...)
	}
}

func (t *tape) wrote(rows []migration.Row) {
	if t != nil {
		t.rows = append(t.rows, rows...)
	}
}

// makesHistory reports whether the table would be new: it cannot be read then.
func (t *tape) makesHistory() bool { return t != nil && t.history }

// with adds the rows that would be there.
func (t *tape) with(rows []migration.Row) []migration.Row {
	if t == nil {
		return rows
	}
	return append(rows, t.rows...)
}

// millis is the time since begin for the history; a plan has none.
func (r *run) millis(begin time.Time) int {
	if r.tape() != nil {
		return 0
	}
	return int(time.Since(begin).Milliseconds())
}

// writes explains, when a plan is made, the failure of a text that cannot be tried without writing.
func (r *run) writes(err error, what string) error {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok && pe.Code == stateReadOnly && r.cfg.instead != nil {
		return &Error{Kind: KindRefused, Code: "ERROR", Message: what + " writes to the database, so what it leaves cannot be known without running it: " + pe.Message,
			Kept: "nothing was changed", Hint: "leave " + what + " to settings of the session, or run the command itself", Err: err}
	}
	return r.wrap(err)
}
