package pgserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// On Windows an open file can be neither renamed nor removed, so holding it
// open is the lock, and it has its name from the start: a folder in the making
// is one whose owner file is not there yet.

func lock(*os.File) error { return nil }

func publish(_ *os.File, _, to string) error {
	return os.WriteFile(to, nil, 0o600)
}

func abandonedBy(dir string) (*os.File, bool) {
	if _, err := os.Stat(filepath.Join(dir, ownerFile)); err != nil {
		return nil, false
	}
	// The owner keeps the other name open; once it is removable nobody does.
	err := os.Remove(filepath.Join(dir, ownerFile+".new"))
	return nil, err == nil || errors.Is(err, os.ErrNotExist)
}

func endOrphan(dataDir string) {
	found, err := Find(context.Background())
	if err != nil || len(found) == 0 {
		return
	}
	_ = pgctl(context.Background(), found[0].BinDir, dataDir, "stop", "-m", "immediate")
}
