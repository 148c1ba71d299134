package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/s3test"
	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/s3"
)

// syncOptions are those of a command line.
func syncOptions(change ...func(*s3.SyncOptions)) s3.SyncOptions {
	o := s3.SyncOptions{Wanted: source.Options{Suffixes: []string{".sql"}}.Wanted}
	o.Script = func(name string) bool { return strings.Contains(name, ".") && o.Wanted(name) }
	for _, f := range change {
		f(&o)
	}
	return o
}

func deleting(o *s3.SyncOptions) { o.Delete = true }

func syncTo(t *testing.T, c *s3.Client, location, dir string, change ...func(*s3.SyncOptions)) (s3.Synced, error) {
	t.Helper()
	l, err := s3.ParseLocation(location)
	if err != nil {
		t.Fatal(err)
	}
	return c.Sync(t.Context(), l, dir, syncOptions(change...))
}

// tree is what a folder holds: files with their text, links with where they lead to; not what sync keeps for itself.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil || name == ".skein-sync.json" {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(file)
			found[name] = "-> " + to
			return err
		}
		text, err := os.ReadFile(file)
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// inParts uploads an object as large ones are: its ETag is no hash of it.
func inParts(server *s3test.Server, bucket, key, text string) {
	at := "/" + bucket + "/" + key
	started := server.Do(http.MethodPost, at+"?uploads=", "")
	id := regexp.MustCompile(`<UploadId>(.*)</UploadId>`).FindStringSubmatch(started)[1]
	server.Do(http.MethodPut, at+"?partNumber=1&uploadId="+id, text)
	parts := server.Do(http.MethodGet, at+"?uploadId="+id, "")
	etag := regexp.MustCompile(`<ETag>(.*)</ETag>`).FindStringSubmatch(parts)[1]
	server.Do(http.MethodPost, at+"?uploadId="+id, `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>`+etag+`</ETag></Part></CompleteMultipartUpload>`)
}

func TestSync(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	want := map[string]string{"README.md": "about", "sub/R__ä b+c%20.sql": "select 'ä';\n", "data/empty.csv": ""}
	for i := range 1101 {
		want[fmt.Sprintf("V%d__x.sql", i+1)] = fmt.Sprintf("select %d;\n", i)
	}
	for name, text := range want {
		server.Put("shop", "db/"+name, text)
	}
	want["V2000__parts.sql"] = strings.Repeat("select 1;\n", 1000)
	inParts(server, "shop", "db/V2000__parts.sql", want["V2000__parts.sql"])
	server.Put("shop", "db/.hidden/V1__no.sql", "select;")
	server.Put("shop", "dbx/V1__no.sql", "select;")
	var wire network
	c := client(server, wire.put(t, server))
	dir := filepath.Join(t.TempDir(), "new", "sql")

	dry, err := syncTo(t, c, "//shop/db", dir, func(o *s3.SyncOptions) { o.DryRun = true })
	if err != nil || len(dry.Fetched) != len(want) || dry.Digest != "" {
		t.Errorf("dry: %d files, digest %q, %v", len(dry.Fetched), dry.Digest, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dry run made the folder: %v", err)
	}
	first, err := syncTo(t, c, "//shop/db", dir)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the folder", want, tree(t, dir))
	same(t, "hidden", []string{".hidden/V1__no.sql"}, first.Hidden)
	if first.Kept != 0 || len(first.Fetched) != len(want) || wire.total("GET /shop/db/") != len(want) {
		t.Errorf("%d kept, %d fetched with %d requests", first.Kept, len(first.Fetched), wire.total("GET /shop/db/"))
	}

	// The digest is that of a release of the prefix, and of the folder.
	r, err := from(t, c, "//shop/db", s3.Options{Wanted: syncOptions().Wanted})
	if err != nil {
		t.Fatal(err)
	}
	local, err := source.Locations([]string{"filesystem:" + dir}, source.Options{Suffixes: []string{".sql"}})
	if err != nil {
		t.Fatal(err)
	}
	there, err := local.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, files := range map[string]source.Release{"prefix": r, "folder": there} {
		list, err := source.Describe(files)
		if digest := release.DigestOf(list); err != nil || digest != first.Digest {
			t.Errorf("the digest of the %s is %s (%v), that of sync %s", what, digest, err, first.Digest)
		}
	}

	// Nothing to do is nothing fetched, of the object whose ETag is no hash too.
	before := wire.total("GET /shop/db/")
	again, err := syncTo(t, c, "//shop/db", dir)
	if err != nil || len(again.Fetched) > 0 || again.Kept != len(want) || again.Digest != first.Digest || wire.total("GET /shop/db/") != before {
		t.Errorf("again: %v fetched, %d kept, %v", again.Fetched, again.Kept, err)
	}

	// Changed there in the same length, changed here, gone here; a file that is executable stays so.
	want["V7__x.sql"] = "select 7;\n"
	server.Put("shop", "db/V7__x.sql", want["V7__x.sql"])
	write(t, dir, map[string]string{"V8__x.sql": "select 8;\n", "V2000__parts.sql": strings.Repeat("select 2;\n", 1000)})
	if err := errors.Join(os.Remove(filepath.Join(dir, "V9__x.sql")), os.Chmod(filepath.Join(dir, "V7__x.sql"), 0o755)); err != nil {
		t.Fatal(err)
	}
	third, err := syncTo(t, c, "//shop/db", dir)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "fetched", []string{"V2000__parts.sql", "V7__x.sql", "V8__x.sql", "V9__x.sql"}, third.Fetched)
	same(t, "the folder", want, tree(t, dir))
	if info, err := os.Stat(filepath.Join(dir, "V7__x.sql")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("V7 is %v %v", info.Mode(), err)
	}
	if third.Digest == first.Digest || third.Bytes != int64(len(want["V2000__parts.sql"])+30) {
		t.Errorf("digest %s, %d bytes", third.Digest, third.Bytes)
	}
}

func TestSyncDelete(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	put(server, "shop", map[string]string{"db/V1__a.sql": "1", "db/V2__b.sql": "2", "db/notes.txt": "n", "db/own.txt": "o"})
	dir, outside := t.TempDir(), t.TempDir()
	c := client(server)
	if _, err := syncTo(t, c, "//shop/db", dir); err != nil {
		t.Fatal(err)
	}
	write(t, outside, map[string]string{"V3__c.sql": "mine"})
	if err := errors.Join(os.Symlink(outside, filepath.Join(dir, "link")), os.Symlink(filepath.Join(outside, "V3__c.sql"), filepath.Join(dir, "V4__d.sql"))); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"old/V0__z.sql": "0", "old/load.sh": "x", "LICENSE": "l", "skein.toml": "t", ".git/V9__h.sql": "h", "own.txt": "mine now"})
	for _, key := range []string{"db/V2__b.sql", "db/notes.txt", "db/own.txt"} {
		server.Delete("shop", key)
	}
	gone := []string{"V2__b.sql", "notes.txt", "old/V0__z.sql", "old/load.sh"}
	for range 2 { // what was brought is remembered from one to the next
		kept, err := syncTo(t, c, "//shop/db", dir)
		if err != nil || len(kept.Removed) > 0 {
			t.Fatalf("without delete: %v %v", kept.Removed, err)
		}
		same(t, "left", gone, kept.Left)
	}
	before := tree(t, dir)
	dry, err := syncTo(t, c, "//shop/db", dir, deleting, func(o *s3.SyncOptions) { o.DryRun = true })
	if err != nil {
		t.Fatal(err)
	}
	same(t, "what a dry run says", gone, dry.Removed)
	same(t, "after a dry run", before, tree(t, dir))
	if dry.Digest == "" {
		t.Error("a dry run with nothing to fetch knows the digest")
	}
	done, err := syncTo(t, c, "//shop/db", dir, deleting)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "removed", gone, done.Removed)
	same(t, "the folder", map[string]string{
		"V1__a.sql": "1", "LICENSE": "l", "skein.toml": "t", ".git/V9__h.sql": "h", "own.txt": "mine now", "link": "-> " + outside, "V4__d.sql": "-> " + filepath.Join(outside, "V3__c.sql"),
	}, tree(t, dir))
	same(t, "outside", map[string]string{"V3__c.sql": "mine"}, tree(t, outside))

	// A prefix that is empty, or wrong, removes nothing.
	before = tree(t, dir)
	_, err = syncTo(t, c, "//shop/bd", dir, deleting)
	wrong(t, err, source.Wrong, "s3://shop/bd: there is nothing below this prefix; nothing in "+dir+" was changed")
	_, err = syncTo(t, c, "//shopp/db", dir, deleting)
	wrong(t, err, source.Wrong, "there is no bucket shopp")
	same(t, "the folder", before, tree(t, dir))
}

// TestSyncBreaksOff: whatever breaks off, the folder is as it was, and the next run brings what is missing.
func TestSyncBreaksOff(t *testing.T) { //nolint:tparallel // its subtests change one bucket, one after the other
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	large := strings.Repeat("select 1;\n", 50_000)
	objects := map[string]string{"V1__a.sql": "new", "V2__b.sql": large, "V3__c.sql": "3"}
	for name, text := range objects {
		server.Put("shop", "db/"+name, text)
	}
	server.User("reader")
	server.Policy("shop", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["reader"]},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::shop"},
		{"Effect":"Allow","Principal":{"AWS":["reader"]},"Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":["arn:aws:s3:::shop/db/V1*","arn:aws:s3:::shop/db/V3*"]}]}`)
	is := func(r *http.Request, name string) bool {
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, name)
	}
	quick := func(c *s3.Config) { c.Stall, c.Attempts = 300*time.Millisecond, 2 }
	as := func(name string) func(*s3.Config) {
		return func(c *s3.Config) {
			c.Credentials = func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: name, SecretAccessKey: name + "-secret"}, nil
			}
		}
	}
	for name, test := range map[string]struct {
		wire   *network
		change func(*s3.Config)
		reason source.Reason
		text   string
	}{
		"denied": {wire: &network{}, change: as("reader"), reason: source.Unreachable, text: "s3://shop/db/V2__b.sql: access denied"},
		"cut": {reason: source.Unreachable, text: "s3://shop/db/V2__b.sql: S3 does not answer as it should: the transfer broke off",
			wire: &network{body: func(_ int, r *http.Request, body io.Reader) io.Reader {
				if is(r, "V2__b.sql") {
					return &cut{from: body, left: 1000}
				}
				return body
			}}},
		"flipped": {reason: source.Unreachable, text: "what arrived is not what its ETag says",
			wire: &network{body: func(_ int, r *http.Request, body io.Reader) io.Reader {
				if is(r, "V2__b.sql") {
					return flip{body}
				}
				return body
			}}},
		"replaced": {reason: source.Refused, text: "it was replaced while it was in use",
			wire: &network{before: func(n int, _ http.ResponseWriter, r *http.Request) bool {
				if n == 1 && is(r, "V2__b.sql") {
					server.Put("shop", "db/V2__b.sql", large+"--")
					server.Put("shop", "db/V2__b.sql", large+"-")
				}
				return false
			}}},
		"added": {reason: source.Refused, text: "s3://shop/db: it was replaced while it was in use",
			wire: &network{before: func(n int, _ http.ResponseWriter, r *http.Request) bool {
				if n == 1 && is(r, "V1__a.sql") {
					server.Put("shop", fmt.Sprintf("db/V3__%d.txt", time.Now().UnixNano()), "4")
				}
				return false
			}}},
		"listing": {reason: source.Unreachable, text: "access denied", change: as("nobody"), wire: &network{before: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			return refuse(w, http.StatusForbidden, "AccessDenied")
		}}},
	} {
		t.Run(name, func(t *testing.T) { // one after the other: they change the bucket
			dir := t.TempDir()
			mine := map[string]string{"V1__a.sql": "old", "V0__mine.sql": "0"}
			write(t, dir, mine)
			changes := []func(*s3.Config){test.wire.put(t, server), quick}
			if test.change != nil {
				changes = append(changes, test.change)
			}
			_, err := syncTo(t, client(server, changes...), "//shop/db", dir, deleting)
			wrong(t, err, test.reason, test.text)
			if err == nil || !strings.Contains(err.Error(), "nothing in "+dir+" was changed") {
				t.Errorf("it does not say what was kept: %v", err)
			}
			same(t, "the folder", mine, tree(t, dir))
			if _, err := syncTo(t, client(server), "//shop/db", dir, deleting); err != nil {
				t.Error(err)
			}
			if got := tree(t, dir); got["V1__a.sql"] != "new" || !strings.HasPrefix(got["V2__b.sql"], large) || got["V0__mine.sql"] != "" {
				t.Errorf("the next run left %d files", len(got))
			}
		})
	}
}

// A key is any text. None of these writes anything.
func TestSyncRefusesNames(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	server.Put("shop", "db/V1__a.sql", "1")
	for _, c := range []struct{ key, why string }{
		{"db/../evil.sql", "leads out"}, {"db/sub/../../evil.sql", "leads out"}, {"db//etc/evil.sql", "leads out"}, {"db/./evil.sql", "leads out"}, {"db/sub//evil.sql", "empty part"},
		{"db/..", "leads out"}, {"db/../", "leads out"}, {`db/..\evil.sql`, "backslash"}, {"db/a&#10;b.sql", "control"}, {"db/.skein-sync.json", "sync's own"}, {"db/V1__a.sql/x.sql", "is a file"},
		{"db/.skein-sync-1/V9__x.sql", "sync's own"},
	} {
		wire := network{before: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("list-type") {
				return false
			}
			fmt.Fprintf(w, `<ListBucketResult><Contents><Key>db/V1__a.sql</Key><ETag>"c4ca4238a0b923820dcc509a6f75849b"</ETag><Size>1</Size></Contents>
				<Contents><Key>%s</Key><ETag>"c4ca4238a0b923820dcc509a6f75849b"</ETag><Size>1</Size></Contents></ListBucketResult>`, c.key)
			return true
		}}
		above := t.TempDir()
		dir := filepath.Join(above, "sql")
		_, err := syncTo(t, client(server, wire.put(t, server)), "//shop/db", dir, deleting)
		wrong(t, err, source.Refused, "names that are refused: ")
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", c.key, err)
		}
		if got := tree(t, above); len(got) > 0 || wire.total("GET /shop/db/") > 0 {
			t.Errorf("%s left %v", c.key, got)
		}
	}
}

// What lies in the way in the folder is refused by its name.
func TestSyncFollowsNoLinks(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	put(server, "shop", map[string]string{"db/V1__a.sql": "1", "db/sub/V2__b.sql": "2"})
	outside := t.TempDir()
	write(t, outside, map[string]string{"V1__a.sql": "mine"})
	for name, c := range map[string]struct {
		prepare func(dir string) error
		text    string
	}{
		"a file": {func(dir string) error {
			return os.Symlink(filepath.Join(outside, "V1__a.sql"), filepath.Join(dir, "V1__a.sql"))
		}, "V1__a.sql in DIR is a symbolic link"},
		"a link to nothing": {func(dir string) error {
			return os.Symlink(filepath.Join(outside, "new.sql"), filepath.Join(dir, "V1__a.sql"))
		}, "V1__a.sql in DIR is a symbolic link"},
		"a folder": {func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "sub")) }, "sub in DIR is a symbolic link, where s3://shop/db has sub/V2__b.sql"},
		"inside": {func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "other"), 0o755), os.Symlink("other", filepath.Join(dir, "sub")))
		}, "sub in DIR is a symbolic link"},
		"no file":   {func(dir string) error { return os.Mkdir(filepath.Join(dir, "V1__a.sql"), 0o755) }, "V1__a.sql in DIR is a folder"},
		"no folder": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub"), nil, 0o600) }, "sub in DIR is a file"},
	} {
		dir := t.TempDir()
		if err := c.prepare(dir); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		_, err := syncTo(t, client(server), "//shop/db", dir, deleting)
		wrong(t, err, source.Refused, strings.ReplaceAll(c.text, "DIR", dir))
		same(t, name, before, tree(t, dir))
		same(t, name, map[string]string{"V1__a.sql": "mine"}, tree(t, outside))
	}
	file := filepath.Join(outside, "V1__a.sql")
	_, err := syncTo(t, client(server), "//shop/db", file)
	wrong(t, err, source.Wrong, "the folder "+file)
}

func TestSyncRelease(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	c := client(server)
	store := c.Store(s3.Location{Bucket: "shop", Prefix: "releases"})
	push := func(name string, files map[string]string) release.Manifest {
		t.Helper()
		dir := t.TempDir()
		write(t, dir, files)
		from, err := source.Locations([]string{"filesystem:" + dir}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := from.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := source.Describe(loaded)
		if err != nil {
			t.Fatal(err)
		}
		m, err := release.Build(name, "ana", "here", time.Now(), list)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err = store.Push(t.Context(), m, loaded)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	one := map[string]string{"V1__a.sql": "1", "V2__b.sql": strings.Repeat("select 2;\n", 500_000)}
	two := map[string]string{"V1__a.sql": "1", "sub/V3__c.sql": "3"}
	first, second := push("1.0", one), push("1.1", two)
	release := func(name string) func(*s3.SyncOptions) { return func(o *s3.SyncOptions) { o.Release = name } }

	dir := t.TempDir()
	write(t, dir, map[string]string{"LICENSE": "l"})
	got, err := syncTo(t, c, "//shop/releases", dir, release("1.0"))
	if err != nil || got.Digest != first.Digest || got.Release != "1.0" || len(got.Fetched) != 2 {
		t.Fatalf("%+v %v", got, err)
	}
	one["LICENSE"] = "l"
	same(t, "1.0", one, tree(t, dir))

	// Exactly its files: what it does not have has to go, or nothing is done.
	_, err = syncTo(t, c, "//shop/releases", dir, release("1.1"))
	wrong(t, err, source.Refused, dir+" has 1 scripts that release 1.1 does not have: V2__b.sql; nothing in "+dir+" was changed")
	same(t, "1.0 still", one, tree(t, dir))
	got, err = syncTo(t, c, "//shop/releases", dir, release("1.1"), deleting)
	if err != nil || got.Digest != second.Digest || got.Kept != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	same(t, "removed", []string{"V2__b.sql"}, got.Removed)
	two["LICENSE"] = "l"
	same(t, "1.1", two, tree(t, dir))
	got, err = syncTo(t, c, "//shop/releases/1.1", dir)
	if err != nil || got.Release != "1.1" || got.Kept != 2 || len(got.Fetched) > 0 {
		t.Errorf("by its own prefix: %+v %v", got, err)
	}

	// A file of it that was replaced or is gone, one that nobody vouches for, and no release at all.
	_, err = syncTo(t, c, "//shop/releases", dir, release("2.0"))
	wrong(t, err, source.Wrong, "there is no release 2.0")
	_, err = syncTo(t, c, "//shop/releases", dir)
	wrong(t, err, source.Wrong, "releases are kept here")
	_, err = syncTo(t, c, "//shop/releases", dir, release("1.0"), deleting, func(o *s3.SyncOptions) {
		o.Check = func(m manifest) error {
			return &source.Error{Reason: source.Refused, Message: m.Name + " is not signed", Hint: "sign"}
		}
	})
	wrong(t, err, source.Refused, "1.0 is not signed; nothing in")
	server.Bucket("plain", false)
	plain := c.Store(s3.Location{Bucket: "plain"})
	loaded, err := store.Load(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := plain.Push(t.Context(), first, loaded)
	if err != nil {
		t.Fatal(err)
	}
	server.Put("plain", "1.0/"+m.Scripts[0].Object, "X")
	_, err = syncTo(t, c, "//plain", dir, release("1.0"), deleting)
	if err != nil { // V1 is as it should be already, so nobody asks for it
		t.Error(err)
	}
	empty := t.TempDir()
	_, err = syncTo(t, c, "//plain", empty, release("1.0"))
	wrong(t, err, source.Refused, "release 1.0: V1__a.sql was changed after the release was made")
	same(t, "a release that was changed", map[string]string{}, tree(t, empty))
	server.Delete("plain", "1.0/"+m.Scripts[0].Object)
	_, err = syncTo(t, c, "//plain", empty, release("1.0"))
	wrong(t, err, source.Refused, "V1__a.sql is gone")
	same(t, "a release with a hole", map[string]string{}, tree(t, empty))
}

type manifest = release.Manifest
