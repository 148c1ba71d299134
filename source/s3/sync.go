package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/source"
)

// SyncOptions say how a folder is brought to what a location holds.
type SyncOptions struct {
	// Release is one of those that are kept below the location; "" is what lies there itself.
	Release string
	// Delete removes from the folder what the location does not have: what Sync has brought before, and what Script knows.
	Delete bool
	DryRun bool
	// Wanted tells which files count for the digest, by their names without folders, as it does for a Source.
	Wanted func(name string) bool
	// Script tells by a file's name without folders whether it would be run.
	Script func(name string) bool
	// Check is asked about a release's manifest.
	Check func(release.Manifest) error
}

// Synced is what Sync has done, or with DryRun would do. The names are below the folder, "/" separated and in order.
type Synced struct {
	From    string
	Release string // "" for what is none
	// Digest is that of a release of the files. It is "" for a dry run that has not seen all of them.
	Digest  string
	Fetched []string
	Removed []string
	Kept    int   // files that were as they should be
	Bytes   int64 // of what was fetched
	// Left are scripts that the location does not have, and Hidden what lies below folders that begin with a dot.
	Left, Hidden []string
}

// item is one file that the folder is to hold.
type item struct {
	name   string
	size   int64
	etag   string // "" for those of a release
	sha256 string // "" until it is known
	open   func(context.Context) (io.ReadCloser, error)
}

// Sync brings a folder to what a location holds.
//
// Everything that is new or changed is fetched into a folder of its own inside dir, and compared, before the first file
// is moved to its place: until then a failure leaves dir as it was. The moves are one by one, each of a whole file; who
// is killed among them runs Sync again.
//
// A file is as it should be when its MD5 is the object's ETag. Where the ETag is none (uploads in parts, keys of KMS), a
// file beside, which Sync writes, remembers with which ETag which content came. Times are no part of it: they say when
// something was copied, not what it is.
func (c *Client) Sync(ctx context.Context, at Location, dir string, opt SyncOptions) (Synced, error) {
	out := Synced{From: at.String()}
	want, still, err := c.wants(ctx, at, opt, &out)
	if err != nil {
		return out, untouched(err, dir)
	}
	if err := checkNames(out.From, want); err != nil {
		return out, untouched(err, dir)
	}
	d, err := openFolder(dir, out.From, opt.DryRun)
	if err != nil {
		return out, untouched(err, dir)
	}
	defer d.close()
	missing, extra, err := d.compare(ctx, want, opt.Script)
	if err != nil {
		return out, untouched(err, dir)
	}
	out.Kept = len(want) - len(missing)
	for _, i := range missing {
		out.Fetched, out.Bytes = append(out.Fetched, want[i].name), out.Bytes+want[i].size
	}
	if opt.Delete {
		out.Removed = extra
	} else {
		out.Left = extra
	}
	if out.Release != "" && len(out.Left) > 0 {
		return out, untouched(&source.Error{
			Reason: source.Refused, Hint: "with --delete they are removed; or give an empty folder",
			Message: fmt.Sprintf("%s has %d scripts that release %s does not have: %s", dir, len(out.Left), out.Release, some(out.Left)),
		}, dir)
	}
	if !opt.DryRun {
		if err := d.bring(ctx, want, missing, out.Removed, out.Left, still); err != nil {
			return out, err
		}
	}
	if out.Digest == "" {
		out.Digest = digestOf(want, opt.Wanted)
	}
	return out, nil
}

// wants lists what the folder is to hold. still tells, when all was fetched, whether the location has not changed meanwhile.
func (c *Client) wants(ctx context.Context, at Location, opt SyncOptions, out *Synced) (want []item, still func(context.Context) error, err error) {
	name := opt.Release
	if name == "" {
		all, err := c.list(ctx, at.Bucket, at.below())
		if err != nil {
			return nil, nil, err
		}
		if !slices.ContainsFunc(all.objects, func(o object) bool { return o.Key == at.below()+source.ManifestName }) {
			return c.bareItems(at, all, out)
		}
		above, last := path.Split(at.Prefix)
		at, name = Location{at.Bucket, strings.Trim(above, "/")}, last
	}
	store := c.Store(at)
	m, err := store.Get(ctx, name)
	if err == nil && opt.Check != nil {
		err = opt.Check(m)
	}
	if err != nil {
		return nil, nil, err
	}
	out.Release, out.Digest = m.Name, m.Digest
	for _, s := range m.Scripts {
		if i := slices.IndexFunc(want, func(w item) bool { return w.name == s.Path }); i >= 0 {
			if want[i].sha256 != s.SHA256 {
				return nil, nil, &source.Error{Reason: source.Refused, Message: fmt.Sprintf("release %s has two different files %s, which cannot lie in one folder", m.Name, s.Path),
					Hint: "run it from where it is: -locations=release:" + m.Name}
			}
			continue
		}
		want = append(want, item{name: s.Path, size: s.Size, sha256: s.SHA256, open: func(ctx context.Context) (io.ReadCloser, error) { return store.Open(ctx, m.Name, s) }})
	}
	slices.SortFunc(want, func(a, b item) int { return cmp.Compare(a.name, b.name) })
	return want, func(context.Context) error { return nil }, nil // a release never changes
}

// bareItems are the objects below a prefix that is no release. It is compared with a second listing at the end.
func (c *Client) bareItems(at Location, all listing, out *Synced) (want []item, still func(context.Context) error, err error) {
	if err := (scripts{c, at, Options{}}).usable(all); err != nil {
		return nil, nil, err
	}
	for _, o := range all.objects {
		name := strings.TrimPrefix(o.Key, at.below())
		if odd(strings.TrimSuffix(name, "/")) == nil && hidden(name) || name == "" {
			if !strings.HasSuffix(name, "/") && name != "" {
				out.Hidden = append(out.Hidden, name)
			}
			continue
		}
		want = append(want, item{name: name, size: o.Size, etag: o.ETag, open: func(ctx context.Context) (io.ReadCloser, error) { return c.open(ctx, at.Bucket, o) }})
	}
	if len(want) == 0 {
		return nil, nil, &source.Error{Reason: source.Wrong, Message: at.String() + ": there are no files below this prefix", Hint: "correct the prefix; aws s3 ls shows what there is"}
	}
	slices.SortFunc(want, func(a, b item) int { return cmp.Compare(a.name, b.name) })
	return want, func(ctx context.Context) error {
		after, err := c.list(ctx, at.Bucket, at.below())
		if err == nil && !all.same(after) {
			err = changed(at.String())
		}
		return err
	}, nil
}

// digestOf is the digest that a release of the files would have, "" where not all contents are known.
func digestOf(want []item, wanted func(string) bool) string {
	var list []release.Script
	for _, w := range want {
		if wanted != nil && !wanted(path.Base(w.name)) {
			continue
		}
		if w.sha256 == "" {
			return ""
		}
		list = append(list, release.Script{Path: w.name, SHA256: w.sha256})
	}
	return release.DigestOf(list)
}

// untouched says of a failure that it came before anything was changed.
func untouched(err error, dir string) error {
	if e, ok := errors.AsType[*source.Error](err); ok {
		told := *e
		told.Message += "; nothing in " + dir + " was changed"
		return &told
	}
	return err
}

// some names a few of many.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}
