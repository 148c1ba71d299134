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
}

// add appends files, without copying those of the first location, which is mostly the only one.
func (r *Release) add(files []migration.File) {
	if len(r.Files) == 0 {
		r.Files = files
		return
	}
	r.Files = append(r.Files, files...)
}
