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
