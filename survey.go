package skein

import (
	"context"
	"errors"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// SurveyResult is how one database stands, for decisions over many of them.
type SurveyResult struct {
	Target // with the Identity
	// Pin is what the database says of itself; nil: it is not pinned.
	Pin *Pinned
	// Misplaced says why Migrate would refuse the database as not the one that was meant; nil: it would not.
	Misplaced error
	// ReadOnly says why Migrate could write nothing here; nil: it could.
	ReadOnly error

	HasHistory  bool
	HistoryHash string // migration.HistoryHash of the rows
	Entries     []migration.Entry
	Version     migration.Version // the current one; zero: none
	// Steps is what Migrate would run, in order, and Fingerprint that plan's. Blocked is why there is no plan: a failed row,
	// scripts that contradict each other.
	Steps       []migration.Step
	Fingerprint string
	Blocked     error
	Warnings    []migration.Warning // of the plan
	// Problems is what Validate finds, with pending migrations being no fault.
	Problems   []migration.Problem
	Unfinished []Unfinished
	// Applied is what the side table knows of rows of the history, by rank. Rows without it were written by Flyway, or
	// before the database was pinned.
	Applied []AppliedFact
	// Holder is the session that holds the migration lock, or still works on a script that its run has left behind; nil:
	// nobody does.
	Holder *Holder
	Clock  time.Time // the server's, when it was asked
	Took   time.Duration
}

// AppliedFact is what Skein has recorded with a row of the history.
type AppliedFact struct {
	Rank       int
	Script     string
	SHA256     string    // of the script's bytes, in hexadecimal; "" for migrations written in Go
	At         time.Time // by the server's clock
	Releaser   string
	Release    string
	Digest     string // of the release
	Deployment string
	// Environment is the one that was selected then: another than the database's now where the database is a copy.
	Environment string
}

// Survey looks at one database: how its history and the scripts stand, what Migrate would do, and which database it is. It
// uses one connection and one read-only transaction, and needs SELECT only. InitSQL runs where it is set, in a read-only
// session; callbacks and programs do not run. That the database is not the one that was meant, or that there is no plan,
// is in the result and not in the error.
//
// For many databases with one set of scripts, Prepare the scripts once and set Config.Prepared.
func Survey(ctx context.Context, cfg Config) (*SurveyResult, error) {
	return surveyFor(ctx, cfg, forth, migration.PlanMigrate)
}

// SurveyUndo is Survey with the plan of Undo in the place of Migrate's: Steps, Fingerprint, Blocked and Warnings are its.
func SurveyUndo(ctx context.Context, cfg Config) (*SurveyResult, error) {
	return surveyFor(ctx, cfg, back, migration.PlanUndo)
}

func surveyFor(ctx context.Context, cfg Config, way way, decide planner) (*SurveyResult, error) {
	if err := cfg.check(); err != nil {
		return &SurveyResult{}, err
	}
	for tries := 1; ; tries++ {
		r := &run{cfg: cfg, way: way, began: time.Now()}
		r.cfg.anywhere, r.cfg.surveys = true, true
		r.learn(nil)
		result := &SurveyResult{}
		err := r.surveyed(ctx, result, decide)
		result.Target, result.Took = r.target(), time.Since(r.began)
		again := err == nil && tries < surveyTries && (r.stale || result.Holder != nil && r.letGo(ctx))
		r.close()
		if !again {
			return result, r.hidden(r.wrap(err))
		}
	}
}

// A process that has just ended may leave a session for a moment: its server has not seen it yet, or works on what it had got.
// Nobody is told of that as of somebody at work, nor is what was read meanwhile worth anything.
const (
	surveyTries = 3                      // as long as each time somebody has let go
	letGoTime   = 500 * time.Millisecond // a holder stays for longer
	letGoPoll   = 25 * time.Millisecond
)

// letGo reports whether the holder of the lock is gone soon.
func (r *run) letGo(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, letGoTime)
	defer cancel()
	tick := time.NewTicker(letGoPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if _, held := r.holding(ctx); !held && ctx.Err() == nil {
			return true
		}
	}
}

// holding is the session that holds the migration lock or the fence.
func (r *run) holding(ctx context.Context) (Holder, bool) {
	lock, fence := r.lockKeys()
	return r.holder(ctx, lock, fence)
}

func (r *run) surveyed(ctx context.Context, result *SurveyResult, decide planner) error {
	files, callbacks, err := r.cfg.load(ctx)
	if err != nil {
		return SourceError(err)
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	seen, err := r.meet(ctx, true) // before the transaction, whose being read only says nothing of the database
	if err != nil {
		return err
	}
	if seen == nil || len(seen.Held) > 0 { // before the history is read, of a stranger: who has ended until then has written all of it
		if h, held := r.holding(ctx); held {
			result.Holder = &h
		} else if seen != nil {
			r.stale, err = r.conn.IsOf(ctx, seen.Held)
		}
	}
	if err == nil && seen == nil {
		err = r.conn.BeginReadOnly(ctx)
	}
	if err != nil {
		return r.wrap(err)
	}
	if err := r.whereItIs(ctx, result, seen); err != nil {
		return err
	}
	if _, err := r.resolveQuietly(files, callbacks); err != nil {
		return err
	}
	if err := r.readAnew(ctx); err != nil {
		return err
	}
	r.prefetched = true
	result.HasHistory, result.HistoryHash = r.facts.HasHistory, migration.HistoryHash(r.rows)
	if result.Entries, err = r.reconcile(ctx); err != nil {
		result.Blocked, result.Entries = err, nil
		return r.recorded(ctx, result, seen)
	}
	result.Version, _ = migration.CurrentVersion(result.Entries)
	result.Problems = migration.Validate(result.Entries, r.ignore(true))
	plan, _, err := r.plan(ctx, decide)
	if result.Blocked = err; err == nil {
		result.Steps, result.Fingerprint, result.Warnings = plan.Steps, plan.Fingerprint, plan.Warnings
		r.remember(plan)
	}
	if seen == nil || seen.Journaled {
		if result.Unfinished, err = r.unfinished(ctx, result.Entries); err != nil {
			return err
		}
	}
	return r.recorded(ctx, result, seen)
}

// whereItIs tells which database this is, and whether it may be written to; seen, unless nil, tells part of it.
func (r *run) whereItIs(ctx context.Context, result *SurveyResult, seen *postgres.Glance) error {
	r.place.read = seen != nil || !r.facts.HasSide
	if err := r.identify(ctx, r.conn); err != nil {
		return err
	}
	err := r.locate(ctx, r.conn)
	if errors.Is(err, errMisplaced) {
		result.Misplaced, err = err, nil
	}
	if err != nil {
		return err
	}
	result.Pin = r.place.side.Pin
	if seen != nil {
		result.Clock = seen.Clock
	} else if result.Clock, err = r.conn.Clock(ctx); err != nil {
		return err
	}
	if r.facts.InRecovery || r.facts.ReadOnly && r.cfg.InitSQL == "" {
		result.ReadOnly = r.mustWrite()
	}
	r.report(r.connected())
	return nil
}

// recorded reads what the side table knows of the rows, unless it was seen.
func (r *run) recorded(ctx context.Context, result *SurveyResult, seen *postgres.Glance) (err error) {
	if r.place.side.Layout < 2 || !r.facts.HasHistory {
		return nil
	}
	var rows []postgres.Applied
	if seen != nil {
		rows = seen.Applied
	} else {
		rows, err = r.conn.ReadApplied(ctx, r.journal())
	}
	known := map[int]string{}
	for i := range r.rows {
		known[r.rows[i].Rank] = r.rows[i].Script
	}
	for _, a := range rows {
		if known[a.Rank] == a.Script { // else the history was changed by hand, and the rank is another's
			result.Applied = append(result.Applied, appliedFact(a))
		}
	}
	return err
}

func appliedFact(a postgres.Applied) AppliedFact {
	return AppliedFact{
		Rank: a.Rank, Script: a.Script, SHA256: a.SHA256, At: a.At, Releaser: a.Releaser, Release: a.Release, Digest: a.Digest,
		Deployment: a.Deployment, Environment: a.Environment,
	}
}
