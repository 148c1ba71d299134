// Package report turns what happened on one command line into two files for people and programs who were not there: a page
// that shows itself without a network, and JSON.
//
// It reads no clock and opens no file. A Recorder hears a command's events and gives a Run; Write turns runs, and what the
// files held before, into bytes.
package report

import "time"

// Run is one verb on one database. It is what the JSON file holds below "skein", and all that the page shows.
type Run struct {
	Verb     string    `json:"verb"`
	Summary  string    `json:"summary"` // what came of it, in one sentence
	OK       bool      `json:"ok"`
	ExitCode int       `json:"exitCode"`
	Skein    string    `json:"skeinVersion"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`

	Target        *Target `json:"target"`        // nil: the database was not reached
	VersionBefore *string `json:"versionBefore"` // "": no version yet; nil: not known
	VersionAfter  *string `json:"versionAfter"`
	Fingerprint   string  `json:"planFingerprint,omitempty"`

	Steps    []Step    `json:"steps,omitempty"`
	Actions  []string  `json:"actions,omitempty"` // what was done outside of scripts
	Waits    []Wait    `json:"waits,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
	Messages []Message `json:"messages,omitempty"` // those that belong to no step
	Failure  *Failure  `json:"failure,omitempty"`

	// Migrations are all of them as they stand when the verb has ended, in the order of info; nil: not known.
	Migrations []Migration `json:"migrations"`
}

// Target says where it happened. There is no place for a password in it.
type Target struct {
	Host     string `json:"host"` // host:port, or the socket's folder
	Database string `json:"database"`
	User     string `json:"user"`
	Server   string `json:"serverVersion"`
	Schema   string `json:"schema"`
	Table    string `json:"historyTable"`
}

// Wait is a time in which another session held the migration lock, or still worked on what an earlier run had sent.
type Wait struct {
	For    string `json:"for"` // who it was
	Micros int64  `json:"micros"`
}

// State is what became of a step.
type State string

// The states of steps. Their text is what the page shows.
const (
	Applied    State = "applied"
	Undone     State = "undone"
	Recorded   State = "recorded" // skipExecutingMigrations: not run
	Ran        State = "ran"      // a callback
	Failed     State = "failed"
	RolledBack State = "rolled back" // done, and taken back with its group
	NotRun     State = "not run"
)

// Step is one script, or one callback outside of scripts.
type Step struct {
	State       State  `json:"state"`
	Callback    string `json:"callback,omitempty"` // the event
	Version     string `json:"version,omitempty"`
	Description string `json:"description"`
	Path        string `json:"path"`
	Type        string `json:"type"` // SQL, SCRIPT, JDBC

	// Resumed says that an earlier run had carried out the first statements; nil: none.
	Resumed       *Resumed   `json:"resumed,omitempty"`
	Transactional bool       `json:"transactional"`
	OutOfOrder    bool       `json:"outOfOrder,omitempty"`
	Started       *time.Time `json:"started"` // nil: not run
	Micros        int64      `json:"micros"`  // the whole step, history row and commit included

	Statements []Statement `json:"statements,omitempty"`
	Messages   []Message   `json:"messages,omitempty"`
	Output     []string    `json:"output,omitempty"` // lines of a program, at most outputLines
	OutputLeft int         `json:"outputLinesLeftOut,omitempty"`
}

// Resumed says how far an earlier run had come with a script.
type Resumed struct {
	Done  int `json:"statementsDone"`
	Total int `json:"statements"`
	Line  int `json:"line,omitempty"` // on which the run went on; 0: all were done
}

// Statement is one statement that the server answered.
type Statement struct {
	Path   string `json:"path,omitempty"` // of a callback around the step's own script
	Line   int    `json:"line"`
	Tag    string `json:"tag"` // "CREATE TABLE", "INSERT 0 3"; "" when it failed
	Rows   int64  `json:"rows"`
	Micros *int64 `json:"micros"` // nil: it shared a message with others, and has no time of its own
	Failed bool   `json:"failed,omitempty"`
	SQL    string `json:"sql"`
	Cut    int    `json:"sqlCharactersLeftOut,omitempty"`
}

// Message is a warning of Skein's, or what the server said beside its answers.
type Message struct {
	Server   bool   `json:"server,omitempty"`
	Severity string `json:"severity"` // WARNING, NOTICE, INFO …
	Code     string `json:"code,omitempty"`
	Text     string `json:"text"`
	Path     string `json:"path,omitempty"`
	Line     int    `json:"line,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// Migration is one line of info's table.
type Migration struct {
	Version     string     `json:"version,omitempty"`
	Description string     `json:"description"`
	Type        string     `json:"type"`
	Path        string     `json:"path"`
	State       string     `json:"state"` // Flyway's text
	Applied     bool       `json:"applied"`
	Rank        int        `json:"installedRank,omitempty"`
	By          string     `json:"installedBy,omitempty"`
	On          *time.Time `json:"installedOn,omitempty"`
	Millis      int        `json:"executionTime,omitempty"`
	Begun       *Begun     `json:"begun,omitempty"` // nil: no run has stopped half-way in it
}

// Begun says how far a run came with a script that is still pending.
type Begun struct {
	Done  int    `json:"statementsDone"`
	Open  bool   `json:"nextOneUnknown,omitempty"` // how the statement after them ended is not known
	Since string `json:"since"`
}

// Problem is something that validate found.
type Problem struct {
	Code    string `json:"code"`
	Version string `json:"version,omitempty"`
	Text    string `json:"text"`
	Path    string `json:"path,omitempty"`
}

// Failure is the error that ended the verb.
type Failure struct {
	Kind     string `json:"kind"` // "sql", as in the list of exit codes
	Code     string `json:"code"` // Flyway's
	Message  string `json:"message"`
	SQLState string `json:"sqlState,omitempty"`
	Path     string `json:"path,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Source   string `json:"source,omitempty"` // the line
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"serverHint,omitempty"`
	Where    string `json:"where,omitempty"`
	Kept     string `json:"kept,omitempty"`
	Next     string `json:"next,omitempty"`
}
