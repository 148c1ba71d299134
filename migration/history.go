package migration

import (
	"fmt"
	"time"
)

// Row is one row of the schema history table.
type Row struct {
	Rank          int
	Version       Version // zero when the column is null
	Description   string
	Type          Type
	Script        string
	Checksum      *int32
	InstalledBy   string
	InstalledOn   time.Time // the column has no zone; it is read in the session's zone, the client's local one
	ExecutionTime int       // milliseconds
	Success       bool
}

// ParseType reads the text of the column "type", the names of older Flyway versions included.
func ParseType(text string) (Type, error) {
	switch t := Type(text); t {
	case "SPRING_JDBC":
		return TypeJDBC, nil
	case "SQL_STATE_SCRIPT":
		return TypeSQLBaseline, nil
	case "JDBC_STATE_SCRIPT":
		return TypeJDBCBaseline, nil
	case TypeSQL, TypeSQLBaseline, TypeJDBC, TypeJDBCBaseline, TypeScript, TypeUndoSQL, TypeUndoScript, TypeUndoJDBC,
		TypeCustom, TypeUndoCustom, TypeSchema, TypeBaseline, TypeDelete:
		return t, nil
	}
	return "", fmt.Errorf("unknown migration type '%s' found in schema history", text)
}

// Java reports whether the type marks a migration written in a programming language.
func (t Type) Java() bool { return t == TypeJDBC || t == TypeJDBCBaseline || t == TypeUndoJDBC }

// Deletion returns the row that marks r as deleted: a copy of its version, description, script, checksum and success.
// Who inserts it fills in InstalledBy; InstalledOn is the column's default.
func (r Row) Deletion(rank int) Row {
	return Row{Rank: rank, Version: r.Version, Description: r.Description, Type: TypeDelete, Script: r.Script,
		Checksum: r.Checksum, Success: r.Success}
}
