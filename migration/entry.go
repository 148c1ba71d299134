package migration

// Entry is one line of the table everything else reads: a script, its row in the history, or both.
type Entry struct {
	Script     *Script // nil when no file has it
	Applied    *Row    // nil when it is not applied
	Undo       *Script // the undo script for this version; nil when there is none
	State      State
	OutOfOrder bool // applied after a migration of the same or a higher version
	Excluded   bool // its own .conf says shouldExecute=false
	Unpicked   bool // cherryPick is set and does not name it
	Tolerated  bool // the row of a Java migration without counterpart that ReconcileOptions.IgnoreJava lets be

	pick     int  // the place of the item of cherryPick that names it, from 1; 0: none
	checksum bool // both sides present and the row's checksum is the script's
}

// Version returns the row's version as it was written, or the script's; zero for repeatables.
func (e *Entry) Version() Version {
	if e.Applied != nil {
		return e.Applied.Version
	}
	return e.Script.Version
}

// Description returns the row's description, or the script's.
func (e *Entry) Description() string {
	if e.Applied != nil {
		return e.Applied.Description
	}
	return e.Script.Description
}

// Type returns the row's type, or the script's.
func (e *Entry) Type() Type {
	if e.Applied != nil {
		return e.Applied.Type
	}
	return e.Script.Type
}

// Path returns the row's script column, or the script's path.
func (e *Entry) Path() string {
	if e.Applied != nil {
		return e.Applied.Script
	}
	return e.Script.Path
}

// Physical returns where the script is found, and "" without one.
func (e *Entry) Physical() string {
	if e.Script == nil {
		return ""
	}
	return e.Script.Physical
}

// Category returns "Versioned", "Repeatable", "Undo", "Baseline", or "" for rows that stand for no script.
func (e *Entry) Category() string {
	switch t := e.Type(); {
	case t.Synthetic():
		return ""
	case e.Version().IsZero():
		return "Repeatable"
	case t.IsUndo():
		return "Undo"
	case t.IsBaseline():
		return "Baseline"
	}
	return "Versioned"
}

// Undoable returns what info's table says: "Yes", "No", or "" where the question makes no sense.
func (e *Entry) Undoable() string {
	if e.Type() == TypeDelete || e.State == StateDeleted {
		return ""
	}
	return e.UndoableInJSON()
}

// UndoableInJSON returns what info's JSON says, which asks the question of deleted migrations too.
func (e *Entry) UndoableInJSON() string {
	if e.Version().IsZero() || e.Type().IsUndo() || e.State == StateUndone {
		return ""
	}
	if e.Undo != nil && !e.State.Failed() {
		return "Yes"
	}
	return "No"
}

// ChecksumMatches reports whether both sides are present and the recorded checksum is the script's: with placeholders
// replaced, or as written.
func (e *Entry) ChecksumMatches() bool { return e.checksum }

// matches reports whether a recorded checksum is this script's.
func (s *Script) matches(recorded *int32) bool {
	if equalSums(s.Checksum, recorded) {
		return true
	}
	return s.Checksum != nil && recorded != nil && *recorded == s.RawChecksum
}
