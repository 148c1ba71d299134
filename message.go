package skein

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// text is a script's or callback's text, ready to be sent, that knows the way back to the file.
type text struct {
	path, physical string
	original       string
	sql            string // placeholders replaced
	mapping        migration.Mapping
}

// piece is one statement of a text.
type piece struct {
	text    *text
	stmt    sqlsplit.Statement
	verdict txblock.Verdict
	index   int // in its text

	callback *migration.Callback // instead of all that: a program that runs between statements
}

func (p *piece) sql() string { return p.text.sql[p.stmt.Start:p.stmt.End] }

// line is where the statement stands in the file.
func (p *piece) line() int {
	return 1 + strings.Count(p.text.original[:p.text.mapping.Original(p.stmt.Body)], "\n")
}

// message is what travels to the server in one go: statements of scripts and Skein's own around them.
type message struct {
	sql    strings.Builder
	pieces []placed // one for each statement; nil piece: Skein's own
}

type placed struct {
	piece *piece
	start int // byte offset in the message
}

// own adds statements of Skein's own.
func (m *message) own(statements ...string) {
	for _, s := range statements {
		m.add(nil, s)
	}
}

func (m *message) add(p *piece, sql string) {
	m.pieces = append(m.pieces, placed{p, m.sql.Len()})
	m.sql.WriteString(sql)
	// A script may end in a line comment: the delimiter goes onto a line of its own.
	m.sql.WriteString("\n;\n")
}

func (m *message) empty() bool { return len(m.pieces) == 0 }

// failure is a statement that the server refused.
type failure struct {
	piece  *piece // nil: one of Skein's own
	own    string // its text then
	err    *postgres.StatementError
	offset int // characters into the statement, from 0; -1: unknown
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// send sends the message and hands the result of each script statement to each. A refused statement gives a *failure.
func (m *message) send(ctx context.Context, conn *postgres.Conn, limit int, each func(*piece, postgres.Result)) error {
	if m.empty() {
		return nil
	}
	err := conn.ExecRows(ctx, m.sql.String(), limit, func(res postgres.Result) {
		if p := m.pieces[res.Index].piece; p != nil && each != nil {
			each(p, res)
		}
	})
	refused, ok := errors.AsType[*postgres.StatementError](err)
	if !ok {
		return err
	}
	return m.locate(refused)
}

// locate finds the statement that failed. A syntax error stops the whole message before its first statement, so the
// position goes before the count of statements that were done.
func (m *message) locate(err *postgres.StatementError) *failure {
	sql := m.sql.String()
	f := &failure{err: err, offset: -1}
	at := min(err.Index, len(m.pieces)-1)
	if pos := int(err.Err.Position); pos > 0 {
		offset := byteOffset(sql, pos-1)
		for at = 0; at+1 < len(m.pieces) && m.pieces[at+1].start <= offset; at++ {
		}
		f.offset = utf8.RuneCountInString(sql[m.pieces[at].start:offset])
	}
	f.piece = m.pieces[at].piece
	end := len(sql)
	if at+1 < len(m.pieces) {
		end = m.pieces[at+1].start
	}
	f.own = strings.TrimSuffix(sql[m.pieces[at].start:end], "\n;\n")
	return f
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
	loc.Line, loc.Column, loc.Source = place(p.text.original, at)
	if f.offset < 0 {
		loc.Column = 0
	}
	return loc
}

// place gives line, column and the line's text for a byte offset.
func place(text string, offset int) (line, column int, source string) {
	offset = min(offset, len(text))
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	source, _, _ = strings.Cut(text[start:], "\n")
	return 1 + strings.Count(text[:offset], "\n"), 1 + utf8.RuneCountInString(text[start:offset]), strings.TrimSuffix(source, "\r")
}
