package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// narrator tells a run's events as text. The lines of success are Flyway's in both faces, because people grep them;
// what Flyway says nothing about (locks, blockers, statements) is said in the same tone.
type narrator struct {
	console *console
	// target is what the face flyway prints behind "Database: "; "" under skein, which names the database itself.
	target string

	schema, table string             // of the history, as Connected told
	identity      skein.Identity     // likewise
	running       *skein.StepStarted // the script that has begun and not ended
	removed       int                // failed rows that this repair deleted
	deleted       int                // rows that it marked as deleted
	notFailed     bool               // the line that no failed row was found is printed
	plain         plainProgress
}

// report is skein.Config.Report.
func (n *narrator) report(event skein.Event) {
	if p, ok := event.(skein.Progress); ok {
		n.progress(p)
		return
	}
	n.console.show()
	switch e := event.(type) {
	case skein.Connected:
		n.connected(e)
	case skein.Warning:
		n.warning(e)
	case skein.Note:
		n.console.info("%s", e.Text)
	case skein.LockWaiting:
		n.lockWaiting(e)
	case skein.GaveWay:
		place := e.Path
		if e.Line > 0 {
			place += fmt.Sprintf(":%d", e.Line)
		}
		n.console.info("%s gave way (%s): rolled back, and tried again; attempt %d", place, e.Why, e.Attempt+1)
	case skein.HistoryMissing, skein.HistoryCreated, skein.SchemaCreated, skein.BaselineWritten:
		n.setup(e)
	case skein.Validated, skein.Planned, skein.StepStarted, skein.StepDone, skein.CallbackStarted, skein.Migrated, skein.Undone:
		n.migrating(e)
	case skein.DecidedByHand:
		n.console.info("%s", decided(e))
	case skein.Resumed:
		n.resumed(e)
	case skein.Progress: // see above
	case skein.Standing: // info is the verb that prints it
	case skein.StatementDone:
		n.console.debugf("%s:%d: %s, %d rows%s", e.Path, e.Line, e.Tag, e.Rows, took(e.Took))
	case skein.Detail:
		n.console.debugf("%s", e.Text)
	case skein.ProgramStarted:
		n.console.info("Executing %s ", strings.Join(e.Command, " ")) // the blank is Flyway's
	case skein.ProgramOutput:
		n.console.info("%s", e.Text)
	case skein.QueryResult:
		n.console.info("%s", queryTable(e))
	case skein.Notice:
		n.notice(e)
	case skein.RepairRemoved, skein.RepairDeleted, skein.RepairAligned, skein.Repaired:
		n.repairing(e)
	case skein.Cleaned:
		n.console.info("Successfully cleaned schema %s (execution time %s)", quoted(e.Schema), clock(e.Took))
	case skein.Dropped:
		n.console.info("Successfully dropped schema %s (execution time %s)", quoted(e.Schema), clock(e.Took))
	}
}

// connected names the target before anything is done to it (AT-10c). Flyway 13 masks the URL; skein names the database
// by what the server said of itself, where no password can be.
func (n *narrator) connected(e skein.Connected) {
	*n = narrator{console: n.console, target: n.target, schema: e.Schema, table: e.Table, identity: e.Identity}
	n.identity.Database, n.identity.Host = e.Database, e.Host
	if n.target != "" {
		n.console.info("Database: %s (PostgreSQL %s)", n.target, e.ServerVersion)
		return
	}
	more := ""
	if id := e.Identity; id.Environment != "" {
		more = ", environment " + id.Environment
		if e.Pinned {
			more += ", pinned"
		}
		for _, part := range [...]struct{ word, value string }{{"system", id.System}, {"cluster", id.Cluster}} {
			if part.value != "" {
				more += ", " + part.word + " " + part.value
			}
		}
	}
	n.console.info("Database: %s on %s as %s (PostgreSQL %s)%s", e.Database, e.Host, e.User, e.ServerVersion, more)
}

func (n *narrator) warning(e skein.Warning) {
	text := e.Text
	switch {
	case e.Path != "" && e.Line > 0:
		text = fmt.Sprintf("%s:%d: %s", e.Path, e.Line, text)
	case e.Path != "":
		text = e.Path + ": " + text
	}
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	n.console.warn(text)
}

func (n *narrator) lockWaiting(e skein.LockWaiting) {
	h := e.Holder
	who := "another session"
	if h.PID != 0 {
		who = fmt.Sprintf("pid %d (user %s, application %q, host %s, %s, transaction open for %s)",
			h.PID, h.User, h.Application, orUnknown(h.Host), orUnknown(h.State), clock(h.Since))
	}
	text := "Waiting for the migration lock, held by " + who
	if e.Path != "" {
		text = fmt.Sprintf("%s:%d waits, outside the queue, for a lock on %s, held by %s", e.Path, e.Line, e.Relation, who)
	}
	if len(e.Others) > 0 {
		text += fmt.Sprintf(" and %d more", len(e.Others))
	}
	if e.Waited > 0 {
		text += fmt.Sprintf("; waited %s so far", clock(e.Waited))
	}
	if e.Left > 0 {
		text += fmt.Sprintf(", giving up after %s more", clock(e.Left))
	}
	switch {
	case e.Worker.PID != 0 || e.Doing != "":
		text += "\n   it is at " + atWork(e)
	case h.Query != "":
		text += "\n   its last statement: " + strings.Join(strings.Fields(h.Query), " ")
	}
	n.console.info("%s", text)
}

// atWork is what the run that is waited for is doing.
func atWork(e skein.LockWaiting) string {
	text := e.Doing
	if w := e.Worker; w.PID != 0 {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("pid %d, transaction open for %s", w.PID, clock(w.Since))
		if w.Query != "" {
			text += ": " + strings.Join(strings.Fields(w.Query), " ")
		}
	}
	return text
}

func (n *narrator) setup(event skein.Event) {
	switch e := event.(type) {
	case skein.HistoryMissing:
		n.console.info("Schema history table %s does not exist yet", quoted(e.Schema, e.Table))
	case skein.HistoryCreated:
		baseline := ""
		if e.Baseline {
			baseline = "with baseline "
		}
		n.console.info("Creating Schema History table %s %s...", quoted(e.Schema, e.Table), baseline)
	case skein.SchemaCreated:
		n.console.info("Creating schema %s ...", quoted(e.Schema))
	case skein.BaselineWritten:
		n.console.info("%s", e.Text)
	}
}

func (n *narrator) migrating(event skein.Event) {
	switch e := event.(type) {
	case skein.Validated:
		n.console.info("Successfully validated %s (execution time %s)", plural(e.Count, "migration"), clock(e.Took))
		if e.Count == 0 {
			n.console.warn("No migrations found. Are your locations set up correctly?")
		}
	case skein.Planned:
		n.console.info("Current version of schema %s: %s", quoted(e.Schema), e.Current)
	case skein.StepStarted:
		n.running = &e
		if !e.Skipped { // Flyway has no line for a script that is only recorded
			n.console.info("%s", doing(e))
		}
	case skein.StepDone:
		n.running = nil
		n.console.debugf("Successfully completed %s (%d of %d, %s, execution time %s)",
			e.Script.Path, e.Index+1, e.Total, plural(e.Statements, "statement"), clock(e.Took))
	case skein.CallbackStarted:
		mark := ""
		if !e.Transactional {
			mark = " [non-transactional]"
		}
		kind := "SQL"
		if e.Callback.Type == migration.TypeScript {
			kind, mark = "script", ""
		}
		n.console.info("Executing %s callback: %s - %s%s", kind, e.Callback.Event, e.Callback.Description, mark)
	case skein.Migrated:
		n.migrated(e)
	case skein.Undone:
		if e.Count == 0 {
			n.console.info("Nothing to undo in schema %s. No undo necessary.", quoted(e.Schema))
			return
		}
		n.console.info("Successfully undid %s to schema %s (execution time %s)", plural(e.Count, "migration"), quoted(e.Schema), clock(e.Took))
	}
}

// doing is the line before a script. Flyway's texts for undo are as its documentation has them: the version stands without
// quotes.
func doing(e skein.StepStarted) string {
	if e.Script.Kind == migration.Undo {
		return "Undoing migration of " + stepText(e)
	}
	return "Migrating " + stepText(e)
}

func (n *narrator) migrated(e skein.Migrated) {
	if e.Applied == 0 {
		n.console.info("Schema %s is up to date. No migration necessary.", quoted(e.Schema))
		return
	}
	version := ""
	if !e.Version.IsZero() {
		version = ", now at version v" + e.Version.String()
	}
	n.console.info("Successfully applied %s to schema %s%s (execution time %s)",
		plural(e.Applied, "migration"), quoted(e.Schema), version, clock(e.Took))
}

func (n *narrator) notice(e skein.Notice) {
	if e.Severity == "WARNING" {
		n.console.warn(fmt.Sprintf("DB: %s (SQL State: %s - Error Code: 0)", e.Text, e.Code))
		return
	}
	n.console.info("DB: %s", e.Text)
}

func (n *narrator) repairing(event skein.Event) {
	table := quoted(n.schema, n.table)
	if _, ok := event.(skein.RepairRemoved); ok {
		n.removed++
	} else if n.removed == 0 && !n.notFailed {
		n.notFailed = true
		n.console.info("Repair of failed migration in Schema History table %s not necessary. No failed migration detected.", table)
	}
	switch e := event.(type) {
	case skein.RepairRemoved:
		// Flyway deletes failed rows without a word.
		n.console.debugf("Removed the failed row %d (%s) from Schema History table %s", e.Row.Rank, e.Row.Script, table)
	case skein.RepairDeleted:
		n.deleted++
		what := fmt.Sprintf("version %q", e.Row.Version.String())
		if e.Row.Version.IsZero() {
			what = `description "` + e.Row.Description + `"`
		}
		n.console.info("Repairing Schema History table for %s (Marking as DELETED)  ...", what)
	case skein.RepairAligned:
		version, checksum := "null", "null"
		if !e.Row.Version.IsZero() {
			version = e.Row.Version.String()
		}
		if e.Script.Checksum != nil {
			checksum = fmt.Sprint(*e.Script.Checksum)
		}
		n.console.info("Repairing Schema History table for version %s (Description: %s, Type: %s, Checksum: %s)  ...",
			version, e.Script.Description, e.Script.Type, checksum)
	case skein.Repaired:
		n.console.info("Successfully repaired schema history table %s (execution time %s).", quoted(e.Schema, e.Table), clock(e.Took))
		if n.deleted > 0 {
			n.console.info("Please ensure the previous contents of the deleted migrations are removed from the database, or moved into an existing migration.")
		}
	}
}

// stepText names a script as Flyway does: schema "public" to version "1 - first" [out of order].
func stepText(e skein.StepStarted) string {
	s := e.Script
	var text string
	if s.Version.IsZero() {
		text = fmt.Sprintf("schema %s with repeatable migration %s", quoted(e.Schema), `"`+s.Description+`"`)
	} else {
		name := s.Version.String()
		if s.Description != "" {
			name += " - " + s.Description
		}
		if s.Kind != migration.Undo {
			name = `"` + name + `"`
		}
		text = fmt.Sprintf("schema %s to version %s", quoted(e.Schema), name)
		if e.OutOfOrder {
			text += " [out of order]"
		}
	}
	if !e.Transactional && !s.Program { // of a program nobody expects it
		text += " [non-transactional]"
	}
	return text
}

// queryTable renders rows that a statement returned. Null is the empty text, as there.
func queryTable(e skein.QueryResult) string {
	t := table{Header: e.Columns, Empty: "No rows returned"}
	for _, row := range e.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cell != nil {
				cells[i] = *cell
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	text := t.String()
	if more := e.Total - int64(len(e.Rows)); more > 0 {
		text += fmt.Sprintf("(%d more rows)\n", more)
	}
	return text
}

// quoted writes identifiers as PostgreSQL quotes them, joined by dots.
func quoted(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = `"` + strings.ReplaceAll(p, `"`, `""`) + `"`
	}
	return strings.Join(out, ".")
}

// clock writes a duration as Flyway does: minutes, seconds, thousandths.
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d.%03ds", ms/60000, ms/1000%60, ms%1000)
}

func took(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return ", " + clock(d)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func (n *narrator) resumed(e skein.Resumed) {
	if e.Line == 0 {
		n.console.info("%s: all of its statements were carried out by an earlier run that did not get to record it", e.Script.Path)
		return
	}
	n.console.info("%s: %d of %s were carried out by an earlier run; going on with line %d", e.Script.Path, e.Done, plural(e.Total, "statement"), e.Line)
}

func decided(e skein.DecidedByHand) string {
	if e.Applied {
		return fmt.Sprintf("%s is recorded as applied, without having been run: %s", e.Script.Path, e.Reason)
	}
	return fmt.Sprintf("%s will begin with its first statement again: %s", e.Script.Path, e.Reason)
}
