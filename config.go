package skein

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Config says which database to work on, with which scripts, and how. Every field's zero value is Flyway's default;
// fields whose default is "yes" are therefore named for their "no". A Config is read only; several calls may share it.
type Config struct {
	// URL is a postgres:// URL or a keyword=value string, as pgx takes them.
	URL string
	// Connection gives the parameters of each new connection (a fresh token, a dialer of one's own) and wins over URL.
	// They are parameters and not a connection because the server's notices have to be heard from its first message on.
	// A run opens at most four connections at a time: one that works; when something is to be changed, one that holds the
	// migration lock; with Report one that looks at scripts that run for more than a second; and one that counts who waits
	// behind a script that changes tables in use. It may be called while
	// an earlier call has not returned. When the server refuses the login (28P01, 28000) it is called again, at most
	// twice: Refusals tells it which time this is.
	Connection func(ctx context.Context) (*pgx.ConnConfig, error)
	// ConnectRetries is how often a failed connection is tried again, after 1, 2, 4 … seconds, each wait at most
	// ConnectRetriesInterval seconds (0 means 120). 0 means: never.
	ConnectRetries         int
	ConnectRetriesInterval int
	// ReconnectDeadline bounds how long Migrate and Undo try to come back after a connection broke in the middle of a run:
	// to a server that takes writes, where they take the lock again, read the history and go on. 0 means a minute, less
	// than 0 never. A connection that breaks three times without a step that gets recorded ends the run all the same.
	ReconnectDeadline time.Duration
	// TimeBudget is for how long Migrate and Undo begin new scripts, from the start of the call: they stop with KindInterrupted
	// at the end of a script when it is used up, or when less of it is left than the longest script of this run took. What
	// has begun is finished. 0 means no bound.
	TimeBudget time.Duration
	// InitSQL runs on every new connection before anything else; placeholders in it are replaced.
	InitSQL string
	// Role is set on every new connection before InitSQL, so that all objects, the history table too, belong to it.
	Role string

	// Source gives the scripts. Nil means none.
	Source source.Source
	// Prepared are scripts that were loaded before, for many runs that share them; it takes the place of Source and
	// CallbackSource.
	Prepared *Prepared
	// RequireMigrations makes finding no migrations at all an error of Migrate, Validate and Repair. Flyway calls it a
	// success, and Repair would mark every applied migration as deleted.
	RequireMigrations bool
	// CallbackSource gives the callbacks. Nil means: they stand beside the scripts in Source.
	CallbackSource source.Source
	// Migrations are migrations written in Go; they take part in the order beside the scripts.
	Migrations []Migration

	// DefaultSchema holds the history table and comes first in every script's search_path. "" means the first of
	// Schemas, else the connection's current schema.
	DefaultSchema string
	// Schemas are created when missing, looked at by the non-empty check and emptied by Clean.
	Schemas []string
	// Table is the history table's name; "" means flyway_schema_history.
	Table string
	// Tablespace holds the history table; "" means the database's default.
	Tablespace string
	// NoCreateSchemas leaves missing schemas alone (Flyway's createSchemas=false).
	NoCreateSchemas bool

	// Naming is how file names are read.
	Naming migration.Naming
	// ValidateNaming makes a misnamed file an error (Flyway's validateMigrationNaming).
	ValidateNaming bool
	// Encoding of the scripts, a name that the WHATWG or IANA registries list; "" means UTF-8.
	Encoding string
	// DetectEncoding guesses each file's encoding (flyway.md §1.8).
	DetectEncoding bool
	// Placeholders and their marks. Values are looked up without regard to case.
	Placeholders migration.Placeholders
	// SecretPlaceholders names placeholders whose values no event and no error shows, as none shows the password, and which
	// the file of a dry run does not hold: psql variables stand in their place. Values of one or two characters are not
	// looked for.
	SecretPlaceholders []string
	// Secrets are further values that are shown nowhere and stand in no file of a dry run, by the names that their psql
	// variables get. The password is one without being listed.
	Secrets map[string]string
	// Environment is the value of ${flyway:environment}, and the environment that the database has to be pinned to, if it is
	// pinned; "" means "default".
	Environment string
	// Identity is what is known of the database of this environment, and OtherIdentities of those of the others. A database that is
	// not the expected one, or that is one of the others' or a physical copy of it, is refused before anything is sent to it
	// that could write, InitSQL included, and before scripts are read. The zero value asks for nothing. What the database
	// itself says, its pin, is heeded always.
	Identity        Identity
	OtherIdentities []Identity
	// Expect is what has to be so before the first write, as an approval has it; nil asks for nothing.
	Expect *Expect
	// Deployment makes each step record whose it is, in its own transaction, and the command leave its traces in the audit.
	// The tables for that are made when they are missing. Nil records nothing, unless the database is pinned.
	Deployment *Deployment
	// Releaser is who acts, for a database that is pinned; "" means InstalledBy, else the database's current user. A
	// Deployment names its own.
	Releaser string
	// WorkingDirectory is the value of ${flyway:workingDirectory}, and where programs start; for these "" means the
	// process's own.
	WorkingDirectory string
	// PowerShell is the program that runs .ps1 files; "" means pwsh, on Windows powershell.
	PowerShell string
	// ProgramURL is what programs (V1__x.sh) get as FLYWAY_URL; "" means a JDBC URL of host, port and database.
	ProgramURL string
	// SkipDefaultCallbacks leaves SQL callbacks alone; those that are programs run.
	SkipDefaultCallbacks bool

	// TargetVersion is how far Migrate goes; the zero value means latest. Undo stops below it; without a version in it, Undo
	// takes back the last migration only.
	TargetVersion migration.Target
	// CherryPick names the only migrations that are in play, by version or by description ("_" for a blank), in the order in
	// which Migrate runs them; Undo goes through them backwards. Nil means all.
	CherryPick []string
	// OutOfOrder runs pending migrations whose version is below the highest applied one.
	OutOfOrder bool
	// SkipExecutingMigrations records what is to be done without running it.
	SkipExecutingMigrations bool
	// SkipValidate is Flyway's validateOnMigrate=false.
	SkipValidate bool
	// IgnoreMigrationPatterns is Flyway's setting of that name; nil means "*:future".
	IgnoreMigrationPatterns []migration.IgnorePattern
	// IgnoreJavaMigrations names versions of Java migrations in the history that may lack a counterpart; "*" means all.
	IgnoreJavaMigrations []string
	// Mixed allows a script to mix statements that refuse a transaction with others; it then runs without one.
	Mixed bool
	// Group runs all migrations, or all undo scripts, of the run in one transaction.
	Group bool
	// NoTransactions is Flyway's executeInTransaction=false.
	NoTransactions bool
	// ErrorOverrides are rules that make less or more of the server's errors and messages about the statements of scripts
	// and callbacks; the first that applies counts. They then run statement by statement, and where a rule makes less of
	// an error, each with a savepoint of its own: what it turns away undoes that statement alone.
	ErrorOverrides []migration.ErrorOverride
	// InstalledBy is recorded in the history; "" means the database's current user.
	InstalledBy string
	// LockRetryCount bounds the wait for the migration lock, about one second each; nil means 50, 0 one try, -1 no bound.
	LockRetryCount *int
	// StallBudget is how long a lock that a script wants may hold others up; 0 means one second. A script that cannot have
	// its locks within that waits outside the queue, at most for LockDeadline; 0 means ten minutes. A negative StallBudget
	// lets statements wait as PostgreSQL has them wait. A script that sets lock_timeout itself keeps its own.
	StallBudget, LockDeadline time.Duration
	// BehindLimit is how many sessions may wait behind a script for longer than StallBudget, while it waits for a lock or
	// works with one: when there are more it is cancelled, rolled back, and tried again, at most three times in all. 0
	// means 20, less than 0 any number.
	BehindLimit int
	// KeepSessionState lets what a script SETs reach the next script, as Flyway does (docs/flyway.md).
	KeepSessionState bool
	// MarkApplied makes Repair record the pending version as applied, without running it; RunAgain makes it forget how far
	// a script that cannot be one transaction has come, so that the next run begins with its first statement. Both do
	// nothing else, and want a Reason, which is kept in the JournalSchema.
	MarkApplied, RunAgain migration.Version
	Reason                string
	// JournalSchema is the schema of Skein's own tables, which scripts that cannot be one transaction need; "" means skein.
	JournalSchema string
	// Detach lets the server finish a script, its history row included, when the client was killed, and sends no notices
	// for that. Each script then travels by itself. Those for which that cannot be run all the same, attached to their
	// client: StepStarted.Attached says why, and Admit may refuse them.
	Detach bool
	// Admit is asked before each script of Migrate and Undo starts; an error ends the run there, with KindRefused unless
	// it is an *Error. Nil admits all.
	Admit func(Upcoming) error
	// DurableEach waits for the disk at the commit of each script. Else small scripts share their way to the server, each
	// still a transaction of its own, and the last of at most 100 commits brings all to disk before any is told to be
	// applied.
	DurableEach bool
	// DiscardQueryResults leaves the rows of queries in scripts out of the events (Flyway's outputQueryResults=false).
	DiscardQueryResults bool

	// BaselineVersion and BaselineDescription mark what Baseline writes; zero and "" mean 1 and "<< Flyway Baseline >>".
	BaselineVersion     migration.Version
	BaselineDescription string
	// BaselineOnMigrate lets Migrate baseline a database that is not empty and has no history.
	BaselineOnMigrate bool

	// Production says that the database serves people. Clean and BaselineOnMigrate are then refused, whatever else says that
	// they may; and so is Trial, since its locks would keep them waiting, unless AllowProduction is set.
	Production, AllowProduction bool

	// AllowClean lets Clean drop everything in Schemas (Flyway's cleanDisabled=false).
	AllowClean bool

	// Account is for whoever writes a report of the run: each script travels statement by statement, so that StatementDone
	// has a time for each, and Standing tells how the migrations stand before and after. It costs a round trip for each
	// statement and two for each script.
	Account bool

	// NoProgress does without Progress events and the connection that they need.
	NoProgress bool

	// Report hears what happens, as it happens, one event at a time. Nil means nobody listens.
	Report func(Event)

	instead  standIn // not nil: it takes the place of the server
	surveys  bool    // the run looks at all that there is
	anywhere bool    // where the run is, is the caller's to judge
}

// Migration is a migration written in Go. Its history row has the type JDBC, which Flyway reads as "written in code".
type Migration struct {
	// Version orders it among the scripts; "" makes it repeatable.
	Version string
	// Description is recorded; for a repeatable it is also its identity.
	Description string
	// Checksum is recorded and compared by Validate; nil records none.
	Checksum *int32
	// Name is recorded as the script; "" means "go:" and the version and description.
	Name string
	// Run does the work inside the transaction that also records it. It must not commit or roll tx back.
	Run func(ctx context.Context, tx pgx.Tx) error
}
