package migration

// emptySchema is what Flyway prints where no version has been applied.
const emptySchema = "<< Empty Schema >>"

// CurrentVersion returns the highest applied version; false when there is none. Failed migrations count, deleted and
// undone ones do not.
func CurrentVersion(entries []Entry) (Version, bool) {
	var current Version
	for i := range entries {
		e := &entries[i]
		if live(e) && !e.Applied.Type.IsUndo() && e.Applied.Version.Compare(current) > 0 {
			current = e.Applied.Version
		}
	}
	return current, !current.IsZero()
}

// live reports whether the entry is applied and nothing has taken it back.
func live(e *Entry) bool {
	return e.State.Applied() && e.State != StateDeleted && e.State != StateUndone && e.Applied.Type != TypeDelete
}

// SchemaVersionText is what info prints behind "Schema version:".
func SchemaVersionText(entries []Entry) string {
	if v, ok := CurrentVersion(entries); ok {
		return v.String()
	}
	return emptySchema
}

// CurrentVersionText is what migrate prints behind "Current version of schema": as SchemaVersionText, but "null" where
// only repeatables or the marker of a created schema have been applied.
func CurrentVersionText(entries []Entry) string {
	if v, ok := CurrentVersion(entries); ok {
		return v.String()
	}
	for i := range entries {
		if live(&entries[i]) && entries[i].Applied.Version.IsZero() {
			return "null"
		}
	}
	return emptySchema
}
