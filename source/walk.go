package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/skein-db/skein/migration"
)

// walk finds the files below a folder and reads those that matter.
type walk struct {
	fsys   fs.FS
	wanted func(name string) bool                        // whether a file's content matters; name has no folders
	rename func(path string) (name string, ok bool)      // nil: every file, under its path below the root
	place  func(path, name string) (file migration.File) // fills in all but Content
	read   func(physical string) ([]byte, error)         // gives errLarge for what is not to be held
	open   func(physical string) (io.ReadCloser, error)

	files    []migration.File // by name
	warnings []string

	found []found
	above []fs.FileInfo // the folders from the root to where the walk is
}

type found struct {
	path string // below the root
	name string // what the history calls it
}

func (w *walk) run(ctx context.Context) error {
	root, err := fs.Stat(w.fsys, ".")
	if err != nil {
		return err
	}
	if err := w.folder(ctx, ".", root); err != nil {
		return err
	}
	slices.SortFunc(w.found, func(a, b found) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.path, b.path))
	})
	return w.readAll(ctx)
}

// folder lists a folder and those in it. What is hidden stays out only as a folder, as in Flyway.
func (w *walk) folder(ctx context.Context, dir string, info fs.FileInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		w.warn(dir, "skipped this folder: %v", cause(err))
		return nil
	}
	w.found = slices.Grow(w.found, len(entries))
	w.above = append(w.above, info)
	defer func() { w.above = w.above[:len(w.above)-1] }()
	for _, entry := range entries {
		p := entry.Name()
		if dir != "." {
			p = dir + "/" + p
		}
		mode := entry.Type()
		if mode&fs.ModeSymlink != 0 {
			target, err := fs.Stat(w.fsys, p)
			if err != nil {
				w.warn(p, "skipped this link: %v", cause(err))
				continue
			}
			mode = target.Mode()
		}
		switch {
		case mode.IsRegular():
			w.file(p)
		case !mode.IsDir() || entry.Name()[0] == '.':
		default:
			if err := w.below(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// below enters a folder, unless a link led back to one that the walk is in.
func (w *walk) below(ctx context.Context, dir string) error {
	info, err := fs.Stat(w.fsys, dir)
	if err != nil {
		w.warn(dir, "skipped this folder: %v", cause(err))
		return nil
	}
	if slices.ContainsFunc(w.above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		w.warn(dir, "skipped this link, which leads back to a folder that holds it")
		return nil
	}
	return w.folder(ctx, dir, info)
}

func (w *walk) file(p string) {
	name, ok := p, true
	if w.rename != nil {
		name, ok = w.rename(p)
	}
	if ok {
		w.found = append(w.found, found{p, name})
	}
}

func (w *walk) warn(p, format string, args ...any) {
	w.warnings = append(w.warnings, w.place(p, p).Physical+": "+fmt.Sprintf(format, args...))
}

// readAll fills w.files. Reading small files is waiting for system calls, so more of them are under way than there are
// processors; the first few unreadable files are all named.
func (w *walk) readAll(ctx context.Context) error {
	w.files = make([]migration.File, len(w.found))
	var next atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, min(2*runtime.GOMAXPROCS(0), 16, len(w.found)))
	for worker := range errs {
		group.Go(func() {
			for errs[worker] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(w.found) {
					return
				}
				if errs[worker] = ctx.Err(); errs[worker] == nil {
					errs[worker] = w.readFile(i)
				}
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

func (w *walk) readFile(i int) (err error) {
	f := w.place(w.found[i].path, w.found[i].name)
	if w.wanted(path.Base(f.Path)) {
		if f.Content, err = w.read(f.Physical); errors.Is(err, errLarge) {
			f.Open, err = func() (io.ReadCloser, error) { return w.open(f.Physical) }, nil
		}
		if err != nil {
			return &migration.Error{Code: migration.CodeError, Path: f.Physical, Message: fmt.Sprintf("cannot be read: %v", cause(err)),
				Hint: "let the user who runs Skein read it; nothing was run", Err: err}
		}
	}
	w.files[i] = f
	return nil
}

// largest is the size of a file from which on its content is not held: it is read again when it is needed.
const largest = 4 << 20

var errLarge = errors.New("the file is large")

// cause drops the operation and the path, which the message has already.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
