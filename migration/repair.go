package migration

// RepairOptions says what repair leaves alone.
type RepairOptions struct {
	Ignore     []IgnorePattern // missing and future migrations that match are kept
	IgnoreJava func(Row) bool  // as in ReconcileOptions
	CherryPick []string        // the same; rows of other migrations are left alone
}

// Repair is what repair does to the history, in this order.
type Repair struct {
	Remove      []Row // failed rows to delete
	MarkDeleted []Row // rows without a script; a DELETE row is to be added for each (Row.Deletion)
	Align       []Alignment
}

// Alignment is a row whose description, type and checksum become its script's. Its script column stays as it is.
type Alignment struct {
	Row         Row
	Script      *Script
	Description string // as the history holds it, at most 200 characters
	Type        Type
	Checksum    *int32
}

// Empty reports whether there is nothing to do.
func (r Repair) Empty() bool { return len(r.Remove)+len(r.MarkDeleted)+len(r.Align) == 0 }

// PlanRepair decides what to change in the history so that it agrees with the scripts (flyway.md §4.6). The error is
// Reconcile's.
func PlanRepair(scripts []Script, history []Row, opt RepairOptions) (Repair, error) {
	var r Repair
	picked := readPicks(opt.CherryPick)
	kept := make([]Row, 0, len(history))
	for _, row := range history {
		if row.Success || picked != nil && picked.place(row.Version, row.Description) == 0 {
			kept = append(kept, row)
		} else {
			r.Remove = append(r.Remove, row)
		}
	}
	entries, err := Reconcile(scripts, kept, ReconcileOptions{OutOfOrder: true, IgnoreJava: opt.IgnoreJava,
		CherryPick: opt.CherryPick, removed: r.Remove})
	if err != nil {
		return Repair{}, err
	}
	for i := range entries {
		e := &entries[i]
		if e.Applied == nil || e.Applied.Type.Synthetic() || e.Unpicked {
			continue
		}
		switch versioned := !e.Version().IsZero(); {
		case e.State.missing():
			if !e.Applied.Type.IsUndo() && !e.Tolerated && !anyMatches(opt.Ignore, versioned, e.State) {
				r.MarkDeleted = append(r.MarkDeleted, *e.Applied)
			}
		case e.Script != nil && e.State != StateUndone && outOfLine(e, versioned):
			r.Align = append(r.Align, Alignment{Row: *e.Applied, Script: e.Script, Type: e.Script.Type,
				Description: AbbreviateDescription(e.Script.Description), Checksum: e.Script.Checksum})
		}
	}
	return r, nil
}

// outOfLine reports whether a row needs its script's values. Repeatables get them only where the row holds the checksum of the text
// as written: any other difference means that the script has to run again.
func outOfLine(e *Entry, versioned bool) bool {
	if !versioned {
		return e.checksum && !equalSums(e.Applied.Checksum, e.Script.Checksum)
	}
	return !e.checksum || e.Applied.Description != AbbreviateDescription(e.Script.Description) || e.Applied.Type != e.Script.Type
}
