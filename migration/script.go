package migration

import "io"

// Kind says what a script is for; its file name's prefix decides.
type Kind uint8

// The kinds of scripts.
const (
	Versioned  Kind = iota // V: runs once, in version order
	Repeatable             // R: runs again whenever its text changes
	Undo                   // U: takes a versioned migration back
	Baseline               // B: stands for every version up to its own on an empty database
)

// Type is the text of the history column "type".
type Type string

// Types that Flyway writes or has written (flyway.md §3.3).
const (
	TypeSQL          Type = "SQL"
	TypeSQLBaseline  Type = "SQL_BASELINE"
	TypeJDBC         Type = "JDBC" // a migration written in a programming language
	TypeJDBCBaseline Type = "JDBC_BASELINE"
	TypeScript       Type = "SCRIPT"
	TypeUndoSQL      Type = "UNDO_SQL"
	TypeUndoScript   Type = "UNDO_SCRIPT"
	TypeUndoJDBC     Type = "UNDO_JDBC"
	TypeCustom       Type = "CUSTOM"
	TypeUndoCustom   Type = "UNDO_CUSTOM"
	TypeSchema       Type = "SCHEMA"
	TypeBaseline     Type = "BASELINE"
	TypeDelete       Type = "DELETE"
)

// Synthetic reports whether the type marks a row that stands for no script.
func (t Type) Synthetic() bool { return t == TypeSchema || t == TypeBaseline || t == TypeDelete }

// IsUndo reports whether the type marks an undo.
func (t Type) IsUndo() bool {
	return t == TypeUndoSQL || t == TypeUndoScript || t == TypeUndoJDBC || t == TypeUndoCustom
}

// IsBaseline reports whether a row of the type sets the baseline version.
func (t Type) IsBaseline() bool {
	return t == TypeBaseline || t == TypeSQLBaseline || t == TypeJDBCBaseline
}

// Script is one resolved migration: a file whose name and bytes were understood, or a function of a Go program.
type Script struct {
	Kind        Kind
	Version     Version // zero for repeatables
	Description string  // "_" already turned into blanks; may be empty
	Type        Type
	Path        string // what the history column "script" holds: the path below its location, "/" separated
	Physical    string // where a person finds it; absolute for files, "" for Go functions
	Program     bool   // it is run by the operating system, not by the server: V1__load.sh
	Text        string // decoded, byte order mark dropped, placeholders not yet replaced; "" for Go functions and with Open
	Config      ScriptConfig

	// Open gives the text, which is not held then because it is large; nil: it is Text. Digest is the SHA-256 of what it
	// is to give.
	Open   func() (io.ReadCloser, error)
	Digest [32]byte

	rawDigest [32]byte // with Open: of the file, its byte order mark included
	content   *content // without Open: what the file amounts to; nil for Go functions

	// Checksum is what the history records; nil where none was given (Go functions only).
	Checksum *int32
	// RawChecksum is the checksum of a repeatable's text before placeholders were replaced; a stored value equal
	// to either counts as a match. Equal to *Checksum for everything else.
	RawChecksum int32
}

// ScriptConfig is what a script's own .conf file says (flyway.md §9). Nil and "" mean "as everywhere else".
type ScriptConfig struct {
	ExecuteInTransaction   *bool
	PlaceholderReplacement *bool
	Encoding               string
	ShouldExecute          string
}

// Callback is one SQL script or program that runs at an event.
type Callback struct {
	Type        Type   // TypeSQL or TypeScript
	Event       string // "beforeMigrate", … as flyway.md §8.2 spells them
	Description string
	Path        string
	Physical    string
	Text        string
	Config      ScriptConfig
}

// File is one file as a source handed it over.
type File struct {
	Path     string // below its location, "/" separated
	Location string // the location's descriptor, "filesystem:/srv/sql"
	Physical string // where a person finds it
	Content  []byte // not to be changed once Resolve has seen it: texts are views of it

	// Open gives the content of a large file, which is not held then; nil: it is Content.
	Open func() (io.ReadCloser, error)
}
