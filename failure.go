package skein

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// SQLSTATEs that Skein tells apart.
const (
	stateInTransaction     = "25001" // the statement cannot run inside a transaction block
	stateBadTermination    = "2D000" // COMMIT or ROLLBACK inside a procedure that was called in one
	stateNoPrivilege       = "42501"
	stateWrongPassword     = "28P01"
	stateNoLogin           = "28000"
	stateNoDatabase        = "3D000"
	stateReadOnly          = "25006"
	stateStartingUp        = "57P03"
	stateTooManyClients    = "53300"
	stateQueryCancelled    = "57014"
	stateDuplicateSchema   = "42P06"
	stateDuplicateTable    = "42P07"
	stateDuplicateObject   = "42710"
	stateDuplicateColumn   = "42701"
	stateDuplicateFunction = "42723"
	stateUnique            = "23505"
	stateLockTimeout       = "55P03"
	stateDeadlock          = "40P01"
	stateSerialization     = "40001"
)

// wrap is wrapped for the many places where there may be no error.
func (r *run) wrap(err error) error {
	if err == nil {
		return nil
	}
	return r.wrapped(err)
}

// wrapped turns any error of a statement of Skein's own, or of the connection, into an *Error. err is not nil.
func (r *run) wrapped(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return interrupted(err)
	}
	if e, ok := errors.AsType[*postgres.ConnectFailure](err); ok {
		return connectError(e)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return interrupted(err)
	}
	pe, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return &Error{
			Kind: KindConnection, Code: "DB_CONNECTION", Message: "the connection was lost: " + err.Error(), Err: err,
			Hint: "see the server's log, then run the same command again",
		}
	}
	e := &Error{Kind: KindRefused, Code: "DB_CONNECTION", Message: pe.Message, SQL: sqlError(pe), Err: err}
	switch pe.Code {
	case stateNoPrivilege:
		e.Hint = "the role lacks a privilege; docs/grants.md lists what each command needs"
		if r.facts.User != "" {
			e.Hint = fmt.Sprintf("the role %s lacks a privilege; docs/grants.md lists what each command needs", r.facts.User)
		}
	case stateReadOnly:
		e.Hint = "connect to the primary, or see default_transaction_read_only"
	case stateQueryCancelled:
		e.Kind, e.Hint = KindInterrupted, "run the same command again"
	}
	return e
}

func interrupted(err error) *Error {
	return &Error{
		Kind: KindInterrupted, Code: "ERROR", Message: "stopped from outside", Err: err,
		Hint: runAgain,
	}
}

func connectError(f *postgres.ConnectFailure) *Error {
	e := &Error{Kind: KindConnection, Code: "DB_CONNECTION", Err: f}
	if pe, ok := errors.AsType[*pgconn.PgError](f.Err); ok {
		e.SQL = sqlError(pe)
		e.Message = fmt.Sprintf("Unable to obtain connection from database at %s for user '%s': %s", f.Where, f.User, pe.Message)
	} else {
		e.Message = fmt.Sprintf("Unable to obtain connection from database at %s for user '%s': %s", f.Where, f.User, reason(f.Err))
	}
	switch f.State {
	case stateWrongPassword, stateNoLogin:
		e.Hint = "check user and password, and the server's pg_hba.conf"
	case stateNoDatabase:
		e.Hint = "check the database's name in the URL, or create it"
	case stateStartingUp, stateTooManyClients:
		e.Hint = "try again in a moment, or let Skein do it: connectRetries=10"
	case "":
		e.Hint = "check host and port in the URL, and that the server runs and lets this host in"
	}
	return e
}

// reason is the innermost text of a connection error: pgx repeats host, user and database at each level.
func reason(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		if joined, ok := next.(interface{ Unwrap() []error }); ok {
			if all := joined.Unwrap(); len(all) > 0 {
				next = all[len(all)-1]
			}
		}
		if _, ok := next.(interface{ Timeout() bool }); ok {
			return next.Error()
		}
		err = next
	}
}

func sqlError(pe *pgconn.PgError) *SQLError {
	return &SQLError{
		State: pe.Code, Severity: pe.Severity, Message: pe.Message, Detail: pe.Detail, Hint: pe.Hint, Where: pe.Where,
		Position: int(pe.Position),
	}
}

// decisionError carries an error of the pure room outwards.
func decisionError(err error) *Error {
	e := &Error{Kind: KindScript, Code: "ERROR", Message: err.Error(), Err: err}
	if d, ok := errors.AsType[*migration.Error](err); ok {
		e.Code, e.Hint = string(d.Code), d.Hint
		if joined, several := err.(interface{ Unwrap() []error }); several && len(joined.Unwrap()) > 1 {
			e.Hint = ""
		} else if e.Message = d.Message; d.Path != "" {
			e.At = &Location{Path: d.Path, Line: d.Line}
		}
		if d.Code == migration.CodeFailedVersioned || d.Code == migration.CodeFailedRepeatable {
			e.Kind = KindRefused
		}
		if d.Code == migration.CodeConfiguration && d.Path == "" {
			e.Kind = KindConfig // settings that contradict each other, not a script's own file
		}
	}
	return e
}

// SourceError gives a failure to get at scripts or releases, of a Source or a store, as an *Error with the kind that it has;
// nil stays nil.
func SourceError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		return interrupted(err)
	}
	if e, ok := errors.AsType[*source.Error](err); ok && e.Error() == err.Error() { // of several mistakes all are told below
		return &Error{Kind: sourceKinds[e.Reason], Code: "ERROR", Message: e.Message, Hint: e.Hint, Err: err}
	}
	return &Error{Kind: KindScript, Code: "ERROR", Message: err.Error(), Err: err}
}

var sourceKinds = map[source.Reason]Kind{source.Wrong: KindConfig, source.Unreachable: KindConnection, source.Refused: KindRefused}

// explain completes the error of a script's or callback's statement.
func (r *run) explain(err error, code, message string) *Error {
	f, ok := errors.AsType[*failure](err)
	if _, told := errors.AsType[*Error](err); !ok || told {
		return r.wrapped(err)
	}
	e := &Error{Kind: KindSQL, Code: code, Message: f.err.Err.Message, SQL: sqlError(f.err.Err), Err: err}
	if f.piece == nil {
		if e.SQL.State == stateNoPrivilege {
			e = r.wrapped(f.err) // a privilege that Skein itself needs
		}
		e.Message = message + ": " + e.Message
		e.SQL.Position = 0
		return e
	}
	e.At = f.location()
	e.SQL.Position = f.offset + 1
	switch e.SQL.State {
	case stateInTransaction, stateBadTermination:
		e.Hint = fmt.Sprintf("to run it outside a transaction, put executeInTransaction=false into %s.conf beside the script", baseName(f.piece.text.path))
	case stateQueryCancelled:
		e.Hint = "it was cancelled from outside, or by statement_timeout"
	case stateDuplicateTable, stateDuplicateSchema, stateDuplicateObject, stateDuplicateColumn, stateDuplicateFunction:
		e.Hint = "it is there already, and no script of this history made it: compare the two, move one away, then run: " + r.again()
	}
	return e
}

func baseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }
