package source_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

var update = flag.Bool("update", false, "record what comes out as wanted")

// Each archive is a tree and the locations asked of it. Special files:
//
//	links     lines "from -> to", made before loading
//	locations the list, one a line
//	options   words: failOnMissing, here (no WorkingDirectory), suffixes=.a,.b
//	want      what comes out: files, then "warning: …" and "error: …"; $WORK is the tree's folder
//
// The files in want, for one filesystem: location without WorkingDirectory, are those that the scanner of Flyway 13.0.0
// finds in the same tree.
func TestLocations(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			name, err := filepath.Abs(name) // some cases change the working directory
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			work, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			c := unpack(t, archive, work)
			if c.here {
				t.Chdir(work)
			} else {
				c.opt.WorkingDirectory = work
			}
			got := strings.ReplaceAll(describe(c.load(t.Context())), work, "$WORK")
			if *update {
				record(t, name, archive, got)
			} else if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func record(t *testing.T, name string, archive *txtar.Archive, got string) {
	t.Helper()
	for i, f := range archive.Files {
		if f.Name == "want" {
			archive.Files[i].Data = []byte(got)
		}
	}
	if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

type locationCase struct {
	locations []string
	opt       source.Options
	here      bool
	want      string
}

func unpack(t *testing.T, archive *txtar.Archive, work string) (c locationCase) {
	t.Helper()
	for _, f := range archive.Files {
		text := string(f.Data)
		switch f.Name {
		case "links":
			for line := range strings.Lines(text) {
				from, to, _ := strings.Cut(strings.TrimSpace(line), " -> ")
				if err := os.Symlink(to, filepath.Join(work, from)); err != nil {
					t.Skipf("no symbolic links here: %v", err)
				}
			}
		case "locations":
			for line := range strings.Lines(text) {
				c.locations = append(c.locations, strings.TrimSuffix(line, "\n"))
			}
		case "options":
			for _, word := range strings.Fields(text) {
				name, value, _ := strings.Cut(word, "=")
				switch name {
				case "failOnMissing":
					c.opt.FailOnMissing = true
				case "here":
					c.here = true
				case "suffixes":
					c.opt.Suffixes = strings.Split(value, ",")
				default:
					t.Fatalf("unknown option %q", word)
				}
			}
		case "want":
			c.want = text
		default:
			p := filepath.Join(work, f.Name)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func (c locationCase) load(ctx context.Context) (source.Release, error) {
	s, err := source.Locations(c.locations, c.opt)
	if err != nil {
		return source.Release{}, err
	}
	return s.Load(ctx)
}

// describe writes down all of an outcome. Contents stand behind the names; "-" is one that was not read.
func describe(r source.Release, err error) string {
	var b strings.Builder
	for _, f := range r.Files {
		content := "-"
		if f.Content != nil {
			content = fmt.Sprintf("%q", f.Content)
		}
		fmt.Fprintf(&b, "%s | %s | %s | %s\n", f.Path, f.Location, f.Physical, content)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, e := range flatten(err) {
		fmt.Fprintf(&b, "error: %v\n", e)
		if m, ok := errors.AsType[*migration.Error](e); ok && m.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", m.Hint)
		}
	}
	return b.String()
}

func flatten(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Flyway keeps hidden files and drops hidden folders, and FS does the same.
func TestFS(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"db/V2__b.sql":       {Data: []byte("select 2;")},
		"db/V10__j.sql":      {Data: []byte("")},
		"db/sub/V1__a.sql":   {Data: []byte("select 1;")},
		"db/.git/V3__c.sql":  {Data: []byte("select 3;")},
		"db/.V4__d.sql":      {Data: []byte("select 4;")},
		"more/R__r.sql":      {Data: []byte("select 5;")},
		"more/V5__kept.java": {Data: []byte("class V5__kept {}")},
	}
	for name, c := range map[string]struct {
		dirs []string
		want string
	}{
		"two folders, in their order": {[]string{"more", "db"}, `
R__r.sql | embed:more | more/R__r.sql | "select 5;"
V5__kept.java | embed:more | more/V5__kept.java | "class V5__kept {}"
.V4__d.sql | embed:db | db/.V4__d.sql | "select 4;"
V10__j.sql | embed:db | db/V10__j.sql | ""
V2__b.sql | embed:db | db/V2__b.sql | "select 2;"
sub/V1__a.sql | embed:db | db/sub/V1__a.sql | "select 1;"
`},
		"the whole": {nil, `
db/.V4__d.sql | embed:. | db/.V4__d.sql | "select 4;"
db/V10__j.sql | embed:. | db/V10__j.sql | ""
db/V2__b.sql | embed:. | db/V2__b.sql | "select 2;"
db/sub/V1__a.sql | embed:. | db/sub/V1__a.sql | "select 1;"
more/R__r.sql | embed:. | more/R__r.sql | "select 5;"
more/V5__kept.java | embed:. | more/V5__kept.java | "class V5__kept {}"
`},
		"all mistakes at once": {[]string{"nope", "db", "more/R__r.sql", "/db"}, `
error: Failed to find location: embed:nope (file does not exist)
hint: name a folder of the file system given to source.FS, "/" separated and without one at its ends
error: Failed to find location: embed:more/R__r.sql (not a directory)
hint: name a folder of the file system given to source.FS, "/" separated and without one at its ends
error: Failed to find location: embed:/db (file does not exist)
hint: name a folder of the file system given to source.FS, "/" separated and without one at its ends
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := "\n" + describe(source.FS(tree, c.dirs...).Load(t.Context()))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// broken fails for some files; root can read everything, so file modes cannot bring that about.
type broken struct {
	fs.FS
	bad map[string]error
}

func (b broken) ReadFile(name string) ([]byte, error) {
	if err := b.bad[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return fs.ReadFile(b.FS, name)
}

func (b broken) Sub(string) (fs.FS, error) { return b, nil }

func TestUnreadableFileIsNamed(t *testing.T) {
	t.Parallel()
	tree := broken{fstest.MapFS{"V1__a.sql": {}, "V2__b.sql": {}}, map[string]error{"V2__b.sql": fs.ErrPermission}}
	_, err := source.FS(tree).Load(t.Context())
	wrong, ok := errors.AsType[*migration.Error](err)
	if !ok || wrong.Path != "V2__b.sql" || !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("got %v", err)
	}
	if want := "V2__b.sql: cannot be read: permission denied"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestLoadSeesChangesAndHearsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := source.Locations([]string{"filesystem:" + dir}, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		r, err := s.Load(t.Context())
		if err != nil || len(r.Files) != n {
			t.Fatalf("load %d: %d files, %v", n, len(r.Files), err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("V%d__x.sql", n)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v after cancel", err)
	}
}

func BenchmarkLocations10000(b *testing.B) {
	dir := b.TempDir()
	const files = 10_000
	for i := range files {
		text := fmt.Sprintf("create table t%d (id bigint primary key, name text not null);\n", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("V%d__t.sql", i)), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	s, err := source.Locations([]string{"filesystem:" + dir}, source.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Load(b.Context())
		if err != nil || len(r.Files) != files {
			b.Fatalf("%d files, %v", len(r.Files), err)
		}
		runtime.KeepAlive(r)
	}
}
