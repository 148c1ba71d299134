package migration

import (
	"fmt"
	"strings"
)

// Code is Flyway's name for a kind of error, as its JSON output spells it.
type Code string

// The codes this package gives.
const (
	CodeError                   Code = "ERROR"
	CodeConfiguration           Code = "CONFIGURATION"
	CodeDuplicateVersioned      Code = "DUPLICATE_VERSIONED_MIGRATION"
	CodeDuplicateRepeatable     Code = "DUPLICATE_REPEATABLE_MIGRATION"
	CodeDuplicateUndo           Code = "DUPLICATE_UNDO_MIGRATION"
	CodeDuplicateDeleted        Code = "DUPLICATE_DELETED_MIGRATION"
	CodeValidate                Code = "VALIDATE_ERROR"
	CodeFailedVersioned         Code = "FAILED_VERSIONED_MIGRATION"
	CodeFailedRepeatable        Code = "FAILED_REPEATABLE_MIGRATION"
	CodeAppliedVersionedGone    Code = "APPLIED_VERSIONED_MIGRATION_NOT_RESOLVED"
	CodeAppliedRepeatableGone   Code = "APPLIED_REPEATABLE_MIGRATION_NOT_RESOLVED"
	CodeVersionedNotApplied     Code = "RESOLVED_VERSIONED_MIGRATION_NOT_APPLIED"
	CodeRepeatableNotApplied    Code = "RESOLVED_REPEATABLE_MIGRATION_NOT_APPLIED"
	CodeOutdatedRepeatable      Code = "OUTDATED_REPEATABLE_MIGRATION"
	CodeTypeMismatch            Code = "TYPE_MISMATCH"
	CodeChecksumMismatch        Code = "CHECKSUM_MISMATCH"
	CodeDescriptionMismatch     Code = "DESCRIPTION_MISMATCH"
	CodeSchemaDoesNotExist      Code = "SCHEMA_DOES_NOT_EXIST"
	CodeNonEmptyWithoutHistory  Code = "NON_EMPTY_SCHEMA_WITHOUT_SCHEMA_HISTORY_TABLE"
	CodeFailedBaselineMigration Code = "FAILED_BASELINE_MIGRATION"
)

// Error is a mistake in the scripts, the history or the settings that stops every further decision.
type Error struct {
	Code    Code
	Message string // Flyway's words where Flyway has some; may have several lines
	Path    string // the script concerned, "" when it is no single one
	Line    int    // from 1; 0 when unknown
	Hint    string // what to do next
	Err     error  // the cause, may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		b.WriteString(e.Path)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }
