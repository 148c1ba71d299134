package migration

import (
	"cmp"
	"slices"
)

// complete fills in what depends on the whole table: the state, the undo script, the comparison.
func (r *reconciler) complete(e *Entry) {
	if s := r.undo[e.Version().key()]; s != e.Script {
		e.Undo = s
	}
	r.picks.pick(e)
	if e.Applied == nil {
		e.Excluded = !e.Script.Config.Executes()
		e.State = r.notApplied(e)
		return
	}
	if e.Script != nil {
		e.checksum = e.Script.matches(e.Applied.Checksum)
	}
	if e.State == "" { // neither undone nor deleted
		e.State = r.applied(e)
	}
	e.Tolerated = e.State.missing() && e.Applied.Type.Java() && r.opt.IgnoreJava != nil && r.opt.IgnoreJava(*e.Applied)
}

// notApplied is the first table of flyway.md §5.2.
func (r *reconciler) notApplied(e *Entry) State {
	s := e.Script
	switch {
	case s.Kind == Undo:
		return StateAvailable
	case e.Excluded, e.Unpicked:
		return StateIgnored
	case s.Kind == Repeatable:
		return StatePending
	}
	virgin := r.lastApplied.IsZero()
	base := r.appliedBaseline
	if virgin {
		base = r.pendingBaseline
	}
	baseline := s.Type.IsBaseline()
	switch c := s.Version.Compare(base); {
	case c < 0:
		return StateBelowBaseline
	case c == 0:
		if baseline && virgin && r.appliedBaseline.IsZero() && s.Version.Compare(r.pendingBaseline) == 0 {
			return StatePending
		}
		return StateBaselineIgnored
	}
	switch {
	case r.bounded && s.Version.Compare(r.bound) > 0:
		return StateAboveTarget
	case s.Version.Compare(r.lastApplied) < 0 && !r.opt.OutOfOrder:
		return StateIgnored
	case baseline && (!virgin || !r.appliedBaseline.IsZero()):
		return StateIgnored
	}
	return StatePending
}

// applied is the second table of flyway.md §5.2.
func (r *reconciler) applied(e *Entry) State {
	row := e.Applied
	newest := row.Version.IsZero() && row.Rank == r.latestRun[row.Description]
	gone := e.Script == nil && (newest || !row.Version.IsZero())
	switch {
	case row.Type == TypeDelete:
		return StateSuccess
	case row.Type == TypeBaseline:
		return StateBaseline
	case row.Type.IsBaseline() && !row.Success:
		return StateFailed
	case row.Type.IsBaseline() && !gone:
		return StateBaseline
	case row.Type.IsUndo():
		// Undo scripts are matched to nothing, so that an undo whose script is gone is no less of a success.
		if !row.Success {
			return StateFailed
		}
		return StateSuccess
	case gone && row.Type != TypeSchema:
		return r.gone(row)
	case !row.Success:
		return StateFailed
	case row.Type == TypeSchema:
		return StateSuccess
	case newest && e.checksum:
		return StateSuccess
	case newest:
		return StateOutdated
	case row.Version.IsZero():
		return StateSuperseded
	case e.OutOfOrder:
		return StateOutOfOrder
	}
	return StateSuccess
}

// gone tells a migration whose script was taken away from one that a newer set of scripts has run.
func (r *reconciler) gone(row *Row) State {
	future := !row.Version.IsZero() && row.Version.Compare(r.lastResolved) >= 0
	switch {
	case future && row.Success:
		return StateFuture
	case future:
		return StateFutureFailed
	case row.Success:
		return StateMissing
	}
	return StateMissingFailed
}

// sortEntries puts what a baseline covers first, then the rows by rank, then what is not applied: what was picked in
// the order of the list, the rest by version.
func sortEntries(entries []Entry) {
	group := func(e *Entry) int {
		switch {
		case e.Applied != nil:
			return 1
		case e.State == StateBelowBaseline || e.State == StateBaselineIgnored:
			return 0
		}
		return 2
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		if c := cmp.Compare(group(&a), group(&b)); c != 0 {
			return c
		}
		if a.Applied != nil {
			return cmp.Compare(a.Applied.Rank, b.Applied.Rank)
		}
		if c := comparePick(&a, &b); c != 0 {
			return c
		}
		return comparePlace(a.Script, b.Script)
	})
}
