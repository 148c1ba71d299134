package skein

import (
	"time"

	"github.com/skein-db/skein/migration"
)

// Event is one thing that happened during a run. The set is closed: renderers switch over all of it.
type Event interface{ event() }

type (
	// Connected comes first, once the target answered.
	Connected struct {
		Database      string // name
		User          string
		Host          string // host:port or the socket's folder
		ServerVersion string // "15.20"
		Schema        string // default schema
		Table         string // history table
		// Identity is what is known beyond that, see Target.Identity; Pinned says that the database says so itself.
		Identity Identity
		Pinned   bool
	}
	// Warning is something that a person should look at; the run goes on.
	Warning struct {
		Text string
		Path string // script or file that it is about, or ""
		Line int    // 0: none
		Hint string
	}
	// Note is a line of progress that has no event of its own.
	Note struct{ Text string }
	// Detail is a line for those who want to see everything.
	Detail struct{ Text string }

	// HistoryMissing says that the history table does not exist yet.
	HistoryMissing struct{ Schema, Table string }
	// HistoryCreated says that it was created.
	HistoryCreated struct {
		Schema, Table string
		Baseline      bool // with a baseline row in it
	}
	// BaselineWritten says that a baseline row went in, or was there.
	BaselineWritten struct {
		Schema  string
		Version migration.Version
		Text    string // what was done, or that the same baseline was there before
	}
	// SchemaCreated comes for each schema that was created.
	SchemaCreated struct{ Schema string }

	// Standing tells, with Config.Account, how scripts and history stand: once before the command does anything, and once
	// when it has ended, unless the database cannot be asked any more.
	Standing struct {
		After   bool
		Version migration.Version // the current version; zero: none
		Entries []migration.Entry
		// Unfinished are pending scripts of which an earlier run has carried out some statements.
		Unfinished []Unfinished
	}

	// Validated closes a successful validation of Count migrations.
	Validated struct {
		Count int
		Took  time.Duration
	}
	// Planned tells what Migrate or Undo is about to do, before the first step.
	Planned struct {
		Schema      string
		Current     string // the current version as Flyway words it, "<< Empty Schema >>" for none
		Steps       []migration.Step
		Fingerprint string
	}

	// LockWaiting comes when a lock is held by someone else, at once and then every ten seconds. It is the migration lock,
	// or with Path one that a statement of that script or callback wants; the statement is not in the queue for it.
	LockWaiting struct {
		Path     string
		Line     int
		Relation string // one that is held; with Path
		// Worker is the session that works for the holder of the migration lock, and Doing what at ("V7__x.sql:3, script 2 of
		// 5"), as far as they can be seen; PID 0 and "": they cannot.
		Worker Holder
		Doing  string
		Holder Holder   // whose transaction is the oldest, where several are in the way
		Others []Holder // the others
		Waited time.Duration
		Left   time.Duration // 0: no bound
	}
	// GaveWay comes when the transaction of a script or callback was rolled back because others were in its way. It is
	// tried again from its first statement; what it told of its statements before is void.
	GaveWay struct {
		Path    string
		Line    int // 0: not known
		Attempt int // from 1
		Why     string
	}

	// StepStarted comes before each script, which is an undo script when its Kind says so. Index counts from 0.
	StepStarted struct {
		Schema        string
		Script        *migration.Script
		Index, Total  int
		Transactional bool
		OutOfOrder    bool
		Skipped       bool // SkipExecutingMigrations: recorded, not run
		// Attached says, with Config.Detach or Admit, why the server would not finish it without its client; see Upcoming.
		Attached string
	}
	// Resumed comes when a script that cannot be one transaction goes on where an earlier run stopped: its first Done
	// statements are not run again, but for those that only set up the session.
	Resumed struct {
		Script      *migration.Script
		Done, Total int
		Line        int // of the statement that comes next; 0: all were done
	}
	// Progress comes about once a second while a script or callback that has been running for more than a second still
	// is. To read what the server says of it, a run then opens one more connection; what that may not see, or cannot read,
	// is left out, and the run goes on.
	Progress struct {
		Script       *migration.Script // nil: a callback
		Path         string            // the file that the statement stands in
		Index, Total int               // of the script, as in StepStarted; Total is 0 for a callback
		// Statement is which one of the file's Statements runs, from 1. 0: not known, or it is a program.
		Statement, Statements int
		Line                  int           // of the statement; 0: not known
		SQL                   string        // its beginning, on one line
		Took                  time.Duration // since the statement began, as the server says if it can be asked
		ScriptTook            time.Duration // since the script began

		// Command is what pg_stat_progress_* calls the work: "CREATE INDEX", "VACUUM", "COPY", "CLUSTER", "ANALYZE". "" and
		// the fields with it zero: PostgreSQL counts nothing for this statement.
		Command  string
		Phase    string // PostgreSQL's word for the part of it that goes on; "" where there is one only
		Relation string // the table; "": none
		// Done of All units of the phase are behind it. All is 0 where the whole is not known; see Percent.
		Done, All int64
		Unit      string        // "blocks", "rows", "bytes", "indexes", "statistics", "lockers" (transactions to wait for)
		Rows      int64         // rows so far; 0 also where they are not counted
		Left      time.Duration // of this phase, at the speed of the last half minute; 0: not known

		Wait     string   // what the server waits for, "Lock:relation"; "": it works
		Blockers []Holder // who has what the statement waits for; texts in quotes are left out of their queries
		Behind   int      // sessions that wait because of the statement, counted up to 100
	}
	// StepDone comes after each script that ran and was recorded.
	StepDone struct {
		Script       *migration.Script
		Index, Total int
		Took         time.Duration
		Statements   int
	}
	// StatementDone comes after each statement of a script or callback. Took is zero where several statements
	// travelled in one message.
	StatementDone struct {
		Path  string
		Line  int
		Index int // from 0
		Tag   string
		Rows  int64
		Took  time.Duration // until its answer was there: the way over the network is part of it
		SQL   string        // as it was sent, placeholders replaced, without comments before it and the data of a COPY
	}
	// QueryResult carries rows that a statement returned; Rows holds at most the first QueryResultLimit, Total counts all.
	QueryResult struct {
		Path    string
		Line    int
		Columns []string
		Rows    [][]*string
		Total   int64
	}
	// Notice is a message of the server about the statement that runs.
	Notice struct {
		Severity string // NOTICE, WARNING, INFO, LOG, DEBUG
		Code     string
		Text     string
	}

	// ProgramStarted says which program runs for a script or callback that is not SQL. What it does is part of no
	// transaction: it stays even if the step fails later, and its history row comes after it.
	ProgramStarted struct {
		Path    string
		Command []string // the program and its arguments
	}
	// ProgramOutput is a line that it wrote, to either of its outputs, when it wrote it.
	ProgramOutput struct {
		Path string
		Text string // without the line break
	}

	// CallbackStarted comes before each callback.
	CallbackStarted struct {
		Callback      *migration.Callback
		Transactional bool
	}

	// Migrated closes a successful Migrate.
	Migrated struct {
		Schema  string
		Applied int
		Version migration.Version // of the last versioned migration of this run; zero: none
		Took    time.Duration     // sum over the scripts
	}

	// Undone closes a successful Undo.
	Undone struct {
		Schema string
		Count  int
		Took   time.Duration // sum over the scripts
	}

	// RepairRemoved says that Repair took the row of a failed migration out of the history.
	RepairRemoved struct{ Row migration.Row }
	// RepairDeleted says that Repair marked the row of a missing migration as deleted.
	RepairDeleted struct{ Row migration.Row }
	// RepairAligned says that Repair gave a row its script's checksum, description and type.
	RepairAligned struct {
		Row    migration.Row
		Script *migration.Script
	}
	// DecidedByHand comes from Repair with MarkApplied, or else RunAgain.
	DecidedByHand struct {
		Script  *migration.Script
		Applied bool
		Reason  string
	}
	// Repaired closes Repair.
	Repaired struct {
		Schema, Table string
		Removed       int
		Took          time.Duration
	}

	// Cleaned comes for each pass over a schema.
	Cleaned struct {
		Schema string
		Took   time.Duration
	}
	// Dropped comes for each schema that Skein had created and removed.
	Dropped struct {
		Schema string
		Took   time.Duration
	}
)

// QueryResultLimit is how many rows of one statement's result an event carries.
const QueryResultLimit = 1000

// Holder is the session that holds a lock.
type Holder struct {
	PID         int32 // 0: not known, or a prepared transaction
	User        string
	Application string
	Host        string
	State       string
	Since       time.Duration // age of its transaction
	Query       string
}

func (Connected) event()       {}
func (Warning) event()         {}
func (Note) event()            {}
func (Detail) event()          {}
func (HistoryMissing) event()  {}
func (HistoryCreated) event()  {}
func (BaselineWritten) event() {}
func (SchemaCreated) event()   {}
func (Standing) event()        {}
func (Validated) event()       {}
func (Planned) event()         {}
func (LockWaiting) event()     {}
func (GaveWay) event()         {}
func (StepStarted) event()     {}
func (Resumed) event()         {}
func (StepDone) event()        {}
func (Progress) event()        {}
func (StatementDone) event()   {}
func (QueryResult) event()     {}
func (Notice) event()          {}
func (ProgramStarted) event()  {}
func (ProgramOutput) event()   {}
func (CallbackStarted) event() {}
func (Migrated) event()        {}
func (Undone) event()          {}
func (RepairRemoved) event()   {}
func (RepairDeleted) event()   {}
func (RepairAligned) event()   {}
func (DecidedByHand) event()   {}
func (Repaired) event()        {}
func (Cleaned) event()         {}
func (Dropped) event()         {}
