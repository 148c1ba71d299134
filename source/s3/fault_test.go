package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/s3test"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/s3"
)

// TestTransfers: what arrives over a bad network is right, or there is an error.
func TestTransfers(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	text := strings.Repeat("insert into t values (1);\n", 20_000)
	put(server, "shop", map[string]string{"db/V1__a.sql": text, "db/V2__b.sql": "select 2;"})
	object := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/V1__a.sql") }
	short := func(c *s3.Config) { c.Stall = 300 * time.Millisecond }
	for name, c := range map[string]struct {
		net    *network
		change func(*s3.Config)
		want   string // of the error; "" is success
		gets   int    // of the object; 0: any
	}{
		"as it should be": {&network{}, nil, "", 1},
		"slow":            {&network{body: func(_ int, _ *http.Request, b io.Reader) io.Reader { return drip{b} }}, nil, "", 1},
		"cut twice": {&network{body: func(n int, r *http.Request, b io.Reader) io.Reader {
			if object(r) && n <= 2 {
				return &cut{from: b, left: 100_000}
			}
			return b
		}}, nil, "", 3},
		"cut before the first byte": {&network{body: func(n int, r *http.Request, b io.Reader) io.Reader {
			if object(r) && n <= 2 {
				return &cut{from: b}
			}
			return b
		}}, nil, "", 3},
		"always cut": {&network{body: func(_ int, r *http.Request, b io.Reader) io.Reader {
			if object(r) {
				return &cut{from: b, left: 100}
			}
			return b
		}}, nil, "V1__a.sql: S3 does not answer as it should: the transfer broke off at byte 500 of 520000", 5},
		"stalls once": {&network{body: func(n int, r *http.Request, b io.Reader) io.Reader {
			if object(r) && n == 1 {
				return &cut{from: b, left: 100_000, wait: r.Context().Done()}
			}
			return b
		}}, short, "", 0},
		"always stalls": {&network{body: func(_ int, r *http.Request, b io.Reader) io.Reader {
			if object(r) {
				return &cut{from: b, wait: r.Context().Done()}
			}
			return b
		}}, func(c *s3.Config) { c.Stall, c.Attempts = 100*time.Millisecond, 2 }, "S3 does not answer as it should: ", 0},
		"a byte is another": {&network{body: func(_ int, r *http.Request, b io.Reader) io.Reader {
			if object(r) {
				return flip{b}
			}
			return b
		}}, nil, "V1__a.sql: S3 does not answer as it should: what arrived is not what its ETag says", 1},
		"the listing is cut once": {&network{body: func(n int, r *http.Request, b io.Reader) io.Reader {
			if r.URL.Path == "/shop" && n == 1 {
				return &cut{from: b, left: 200}
			}
			return b
		}}, nil, "", 1},
		"the listing is always cut": {&network{body: func(_ int, r *http.Request, b io.Reader) io.Reader {
			if r.URL.Path == "/shop" {
				return &cut{from: b, left: 200}
			}
			return b
		}}, nil, "S3 does not answer as it should: the listing: ", -1},
		"busy at first": {&network{before: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			return n <= 3 && refuse(w, http.StatusServiceUnavailable, "SlowDown")
		}}, nil, "", 4},
		"busy": {&network{before: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			return object(r) && refuse(w, http.StatusServiceUnavailable, "SlowDown")
		}}, nil, "S3 refused: so it is (SlowDown, status 503)", 5},
		"no connection at first": {&network{before: func(n int, _ http.ResponseWriter, _ *http.Request) bool {
			if n <= 2 {
				panic(http.ErrAbortHandler)
			}
			return false
		}}, nil, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := []func(*s3.Config){c.net.put(t, server)}
			if c.change != nil {
				changes = append(changes, c.change)
			}
			r, err := from(t, client(server, changes...), "//shop/db", s3.Options{})
			if c.want != "" {
				wrong(t, err, source.Unreachable, c.want)
				if len(r.Files) > 0 {
					t.Error("files were given all the same")
				}
			} else if err != nil || len(r.Files) != 2 || string(r.Files[0].Content) != text {
				t.Errorf("%d files, %v", len(r.Files), err)
			}
			if got := c.net.total("GET /shop/db/V1__a.sql"); c.gets > 0 && got != c.gets {
				t.Errorf("%d requests for the object, want %d", got, c.gets)
			}
		})
	}
}

// TestStopped: a run that is stopped does not try again.
func TestStopped(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	ctx, cancel := context.WithCancel(t.Context())
	n := &network{before: func(int, http.ResponseWriter, *http.Request) bool {
		cancel()
		panic(http.ErrAbortHandler)
	}}
	_, err := client(server, n.put(t, server)).Source(s3.Location{Bucket: "shop"}, s3.Options{}).Load(ctx)
	if !errors.Is(err, context.Canceled) || n.total("") != 1 {
		t.Errorf("%v after %d requests", err, n.total(""))
	}
}

// TestChangedMeanwhile writes to a bare prefix while it is read.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	for name, change := range map[string]func(prefix string){
		"overwritten":      func(prefix string) { server.Put("shop", prefix+"/V1__a.sql", "select 7;") },
		"removed":          func(prefix string) { server.Delete("shop", prefix+"/V1__a.sql") },
		"one more":         func(prefix string) { server.Put("shop", prefix+"/V3__c.sql", "select 3;") },
		"the last removed": func(prefix string) { server.Delete("shop", prefix+"/V2__b.sql") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := strings.ReplaceAll(name, " ", "-")
			put(server, "shop", map[string]string{prefix + "/V1__a.sql": "select 1;", prefix + "/V2__b.sql": "select 2;"})
			var once sync.Once
			n := &network{before: func(_ int, _ http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, prefix+"/V1") {
					once.Do(func() { change(prefix) })
				}
				return false
			}}
			r, err := from(t, client(server, n.put(t, server)), "//shop/"+prefix, s3.Options{})
			wrong(t, err, source.Refused, "it was replaced while it was in use")
			if len(r.Files) > 0 {
				t.Error("files were given all the same")
			}
		})
	}
}

// TestLargeIsPinned: a large object is read when it is run; what is read is what was there when the plan was made, or
// there is an error.
func TestLargeIsPinned(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	text := strings.Repeat("select 1;\n", 500_000)
	for bucket, versions := range map[string]bool{"kept": true, "plain": false} {
		server.Bucket(bucket, versions)
		server.Put(bucket, "db/V1__a.sql", text)
		r, err := from(t, client(server), "//"+bucket+"/db", s3.Options{})
		if err != nil || r.Files[0].Open == nil {
			t.Fatalf("%v", err)
		}
		server.Put(bucket, "db/V1__a.sql", strings.Repeat("select 2;\n", 500_000))
		body, err := r.Files[0].Open()
		if !versions {
			wrong(t, err, source.Refused, "s3://plain/db/V1__a.sql: it was replaced while it was in use")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		body.Close()
		if err != nil || string(got) != text {
			t.Errorf("%d bytes, %v: another version is read", len(got), err)
		}
	}
}

// of makes a release of files, by their paths.
func of(t *testing.T, name string, files map[string]string) (release.Manifest, source.Release) {
	t.Helper()
	var r source.Release
	for path, text := range files {
		r.Files = append(r.Files, migration.File{Path: path, Location: "filesystem:sql", Physical: "/" + path, Content: []byte(text)})
	}
	list, err := source.Describe(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := release.Build(name, "ana", "filesystem:sql", time.Unix(1_790_000_000, 0), list)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

var files = map[string]string{"V1__a.sql": "select 1;\n", "sub/V2__b ä.sql": "select 2;\n", "R__empty.sql": ""}

func texts(r source.Release) map[string]string {
	found := map[string]string{}
	for _, f := range r.Files {
		found[f.Path] = string(f.Content)
	}
	return found
}

func store(t *testing.T, c *s3.Client, location string) *source.Store {
	t.Helper()
	l, err := s3.ParseLocation(location)
	if err != nil {
		t.Fatal(err)
	}
	return c.Store(l)
}

func TestReleases(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	for bucket, versions := range map[string]bool{"kept": true, "plain": false} {
		server.Bucket(bucket, versions)
		s := store(t, client(server), "//"+bucket+"/releases")
		m, content := of(t, "2026.11", files)
		pushed, already, err := s.Push(t.Context(), m, content)
		if err != nil || already {
			t.Fatal(already, err)
		}
		if _, already, err := s.Push(t.Context(), m, content); err != nil || !already {
			t.Errorf("the same once more: %v, %v", already, err)
		}
		other, otherContent := of(t, "2026.11", map[string]string{"V1__a.sql": "select 7;\n"})
		_, _, err = s.Push(t.Context(), other, otherContent)
		wrong(t, err, source.Refused, "release 2026.11 is in s3://"+bucket+"/releases already, with other scripts")

		// It is read by its name, and as a location.
		r, err := from(t, client(server), "//"+bucket+"/releases/2026.11", s3.Options{Bare: s3.Bare{Refused: "bare", Hint: "x"}})
		if diff := cmp.Diff(files, texts(r)); err != nil || diff != "" {
			t.Errorf("%v, pushed -, loaded +:\n%s", err, diff)
		}
		refused := errors.New("not this one")
		_, err = from(t, client(server), "//"+bucket+"/releases/2026.11", s3.Options{Check: func(release.Manifest) error { return refused }})
		if !errors.Is(err, refused) {
			t.Errorf("its manifest is not checked: %v", err)
		}
		_, err = from(t, client(server), "//"+bucket+"/releases", s3.Options{})
		wrong(t, err, source.Wrong, "releases are kept here, and it is none of them")

		// A file of it is overwritten between plan and apply (AT-12d).
		first := pushed.Scripts[0]
		server.Put(bucket, "releases/2026.11/"+first.Object, "drop table customer;\n")
		r, err = s.Load(t.Context(), pushed)
		if versions {
			if diff := cmp.Diff(files, texts(r)); err != nil || diff != "" {
				t.Errorf("%v: not what was pinned, -, is read, +:\n%s", err, diff)
			}
		} else {
			wrong(t, err, source.Refused, "release 2026.11: "+first.Path+" was changed after the release was made")
		}
		server.Delete(bucket, "releases/2026.11/"+first.Object)
		if r, err = s.Load(t.Context(), pushed); !versions {
			wrong(t, err, source.Refused, "release 2026.11: "+first.Path+" is gone")
		} else if err != nil || len(r.Files) != 3 {
			t.Errorf("a version that is still there is not read: %v", err)
		}
	}
}

// TestHalfAnUpload: without its manifest it is no release, whatever reads it, until the push is finished.
func TestHalfAnUpload(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	n := &network{before: func(_ int, w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, source.ManifestName) && refuse(w, http.StatusServiceUnavailable, "SlowDown")
	}}
	m, content := of(t, "2026.11", files)
	_, _, err := store(t, client(server, n.put(t, server)), "//shop/releases").Push(t.Context(), m, content)
	wrong(t, err, source.Unreachable, "s3://shop/releases/2026.11/release.json: S3 refused")
	s := store(t, client(server), "//shop/releases")
	_, err = s.Get(t.Context(), "2026.11")
	wrong(t, err, source.Refused, "s3://shop/releases/2026.11 is no release: its upload was not finished")
	_, err = from(t, client(server), "//shop/releases/2026.11", s3.Options{})
	wrong(t, err, source.Refused, "s3://shop/releases/2026.11: it is no release: its upload was not finished")
	list, err := s.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Problem == "" {
		t.Errorf("%v, %v", list, err)
	}
	if _, already, err := s.Push(t.Context(), m, content); err != nil || already {
		t.Error(already, err)
	}
	if r, err := from(t, client(server), "//shop/releases/2026.11", s3.Options{}); err != nil || len(r.Files) != 3 {
		t.Errorf("%d files, %v", len(r.Files), err)
	}
}

// TestLostAnswer: the manifest was written, the answer did not come: the push has succeeded.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	n := &network{}
	n.body = func(i int, r *http.Request, b io.Reader) io.Reader {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, source.ManifestName) && i == 1 {
			panic(http.ErrAbortHandler)
		}
		return b
	}
	m, content := of(t, "2026.11", files)
	pushed, _, err := store(t, client(server, n.put(t, server)), "//shop/releases").Push(t.Context(), m, content)
	if err != nil || n.total("PUT /shop/releases/2026.11/release.json") != 2 {
		t.Fatalf("%v after %d requests", err, n.total("PUT /shop/releases/2026.11/release.json"))
	}
	got, err := store(t, client(server), "//shop/releases").Get(t.Context(), "2026.11")
	if diff := cmp.Diff(pushed, got); err != nil || diff != "" {
		t.Errorf("%v, told -, there +:\n%s", err, diff)
	}
}

// TestPushersAtOnce: of many who push different releases under one name, one wins, and what it pushed is whole.
func TestPushersAtOnce(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	s := store(t, client(server), "//shop/releases")
	won := make(chan string, 6)
	var group sync.WaitGroup
	for i := range cap(won) {
		m, content := of(t, "x", map[string]string{"V1__a.sql": fmt.Sprint("select ", i)})
		group.Go(func() {
			if _, _, err := s.Push(context.WithoutCancel(t.Context()), m, content); err == nil {
				won <- m.Digest
			} else {
				wrong(t, err, source.Refused, "already, with other scripts")
			}
		})
	}
	group.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d won", len(won))
	}
	m, err := s.Get(t.Context(), "x")
	if err != nil || m.Digest != <-won {
		t.Fatalf("%v: the one who was told so did not win", err)
	}
	if _, err := s.Load(t.Context(), m); err != nil {
		t.Error(err)
	}
}
