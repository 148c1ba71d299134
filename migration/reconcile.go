package migration

import (
	"cmp"
	"fmt"
	"slices"
)

// ReconcileOptions says how scripts and history are held against each other. The zero value is Flyway's defaults.
type ReconcileOptions struct {
	Target     Target
	OutOfOrder bool
	// CherryPick names the migrations that are in play, by version or by description (with "_" for a blank), in the order
	// in which they are to run; what is not applied and not named is Ignored. Empty means all, in their own order.
	CherryPick []string
	// IgnoreJava says which rows of Java migrations may lack a counterpart; nil means none. They keep their state and
	// become Tolerated.
	IgnoreJava func(Row) bool

	removed []Row // taken out of the history before, and still to be known to CherryPick
}

// Reconcile holds the scripts of all locations against the rows of the history and tells where each migration stands
// (flyway.md §5), in the order in which info lists them. Scripts must be what Resolve or Order returned; rows may come in
// any order. The entries point into scripts and into a copy of the rows.
//
// Errors are *Error: DUPLICATE_DELETED_MIGRATION for a history that deletes one version twice, and a target version or
// an item of CherryPick that no migration has.
func Reconcile(scripts []Script, history []Row, opt ReconcileOptions) ([]Entry, error) {
	r := &reconciler{opt: opt, versioned: make(map[place]int, len(scripts)), repeatable: map[string]*Script{},
		undo: map[string]*Script{}, latestRun: map[string]int{}, picks: readPicks(opt.CherryPick)}
	r.index(scripts)
	rows := slices.Clone(history)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.Rank, b.Rank) })
	if err := r.walk(rows); err != nil {
		return nil, err
	}
	r.findLastApplied()
	entries := make([]Entry, 0, len(scripts)+len(rows))
	entries = r.versionedEntries(entries, scripts)
	if err := CheckTarget(entries, opt.Target); err != nil {
		return nil, err
	}
	entries = r.repeatableEntries(entries, scripts)
	for _, s := range r.undo {
		entries = append(entries, Entry{Script: s})
	}
	r.setBound()
	for i := range entries {
		r.complete(&entries[i])
	}
	if err := r.picks.check(entries, opt.removed); err != nil {
		return nil, err
	}
	sortEntries(entries)
	if opt.Target.IsNext() {
		r.stopAtNext(entries)
	}
	return entries, nil
}

// place is what a versioned script and its row have in common. A file never matches a row of another type.
type place struct {
	version string // Version.key
	kind    Type
}

type applied struct {
	row                         *Row
	deleted, undone, outOfOrder bool
}

type reconciler struct {
	opt        ReconcileOptions
	versioned  map[place]int      // which of the scripts
	repeatable map[string]*Script // by description
	undo       map[string]*Script // by version; without those that are not to be executed

	rows        []applied // with a version, in rank order; successful DELETE rows left out
	repeatables []applied
	latestRun   map[string]int // rank by description

	appliedBaseline, pendingBaseline Version
	lastApplied, lastResolved        Version

	picks *picks // nil: everything is in play

	bounded bool // versions above bound are above the target
	bound   Version
}

func (r *reconciler) index(scripts []Script) {
	for i := range scripts {
		s := &scripts[i]
		switch s.Kind {
		case Repeatable:
			r.repeatable[s.Description] = s
		case Undo:
			if s.Config.Executes() {
				r.undo[s.Version.key()] = s
			}
		default:
			r.versioned[place{s.Version.key(), s.Type}] = i
			if s.Version.Compare(r.lastResolved) > 0 {
				r.lastResolved = s.Version
			}
		}
	}
}

// walk splits the rows by kind and lets DELETE and undo rows mark the row they speak of.
func (r *reconciler) walk(rows []Row) error {
	last := make(map[string]int, len(rows)) // by version: the last row that stands for a script
	lastDesc := map[string]int{}            // the same for repeatables by description
	r.rows = make([]applied, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		if t, err := ParseType(string(row.Type)); err == nil {
			row.Type = t
		}
		if row.Version.IsZero() {
			if at, ok := lastDesc[row.Description]; ok && row.Type == TypeDelete && row.Success {
				r.repeatables[at].deleted = true
			}
			if !row.Type.Synthetic() {
				lastDesc[row.Description] = len(r.repeatables)
			}
			r.repeatables = append(r.repeatables, applied{row: row})
			r.latestRun[row.Description] = row.Rank
			continue
		}
		key := row.Version.key()
		at, found := last[key]
		switch {
		case row.Type.IsBaseline() && row.Version.Compare(r.appliedBaseline) > 0:
			r.appliedBaseline = row.Version
		case row.Type == TypeDelete && row.Success:
			if found && r.rows[at].deleted {
				return &Error{Code: CodeDuplicateDeleted, Message: fmt.Sprintf("Corrupted schema history: multiple delete entries for version %s", row.Version),
					Hint: fmt.Sprintf("the row of rank %d marks as deleted what an earlier row has marked already; remove it", row.Rank)}
			}
			if found {
				r.rows[at].deleted = true
			}
			continue
		case row.Type.IsUndo() && row.Success && found:
			r.rows[at].undone = true
		}
		if !row.Type.Synthetic() && !row.Type.IsUndo() {
			last[key] = len(r.rows)
		}
		r.rows = append(r.rows, applied{row: row})
	}
	return nil
}

func (r *reconciler) findLastApplied() {
	for i := range r.rows {
		a := &r.rows[i]
		if a.row.Type.IsUndo() {
			continue
		}
		if a.row.Version.Compare(r.lastApplied) <= 0 {
			a.outOfOrder = true
		} else if a.row.Type != TypeDelete && !a.deleted && !a.undone {
			r.lastApplied = a.row.Version
		}
	}
}

func (r *reconciler) versionedEntries(entries []Entry, scripts []Script) []Entry {
	done := make([]bool, len(scripts))
	for _, a := range r.rows {
		var s *Script
		if i, ok := r.versioned[place{a.row.Version.key(), a.row.Type}]; ok {
			s = &scripts[i]
			if !a.deleted && !a.undone && a.row.Type != TypeDelete {
				done[i] = true
			}
		}
		e := Entry{Script: s, Applied: a.row, OutOfOrder: a.outOfOrder}
		switch {
		case a.undone:
			e.State = StateUndone
		case a.deleted:
			e.State = StateDeleted
		}
		entries = append(entries, e)
	}
	for i := range scripts {
		s := &scripts[i]
		if s.Kind == Repeatable || s.Kind == Undo || done[i] {
			continue
		}
		if s.Type.IsBaseline() && s.Version.Compare(r.pendingBaseline) > 0 {
			r.pendingBaseline = s.Version
		}
		entries = append(entries, Entry{Script: s})
	}
	return entries
}

func (r *reconciler) repeatableEntries(entries []Entry, scripts []Script) []Entry {
	done := map[*Script]bool{}
	for _, a := range r.repeatables {
		s := r.repeatable[a.row.Description]
		e := Entry{Script: s, Applied: a.row}
		if a.deleted {
			e.State = StateDeleted
		} else if s != nil && a.row.Type != TypeDelete && a.row.Rank == r.latestRun[a.row.Description] && s.matches(a.row.Checksum) {
			done[s] = true
		}
		entries = append(entries, e)
	}
	for i := range scripts {
		if s := &scripts[i]; s.Kind == Repeatable && !done[s] {
			entries = append(entries, Entry{Script: s})
		}
	}
	return entries
}

func (r *reconciler) setBound() {
	switch v, ok := r.opt.Target.Version(); {
	case ok:
		r.bounded, r.bound = true, v
	case r.opt.Target.IsCurrent():
		r.bounded, r.bound = true, r.lastApplied
	}
}

// stopAtNext puts everything behind the first pending migration above the target; a repeatable that is first limits
// nothing.
func (r *reconciler) stopAtNext(entries []Entry) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.State == StatePending })
	if i < 0 || entries[i].Version().IsZero() {
		return
	}
	r.bounded, r.bound = true, entries[i].Version()
	for i := range entries {
		if entries[i].Applied == nil {
			entries[i].State = r.notApplied(&entries[i])
		}
	}
}

// CheckTarget returns an error when the target is a version, without "?", that no migration has, applied or not.
func CheckTarget(entries []Entry, target Target) error {
	v, ok := target.Version()
	if !ok || target.optional {
		return nil
	}
	for i := range entries {
		if entries[i].State != StateAvailable && entries[i].Version().Compare(v) == 0 {
			return nil
		}
	}
	return &Error{Code: CodeError,
		Message: fmt.Sprintf("No migration with a target version %s could be found. Ensure target is specified correctly and the migration exists.", v),
		Hint:    fmt.Sprintf("target=%s? stops at or below %s without insisting on it", v, v)}
}
