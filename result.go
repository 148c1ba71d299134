package skein

import (
	"time"

	"github.com/skein-db/skein/migration"
)

// Target is the database that a result is about.
type Target struct {
	Database      string
	User          string
	ServerVersion string
	Schema        string   // default schema, which holds the history table
	Schemas       []string // managed schemas as configured; empty when none were
	Table         string
	Warnings      []string
	// Identity is what the server was asked about itself. It is empty where nothing speaks of identity: no pin, no
	// expectation, no deployment.
	Identity Identity
}

// InfoResult is what Info found.
type InfoResult struct {
	Target
	Entries []migration.Entry
	// Version is the current version; zero when no versioned migration is applied.
	Version migration.Version
	// Unfinished are pending scripts of which an earlier run has carried out some statements.
	Unfinished []Unfinished
	// SchemasEmpty says that every managed schema is missing or empty.
	SchemasEmpty bool
}

// Unfinished is a script that stopped half-way.
type Unfinished struct {
	Script *migration.Script
	Done   int  // statements that were carried out
	Open   bool // the end of the one after them is not known
	Since  string
}

// MigrateResult is what Migrate did. After an error it tells what was done before.
type MigrateResult struct {
	Target
	Initial migration.Version // zero: none
	// InitialText is Initial as Flyway words it: "<< Empty Schema >>" for none.
	InitialText string
	Applied     []AppliedMigration
	Version     migration.Version // of the last versioned migration of this run
	Took        time.Duration
	Failed      *migration.Script // the script that failed
	// Remaining is what was planned and not done, in order; the script that failed is the first of it.
	Remaining []*migration.Script
}

// UndoResult is what Undo took back. After an error it tells what was done before.
type UndoResult struct {
	Target
	Initial migration.Version // zero: none
	// InitialText is Initial as Flyway words it: "<< Empty Schema >>" for none.
	InitialText string
	Undone      []UndoneMigration // in the order in which they were undone
	Version     migration.Version // the current version afterwards; zero: none
	Took        time.Duration
	Failed      *migration.Script // the undo script that failed
	// Remaining is what was planned and not done, in order; the undo script that failed is the first of it.
	Remaining []*migration.Script
}

// UndoneMigration is one migration that was taken back.
type UndoneMigration struct {
	Row    migration.Row     // the row of the migration, as it was applied
	Script *migration.Script // the undo script
	Took   time.Duration
}

// AppliedMigration is one script that ran.
type AppliedMigration struct {
	Script *migration.Script
	Took   time.Duration
}

// ValidateResult is what Validate compared. Problems is empty when all is well.
type ValidateResult struct {
	Target
	Problems []migration.Problem
	Count    int // migrations looked at
}

// BaselineResult is what Baseline wrote.
type BaselineResult struct {
	Target
	Version migration.Version
	Already bool // the same baseline was there before; nothing was written
}

// RepairResult is what Repair changed in the history.
type RepairResult struct {
	Target
	Removed []migration.Row       // failed rows, deleted
	Deleted []migration.Row       // rows whose script is gone, marked as deleted
	Aligned []migration.Alignment // rows whose checksum, description or type now follow the script
	Decided *migration.Script     // the script that MarkApplied or RunAgain was about
}

// CleanResult is what Clean emptied and dropped.
type CleanResult struct {
	Target
	Cleaned []string
	Dropped []string
}
