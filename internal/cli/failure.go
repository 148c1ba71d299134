package cli

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/migration"
)

// failureText words errors for one command.
type failureText struct {
	flyway      bool
	debug       bool     // statements are shown
	environment string   // "default" is not named
	locations   []string // as configured, "filesystem:sql"
	dir         string   // what relative locations start from
}

// print says on stderr why a command failed. step is the script that was running, nil when none was.
func (f failureText) print(c *console, err error, step *skein.StepStarted) {
	e, ok := errors.AsType[*skein.Error](err)
	switch {
	case !ok:
		f.printPlain(c, err)
	case f.flyway:
		if _, program := programError(e); step != nil && (e.SQL != nil || program) {
			what := "Migration of " + stepText(*step)
			if step.Script.Kind == migration.Undo {
				what = doing(*step)
			}
			c.error(what + " failed! " + aftermath(step.Transactional))
		}
		c.error(strings.Join(f.chain(e), "\r\nCaused by: "))
	case e.At != nil:
		c.place(e.Error())
	default:
		c.error(e.Error())
	}
}

// printPlain prints what is no *skein.Error: a list of mistakes, one line each, or a command line.
func (f failureText) printPlain(c *console, err error) {
	if mistakes, ok := errors.AsType[config.Mistakes](err); ok && !f.flyway {
		for _, m := range mistakes {
			c.error(m.Error())
		}
		return
	}
	c.error(err.Error())
}

func aftermath(transactional bool) string {
	if transactional {
		return "Changes successfully rolled back."
	}
	return "Please restore backups and roll back database and code!"
}

// chain gives the messages that Flyway joins with "Caused by:", the first of them being the message of its JSON.
func (f failureText) chain(e *skein.Error) []string {
	switch {
	case e.SQL != nil && e.At != nil:
		block := f.scriptBlock(e)
		first := block
		if inCallback(e) {
			first = "Error while executing " + callbackEvent(e.At.Path) + " callback: " + block
		}
		return []string{first, block, driver(e.SQL)}
	case e.Kind == skein.KindConnection && isConnect(e):
		return []string{connectBlock(e), connectCause(e)}
	case e.SQL != nil:
		title := e.Message
		return []string{block(title, e.SQL.State, serverText(e.SQL)), driver(e.SQL)}
	case isProgram(e):
		return programChain(e)
	case e.At != nil:
		return []string{e.Error()} // Flyway has no such message: tell the whole story
	}
	return []string{e.Message}
}

func programError(e *skein.Error) (*skein.ProgramError, bool) {
	return errors.AsType[*skein.ProgramError](e)
}

func isProgram(e *skein.Error) bool {
	_, ok := programError(e)
	return ok
}

// programChain is what Flyway says of a program that failed; what it wrote comes last.
func programChain(e *skein.Error) []string {
	p, _ := programError(e)
	first := "Migration failed !"
	if e.Callback != "" {
		first = "Error while executing " + e.Callback + " callback: " + first
	}
	last := p.Status
	if p.Output != "" {
		last += "\n" + p.Output
	}
	return []string{first, "Migration failed !", last}
}

// block is Flyway's form of an SQL error: the title, a rule of its length, three fields.
func block(title, state, message string) string {
	return fmt.Sprintf("%s\n%s\nSQL State  : %s\nError Code : 0\nMessage    : %s\n",
		title, strings.Repeat("-", units(title)), state, message)
}

func (f failureText) scriptBlock(e *skein.Error) string {
	title := "Failed to execute script " + path.Base(e.At.Path)
	if f.environment != "" && f.environment != "default" {
		title += " against " + f.environment + " environment"
	}
	statement := "Run Flyway with -X option to see the actual statement causing the problem"
	if f.debug {
		statement = strings.TrimSpace(e.At.Statement)
	}
	return block(title, e.SQL.State, serverText(e.SQL)) +
		fmt.Sprintf("Location   : %s (%s)\nLine       : %d\nStatement  : %s\n",
			f.asConfigured(e.At), e.At.Physical, statementLine(e), statement)
}

// asConfigured is the script's path with the location in front as the setting has it.
func (f failureText) asConfigured(at *skein.Location) string {
	for _, location := range f.locations {
		folder, _, _ := strings.Cut(strings.TrimPrefix(location, "filesystem:"), "*")
		absolute := folder
		if !filepath.IsAbs(absolute) {
			absolute = filepath.Join(f.dir, absolute)
		}
		if rest, err := filepath.Rel(absolute, at.Physical); err == nil && filepath.IsLocal(rest) {
			return filepath.ToSlash(filepath.Join(folder, rest))
		}
	}
	return at.Path
}

// statementLine is the line on which the statement begins, which is what Flyway prints; At.Line is the line that the
// server's position is on.
func statementLine(e *skein.Error) int {
	if e.At.Column == 0 || e.SQL.Position == 0 {
		return e.At.Line
	}
	runes := []rune(e.At.Statement)
	before := string(runes[:min(e.SQL.Position-1, len(runes))])
	before = before[min(leading(e.At.Statement), len(before)):]
	return e.At.Line - strings.Count(before, "\n")
}

// leading is the length of the blanks and comments before a statement.
func leading(sql string) int {
	rest := sql
	for {
		trimmed := strings.TrimLeft(rest, " \t\r\n\f")
		switch {
		case strings.HasPrefix(trimmed, "--"):
			_, trimmed, _ = strings.Cut(trimmed, "\n")
		case strings.HasPrefix(trimmed, "/*"):
			_, trimmed, _ = strings.Cut(trimmed, "*/")
		default:
			return len(sql) - len(trimmed)
		}
		rest = trimmed
	}
}

// serverText is the server's error as the JDBC driver words it.
func serverText(e *skein.SQLError) string {
	text := e.Severity + ": " + e.Message
	position := ""
	if e.Position > 0 {
		position = fmt.Sprint(e.Position)
	}
	for _, part := range [...]struct{ name, text string }{{"Detail", e.Detail}, {"Hint", e.Hint}, {"Position", position}, {"Where", e.Where}} {
		if part.text != "" {
			text += "\n  " + part.name + ": " + part.text
		}
	}
	return text
}

func driver(e *skein.SQLError) string { return driverClass + serverText(e) }

// driverClass stands before the last cause in Flyway's text; scripts that read it look for what follows.
const driverClass = "org.postgresql.util.PSQLException: "

// noConnection is the SQLSTATE that the JDBC driver gives a failure to reach the server.
const noConnection = "08001"

const unableToConnect = "Unable to obtain connection from database"

func isConnect(e *skein.Error) bool { return strings.HasPrefix(e.Message, unableToConnect) }

// connectBlock leaves the host out, as Flyway 13 does.
func connectBlock(e *skein.Error) string {
	_, who, _ := strings.Cut(e.Message, " for user ")
	who, _, _ = strings.Cut(who, ": ")
	title := fmt.Sprintf("%s (********) for user %s: %s", unableToConnect, who, connectReason(e))
	state := noConnection
	if e.SQL != nil {
		state = e.SQL.State
	}
	return block(title, state, connectReason(e))
}

func connectReason(e *skein.Error) string {
	if e.SQL != nil {
		return serverText(e.SQL)
	}
	_, after, _ := strings.Cut(e.Message, " for user ")
	_, reason, _ := strings.Cut(after, ": ")
	return reason
}

func connectCause(e *skein.Error) string { return driverClass + connectReason(e) }

// inCallback reports whether a callback's script failed: a migration's own has one of the codes FAILED_….
func inCallback(e *skein.Error) bool {
	return e.At != nil && e.SQL != nil && !strings.HasPrefix(e.Code, "FAILED_")
}

// callbackEvent is the event's name in a callback's file name.
func callbackEvent(file string) string {
	name := path.Base(file)
	name, _, _ = strings.Cut(name, "__")
	name, _, _ = strings.Cut(name, ".")
	return name
}
