package pgserver

import (
	"errors"
	"os"
	"path/filepath"
)

// ownerFile lies in a server's folder and is locked by the process that started
// the server, for as long as that process lives.
const ownerFile = "owner"

// claim makes and locks dir's owner file. The file gets its name only when it
// is locked, so sweep never takes a folder in the making for an orphan.
func claim(dir string) (*os.File, error) {
	unnamed := filepath.Join(dir, ownerFile+".new")
	f, err := os.OpenFile(unnamed, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := publish(f, unnamed, filepath.Join(dir, ownerFile)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep ends the servers in base whose process died without ending them, and
// removes their folders. It is a courtesy: what it cannot remove stays.
func sweep(base string) {
	dirs, err := filepath.Glob(filepath.Join(base, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		f, abandoned := abandonedBy(dir)
		if !abandoned {
			continue
		}
		endOrphan(filepath.Join(dir, "data"))
		if f != nil {
			_ = f.Close()
		}
		_ = os.RemoveAll(dir)
	}
}
