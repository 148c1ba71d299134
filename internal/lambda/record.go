package lambda

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// record hears the events of a run on one target: it remembers what the answer needs, and writes the log and the metrics.
type record struct {
	log   *log
	about about
	name  string // the target's, of a deployment

	mu       sync.Mutex
	applied  []Applied
	version  string
	begun    []string // scripts that were begun and not told to be applied
	attached string   // why the script that runs ends with the function; "" if it does not
	first    bool     // it is the slice's first
	behind   []string // scripts that the invocation before had begun
	ended    []string // those of them that were applied since
	waiting  bool     // for a lock
	left     int      // planned and not done; -1: nothing was planned
	proxied  func(attached string) string
	quiet    func() bool // reports whether the slice has let go: what breaks then is meant to
	since    time.Time   // when the waiting began
}

func newRecord(l *log, a about, behind []string, s *Slice) *record {
	return &record{log: l, about: a, left: -1, behind: behind, quiet: s.leash.letGone, proxied: s.attached}
}

// hear is for skein.Config.Report.
func (r *record) hear(e skein.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := e.(type) {
	case skein.Connected:
		r.about.target = e.Database
		r.log = r.log.with("target", e.Database)
	case skein.Warning:
		if !r.quiet() {
			r.log.logger.Warn(e.Text, known("script", e.Path, "line", e.Line, "hint", e.Hint)...)
		}
	case skein.Planned:
		r.planned(e)
	case skein.LockWaiting:
		if !r.waiting {
			r.waiting, r.since = true, r.log.now()
		}
		r.log.logger.Info("waiting for a lock", known("script", e.Path, "relation", e.Relation, "holderPid", e.Holder.PID,
			"holder", e.Holder.Application, "holderState", e.Holder.State, "waitedMs", e.Waited.Milliseconds())...)
	case skein.GaveWay:
		r.log.logger.Info("gave way to others", "script", e.Path, "line", e.Line, "attempt", e.Attempt, "why", e.Why)
	case skein.StepStarted:
		r.begin(e)
	case skein.StepDone:
		r.done(e)
	case skein.Notice:
		level := slog.LevelInfo
		if e.Severity == "WARNING" {
			level = slog.LevelWarn
		}
		r.log.logger.Log(context.Background(), level, e.Text, "severity", e.Severity, "sqlstate", e.Code)
	case skein.Note:
		r.log.logger.Info(e.Text)
	case skein.Detail:
		r.log.logger.Debug(e.Text)
	case skein.SchemaCreated:
		r.log.logger.Info("schema created", "schema", e.Schema)
	case skein.HistoryCreated:
		r.log.logger.Info("schema history created", "schema", e.Schema, "table", e.Table)
	case skein.BaselineWritten:
		r.log.logger.Info(e.Text, "version", e.Version.String())
	case skein.CallbackStarted:
		r.log.logger.Info("callback started", "script", e.Callback.Path)
	case skein.Resumed:
		r.log.logger.Info("script goes on where it stopped", "script", e.Script.Path, "done", e.Done, "line", e.Line)
	case skein.ProgramStarted:
		r.log.logger.Info("program started", "script", e.Path, "program", strings.Join(e.Command, " "))
	case skein.ProgramOutput:
		r.log.logger.Info(e.Text, "script", e.Path)
	case skein.Progress, skein.QueryResult, skein.StatementDone, skein.Standing, skein.Validated, skein.HistoryMissing, skein.Migrated,
		skein.Undone, skein.RepairRemoved, skein.RepairDeleted, skein.RepairAligned, skein.DecidedByHand, skein.Repaired, skein.Cleaned, skein.Dropped:
		// too many, told otherwise, or of commands that no event can ask for
	}
}

func (r *record) begin(e skein.StepStarted) {
	r.attached, r.first = r.proxied(e.Attached), len(r.applied)+len(r.begun) == 0
	r.begun = append(r.begun, e.Script.Path)
	r.tellWait()
	r.log.logger.Info("script started", known("script", e.Script.Path, "version", e.Script.Version.String(), "status", "started",
		"number", e.Index+1, "of", e.Total)...)
}

func (r *record) done(e skein.StepDone) {
	r.begun = slices.DeleteFunc(r.begun, func(path string) bool { return path == e.Script.Path })
	r.left = e.Total - e.Index - 1
	r.add(Applied{Script: e.Script.Path, Version: e.Script.Version.String(), Milliseconds: e.Took.Milliseconds()})
}

// planned finds out what became of the scripts that the invocation before had left behind: of those that are not to be done
// any more the server has seen the end.
func (r *record) planned(e skein.Planned) {
	r.left = len(e.Steps)
	r.tellWait()
	for _, path := range r.behind {
		if !slices.ContainsFunc(e.Steps, func(s migration.Step) bool { return s.Script.Path == path }) {
			r.ended = append(r.ended, path)
		}
	}
	r.behind = nil
}

// add takes note of a script that was applied.
func (r *record) add(a Applied) {
	if a.Version != "" {
		r.version = a.Version
	}
	r.applied = append(r.applied, a)
	r.log.logger.Info("script applied", known("script", a.Script, "version", a.Version, "status", "applied", "milliseconds", a.Milliseconds, "detached", a.Detached)...)
	r.log.metrics(r.about, map[string]float64{
		"ScriptsApplied": 1, "ScriptDuration": float64(a.Milliseconds), "PendingScripts": float64(max(r.left, 0)),
	})
}

// known leaves out the pairs whose value says nothing.
func known(pairs ...any) []any {
	var list []any
	for i := 0; i < len(pairs); i += 2 {
		switch pairs[i+1] {
		case "", 0, int32(0), false:
		default:
			list = append(list, pairs[i], pairs[i+1])
		}
	}
	return list
}

// tellWait writes how long a lock was waited for, once that is over.
func (r *record) tellWait() {
	if r.waiting {
		r.log.metrics(r.about, map[string]float64{"LockWait": float64(r.log.now().Sub(r.since).Milliseconds())})
		r.waiting = false
	}
}

// cannotStay reports whether a script runs that ends with the function.
func (r *record) cannotStay() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.begun) > 0 && r.attached != ""
}

// unseen are the scripts whose end the server has seen, and of which there was no time to ask: the next invocation does.
func (r *record) unseen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ended)
}

// over says that a run has ended which is not the last on this target: what was left then is no more to be told.
func (r *record) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellWait()
	r.begun, r.attached, r.left = nil, "", -1
}

// state gives what is known so far.
func (r *record) state() (s slice, applied []Applied, version string, target about) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s = slice{applied: len(r.applied), begun: slices.Clone(r.begun), waiting: r.waiting, left: r.left}
	r.tellWait()
	if len(s.begun) > 0 && r.first {
		s.attached = r.attached
	}
	return s, r.applied, r.version, r.about
}
