package schedule

import (
	"fmt"
	"unicode/utf8"
)

// Error is a mistake in an expression, a window or a freeze.
type Error struct {
	Input   string // the whole text
	Field   string // "minute", "day of week", "unit", …; "" when it is about the whole
	Column  int    // from 1, in characters
	Message string // what is wrong
	Hint    string // what to write instead
}

// Error gives one line with the place and, behind a semicolon, the hint.
func (e *Error) Error() string {
	text := fmt.Sprintf("%q, column %d: ", e.Input, e.Column)
	if e.Field != "" {
		text += e.Field + ": "
	}
	text += e.Message
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// piece is a part of a text that knows where it stands in it.
type piece struct {
	whole string
	text  string
	from  int // in bytes
}

func (p piece) part(from, to int) piece { return piece{p.whole, p.text[from:to], p.from + from} }

func (p piece) fail(field, hint, format string, args ...any) *Error {
	return &Error{Input: p.whole, Field: field, Column: utf8.RuneCountInString(p.whole[:p.from]) + 1,
		Message: fmt.Sprintf(format, args...), Hint: hint}
}

// with gives the whole text with this part replaced, for hints.
func (p piece) with(text string) string {
	return p.whole[:p.from] + text + p.whole[p.from+len(p.text):]
}

// cut splits at each separator; pieces may be empty.
func (p piece) cut(sep byte) []piece {
	var out []piece
	from := 0
	for i := 0; i <= len(p.text); i++ {
		if i == len(p.text) || p.text[i] == sep {
			out = append(out, p.part(from, i))
			from = i + 1
		}
	}
	return out
}

// words splits at blanks and tabs; no piece is empty.
func (p piece) words() []piece {
	var out []piece
	from := -1
	for i := 0; i <= len(p.text); i++ {
		blank := i == len(p.text) || p.text[i] == ' ' || p.text[i] == '\t'
		if blank && from >= 0 {
			out = append(out, p.part(from, i))
			from = -1
		} else if !blank && from < 0 {
			from = i
		}
	}
	return out
}
