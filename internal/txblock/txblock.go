// Package txblock says what a statement asks of the transaction around it.
//
// It judges the text alone, by PostgreSQL's grammar and by measurements on PostgreSQL 12 to 18 (testdata). Where the
// text does not decide, the verdict says so: AskTable and AskIndex name the relation whose kind decides, Opaque means
// that only running it tells.
package txblock

import (
	"slices"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// Class is what a statement asks of the transaction around it.
type Class uint8

const (
	// Plain runs inside and outside a transaction block, or fails for other reasons.
	Plain Class = iota
	// Refused fails inside a transaction block with SQLSTATE 25001 and must be sent alone.
	Refused
	// AskTable is Refused when Verdict.Relation is a partitioned table, else Plain.
	AskTable
	// AskIndex is Refused when Verdict.Relation is a partitioned index, else Plain.
	AskIndex
	// Opaque is CALL or DO: it fails inside a transaction block with SQLSTATE 2D000 if what it runs commits or rolls back.
	Opaque
	// Control begins, ends or divides a transaction; Verdict.Control tells which.
	Control
	// CopyIn is COPY ... FROM STDIN: it runs in a transaction block, but not in one message with other statements.
	CopyIn
)

// ControlKind is what a Control statement does.
type ControlKind uint8

// The kinds of transaction control.
const (
	NoControl ControlKind = iota // not a Control statement
	Begin                        // BEGIN, START TRANSACTION
	End                          // COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION: none is open afterwards
	Chain                        // the same with AND CHAIN: a new one is open afterwards
	Savepoint                    // SAVEPOINT, RELEASE, ROLLBACK TO: the transaction stays open
)

// Verdict is what Of finds.
type Verdict struct {
	Class    Class
	Relation string      // with AskTable and AskIndex: the name as written, schema and quotes included, without blanks
	Control  ControlKind // with Control
	// Object and Table name what a Refused statement is about, as Relation does: the index, partition, database,
	// tablespace or subscription, and the table that an index or partition belongs to. Empty where the text does not say.
	Object, Table string
	What          string // the statement's kind for messages, as PostgreSQL's own messages call it; "" when Plain
}

// Of judges one statement, as sqlsplit cuts it, for a server of the version server_version_num. With server 0, a
// version not known, a statement that some supported version refuses counts as refused; ALTER TYPE ... ADD VALUE,
// which only versions before 12 refuse, does not. Text that is no statement of any version gives any Class.
//
// DROP SUBSCRIPTION is Refused though a subscription without a slot could be dropped inside a transaction: outside
// both kinds can.
func Of(statement string, server int) Verdict {
	for first := range sqlsplit.Tokens(statement) {
		judge := judgeOf(first)
		if judge == nil {
			break
		}
		r := &reader{tokens: slices.Collect(sqlsplit.Tokens(statement)), at: 1}
		return judge(r, server)
	}
	return Verdict{}
}

type judge func(r *reader, server int) Verdict

var judges = []struct {
	first string
	judge judge
}{
	{"create", create}, {"drop", drop}, {"alter", alter}, {"copy", copyFrom},
	{"vacuum", always(Verdict{Class: Refused, What: "VACUUM"})},
	{"reindex", reindex}, {"cluster", cluster}, {"repack", repack}, {"discard", discard},
	{"call", always(Verdict{Class: Opaque, What: "CALL"})}, {"do", always(Verdict{Class: Opaque, What: "DO"})},
	{"begin", always(Verdict{Class: Control, Control: Begin, What: "BEGIN"})},
	{"start", start}, {"prepare", prepare},
	{"commit", ending("COMMIT")}, {"end", ending("END")}, {"rollback", ending("ROLLBACK")}, {"abort", ending("ABORT")},
	{"savepoint", always(Verdict{Class: Control, Control: Savepoint, What: "SAVEPOINT"})},
	{"release", always(Verdict{Class: Control, Control: Savepoint, What: "RELEASE SAVEPOINT"})},
}

func judgeOf(first sqlsplit.Token) judge {
	for _, j := range judges {
		if first.Is(j.first) {
			return j.judge
		}
	}
	return nil
}

func always(v Verdict) judge { return func(*reader, int) Verdict { return v } }

func refused(what string) Verdict { return Verdict{Class: Refused, What: what} }

func refusedOf(what, object, table string) Verdict {
	return Verdict{Class: Refused, What: what, Object: object, Table: table}
}

// from reports whether the server is of the major version or later, or not known.
func from(server, major int) bool { return server == 0 || server >= major*10000 }
