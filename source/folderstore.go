package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/release"
)

// FolderStore keeps releases in a folder, which is made with the first.
func FolderStore(folder string) *Store { return NewStore(shelf(folder)) }

// shelf is a folder as a Shelf. It has no versions.
type shelf string

func (s shelf) Place(key string) string { return filepath.Join(string(s), filepath.FromSlash(key)) }

// partial ends the names of files that are being written.
const partial = ".partial"

func (s shelf) Keys(ctx context.Context, folder string) ([]string, error) {
	var keys []string
	root := s.Place(folder)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && file == root && errors.Is(err, fs.ErrNotExist):
			return fs.SkipAll
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir() || strings.HasSuffix(file, partial):
			return nil
		}
		key, err := filepath.Rel(string(s), file)
		keys = append(keys, filepath.ToSlash(key))
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	slices.Sort(keys)
	return keys, nil
}

func (s shelf) Open(_ context.Context, key, _ string) (io.ReadCloser, string, error) {
	f, err := os.Open(s.Place(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = s.failed(err)
	}
	return f, "", err
}

// Put writes beside the place and moves the file there when it is on disk: what has the name is whole.
func (s shelf) Put(_ context.Context, key string, content Content, once bool) (string, error) {
	to := s.Place(key)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", s.failed(err)
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".*"+partial)
	if err != nil {
		return "", s.failed(err)
	}
	defer os.Remove(f.Name())
	err = write(f, content)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", s.failed(err)
	}
	if !once {
		err = os.Rename(f.Name(), to)
	} else if err = os.Link(f.Name(), to); err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without links cannot tell two writers apart, but it can tell what is there already.
		if _, there := os.Lstat(to); there == nil {
			return "", fs.ErrExist
		}
		err = os.Rename(f.Name(), to)
	}
	if errors.Is(err, fs.ErrExist) {
		return "", fs.ErrExist
	}
	if err != nil {
		return "", s.failed(err)
	}
	return "", nil
}

func write(f *os.File, content Content) error {
	r, err := content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	written, err := release.DescribeFrom("", "", io.TeeReader(r, f))
	if err != nil {
		return err
	}
	if written.Size != content.Size || written.SHA256 != content.SHA256 {
		return errors.New("it changed while it was read")
	}
	return errors.Join(f.Chmod(0o644), f.Sync())
}

func (s shelf) failed(err error) error {
	return &Error{Reason: Unreachable, Message: fmt.Sprintf("the releases in %s: %v", string(s), err), Hint: "let the user who runs Skein read and write that folder", Err: err}
}
