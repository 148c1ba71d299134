package skein

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// group is the state of a run whose steps share one transaction.
type group struct {
	mode mode // stepwise: one transaction; outside: Mixed allowed a member that refuses one
}

// step runs one migration and records it.
func (r *run) step(ctx context.Context, s migration.Step, index, total int, g *group) (AppliedMigration, error) {
	script := s.Script
	row := migration.Row{
		Rank: r.nextRank(), Version: script.Version, Description: script.Description, Type: script.Type, Script: script.Path,
		Checksum: script.Checksum, InstalledBy: r.installedBy(), Success: true,
	}
	if s.Undoes != nil {
		row.Version, row.Description = s.Undoes.Version, s.Undoes.Description
	}
	started := StepStarted{
		Schema: r.history.Schema, Script: script, Index: index, Total: total, Transactional: true,
		OutOfOrder: s.OutOfOrder, Skipped: r.cfg.SkipExecutingMigrations,
	}
	begin := time.Now()
	x, err := r.execution(ctx, script, g, &started)
	if err != nil {
		return AppliedMigration{}, r.beforeStart(err, script, index)
	}
	r.report(started)
	if err := r.perform(ctx, x, script, &row); err != nil {
		r.afterEachError(ctx)
		return AppliedMigration{}, r.stepError(ctx, err, x, script, row, index)
	}
	took := time.Since(begin)
	if row.ExecutionTime == postgres.ServerMillis {
		row.ExecutionTime = int(took.Milliseconds())
	}
	r.changed()
	r.rows = append(r.rows, row)
	if !r.cfg.SkipExecutingMigrations {
		r.report(StepDone{Script: script, Index: index, Total: total, Took: took, Statements: x.done})
	}
	return AppliedMigration{Script: script, Took: took}, nil
}

// execution prepares what a step sends.
func (r *run) execution(ctx context.Context, script *migration.Script, g *group, started *StepStarted) (*execution, error) {
	x := &execution{run: r, mode: together}
	if script.Type == migration.TypeScript {
		x.mode = outside
	}
	if !r.cfg.SkipExecutingMigrations && script.Type != migration.TypeJDBC && script.Type != migration.TypeScript {
		pieces, err := r.prepare(script.Path, script.Physical, script.Text, script.Config)
		if err != nil {
			return nil, err
		}
		if x.mode, err = r.decide(ctx, pieces, script.Config); err != nil {
			return nil, err
		}
		if x.pieces, err = r.withCallbacks(pieces); err != nil {
			return nil, err
		}
		x.mode = wider(x.mode, x.pieces)
	}
	if g != nil {
		x.mode, x.hold = g.mode, g.mode == stepwise
	}
	if x.mode == steered {
		r.warn(Warning{
			Text: "the script begins and commits transactions of its own: it runs statement by statement, and an error leaves what it has committed",
			Path: script.Path, Hint: "leave BEGIN and COMMIT out: each script runs in one transaction anyway",
		})
	}
	started.Transactional = x.mode.transactional()
	return x, nil
}

// wider gives up the single message when callbacks made the text too long for one, or brought a COPY.
func wider(m mode, pieces []*piece) mode {
	if m != together {
		return m
	}
	size := 0
	for _, p := range pieces {
		size += p.stmt.End - p.stmt.Start
		if p.stmt.DataEnd > 0 || p.callback != nil {
			return stepwise
		}
	}
	if size > smallBytes || len(pieces) > smallStatements {
		return stepwise
	}
	return m
}

// perform runs the step with its history row.
func (r *run) perform(ctx context.Context, x *execution, script *migration.Script, row *migration.Row) error {
	begin := time.Now()
	switch {
	case r.cfg.SkipExecutingMigrations:
		row.ExecutionTime = 0
	case script.Type == migration.TypeJDBC:
		return r.performGo(ctx, x, script, row)
	case script.Type == migration.TypeScript:
		return r.performProgram(ctx, x, script, row)
	case x.mode.transactional() && !x.hold:
		row.ExecutionTime = postgres.ServerMillis
	default:
		// The transaction began before this script, or there is none: measure here, at the last moment.
		return r.performTimed(ctx, x, row, begin)
	}
	x.last = append(x.last, r.history.InsertSQL(*row))
	return x.execute(ctx)
}

// performTimed runs the text first and writes the row with the time that it took.
func (r *run) performTimed(ctx context.Context, x *execution, row *migration.Row, begin time.Time) error {
	x.row = func() string {
		row.ExecutionTime = int(time.Since(begin).Milliseconds())
		return r.history.InsertSQL(*row)
	}
	return x.execute(ctx)
}

// performGo runs a migration written in Go in the transaction that records it.
func (r *run) performGo(ctx context.Context, x *execution, script *migration.Script, row *migration.Row) error {
	begin := time.Now()
	work := func() error {
		tx, err := r.conn.Pgx().Begin(ctx) // inside a group: a savepoint
		if err != nil {
			return err
		}
		m := &message{}
		m.own(r.searchPath()...)
		if err := m.send(ctx, r.conn, 0, nil); err != nil {
			return err
		}
		if err := r.code[script].Run(ctx, tx); err != nil {
			return err
		}
		if open, _ := r.conn.InTransaction(); !open {
			return errors.New("it ended the transaction that it was given")
		}
		return nil
	}
	err := work()
	if err == nil {
		row.ExecutionTime = int(time.Since(begin).Milliseconds())
		x.last = append(x.last, r.history.InsertSQL(*row))
		x.mode = stepwise
		err = x.finish(ctx, &message{})
	}
	if err != nil {
		x.recover(ctx)
	}
	return err
}

func (r *run) nextRank() int {
	if len(r.rows) == 0 {
		return 1
	}
	return r.rows[len(r.rows)-1].Rank + 1
}

func (r *run) installedBy() string {
	if r.cfg.InstalledBy != "" {
		return r.cfg.InstalledBy
	}
	return r.facts.User
}

func (r *run) afterEachError(ctx context.Context) {
	r.fireError(ctx, "afterEach"+r.way.event()+"StatementError")
	r.fireError(ctx, "afterEach"+r.way.event()+"Error")
}

func failedCode(script *migration.Script) string {
	switch script.Kind {
	case migration.Repeatable:
		return "FAILED_REPEATABLE_MIGRATION"
	case migration.Baseline:
		return "FAILED_BASELINE_MIGRATION"
	}
	return "FAILED_VERSIONED_MIGRATION"
}

// beforeStart completes an error that kept a script from being started.
func (r *run) beforeStart(err error, script *migration.Script, index int) error {
	e := r.wrapped(err)
	if e.Kept == "" {
		e.Kept = "nothing of " + name(script) + " ran"
	}
	e.Kept += r.earlier(index)
	return e
}

func (r *run) earlier(index int) string {
	if r.cfg.Group || index == 0 {
		return ""
	}
	return "; " + r.way.earlier(index)
}

// stepError says what a failed step left behind.
func (r *run) stepError(ctx context.Context, err error, x *execution, script *migration.Script, row migration.Row, index int) error {
	if r.conn.Lost() {
		return r.lost(ctx, err, x, script, row, index)
	}
	var e *Error
	if script.Type == migration.TypeJDBC {
		e = &Error{Kind: KindSQL, Code: failedCode(script), Message: err.Error(), At: &Location{Path: script.Path}, Err: err}
	} else {
		e = r.explain(err, failedCode(script), "after the last statement of "+script.Path)
	}
	if e.Code == "ERROR" && e.Callback == "" {
		e.Code = failedCode(script)
	}
	switch {
	case ctx.Err() != nil:
		e.Kind = KindInterrupted
		e.Hint = "it is safe to run the same command again"
	case e.Hint == "":
		e.Hint = "fix the script, then run: skein " + r.way.verb()
	}
	switch {
	case r.cfg.Group && x.hold:
		e.Kept = "nothing of this run was kept (its scripts share one transaction)"
	case script.Type == migration.TypeScript:
		e.Kept = x.programKept(script)
	case x.mode.transactional():
		e.Kept = "nothing of " + name(script) + " was kept (it ran in a transaction)"
	case x.mode == steered:
		e.Kept = fmt.Sprintf("what %s had committed before stays; it is not recorded as %s", name(script), r.way.recorded())
	case x.done == 0:
		e.Kept = "nothing of " + name(script) + " was kept (its first statement failed)"
	default:
		e.Kept = fmt.Sprintf("the %d statements of %s before it stay (it ran outside a transaction); it is not recorded as %s", x.done, name(script), r.way.recorded())
	}
	e.Kept += r.earlier(index)
	return e
}

// lost asks the history, over a new connection, whether the step's transaction was committed before the connection
// broke.
func (r *run) lost(ctx context.Context, cause error, x *execution, script *migration.Script, row migration.Row, index int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	e := &Error{
		Kind: KindConnection, Code: "DB_CONNECTION", Message: "the connection was lost: " + cause.Error(), Err: cause,
		At: &Location{Path: script.Path, Physical: script.Physical}, Hint: "run the same command again: it goes on where this one stopped",
	}
	conn, err := r.dial(ctx, "skein")
	if err != nil {
		e.Kept = "whether " + name(script) + " was committed is not known, for the server cannot be reached" + r.earlier(index)
		return e
	}
	defer conn.Close()
	rows, err := conn.ReadHistory(ctx, r.history)
	switch {
	case err != nil:
		e.Kept = "whether " + name(script) + " was committed is not known: " + err.Error()
	case recorded(rows, row):
		e.Kept = name(script) + " was committed and is recorded as " + r.way.recorded()
	case x.mode.transactional():
		e.Kept = "nothing of " + name(script) + " was kept (it ran in a transaction)"
	default:
		e.Kept = fmt.Sprintf("%s ran outside a transaction: what it did before may stay; it is not recorded as %s", name(script), r.way.recorded())
	}
	e.Kept += r.earlier(index)
	return e
}

func recorded(rows []migration.Row, row migration.Row) bool {
	for _, have := range rows {
		if have.Rank == row.Rank {
			return have.Script == migration.AbbreviateScript(row.Script) && have.Success
		}
	}
	return false
}
