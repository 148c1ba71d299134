package skein

import (
	"fmt"
	"strings"
)

// Kind groups failures by what a person or a program does next; under the name skein each has its own exit code
// (docs/exit-codes.md).
type Kind uint8

// The kinds of failures.
const (
	KindInternal    Kind = iota // a fault of Skein's own, or one that has no kind
	KindConfig                  // a setting or the command line is wrong; nothing was touched
	KindScript                  // a script's name, bytes or text is wrong; that script was not started
	KindValidate                // scripts and history disagree
	KindSQL                     // the server refused a statement of a script or callback, or a program among them failed
	KindLock                    // another migration holds the lock, or others a lock that a script needs
	KindConnection              // the server could not be reached, refused the login, or went away
	KindRefused                 // the database is in a state in which the command must not act
	KindInterrupted             // the run was stopped from outside; it is safe to run again
	KindTimeout                 // what Wait waits for did not come in time
)

var kindNames = [...]string{"internal", "config", "script", "validate", "sql", "lock", "connection", "refused", "interrupted", "timeout"}

func (k Kind) String() string { return kindNames[k] }

// Error is every failure that the functions of this package return.
type Error struct {
	Kind Kind
	// Code is Flyway's error code ("VALIDATE_ERROR", "FAILED_VERSIONED_MIGRATION" …); never empty.
	Code string
	// Message says what happened, without where and what next.
	Message string

	// Callback is the event whose callback failed; "" when it was none.
	Callback string

	// At is where in a script it happened; nil when it was not in one.
	At *Location
	// SQL is what the server said; nil when it said nothing.
	SQL *SQLError

	// Kept says what stays in the database; "" when nothing was begun.
	Kept string
	// Hint says what to do next; may be "".
	Hint string
	// Err is the cause.
	Err error
}

// Location is a place in a script.
type Location struct {
	Path      string // as the history names it
	Physical  string
	Line      int    // 1-based
	Column    int    // 1-based, in characters; 0: only the line is known
	Source    string // the line itself
	Statement string // the statement that failed, whole
}

// SQLError is the server's error.
type SQLError struct {
	State    string // SQLSTATE
	Severity string
	Message  string
	Detail   string
	Hint     string
	Where    string
	Position int // characters into Statement, 1-based; 0: none
}

func (e *SQLError) Error() string { return e.Message + " (" + e.State + ")" }

// Error gives the whole story in a few lines: place, message, the line with a caret, what was kept, what to do.
func (e *Error) Error() string {
	var b strings.Builder
	if e.At != nil && e.At.Line > 0 {
		fmt.Fprintf(&b, "%s:%d: ", e.At.Path, e.At.Line)
	} else if e.At != nil {
		fmt.Fprintf(&b, "%s: ", e.At.Path)
	}
	b.WriteString(e.Message)
	if e.SQL != nil && !strings.Contains(e.Message, e.SQL.State) {
		fmt.Fprintf(&b, " (%s)", e.SQL.State)
	}
	if e.At != nil && e.At.Source != "" {
		b.WriteString(e.At.caret())
	}
	if e.SQL != nil {
		for _, part := range [...]struct{ name, text string }{{"detail", e.SQL.Detail}, {"server's hint", e.SQL.Hint}, {"where", e.SQL.Where}} {
			if part.text != "" {
				fmt.Fprintf(&b, "\n%s: %s", part.name, part.text)
			}
		}
	}
	if e.Kept != "" {
		b.WriteString("\n" + e.Kept)
	}
	if e.Hint != "" {
		b.WriteString("\nhint: " + e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// caretWidth is how much of a long line is shown around the place of the error.
const caretWidth = 120

// caret draws the source line with a mark under the column.
func (l *Location) caret() string {
	line := []rune(strings.TrimRight(l.Source, "\r\n"))
	col := l.Column
	if len(line) > caretWidth {
		from := max(0, min(col-caretWidth/2, len(line)-caretWidth))
		line, col = line[from:min(len(line), from+caretWidth)], col-from
	}
	gutter := fmt.Sprintf("%5d", l.Line)
	out := fmt.Sprintf("\n%s | %s", gutter, string(line))
	if col < 1 || col > len(line)+1 {
		return out
	}
	pad := make([]rune, 0, col)
	for _, r := range line[:col-1] {
		if r != '\t' {
			r = ' '
		}
		pad = append(pad, r)
	}
	return out + "\n" + strings.Repeat(" ", len(gutter)) + " | " + string(pad) + "^"
}
