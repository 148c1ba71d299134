package skein

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/watch"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Verdict is what a look from outside says of a run; see the constants.
type Verdict = watch.Verdict

// The verdicts of Watch.
const (
	// VerdictNothing: nobody holds the migration lock, and nothing is left of an earlier run.
	VerdictNothing = watch.Nothing
	// VerdictWorking: the run comes on, as far as can be seen.
	VerdictWorking = watch.Working
	// VerdictBlocked: it waits for a lock that others hold.
	VerdictBlocked = watch.Blocked
	// VerdictStalled: nothing has happened for the patience that was asked for, and it waits for nobody.
	VerdictStalled = watch.Stalled
	// VerdictOrphaned: the client is gone and the server still works for it.
	VerdictOrphaned = watch.Orphaned
	// VerdictUnseen: somebody holds the migration lock, and the role may not see what it does (pg_read_all_stats).
	VerdictUnseen = watch.Unseen
)

// WatchResult is one look at the run on a history.
type WatchResult struct {
	Target
	Verdict Verdict
	Reason  string // why, in words; may be ""
	Holder  Holder // of the migration lock; PID 0: nobody
	Worker  Holder // who works on the scripts; PID 0: nobody that can be seen
	// Progress is of the worker. Script is nil; Path is "" and the numbers are 0 where the run does not tell them: a Flyway,
	// or a script that has not been running for a second.
	Progress Progress
	// Heard is how long ago the run looked at its own work; negative: it has not, or its session cannot be seen.
	Heard time.Duration
	// Moved says that the session or the counters of its work are others than at the look before.
	Moved bool
	// Still is for how long the counters of the work have not moved; 0 where they have, or there are none.
	Still time.Duration

	Version migration.Version // the current one; zero: none
	Applied int               // versioned migrations that the history says are applied
	// Pending is how many of Config.Source's migrations are not applied; negative: there are none to compare with.
	Pending    int
	Unfinished []Begun  // scripts that the journal knows as begun and not ended
	Unseen     []string // what could not be looked at, and why
}

// Begun is a script that cannot be one transaction and has not ended.
type Begun struct {
	Path  string
	Since string // "2006-01-02 15:04:05", in the session's time zone
	Done  int    // statements that are done
	Open  bool   // another one was begun
}

// Watch looks at the run that works on the history, here or anywhere, Skein's or Flyway's, and tells see, about once a
// second until see returns false or ctx ends, which is no error. It changes nothing, takes no lock, and runs neither
// InitSQL nor callbacks. A run counts as stalled after patience without any change; 0 means ten seconds.
func Watch(ctx context.Context, cfg Config, patience time.Duration, see func(*WatchResult) bool) error {
	if err := cfg.check(); err != nil {
		return err
	}
	if patience <= 0 {
		patience = 10 * time.Second
	}
	r := &run{cfg: cfg}
	r.learn(nil)
	defer r.close()
	w := &watcher{run: r, patience: patience}
	err := w.open(ctx)
	for more := true; err == nil && more; {
		var seen *WatchResult
		if seen, err = w.look(ctx); err != nil {
			break
		}
		if more = see(seen); !more {
			break
		}
		select {
		case <-time.After(observeEvery):
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return r.hidden(r.wrap(err))
}

type watcher struct {
	run           *run
	patience      time.Duration
	judge         watch.Judge
	looks         int
	pace          watch.Pace
	files, events source.Release
	unseen        []string
}

func (w *watcher) open(ctx context.Context) error {
	r := w.run
	var err error
	if w.files, w.events, err = r.cfg.load(ctx); err != nil {
		return SourceError(err)
	}
	r.cfg.InitSQL = "" // it could write
	if r.conn, err = r.dialBeside(ctx, "skein watch"); err != nil {
		return err
	}
	if err = r.survey(ctx); err != nil {
		return err
	}
	r.cfg.ValidateNaming = false
	_, err = r.resolveQuietly(w.files, w.events)
	return err
}

// look is one look.
func (w *watcher) look(ctx context.Context) (*WatchResult, error) {
	r := w.run
	lock, fence := r.lockKeys()
	seen, err := r.conn.Sight(ctx, lock, fence, markOf(lock))
	if err != nil {
		return nil, err
	}
	w.unseen = nil
	if seen.Blind {
		w.unseen = append(w.unseen, "what sessions of other roles do: this takes the role pg_read_all_stats")
	}
	result := &WatchResult{Heard: -1, Pending: -1}
	if err := w.position(ctx, result); err != nil {
		return nil, err
	}
	l := watch.Look{Lock: seen.Lock, Fence: seen.Fence}
	var m mark
	for _, s := range seen.Lookers {
		if found, ok := readMark(s.Query); ok && (!l.Runner || s.StatementAge < l.Silent) {
			m, l.Runner, l.Silent, l.Program = found, true, s.StatementAge, found.Program
		}
	}
	if l.Runner {
		result.Heard = l.Silent
	}
	pid, err := w.worker(ctx, seen, m, result.Unfinished)
	if err != nil {
		return nil, err
	}
	if pid != 0 {
		if l.Worker, err = r.conn.ReadProgress(ctx, postgres.Backend{PID: pid, Mark: "skein:watch"}); err != nil {
			return nil, err
		}
	}
	w.conclude(result, l, m)
	return result, nil
}

// conclude judges and describes what was seen.
func (w *watcher) conclude(result *WatchResult, l watch.Look, m mark) {
	r, now, s := w.run, time.Now(), l.Worker.Session
	mask := r.masks.String
	result.Verdict, result.Reason, result.Still = w.judge.Verdict(now, l, w.patience)
	result.Moved = w.looks > 0 && result.Still == 0
	w.looks++
	result.Holder, result.Worker = holderIn(l.Lock, mask), holderIn(s, mask)
	result.Progress = Progress{
		Path: m.Path, Index: max(0, m.Script-1), Total: m.Scripts, Statement: m.Statement, Statements: m.Statements, Line: m.Line,
		Blockers: holders(l.Worker.Blockers, mask), Behind: l.Worker.Behind, Left: w.pace.Left(now, l.Worker.Work), ScriptTook: s.TransactionAge,
	}
	p := &result.Progress
	p.tell(l.Worker.Work)
	if s.State == "active" {
		p.SQL, p.Took, p.Wait = watch.Redact(mask(s.Query), queryLimit), s.StatementAge, s.Wait
	}
	result.Unseen = w.unseen
	result.Target = r.target()
}

// worker finds the session that works on the scripts: whose transaction records a step, else whom the run itself names,
// else one that works on a statement of the journal, else one that is like the holder of the lock, else the holder.
func (w *watcher) worker(ctx context.Context, seen postgres.Seen, m mark, begun []Begun) (uint32, error) {
	switch {
	case seen.Fence.PID != 0:
		return uint32(seen.Fence.PID), nil
	case m.PID != 0:
		return m.PID, nil
	}
	if len(begun) > 0 {
		open, err := w.run.conn.OpenStatements(ctx, w.run.journal())
		if err != nil {
			return 0, err
		}
		for _, text := range open {
			if h, working, err := w.run.conn.Working(ctx, text); err != nil || working {
				return uint32(h.PID), err
			}
		}
	}
	switch {
	case seen.Lock.PID == 0:
		return 0, nil
	case len(seen.Siblings) > 0 && (seen.Lock.State != "active" || seen.Siblings[0].State == "active"):
		return uint32(seen.Siblings[0].PID), nil
	}
	return uint32(seen.Lock.PID), nil
}

// position says where the history stands, as far as the role may read it.
func (w *watcher) position(ctx context.Context, result *WatchResult) error {
	r := w.run
	r.changed()
	if err := r.survey(ctx); err != nil {
		return err
	}
	entries, err := r.reconcile(ctx)
	if refused, ok := errors.AsType[*postgres.StatementError](err); ok && refused.Err.Code == stateNoPrivilege {
		w.unseen = append(w.unseen, "the history: "+refused.Err.Message)
		return nil
	}
	if err != nil {
		return err
	}
	result.Version, _ = migration.CurrentVersion(entries)
	if len(r.scripts) > 0 {
		result.Pending = 0
	}
	for i := range entries {
		switch e := &entries[i]; {
		case e.Applied != nil && e.Applied.Success && !e.Applied.Version.IsZero():
			result.Applied++
		case e.State == migration.StatePending && len(r.scripts) > 0:
			result.Pending++
		}
	}
	return w.begun(ctx, result)
}

// begun reads the journal.
func (w *watcher) begun(ctx context.Context, result *WatchResult) error {
	r := w.run
	if !r.facts.HasHistory {
		return nil
	}
	there, _, err := r.conn.HasJournal(ctx, r.journal())
	if err != nil || !there {
		return err
	}
	all, err := r.conn.ReadJournal(ctx, r.journal())
	if refused, ok := errors.AsType[*postgres.StatementError](err); ok && refused.Err.Code == stateNoPrivilege {
		w.unseen = append(w.unseen, "the journal: "+refused.Err.Message)
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		entries := all[path]
		b := Begun{Path: path, Since: entries[0].Written}
		for _, e := range entries {
			if e.State == migration.JournalDone {
				b.Done++
			} else {
				b.Open = b.Open || e.State == migration.JournalIntent
			}
		}
		result.Unfinished = append(result.Unfinished, b)
	}
	return err
}

// readMark reads what a run's observer wrote before its query. One that was cut off gives nothing.
func readMark(query string) (mark, bool) {
	_, rest, found := strings.Cut(query, "{")
	body, _, whole := strings.Cut(rest, "} */")
	var m mark
	if !found || !whole || json.Unmarshal([]byte("{"+body+"}"), &m) != nil {
		return mark{}, false
	}
	return m, true
}
