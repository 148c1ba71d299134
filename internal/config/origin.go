package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// OriginKind says what kind of place a value came from.
type OriginKind int

// The kinds of origin, lowest precedence first.
const (
	FromDefault OriginKind = iota
	FromFile
	FromStdin
	FromEnvironment
	FromFlag
	FromVault
)

// Origin is the place that a value came from.
type Origin struct {
	Kind OriginKind
	// Name is the file's path, the variable's name or the flag as it was
	// written, without the value ("-url", "--url"), "vault:" and the path of a
	// secret.
	Name string
	// Line and Column count from 1; 0 is unknown. Column is known in TOML only,
	// and is the value's.
	Line, Column int
}

// String gives "default", "flyway.conf:12", "flyway.toml:3:9", "stdin:4",
// "FLYWAY_URL" or "-url".
func (o Origin) String() string {
	switch o.Kind {
	case FromDefault:
		return "default"
	case FromStdin:
		return fmt.Sprintf("stdin:%d", o.Line)
	case FromFile:
		s := o.Name
		if o.Line > 0 {
			s += fmt.Sprintf(":%d", o.Line)
			if o.Column > 0 {
				s += fmt.Sprintf(":%d", o.Column)
			}
		}
		return s
	}
	return o.Name
}

// Mistake is one thing that is wrong in the configuration.
type Mistake struct {
	Origin Origin
	Key    string // as it was written; "" when no single key is at fault
	Text   string // what is wrong
	Hint   string // what to do about it; may be empty
	// Code is the one that Flyway 13 gives this mistake, "" for CONFIGURATION.
	Code string
	// Silent says that a place which was asked for it did not answer, so that the same may be right in a moment.
	Silent bool
}

// Codes of mistakes that are not CONFIGURATION. Fault is Flyway's for an
// exception that it did not expect, Recoverable for a setting that it has removed.
const (
	Plain       = "ERROR"
	Fault       = "FAULT"
	Recoverable = "CONFIGURATION_RECOVERABLE"
)

// Error gives "origin: text (hint)".
func (m Mistake) Error() string {
	s := m.Text
	if m.Origin != (Origin{}) {
		s = m.Origin.String() + ": " + s
	}
	if m.Hint != "" {
		s += " (" + m.Hint + ")"
	}
	return s
}

// Mistakes is every mistake that was found, weakest source first, and by line
// within a file. Parse and Load return their error as this type.
type Mistakes []Mistake

// Error gives one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Is answers errors.Is for secret.ErrSilent: all that is wrong is that somebody did not answer.
func (ms Mistakes) Is(target error) bool {
	return target == secret.ErrSilent && len(ms) > 0 && !slices.ContainsFunc(ms, func(m Mistake) bool { return !m.Silent })
}

// err is ms as an error, nil when there is none.
func (ms Mistakes) err() error {
	if len(ms) == 0 {
		return nil
	}
	return ms
}

// Warning is something that was accepted and may not do what was meant.
type Warning struct {
	Origin Origin
	Text   string
}

// String gives "origin: text".
func (w Warning) String() string {
	if w.Origin == (Origin{}) {
		return w.Text
	}
	return w.Origin.String() + ": " + w.Text
}

// findings collects what a reader of one or more sources has to say.
type findings struct {
	mistakes Mistakes
	warnings []Warning
}

func (f *findings) mistake(o Origin, key, hint, format string, args ...any) {
	f.coded("", o, key, hint, format, args...)
}

// coded is a mistake with a code of its own.
func (f *findings) coded(code string, o Origin, key, hint, format string, args ...any) {
	m := Mistake{Origin: o, Key: key, Text: fmt.Sprintf(format, args...), Hint: hint, Code: code}
	for _, arg := range args {
		if err, is := arg.(error); is && errors.Is(err, secret.ErrSilent) {
			m.Silent = true
		}
	}
	f.mistakes = append(f.mistakes, m)
}

func (f *findings) warn(o Origin, format string, args ...any) {
	f.warnings = append(f.warnings, Warning{Origin: o, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) sort() {
	slices.SortStableFunc(f.mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Origin.Kind, b.Origin.Kind), cmp.Compare(a.Origin.Name, b.Origin.Name),
			cmp.Compare(a.Origin.Line, b.Origin.Line))
	})
}
