package source

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/migration"
)

// A release in a store is a folder of its own: its files under their hashes, the approvals given for it, and the
// manifest, which is written last. Without the manifest it is no release.
const (
	ManifestName  = "release.json"
	FilesFolder   = "release-files"
	approvalsName = "approvals"
)

// Shelf is what a store keeps objects on. Keys are "/" separated, below where the store begins.
type Shelf interface {
	// Keys lists everything below a folder, in order; "" is all.
	Keys(ctx context.Context, folder string) ([]string, error)
	// Open reads an object; an empty version is the newest. It gives the version that it reads, "" where there are none.
	// An object that is not there is fs.ErrNotExist.
	Open(ctx context.Context, key, version string) (content io.ReadCloser, found string, err error)
	// Put writes an object and gives its version. With once, an object that is there already is fs.ErrExist, and of two who
	// write at the same time one fails.
	Put(ctx context.Context, key string, content Content, once bool) (version string, err error)
	// Place is where a person finds an object: "s3://bucket/prefix/key".
	Place(key string) string
}

// Content is what is to be written.
type Content struct {
	Size   int64
	SHA256 string                        // hex
	Open   func() (io.ReadCloser, error) // may be called again after a failure
}

// ContentOf is bytes that are at hand.
func ContentOf(text []byte) Content {
	s := release.Describe("", "", text)
	return Content{Size: s.Size, SHA256: s.SHA256, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

// Store keeps releases. A release that is in it never changes.
type Store struct{ shelf Shelf }

// NewStore makes a store of a shelf.
func NewStore(shelf Shelf) *Store { return &Store{shelf} }

// String is where it is.
func (s *Store) String() string { return strings.TrimSuffix(s.shelf.Place(""), "/") }

// Listed is what List found under one name.
type Listed struct {
	Name     string
	Manifest release.Manifest // of a release
	Problem  string           // why it is none; "" for a release
}

// List gives the releases, the oldest first, and what looks like one and is none.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	keys, err := s.shelf.Keys(ctx, "")
	if err != nil {
		return nil, err
	}
	var found []Listed
	for _, key := range keys {
		name, rest, below := strings.Cut(key, "/")
		if !below || release.CheckName(name) != nil || rest != ManifestName && !strings.HasPrefix(rest, FilesFolder+"/") {
			continue
		}
		if len(found) == 0 || found[len(found)-1].Name != name {
			found = append(found, Listed{Name: name, Problem: unfinished})
		}
		if rest != ManifestName {
			continue
		}
		l := &found[len(found)-1]
		if l.Manifest, err = s.manifest(ctx, name); err == nil {
			l.Problem = ""
		} else if e, ok := errors.AsType[*Error](err); ok && e.Reason == Refused {
			l.Problem = e.Message
		} else {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b Listed) int {
		return cmp.Or(a.Manifest.Created.Compare(b.Manifest.Created), strings.Compare(a.Name, b.Name))
	})
	return found, nil
}

const unfinished = "its upload was not finished: it has no " + ManifestName

// Get reads a manifest. A name that is not there, and one whose upload was not finished, are two different *Error.
func (s *Store) Get(ctx context.Context, name string) (release.Manifest, error) {
	if err := release.CheckName(name); err != nil {
		return release.Manifest{}, &Error{Reason: Wrong, Message: err.Error(), Hint: "skein release list shows the names"}
	}
	m, err := s.manifest(ctx, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	keys, err := s.shelf.Keys(ctx, name)
	if err != nil {
		return release.Manifest{}, err
	}
	if slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, name+"/"+FilesFolder+"/") }) {
		return release.Manifest{}, &Error{Reason: Refused, Message: fmt.Sprintf("%s is no release: %s", strings.TrimSuffix(s.shelf.Place(name), "/"), unfinished),
			Hint: "push it again, which finishes it: skein release push " + name}
	}
	return release.Manifest{}, &Error{Reason: Wrong, Message: fmt.Sprintf("there is no release %s in %s", name, s), Hint: "skein release list shows those that there are"}
}

func (s *Store) manifest(ctx context.Context, name string) (release.Manifest, error) {
	place := s.shelf.Place(name + "/" + ManifestName)
	text, err := s.read(ctx, name+"/"+ManifestName)
	if err != nil {
		return release.Manifest{}, err
	}
	m, err := release.Decode(text)
	if err == nil && m.Name != name {
		err = fmt.Errorf("it is the manifest of release %s, copied", m.Name)
	}
	if err != nil {
		return release.Manifest{}, &Error{Reason: Refused, Message: place + ": " + err.Error(), Hint: "take the release from where it was made; nothing was run", Err: err}
	}
	return m, nil
}

func (s *Store) read(ctx context.Context, key string) ([]byte, error) {
	r, _, err := s.shelf.Open(ctx, key, "")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Push puts a release into the store: the files, which must be those of the manifest, then the manifest. It gives the
// manifest as it is there, with the places of the files. A release of that name and digest that is there already is given
// back as it is (already); another one is refused, whoever of two comes first.
func (s *Store) Push(ctx context.Context, m release.Manifest, files Release) (pushed release.Manifest, already bool, err error) {
	kept, found, err := describe(files)
	if err == nil {
		err = m.Verify(found)
	}
	if err != nil {
		return release.Manifest{}, false, &Error{Reason: Refused, Message: err.Error(), Hint: "make the release again: skein release create", Err: err}
	}
	if there, err := s.manifest(ctx, m.Name); !errors.Is(err, fs.ErrNotExist) {
		return s.already(m, there, err)
	}
	m.Scripts = slices.Clone(m.Scripts)
	err = Parallel(ctx, len(kept), func(ctx context.Context, i int) error {
		entry := &m.Scripts[i]
		entry.Object = path.Join(FilesFolder, entry.SHA256[:16], entry.Path)
		version, err := s.shelf.Put(ctx, m.Name+"/"+entry.Object, contentOf(kept[i], *entry), false)
		entry.ObjectVersion = version
		return err
	})
	if err != nil {
		return release.Manifest{}, false, err
	}
	_, err = s.shelf.Put(ctx, m.Name+"/"+ManifestName, ContentOf(m.Encode()), true)
	if errors.Is(err, fs.ErrExist) {
		there, err := s.manifest(ctx, m.Name)
		return s.already(m, there, err)
	}
	return m, false, err
}

// already decides about a push whose name is taken.
func (s *Store) already(m, there release.Manifest, err error) (release.Manifest, bool, error) {
	if err == nil && there.Digest != m.Digest {
		err = &Error{Reason: Refused, Hint: "a release never changes: give the new one another name",
			Message: fmt.Sprintf("release %s is in %s already, with other scripts: it was made by %s on %s", m.Name, s, there.Author, there.Created.Format("2006-01-02 15:04"))}
	}
	return there, err == nil, err
}

// Describe makes the list of a manifest from what a source gave. Files that were listed by name only are no part of it.
func Describe(files Release) ([]release.Script, error) {
	_, scripts, err := describe(files)
	return scripts, err
}

func describe(files Release) (kept []migration.File, scripts []release.Script, err error) {
	for _, f := range files.Files {
		switch {
		case f.Open != nil:
			r, err := f.Open()
			if err != nil {
				return nil, nil, err
			}
			entry, err := release.DescribeFrom(f.Path, f.Location, r)
			if err = errors.Join(err, r.Close()); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", f.Physical, err)
			}
			scripts = append(scripts, entry)
		case f.Content != nil:
			scripts = append(scripts, release.Describe(f.Path, f.Location, f.Content))
		default:
			continue
		}
		kept = append(kept, f)
		last := &scripts[len(scripts)-1]
		last.Object, last.ObjectVersion = f.Physical, f.Version
	}
	return kept, scripts, nil
}

func contentOf(f migration.File, entry release.Script) Content {
	if f.Open == nil {
		return ContentOf(f.Content)
	}
	return Content{Size: entry.Size, SHA256: entry.SHA256, Open: f.Open}
}

// Approvals reads what was approved about a release, in the order of their files' names. One that cannot be read is an
// error that names it: it counts for nobody.
func (s *Store) Approvals(ctx context.Context, name string) ([]release.Approval, error) {
	keys, err := s.shelf.Keys(ctx, name+"/"+approvalsName)
	if err != nil {
		return nil, err
	}
	var list []release.Approval
	for _, key := range keys {
		text, err := s.read(ctx, key)
		if err != nil {
			return nil, err
		}
		a, err := release.DecodeApproval(text)
		if err != nil {
			return nil, &Error{Reason: Refused, Message: s.shelf.Place(key) + ": " + err.Error(), Hint: "remove the file, and approve again: skein approve", Err: err}
		}
		list = append(list, a)
	}
	return list, nil
}

// PutApproval keeps an approval beside its release, which must be there. One that is kept already is kept once.
func (s *Store) PutApproval(ctx context.Context, a release.Approval) error {
	m, err := s.Get(ctx, a.Release)
	if err != nil {
		return err
	}
	if m.Digest != a.Digest {
		return &Error{Reason: Refused, Message: fmt.Sprintf("release %s in %s has the digest %s, and the approval is for %s", a.Release, s, m.Digest, a.Digest),
			Hint: "approve the release that is there: skein approve"}
	}
	key := path.Join(a.Release, approvalsName, a.ApprovalName())
	_, err = s.shelf.Put(ctx, key, ContentOf(a.Encode()), true)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := s.read(ctx, key)
	if err == nil && !bytes.Equal(there, a.Encode()) {
		return &Error{Reason: Refused, Message: s.shelf.Place(key) + " is there, and is not that approval", Hint: "remove the file, and approve again: skein approve"}
	}
	return err
}
