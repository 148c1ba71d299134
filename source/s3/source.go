package s3

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Options say how a location is read.
type Options struct {
	// Wanted tells of which files the content matters, by their names without folders; nil: of all.
	Wanted func(name string) bool
	// Check is asked about a release's manifest before its files are read; nil asks nobody.
	Check func(release.Manifest) error
	// Bare is what is asked of a prefix that is no release.
	Bare Bare
}

// Bare is the rule for a prefix that scripts were copied to without a manifest, so that nobody can tell whether all of
// them are there. The zero value reads it as it is, which is right for looking.
type Bare struct {
	// Refused says why it may not be used, and Hint what to do; "" uses it.
	Refused, Hint string
	// Quiet is how long nothing may have been written there, by S3's clock.
	Quiet time.Duration
	// Tell gives a warning with the digest of what was read.
	Tell bool
}

// Source reads the scripts below a location: a release, where there is its manifest, else what lies there. A location
// with nothing in it is an error, and so is one whose objects change while they are read.
func (c *Client) Source(l Location, opt Options) source.Source { return scripts{c, l, opt} }

type scripts struct {
	client *Client
	at     Location
	opt    Options
}

// largest is the size of an object from which on its content is not held, as for files.
const largest = 4 << 20

func (s scripts) Load(ctx context.Context) (source.Release, error) {
	all, err := s.client.list(ctx, s.at.Bucket, s.at.below())
	if err != nil {
		return source.Release{}, err
	}
	if slices.ContainsFunc(all.objects, func(o object) bool { return o.Key == s.at.below()+source.ManifestName }) {
		above, name := path.Split(s.at.Prefix)
		store := s.client.Store(Location{s.at.Bucket, strings.Trim(above, "/")})
		return source.FromStore(store, name, s.opt.Check).Load(ctx)
	}
	if err := s.usable(all); err != nil {
		return source.Release{}, err
	}
	return s.bare(ctx, all)
}

// usable looks at a listing without a manifest.
func (s scripts) usable(all listing) error {
	refuse := func(reason source.Reason, message, hint string) error {
		return &source.Error{Reason: reason, Message: s.at.String() + ": " + message, Hint: hint}
	}
	if len(all.objects) == 0 {
		return refuse(source.Wrong, "there is nothing below this prefix", "correct the prefix; aws s3 ls shows what there is")
	}
	for _, o := range all.objects {
		rest := strings.TrimPrefix(o.Key, s.at.below())
		switch before, _, ours := strings.Cut("/"+rest, "/"+source.FilesFolder+"/"); {
		case ours && before == "":
			return refuse(source.Refused, "it is no release: its upload was not finished, it has no "+source.ManifestName,
				"push it again, which finishes it: skein release push "+path.Base(s.at.Prefix))
		case ours:
			return refuse(source.Wrong, "releases are kept here, and it is none of them", "name one: "+s.at.String()+before+", or release:"+path.Base(before))
		}
	}
	if why := s.opt.Bare.Refused; why != "" {
		return refuse(source.Refused, why, s.opt.Bare.Hint)
	}
	if wait := s.opt.Bare.Quiet - all.now.Sub(all.newest); s.opt.Bare.Quiet > 0 && wait > 0 {
		return refuse(source.Refused, fmt.Sprintf("something was written here at %s, and barePrefixQuiet is %v", all.newest.UTC().Format("15:04:05 MST"), s.opt.Bare.Quiet),
			fmt.Sprintf("somebody may still be copying: wait %v and run the command again, or make a release: skein release create", (wait+time.Second).Truncate(time.Second)))
	}
	return nil
}

// bare reads every object as the listing names it, and compares the listing with a second one at the end.
func (s scripts) bare(ctx context.Context, all listing) (source.Release, error) {
	out := source.Release{Origins: []string{s.at.String()}}
	var read []object
	for _, o := range all.objects {
		name := strings.TrimPrefix(o.Key, s.at.below())
		if hidden(name) {
			continue
		}
		read = append(read, o)
		out.Files = append(out.Files, migration.File{Path: name, Location: s.at.String(), Physical: "s3://" + s.at.Bucket + "/" + o.Key})
	}
	err := source.Parallel(ctx, len(read), func(ctx context.Context, i int) error { return s.read(ctx, read[i], &out.Files[i]) })
	if err != nil {
		return source.Release{}, err
	}
	after, err := s.client.list(ctx, s.at.Bucket, s.at.below())
	if err != nil {
		return source.Release{}, err
	}
	if !all.same(after) {
		return source.Release{}, changed(s.at.String())
	}
	slices.SortFunc(out.Files, func(a, b migration.File) int { return cmp.Compare(a.Path, b.Path) })
	if s.opt.Bare.Tell {
		list, err := source.Describe(out)
		if err != nil {
			return source.Release{}, err
		}
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s is no release but a bare prefix; used are %d files with the digest %s", s.at, len(list), release.DigestOf(list)))
	}
	return out, nil
}

// hidden: folders that begin with a dot stay out, as on disk, and so do the empty objects that stand for folders.
func hidden(name string) bool {
	dir, file := path.Split(name)
	return file == "" || strings.HasPrefix(dir, ".") || strings.Contains(dir, "/.")
}

// read fills in a file. A large one is only pinned: what is read later is this version of it, or an error.
func (s scripts) read(ctx context.Context, o object, f *migration.File) error {
	if s.opt.Wanted != nil && !s.opt.Wanted(path.Base(f.Path)) {
		return nil
	}
	r, err := s.client.open(ctx, s.at.Bucket, o)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // it was only read
	pinned := r.object
	if f.Version = pinned.version; f.Version == "null" {
		f.Version = ""
	}
	if o.Size >= largest {
		lasting := context.WithoutCancel(ctx) // it is read when Load has long returned
		f.Open = func() (io.ReadCloser, error) {
			r, err := s.client.open(lasting, s.at.Bucket, pinned)
			if err != nil {
				return nil, err
			}
			return r, nil
		}
		return nil
	}
	if f.Content, err = io.ReadAll(r); f.Content == nil {
		f.Content = []byte{}
	}
	return err
}
