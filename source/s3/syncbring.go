package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/skein-db/skein/source"
)

// bring fetches what is missing, moves it to its place, and removes what is to go.
func (f *folder) bring(ctx context.Context, want []item, missing []int, remove, left []string, still func(context.Context) error) error {
	f.sweep()
	temporary := ownPrefix + "-" + strings.ToLower(rand.Text()[:12])
	if len(missing) > 0 {
		if err := f.root.Mkdir(temporary, 0o700); err != nil {
			return untouched(f.failed(err), f.dir)
		}
		defer func() { _ = f.root.RemoveAll(temporary) }() // what is left over is swept away later
	}
	place := func(i int) string { return fmt.Sprintf("%s/%d", temporary, i) }
	err := source.Parallel(ctx, len(missing), func(ctx context.Context, i int) error { return f.fetch(ctx, &want[missing[i]], place(i)) })
	if err == nil {
		err = still(ctx)
	}
	if err != nil {
		return untouched(err, f.dir)
	}
	for n, i := range missing {
		if err := f.move(place(n), want[i].name); err != nil {
			return f.halfway(err, n, len(missing))
		}
	}
	for _, name := range remove {
		if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f.halfway(err, len(missing), len(missing))
		}
	}
	return f.remember(want, left)
}

// halfway is a failure among the moves.
func (f *folder) halfway(err error, done, all int) error {
	return &source.Error{Reason: source.Wrong, Message: fmt.Sprintf("the folder %s: %v; %d of %d files are in their places, each of them whole", f.dir, err, done, all),
		Hint: "put that right and run the command again before anything reads the folder", Err: err}
}

// fetch reads an object into a file.
func (f *folder) fetch(ctx context.Context, w *item, to string) error {
	from, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	mode := fs.FileMode(0o644)
	if info, err := f.root.Lstat(w.name); err == nil {
		mode = info.Mode().Perm() // whoever made a program executable has meant it
	}
	file, err := f.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return f.failed(err)
	}
	sum := sha256.New()
	in := &reading{from: from}
	_, err = io.Copy(io.MultiWriter(file, sum), in)
	if in.err != nil {
		_ = file.Close() // it is thrown away
		return in.err
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return f.failed(err)
	}
	w.sha256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// reading remembers whether it was reading that failed.
type reading struct {
	from io.Reader
	err  error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func (f *folder) move(from, to string) error {
	if _, err := f.there(to); err != nil { // once more: fetching took its time
		return err
	}
	if dir := path.Dir(to); dir != "." {
		if err := f.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return f.root.Rename(from, to)
}

// remember writes the file beside. What was brought before and is left stays in it.
func (f *folder) remember(want []item, left []string) error {
	s := state{Format: 1, From: f.from, Files: map[string]brought{}}
	for _, name := range left {
		if known, ok := f.known[name]; ok {
			s.Files[name] = known
		}
	}
	for _, w := range want {
		s.Files[w.name] = brought{w.etag, w.sha256}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		next := stateName + "-" + strings.ToLower(rand.Text()[:12])
		if err = f.root.WriteFile(next, append(text, '\n'), 0o644); err == nil {
			err = f.root.Rename(next, stateName)
		}
		if err != nil {
			_ = f.root.Remove(next) // it may not be there
		}
	}
	if err != nil {
		return &source.Error{Reason: source.Wrong, Message: fmt.Sprintf("the folder %s: %v; all files are in their places, but %s could not be written", f.dir, err, stateName),
			Hint: "put that right and run the command again", Err: err}
	}
	return nil
}

// sweep removes what runs that were killed have left. One that is at work is younger.
func (f *folder) sweep() {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), ownPrefix) && e.Name() != stateName && time.Since(info.ModTime()) > 24*time.Hour {
			_ = f.root.RemoveAll(e.Name()) // the next run tries again
		}
	}
}
