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
	mode  mode            // stepwise: one transaction; outside: Mixed allowed a member that refuses one
	known []migration.Row // the history as it was before
	// queue is how the group gets its locks; nil where it cannot be repeated. created are relations that are new with it.
	queue   *queue
	created map[string]bool
}

// step is a migration of a plan on its way: what is sent, and the row that records it.
type step struct {
	migration.Step
	index, total int
	row          migration.Row
	x            *execution
	events       []Event // to be told when it starts
	attached     string  // see Upcoming
	recorded     bool
	took         time.Duration
}

// prepareStep makes ready what the i-th step of the plan sends.
func (r *run) prepareStep(ctx context.Context, plan migration.Plan, i int, g *group) (*step, error) {
	s := r.newStep(plan, i)
	s.x.mode = together
	if s.Script.Program {
		s.x.mode = outside
	}
	if s.sendsText() {
		if err := s.cut(ctx, g); err != nil {
			return nil, err
		}
		s.x.journals = s.Script
	}
	if g != nil {
		s.x.mode, s.x.hold = g.mode, g.mode == stepwise
		s.joins(g)
	}
	if err := s.detach(ctx, g); err != nil {
		return nil, err
	}
	if err := s.admit(); err != nil {
		return nil, err
	}
	if s.x.mode == steered {
		r.warn(Warning{
			Text: "the script begins and commits transactions of its own: it runs statement by statement, and an error leaves what it has committed",
			Path: s.Script.Path, Hint: "leave BEGIN and COMMIT out: each script runs in one transaction anyway",
		})
	}
	return s, nil
}

// cut cuts the step's script, or arranges for that while it runs.
func (s *step) cut(ctx context.Context, g *group) error {
	r := s.x.run
	if s.streams(g) {
		if done, err := s.stream(ctx); done || err != nil {
			return err
		}
	}
	pieces, err := r.prepareScript(s.Script)
	if err != nil {
		return err
	}
	if s.x.mode, err = r.decide(ctx, pieces, s.Script.Config); err != nil {
		return err
	}
	return s.surround(pieces)
}

// newStep is the i-th step of the plan before anything is known of its text.
func (r *run) newStep(plan migration.Plan, i int) *step {
	s := &step{Step: plan.Steps[i], index: i, total: len(plan.Steps), x: &execution{run: r, fenced: true}}
	s.row = migration.Row{
		Version: s.Script.Version, Description: s.Script.Description, Type: s.Script.Type, Script: s.Script.Path,
		Checksum: s.Script.Checksum, InstalledBy: r.installedBy(), Success: true,
	}
	if s.Undoes != nil {
		s.row.Version, s.row.Description = s.Undoes.Version, s.Undoes.Description
	}
	return s
}

// sendsText reports whether the step's script is SQL that is to run.
func (s *step) sendsText() bool {
	return !s.x.run.cfg.SkipExecutingMigrations && s.Script.Type != migration.TypeJDBC && !s.Script.Program
}

func (r *run) prepareScript(s *migration.Script) ([]*piece, error) {
	text, err := r.wholeText(s)
	if err != nil {
		return nil, keptNothing(err, s)
	}
	return r.prepare(s.Path, s.Physical, text, s.Config)
}

// surround puts the each-callbacks around the script's statements.
func (s *step) surround(script []*piece) error {
	var err error
	if s.x.pieces, s.events, err = s.x.run.withCallbacks(script); err != nil {
		return err
	}
	s.x.mode = wider(s.x.mode, s.x.pieces)
	return nil
}

// start tells that the step begins.
func (s *step) start() {
	r := s.x.run
	r.beginWork(spot{script: s.Script, path: s.Script.Path, index: s.index, total: s.total, x: s.x})
	for _, e := range s.events {
		r.report(e)
	}
	r.report(StepStarted{
		Schema: r.history.Schema, Script: s.Script, Index: s.index, Total: s.total, Transactional: s.x.mode.transactional(),
		OutOfOrder: s.OutOfOrder, Skipped: r.cfg.SkipExecutingMigrations, Attached: s.attached,
	})
}

// done notes that the step is recorded, for good.
func (s *step) done(took time.Duration) {
	r := s.x.run
	r.work.end()
	if s.row.ExecutionTime == postgres.ServerMillis {
		s.row.ExecutionTime = int(took.Milliseconds())
	}
	if s.recorded, s.took = true, took; !s.x.hold {
		r.breaks = 0
	}
	r.longest = max(r.longest, took)
	r.changed()
	r.rows = append(r.rows, s.row)
	r.finished++
	if !r.cfg.SkipExecutingMigrations {
		r.report(StepDone{Script: s.Script, Index: s.index, Total: s.total, Took: took, Statements: s.x.done})
	}
}

// runStep runs one migration and records it.
func (r *run) runStep(ctx context.Context, s *step, begin time.Time) error {
	s.row.Rank = r.nextRank()
	s.start()
	if err := r.perform(ctx, s.x, s.Script, &s.row); err != nil {
		if s.x.group != nil {
			if err = r.groupAgain(ctx, s, err); errors.Is(err, errRestart) {
				return err
			}
		}
		if !s.x.began && r.canGoOn(ctx, err) {
			return &brokenOff{cause: err, steps: []*step{s}, give: func() error { return r.stepFailed(ctx, err, s) }}
		}
		return r.stepFailed(ctx, err, s)
	}
	s.done(time.Since(begin))
	return nil
}

// wider gives up the single message when callbacks made the text too long for one, or brought a COPY.
func wider(m mode, pieces []*piece) mode {
	if m == together && !light(pieces) {
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
	case script.Program:
		return r.performProgram(ctx, x, script, row)
	case x.mode.transactional() && !x.hold:
		row.ExecutionTime = postgres.ServerMillis
	default:
		// The transaction began before this script, or there is none: measure here, at the last moment.
		return r.performTimed(ctx, x, script, row, begin)
	}
	x.last = append(x.last, r.record(script, row)...)
	return x.execute(ctx)
}

// performTimed runs the text first and writes the row with the time that it took.
func (r *run) performTimed(ctx context.Context, x *execution, script *migration.Script, row *migration.Row, begin time.Time) error {
	x.row = func() []string {
		row.ExecutionTime = r.millis(begin)
		return r.record(script, row)
	}
	return x.execute(ctx)
}

// performGo runs a migration written in Go in the transaction that records it.
func (r *run) performGo(ctx context.Context, x *execution, script *migration.Script, row *migration.Row) error {
	begin := time.Now()
	work := func() error {
		if in := r.cfg.instead; in != nil {
			return in.stop(script.Path, "is written in Go")
		}
		tx, err := r.conn.Pgx().Begin(ctx) // inside a group: a savepoint
		if err != nil {
			return err
		}
		m := &message{}
		m.own(x.prologue()...)
		if err := m.send(ctx, r.conn, 0, nil); err != nil {
			return err
		}
		if err := x.each(ctx, "before"); err != nil {
			return err
		}
		if err := r.code[script].Run(ctx, tx); err != nil {
			return err
		}
		if open, _ := r.conn.InTransaction(); !open {
			return errors.New("it ended the transaction that it was given")
		}
		return x.each(ctx, "after")
	}
	err := work()
	if err == nil {
		row.ExecutionTime = r.millis(begin)
		x.last = append(x.last, r.record(script, row)...)
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

// stepFailed runs the callbacks of a failed step and completes its error. A step that its fence kept out has not begun.
func (r *run) stepFailed(ctx context.Context, err error, s *step) error {
	r.work.end()
	if errors.Is(err, errMoved) {
		return err
	}
	if out := r.fencedOff(err); out != nil {
		out.Kept = "nothing of " + name(s.Script) + " was kept" + r.earlier(s.index)
		if !s.x.mode.transactional() {
			out.Kept = fmt.Sprintf("what %s did before stays, and the next run goes on from there; it is not recorded as %s", name(s.Script), r.way.recorded()) + r.earlier(s.index)
		}
		if out.Kind == KindConnection && ctx.Err() == nil && r.cfg.ReconnectDeadline >= 0 && r.breaks < maxBreaks && !s.x.began {
			return &brokenOff{cause: out, give: func() error { return out }}
		}
		return out
	}
	r.afterEachError(ctx)
	return r.stepError(ctx, err, s)
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
func (r *run) stepError(ctx context.Context, err error, s *step) error {
	x, script := s.x, s.Script
	if r.conn.Lost() {
		return r.lost(ctx, err, s)
	}
	var e *Error
	if script.Type == migration.TypeJDBC && !ours(err) {
		e = &Error{Kind: KindSQL, Code: failedCode(script), Message: err.Error(), At: &Location{Path: script.Path}, Err: err}
	} else {
		e = r.explain(err, failedCode(script), "after the last statement of "+script.Path)
	}
	if e.Code == "ERROR" && e.Callback == "" {
		e.Code = failedCode(script)
	}
	switch {
	case ctx.Err() != nil:
		if e.Kind = KindInterrupted; e.SQL != nil && e.SQL.State == stateQueryCancelled {
			e.Message = "stopped from outside; the server cancelled the statement"
		}
		e.Hint = ""
	case x.resumed > 0:
		e.Hint = fmt.Sprintf("its first %d statements were carried out by an earlier run; if they have been taken back by hand, run: skein repair -runAgain=%s -reason=...", x.resumed, script.Version)
	case e.Hint == "":
		e.Hint = "fix the script, then run: " + r.again()
		if r.cfg.Deployment != nil && r.cfg.Deployment.Release != "" {
			e.Hint = "fix the script, make a new release of it (skein release create, skein release push), then run: " + r.again()
		}
	}
	switch {
	case r.cfg.Group && x.hold:
		e.Kept = "nothing of this run was kept (its scripts share one transaction)"
	case script.Program:
		e.Kept = x.programKept(script)
	case x.mode.transactional():
		e.Kept = "nothing of " + name(script) + " was kept (it ran in a transaction)"
	case x.mode == steered:
		e.Kept = fmt.Sprintf("what %s had committed before stays, and the next run goes on after it; it is not recorded as %s", name(script), r.way.recorded())
	case x.done == 0:
		e.Kept = "nothing of " + name(script) + " was kept (its first statement failed)"
	default:
		before := fmt.Sprintf("the %d statements of %s before it stay", x.done, name(script))
		if x.done == 1 {
			before = "the statement of " + name(script) + " before it stays"
		}
		e.Kept = before + " (it ran outside a transaction), and the next run goes on with this one; it is not recorded as " + r.way.recorded()
	}
	e.Kept += r.earlier(s.index)
	return e
}

// lost asks the history, over a new connection, whether the step's transaction was committed before the connection
// broke.
func (r *run) lost(ctx context.Context, cause error, s *step) error {
	stopped := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	e := &Error{
		Kind: KindConnection, Code: "DB_CONNECTION", Message: "the connection was lost: " + cause.Error(), Err: cause,
		At: &Location{Path: s.Script.Path, Physical: s.Script.Physical}, Hint: "run the same command again: it goes on where this one stopped",
	}
	if stopped { // the server did not answer the request to cancel in time
		e.Kind, e.Code, e.Message = KindInterrupted, "ERROR", "stopped from outside, and the connection was given up"
	}
	conn, err := r.dial(ctx)
	if err != nil {
		e.Kept = "whether " + name(s.Script) + " was committed is not known, for the server cannot be reached" + r.earlier(s.index)
		return e
	}
	defer conn.Close()
	rows, err := conn.ReadHistory(ctx, r.history)
	switch {
	case err != nil:
		e.Kept = "whether " + name(s.Script) + " was committed is not known: " + err.Error()
	case recorded(rows, s.row):
		e.Kept = name(s.Script) + " was committed and is recorded as " + r.way.recorded()
	case s.x.mode.transactional():
		e.Kept = "nothing of " + name(s.Script) + " was kept (it ran in a transaction)"
	default:
		e.Kept = fmt.Sprintf("%s ran outside a transaction: what it did before stays, and the next run goes on from there; it is not recorded as %s", name(s.Script), r.way.recorded())
	}
	e.Kept += r.earlier(s.index)
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
