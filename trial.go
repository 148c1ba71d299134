package skein

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
)

// TrialResult is what Trial saw.
type TrialResult struct {
	Target
	InitialText string
	Steps       []PlannedStep
	Fingerprint string // as Plan's
	// Statements are those of scripts and callbacks, in the order in which they ran.
	Statements []TriedStatement
	// Sequences are those whose value is another now: the rollback does not take that back. Others may have used them
	// meanwhile.
	Sequences []SequenceMove
	Took      time.Duration
}

// TriedStatement is one statement in a trial.
type TriedStatement struct {
	Path    string // of the script or callback
	Line    int    // 0: all of it
	SQL     string
	Untried string // why it was left out; "" when it ran
	Tag     string // as the server reports it: "INSERT 0 3"
	Rows    int64
	Took    time.Duration
	// Locks are on relations that were there before the trial: of each the strongest mode that the statement took and none
	// before it had taken.
	Locks []RelationLock
	// Rewritten are tables and materialized views from before the trial whose rows it wrote anew, or the indexes where it
	// did that to no table.
	Rewritten []string
}

// RelationLock is a lock on a table, an index, a view or a sequence.
type RelationLock struct {
	Relation string // with its schema
	Mode     string // as pg_locks has it: "AccessExclusiveLock"
}

// SequenceMove is a sequence that went on; From is "" when it had not been used.
type SequenceMove struct{ Sequence, From, To string }

// Trial runs what Migrate would run in one transaction, measures it and rolls it back. It waits for the migration lock as
// Migrate does, and its statements wait for theirs. What cannot run that way is left out and listed: statements that
// refuse a transaction block, programs, migrations written in Go. With an error the result holds what ran before.
//
// With Production it is refused unless AllowProduction is set: the locks are real, and held until the end. A lock that a statement before took is not listed a second time. The
// rollback does not take back what sequences went on, nor what functions do outside of the database.
func Trial(ctx context.Context, cfg Config) (*TrialResult, error) {
	begin := time.Now()
	result := &TrialResult{}
	if cfg.Production && !cfg.AllowProduction {
		return result, &Error{
			Kind: KindRefused, Code: "ERROR", Kept: "nothing was touched",
			Message: "a trial run holds its locks until it has ended, and this target is a production one",
			Hint:    "try the plan on a copy of the database; to do it here all the same: --allow-production (in the library: AllowProduction)",
		}
	}
	t := &trial{result: result}
	heard := cfg.Report
	cfg.instead, cfg.DiscardQueryResults, cfg.DurableEach = t, true, true
	cfg.Report = func(e Event) {
		switch e := e.(type) {
		case Planned:
			result.InitialText, result.Fingerprint = e.Current, e.Fingerprint
		case StepStarted:
			result.Steps = append(result.Steps, PlannedStep{e.Script, e.Transactional, e.OutOfOrder, e.Skipped, e.Attached})
		case StatementDone:
			t.done(e)
		case Connected, Warning, Notice, LockWaiting:
			if heard != nil {
				heard(e)
			}
		}
	}
	r, err := open(ctx, cfg)
	if err != nil {
		return result, err
	}
	defer r.close()
	err = r.migrate(ctx, &MigrateResult{})
	result.Target = r.target()
	err = r.hidden(cmp.Or(t.explain(err), r.wrap(t.end(ctx))))
	result.Took = time.Since(begin)
	return result, err
}

// trial has everything carried out in one transaction. What would be a transaction of its own is a savepoint in it.
type trial struct {
	run       *run
	direct    *postgres.Conn
	result    *TrialResult
	open      bool // the savepoint that stands for a transaction block
	files     map[uint32]uint32
	sequences map[string]string
	held      map[postgres.HeldLock]bool // without their files
	last      TriedStatement
	untried   int
}

const (
	trialBlock     = "skein_trial" // stands for a transaction
	trialStatement = "skein_try"   // around each statement
)

func (t *trial) start(ctx context.Context, r *run) error {
	t.run, t.direct, t.held = r, r.conn.Divert(t), map[postgres.HeldLock]bool{}
	var err error
	if t.sequences, err = t.direct.SequenceValues(ctx); err != nil {
		return err
	}
	if err := t.direct.Exec(ctx, "begin read write", nil); err != nil {
		return err
	}
	t.files, err = t.direct.RelationFiles(ctx)
	return err
}

// end rolls back and looks at what that has left.
func (t *trial) end(ctx context.Context) error {
	if t.run == nil || t.direct.Lost() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	if err := t.direct.Exec(ctx, "rollback", nil); err != nil {
		return err
	}
	now, err := t.direct.SequenceValues(ctx)
	for name, value := range now {
		if t.sequences[name] != value {
			t.result.Sequences = append(t.result.Sequences, SequenceMove{name, t.sequences[name], value})
		}
	}
	slices.SortFunc(t.result.Sequences, func(a, b SequenceMove) int { return strings.Compare(a.Sequence, b.Sequence) })
	return err
}

// explain says of an error what is true of a trial.
func (t *trial) explain(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	e.Kept = "nothing was kept (it was a trial, and all of it is rolled back)"
	if t.untried > 0 {
		e.Hint = "statements before it were left out of the trial: it may need what they do"
	}
	return e
}

// stop is standIn's.
func (t *trial) stop(path, what string) error {
	if t.direct != nil {
		t.untried++
		t.result.Statements = append(t.result.Statements, TriedStatement{Path: path, Untried: "it " + what})
	}
	return nil
}

// done learns which script the statement belongs to that has just run.
func (t *trial) done(e StatementDone) {
	if t.direct == nil {
		return // afterConnect, which runs in the session before the trial
	}
	t.last.Path, t.last.Line = e.Path, e.Line
	if t.last.Untried != "" {
		t.untried++
	}
	t.result.Statements = append(t.result.Statements, t.last)
}

// InTransaction is postgres.Instead's.
func (t *trial) InTransaction() (open, failed bool) { return t.open, false }

// Exec is postgres.Instead's: it has the statements carried out one by one.
func (t *trial) Exec(ctx context.Context, sql string, _ int, each func(postgres.Result)) error {
	statements, err := sqlsplit.Split(sql)
	if err != nil {
		return err
	}
	for i, s := range statements {
		res, err := t.try(ctx, sql[s.Start:s.End])
		if refused, ok := errors.AsType[*postgres.StatementError](err); ok {
			there := *refused.Err
			if there.Position > 0 {
				there.Position += int32(utf8.RuneCountInString(sql[:s.Start]))
			}
			return &postgres.StatementError{Index: i, Err: &there}
		}
		if err != nil {
			return err
		}
		res.Index = i
		if each != nil {
			each(res)
		}
	}
	return nil
}

// CopyIn is postgres.Instead's.
func (t *trial) CopyIn(ctx context.Context, statement, data string) (postgres.Result, error) {
	return t.measure(ctx, statement, func() (postgres.Result, error) { return t.direct.CopyIn(ctx, statement, data) })
}

// try carries one statement out as far as a trial can.
func (t *trial) try(ctx context.Context, text string) (postgres.Result, error) {
	t.last = TriedStatement{SQL: text}
	refuses, err := t.run.refusesTransaction(ctx, txblock.Of(text, t.run.facts.VersionNum))
	if err != nil {
		return postgres.Result{}, err
	}
	switch v := txblock.Of(text, t.run.facts.VersionNum); {
	case refuses:
		t.last.Untried = v.What + " cannot run in a transaction"
		return postgres.Result{}, nil
	case v.Control == txblock.Savepoint:
		t.last.Tag = v.What
		return postgres.Result{}, t.direct.Exec(ctx, text, nil)
	case v.Class == txblock.Control:
		t.last.Tag = v.What
		return postgres.Result{}, t.control(ctx, v)
	}
	return t.measure(ctx, text, func() (res postgres.Result, err error) {
		err = t.direct.Exec(ctx, text, func(r postgres.Result) { res = r })
		return res, err
	})
}

// control does with the savepoint what the statement does with a transaction.
func (t *trial) control(ctx context.Context, v txblock.Verdict) error {
	var do []string
	if t.open && v.Control != txblock.Begin {
		switch {
		case v.What == "PREPARE TRANSACTION":
			t.last.Tag, t.last.Untried = "", v.What+" has no counterpart in a trial"
			return nil
		case strings.HasPrefix(v.What, "ROLLBACK") || strings.HasPrefix(v.What, "ABORT"):
			do = append(do, "rollback to savepoint "+trialBlock)
			defer t.forget(ctx)
		default:
			deferred, err := t.direct.InitiallyDeferred(ctx)
			if err != nil {
				return err
			}
			do = append(do, "set constraints all immediate")
			if deferred != "" {
				do = append(do, deferred)
			}
		}
		do = append(do, "release savepoint "+trialBlock)
		t.open = false
	}
	if !t.open && (v.Control == txblock.Begin || v.Control == txblock.Chain) {
		do = append(do, "savepoint "+trialBlock)
		t.open = true
	}
	for _, sql := range do {
		if err := t.direct.Exec(ctx, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

// forget takes what was rolled back out of what is known. What cannot be asked now shows with the next statement.
func (t *trial) forget(ctx context.Context) {
	locks, err := t.direct.HeldLocks(ctx, "")
	if err != nil {
		return
	}
	t.held = map[postgres.HeldLock]bool{}
	for _, l := range locks {
		if _, before := t.files[l.Relation]; before {
			t.files[l.Relation] = l.File
		}
		l.File = 0
		t.held[l] = true
	}
}

// needsCommit are the SQLSTATEs of what works only in transactions of its own, though the text does not tell.
var needsCommit = []string{stateInTransaction, stateBadTermination, "55P04"} // 55P04: a new value of an enum is used

// measure carries one statement out, and looks at what it did.
func (t *trial) measure(ctx context.Context, text string, do func() (postgres.Result, error)) (postgres.Result, error) {
	t.last = TriedStatement{SQL: text}
	if err := t.direct.Exec(ctx, "savepoint "+trialStatement, nil); err != nil {
		return postgres.Result{}, err
	}
	begin := time.Now()
	res, err := do()
	t.last.Took = time.Since(begin)
	if err != nil {
		if t.direct.Lost() {
			return res, err
		}
		back := t.direct.Exec(context.WithoutCancel(ctx), "rollback to savepoint "+trialStatement+"; release savepoint "+trialStatement, nil)
		if pe, ok := errors.AsType[*pgconn.PgError](err); ok && back == nil && slices.Contains(needsCommit, pe.Code) {
			t.last.Untried = "it cannot run in the transaction of a trial: " + pe.Message
			return postgres.Result{}, nil
		}
		if back != nil {
			err = errors.Join(err, back)
		}
		return res, err
	}
	t.last.Tag, t.last.Rows = res.Tag, res.Rows
	locks, err := t.direct.HeldLocks(ctx, "release savepoint "+trialStatement)
	t.note(locks)
	return res, err
}

// note writes down what of the locks is new.
func (t *trial) note(locks []postgres.HeldLock) {
	strongest := map[string]string{}
	var indexes []string
	for _, l := range locks {
		file, before := t.files[l.Relation]
		if !before {
			continue
		}
		if l.File != file {
			t.files[l.Relation] = l.File
			switch {
			case strings.HasPrefix(t.last.Tag, "TRUNCATE"): // nothing is written
			case l.Kind == 'i':
				indexes = append(indexes, l.Name)
			default:
				t.last.Rewritten = append(t.last.Rewritten, l.Name)
			}
		}
		l.File = 0
		if t.held[l] {
			continue
		}
		t.held[l] = true
		if slices.Index(lockModes, l.Mode) > slices.Index(lockModes, strongest[l.Name]) {
			strongest[l.Name] = l.Mode
		}
	}
	for _, l := range locks {
		if mode := strongest[l.Name]; mode != "" && mode == l.Mode {
			t.last.Locks = append(t.last.Locks, RelationLock{l.Name, mode})
		}
	}
	if len(t.last.Rewritten) == 0 {
		t.last.Rewritten = indexes
	}
}

// lockModes are the modes of locks on relations, from the weakest.
var lockModes = []string{
	"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
	"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
}
