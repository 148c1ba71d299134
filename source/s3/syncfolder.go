package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/skein-db/skein/source"
)

// folder is what is synced to. All that is done in it goes through root, which leads nowhere else.
type folder struct {
	dir  string
	root *os.Root // nil: it is not there, and this is a dry run
	from string
	// known is what the file beside remembers of files that were brought.
	known map[string]brought
}

// brought is one file that Sync has brought: the ETag that it had, and its content.
type brought struct {
	ETag   string `json:"etag,omitempty"`
	SHA256 string `json:"sha256"`
}

// state is the file beside.
type state struct {
	Format int                `json:"format"`
	From   string             `json:"from"`
	Files  map[string]brought `json:"files"`
}

func openFolder(dir, from string, dry bool) (*folder, error) {
	f := &folder{dir: dir, from: from, known: map[string]brought{}}
	if !dry {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, f.failed(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if dry && errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, f.failed(err)
	}
	f.root = root
	text, err := root.ReadFile(stateName)
	var s state
	// What cannot be read remembers nothing: files are then compared by their ETags alone, or fetched again.
	if err == nil && json.Unmarshal(text, &s) == nil && s.Format == 1 && s.From == from {
		f.known = s.Files
	}
	return f, nil
}

func (f *folder) close() {
	if f.root != nil {
		_ = f.root.Close() // a folder was only looked into
	}
}

func (f *folder) failed(err error) error {
	return &source.Error{Reason: source.Wrong, Message: fmt.Sprintf("the folder %s: %v", f.dir, err), Hint: "let the user who runs Skein read and write it, and see that its disk has room", Err: err}
}

// compare gives the places of what is missing in want or not as it should be, and the scripts that want does not have. It
// fills in the hashes of what is there.
func (f *folder) compare(ctx context.Context, want []item, script func(string) bool) (missing []int, extra []string, err error) {
	if f.root == nil {
		for i := range want {
			missing = append(missing, i)
		}
		return missing, nil, nil
	}
	same := make([]bool, len(want))
	err = source.Parallel(ctx, len(want), func(_ context.Context, i int) (err error) {
		same[i], err = f.same(&want[i])
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range want {
		if !same[i] {
			missing = append(missing, i)
		}
	}
	extra, err = f.others(want, script)
	return missing, extra, err
}

// same tells whether a file is as it should be.
func (f *folder) same(w *item) (bool, error) {
	info, err := f.there(w.name)
	if err != nil || info == nil || info.Size() != w.size {
		return false, err
	}
	sum, short, err := f.hashes(w.name)
	if err != nil {
		return false, err
	}
	if w.etag == "" {
		return sum == w.sha256, nil
	}
	known := f.known[w.name]
	if short != strings.Trim(w.etag, `"`) && (known.ETag != w.etag || known.SHA256 != sum) {
		return false, nil
	}
	w.sha256 = sum
	return true, nil
}

// hashes reads a file.
func (f *folder) hashes(name string) (long, short string, err error) {
	file, err := f.root.Open(name)
	if err != nil {
		return "", "", f.failed(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	l, s := sha256.New(), md5.New()     // an ETag is one; S3 has compared it when it was written
	if _, err := io.Copy(io.MultiWriter(l, s), file); err != nil {
		return "", "", f.failed(err)
	}
	return hex.EncodeToString(l.Sum(nil)), hex.EncodeToString(s.Sum(nil)), nil
}

// there looks at a place; nil: nothing is there. A link, or anything else that is no file, is refused, and so are links
// on the way to it.
func (f *folder) there(name string) (fs.FileInfo, error) {
	for at := 0; ; {
		next := strings.IndexByte(name[at:], '/')
		part := name
		if next >= 0 {
			part = name[:at+next]
			at += next + 1
		}
		info, err := f.root.Lstat(part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil //nolint:nilnil // there is none
		case err != nil:
			return nil, f.failed(err)
		case next < 0 && info.Mode().IsRegular():
			return info, nil
		case next >= 0 && info.IsDir():
			continue
		}
		what := "something that is no file"
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			what = "a symbolic link"
		case info.IsDir():
			what = "a folder"
		case next >= 0 && info.Mode().IsRegular():
			what = "a file"
		}
		return nil, &source.Error{Reason: source.Refused, Message: fmt.Sprintf("%s in %s is %s, where %s has %s", part, f.dir, what, f.from, name),
			Hint: "remove it, or give another folder: sync writes through no links and over files only"}
	}
}

// others lists the scripts, and what was brought before, that want does not have, without looking into hidden folders or through links.
func (f *folder) others(want []item, script func(string) bool) ([]string, error) {
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w.name] = true
	}
	var extra []string
	err := fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return f.failed(err)
		case d.IsDir() && name != "." && d.Name()[0] == '.':
			return fs.SkipDir
		case !d.Type().IsRegular() || wanted[name]:
			return nil
		}
		ours := script != nil && script(path.Base(name))
		if known, ok := f.known[name]; ok && !ours {
			sum, _, err := f.hashes(name)
			if err != nil {
				return err
			}
			ours = sum == known.SHA256 // else somebody has put something of their own there
		}
		if ours {
			extra = append(extra, name)
		}
		return nil
	})
	slices.Sort(extra)
	return extra, err
}
