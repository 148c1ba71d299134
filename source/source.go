// Package source says where scripts come from.
package source

import (
	"context"

	"github.com/skein-db/skein/migration"
)

// Source loads scripts. A Source may be loaded several times and gives what is there at that moment.
type Source interface {
	Load(ctx context.Context) (Release, error)
}

// Release is what a source held at one moment.
type Release struct {
	Files    []migration.File // in the order of their locations, then by path
	Warnings []string
	// Origins say what was read, for a person: a location, with the commit or the release that it stood for.
	Origins []string
}

// Error is a failure to get at scripts that is not about one of them.
type Error struct {
	Reason  Reason
	Message string // what happened
	Hint    string // what to do next; may be ""
	Err     error  // the cause; may be nil
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Reason groups failures by what a person does next.
type Reason uint8

// The reasons.
const (
	Wrong       Reason = iota // what was asked for is not there: correct the setting
	Unreachable               // a store does not answer, or not to these credentials
	Refused                   // what is there must not be used: half uploaded, changed meanwhile, not what was signed
)

// add appends files, without copying those of the first location, which is mostly the only one.
func (r *Release) add(files []migration.File) {
	if len(r.Files) == 0 {
		r.Files = files
		return
	}
	r.Files = append(r.Files, files...)
}

// join appends what another location held.
func (r *Release) join(more Release) {
	r.add(more.Files)
	r.Warnings = append(r.Warnings, more.Warnings...)
	r.Origins = append(r.Origins, more.Origins...)
}
