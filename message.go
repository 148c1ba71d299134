package skein

import (
	"context"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/stall"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// text is a script's or callback's text, ready to be sent, that knows the way back to the file.
type text struct {
	path, physical string
	original       string
	sql            string // placeholders replaced
	mapping        migration.Mapping
	before         lines // of the file; zero where the text is all of it

	counting       sync.Mutex // an observer asks too
	counted, lines int        // how many line ends there are before that offset of the original
}

// line is the line of an offset in the file. Statements ask in their order: counting from the start for each would take
// longer than a long script takes to run.
func (t *text) line(offset int) int {
	t.counting.Lock()
	defer t.counting.Unlock()
	if offset < t.counted {
		t.counted, t.lines = 0, 0
	}
	t.lines += strings.Count(t.original[t.counted:offset], "\n")
	t.counted = offset
	return 1 + t.before.count + t.lines
}

// piece is one statement of a text.
type piece struct {
	text    *text
	stmt    sqlsplit.Statement
	verdict txblock.Verdict
	index   int               // in its text
	need    func() stall.Need // what an earlier run has found, or is to find; nil: find out

	callback *migration.Callback // instead of all that: a program that runs between statements
}

func (p *piece) sql() string { return p.text.sql[p.stmt.Start:p.stmt.End] }

// line is where the statement stands in the file.
func (p *piece) line() int { return p.text.line(p.text.mapping.Original(p.stmt.Body)) }

// message is what travels to the server in one go: statements of scripts and Skein's own around them.
type message struct {
	parts []part
}

type part struct {
	piece *piece // nil: a statement of Skein's own
	sql   string
	start int // byte offset in the text of the whole
	live  bool
	then  func(postgres.Result) // hears of the answer; may be nil
}

// own adds statements of Skein's own.
func (m *message) own(statements ...string) {
	for _, s := range statements {
		m.add(nil, s)
	}
}

func (m *message) add(p *piece, sql string) {
	at := 0
	if n := len(m.parts); n > 0 {
		at = m.parts[n-1].end()
	}
	m.parts = append(m.parts, part{piece: p, sql: sql, start: at})
}

// last is the statement that was added last.
func (m *message) last() *part { return &m.parts[len(m.parts)-1] }

func (m *message) empty() bool { return len(m.parts) == 0 }

// delimiter stands on a line of its own, because a script may end in a line comment.
const delimiter = "\n;\n"

func (p *part) end() int { return p.start + len(p.sql) + len(delimiter) }

// text is all of the message, as the simple protocol takes it.
func (m *message) text() string {
	var b strings.Builder
	if !m.empty() {
		b.Grow(m.last().end())
	}
	for i := range m.parts {
		b.WriteString(m.parts[i].sql)
		b.WriteString(delimiter)
	}
	return b.String()
}

// failure is a statement that the server refused.
type failure struct {
	piece  *piece // nil: one of Skein's own
	err    *postgres.StatementError
	offset int // characters into the statement, from 0; -1: unknown
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// send sends the message in the simple protocol and hands the result of each script statement to each. A refused
// statement gives a *failure.
func (m *message) send(ctx context.Context, conn *postgres.Conn, limit int, each func(*piece, postgres.Result)) error {
	if m.empty() {
		return nil
	}
	sql := m.text()
	err := conn.ExecRows(ctx, sql, limit, func(res postgres.Result) {
		if p := m.parts[res.Index].piece; p != nil && each != nil {
			each(p, res)
		}
	})
	refused, ok := errors.AsType[*postgres.StatementError](err)
	if !ok {
		return err
	}
	return m.locate(refused, sql)
}

// pipeline sends the message statement by statement without waiting for answers, and tells each statement's own
// listener. A refused statement gives a *failure.
func (m *message) pipeline(ctx context.Context, conn *postgres.Conn, limit int) error {
	sent := make([]postgres.Sent, len(m.parts))
	for i := range m.parts {
		sent[i] = postgres.Sent{SQL: m.parts[i].sql, Live: m.parts[i].live}
	}
	err := conn.Pipeline(ctx, sent, limit, func(res postgres.Result) {
		if then := m.parts[res.Index].then; then != nil {
			then(res)
		}
	})
	refused, ok := errors.AsType[*postgres.StatementError](err)
	if !ok {
		return err
	}
	return m.parts[refused.Index].failed(refused, int(refused.Err.Position)-1)
}

// locate finds the statement that failed in a message of the simple protocol. A syntax error stops the whole message
// before its first statement, so the position goes before the count of statements that were done.
func (m *message) locate(err *postgres.StatementError, sql string) *failure {
	at := min(err.Index, len(m.parts)-1)
	pos := int(err.Err.Position)
	if pos == 0 {
		return m.parts[at].failed(err, -1)
	}
	offset := byteOffset(sql, pos-1)
	for at = 0; at+1 < len(m.parts) && m.parts[at+1].start <= offset; at++ {
	}
	return m.parts[at].failed(err, utf8.RuneCountInString(sql[m.parts[at].start:offset]))
}

// failed says that the server refused the statement, at the character of that offset if it is not negative.
func (p *part) failed(err *postgres.StatementError, offset int) *failure {
	return &failure{piece: p.piece, err: err, offset: max(offset, -1)}
}

// byteOffset turns an offset in characters into one in bytes.
func byteOffset(s string, runes int) int {
	for i := range s {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(s)
}

// location turns a failed statement into a place in its file.
func (f *failure) location() *Location {
	p := f.piece
	loc := &Location{Path: p.text.path, Physical: p.text.physical, Statement: p.sql()}
	at := p.text.mapping.Original(p.stmt.Body)
	if f.offset >= 0 {
		at = p.text.mapping.Original(p.stmt.Start + byteOffset(loc.Statement, f.offset))
	}
	loc.Line, loc.Column, loc.Source = p.text.place(at)
	if f.offset < 0 {
		loc.Column = 0
	}
	return loc
}

// place gives line, column and the line's text in the file for a byte offset in the original.
func (t *text) place(offset int) (line, column int, source string) {
	line, column, source = place(t.original, offset)
	if line == 1 && t.before.columns > 0 {
		column += t.before.columns
		if source = t.before.head + source; t.before.head == "" {
			source = ""
		}
	}
	return line + t.before.count, column, source
}

// place gives line, column and the line's text for a byte offset.
func place(text string, offset int) (line, column int, source string) {
	offset = min(offset, len(text))
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	source, _, _ = strings.Cut(text[start:], "\n")
	return 1 + strings.Count(text[:offset], "\n"), 1 + utf8.RuneCountInString(text[start:offset]), strings.TrimSuffix(source, "\r")
}
