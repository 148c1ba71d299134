package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/migration"
)

// Load reads a release's files, each in the version that the manifest names, and compares every byte with it. A file of
// 4 MB or more is compared now and again when it is run.
func (s *Store) Load(ctx context.Context, m release.Manifest) (Release, error) {
	out := Release{Files: make([]migration.File, len(m.Scripts)), Origins: []string{fmt.Sprintf("release %s (%s) in %s", m.Name, m.Digest, s)}}
	err := Parallel(ctx, len(m.Scripts), func(ctx context.Context, i int) (err error) {
		out.Files[i], err = s.file(ctx, m.Name, m.Scripts[i])
		return err
	})
	if err != nil {
		return Release{}, err
	}
	return out, nil
}

func (s *Store) file(ctx context.Context, name string, entry release.Script) (migration.File, error) {
	f := migration.File{Path: entry.Path, Location: entry.Location, Physical: s.shelf.Place(name + "/" + entry.Object), Version: entry.ObjectVersion}
	r, err := s.Open(ctx, name, entry)
	if err != nil {
		return f, err
	}
	defer r.Close()
	if entry.Size >= largest {
		lasting := context.WithoutCancel(ctx) // it is read when Load has long returned
		f.Open = func() (io.ReadCloser, error) { return s.Open(lasting, name, entry) }
		_, err = io.Copy(io.Discard, r)
		return f, err
	}
	if f.Content, err = io.ReadAll(r); f.Content == nil {
		f.Content = []byte{}
	}
	return f, err
}

// Open reads a file of a release in the version that the manifest names. Where its end is not the one that the manifest
// knows, the reader gives an error instead.
func (s *Store) Open(ctx context.Context, name string, entry release.Script) (io.ReadCloser, error) {
	key := name + "/" + entry.Object
	place := s.shelf.Place(key)
	if !strings.HasPrefix(entry.Object, FilesFolder+"/") || path.Clean(entry.Object) != entry.Object {
		return nil, &Error{Reason: Refused, Message: fmt.Sprintf("release %s: %s is not kept in the release: %q", name, entry.Path, entry.Object),
			Hint: "push the release, and use it from where it was pushed to"}
	}
	r, _, err := s.shelf.Open(ctx, key, entry.ObjectVersion)
	if errors.Is(err, fs.ErrNotExist) {
		err = &Error{Reason: Refused, Message: fmt.Sprintf("release %s: %s is gone: %s", name, entry.Path, place),
			Hint: "somebody removed a file of a release; restore it, or push the release under another name", Err: err}
	}
	if err != nil {
		return nil, err
	}
	return &checked{ReadCloser: r, hash: sha256.New(), name: name, entry: entry, place: place}, nil
}

// checked gives an error where the content ends and was not the one that the manifest names.
type checked struct {
	io.ReadCloser
	hash        hash.Hash
	size        int64
	name, place string
	entry       release.Script
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	_, _ = c.hash.Write(p[:n]) // a hash takes everything
	c.size += int64(n)
	if c.size > c.entry.Size || errors.Is(err, io.EOF) && (c.size != c.entry.Size || hex.EncodeToString(c.hash.Sum(nil)) != c.entry.SHA256) {
		return 0, &Error{Reason: Refused, Message: fmt.Sprintf("release %s: %s was changed after the release was made: %s", c.name, c.entry.Path, c.place),
			Hint: "somebody replaced a file of a release; restore the one that the manifest names; of this one nothing was run"}
	}
	return n, err
}

// FromStore gives a Source that is one release of a store. check is asked about the manifest before its files are read;
// nil asks nobody.
func FromStore(store *Store, name string, check func(release.Manifest) error) Source {
	return stored{store, name, check}
}

type stored struct {
	store *Store
	name  string
	check func(release.Manifest) error
}

func (s stored) Load(ctx context.Context) (Release, error) {
	m, err := s.store.Get(ctx, s.name)
	if err == nil && s.check != nil {
		err = s.check(m)
	}
	if err != nil {
		return Release{}, err
	}
	return s.store.Load(ctx, m)
}

// Parallel calls do for 0 to n-1, several at a time, and gives the first error, which stops the others.
func Parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var group sync.WaitGroup
	for range min(4*runtime.GOMAXPROCS(0), 16, n) {
		group.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					stop(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}
