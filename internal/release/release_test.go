package release_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/internal/release"
)

var monday = time.Date(2026, 11, 2, 8, 30, 0, 0, time.FixedZone("", 3600))

func build(t *testing.T, scripts ...release.Script) release.Manifest {
	t.Helper()
	m, err := release.Build("2026.11", "ana", "filesystem:sql", monday, scripts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sample(t *testing.T) release.Manifest {
	t.Helper()
	return build(t, release.Describe("V1__a.sql", "filesystem:sql", []byte("select 1;\n")), release.Describe("R__ä <b>.sql", "filesystem:sql", nil))
}

// scripts reads "path=content path=content".
func scripts(text string) []release.Script {
	var list []release.Script
	for _, item := range strings.Fields(text) {
		path, content, _ := strings.Cut(item, "=")
		list = append(list, release.Describe(path, "filesystem:sql", []byte(content)))
	}
	return list
}

func TestDiff(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/diff.txtar")
	if err != nil || len(archive.Files) < 5 {
		t.Fatalf("%v", err)
	}
	for _, c := range archive.Files {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			line, want, _ := strings.Cut(string(c.Data), "\n")
			from, to, _ := strings.Cut(line, "|")
			d := release.Diff(scripts(from), scripts(to))
			var got strings.Builder
			for _, s := range d.Added {
				fmt.Fprintln(&got, "added", s.Path)
			}
			for _, s := range d.Removed {
				fmt.Fprintln(&got, "removed", s.Path)
			}
			for _, s := range d.Changed {
				fmt.Fprintln(&got, "changed", s.To.Path)
			}
			if d.Reordered {
				fmt.Fprintln(&got, "reordered")
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			same := release.DigestOf(scripts(from)) == release.DigestOf(scripts(to))
			if d.Same() != same {
				t.Errorf("no difference: %v, the same digest: %v", d.Same(), same)
			}
			if len(scripts(from)) > 0 {
				if err := build(t, scripts(from)...).Verify(scripts(to)); (err == nil) != d.Same() {
					t.Errorf("verify says %v", err)
				}
			}
		})
	}
}

// The digest is of paths and contents. It is written down here because a release that was made once keeps it.
func TestDigest(t *testing.T) {
	t.Parallel()
	m := sample(t)
	const want = "sha256:5fa60d825da3cac895406f624d627a148e6bc73249c8969d8b1bbead763dc744" // by sha256sum
	if m.Digest != want {
		t.Errorf("got %s, want %s", m.Digest, want)
	}
	other, err := release.Build("other", "bob", "s3://b/p", monday.AddDate(1, 0, 0), sample(t).Scripts)
	if err != nil || other.Digest != m.Digest {
		t.Errorf("name, author, source or time changed the digest: %v", err)
	}
	// A path cannot be mistaken for the end of another.
	a := release.DigestOf([]release.Script{{Path: "a\nb", SHA256: "1"}})
	b := release.DigestOf([]release.Script{{Path: "a", SHA256: "1"}, {Path: "b", SHA256: ""}})
	if a == b {
		t.Error("two lists have one digest")
	}
}

func TestDescribeFromStream(t *testing.T) {
	t.Parallel()
	got, err := release.DescribeFrom("a", "b", strings.NewReader("select 1;"))
	if want := release.Describe("a", "b", []byte("select 1;")); err != nil || got != want {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"1", "2026.11", "v1.0.0-rc.1+linux", strings.Repeat("x", 100)} {
		if err := release.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "a b", "-x", "a\n", "ä", strings.Repeat("x", 101)} {
		if release.CheckName(name) == nil {
			t.Errorf("%q is taken", name)
		}
		if _, err := release.Build(name, "", "", monday, scripts("a=1")); err == nil {
			t.Errorf("%q is built", name)
		}
	}
	if _, err := release.Build("x", "", "", monday, nil); err == nil {
		t.Error("a release without scripts")
	}
}

func TestEncodeDecode(t *testing.T) {
	t.Parallel()
	m := sample(t)
	text := m.Encode()
	got, err := release.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if !strings.Contains(string(text), `"created": "2026-11-02T07:30:00Z"`) || !strings.Contains(string(text), `ä <b>`) {
		t.Errorf("%s", text)
	}
	for what, change := range map[string][2]string{
		"a newer format":       {`"format": 1`, `"format": 2`},
		"an unknown field":     {`"format": 1,`, `"format": 1, "more": 1,`},
		"another digest":       {`"digest": "sha256:`, `"digest": "sha256:0`},
		"another content":      {`"sha256": "`, `"sha256": "0`},
		"a name with a folder": {`"name": "2026.11"`, `"name": "../11"`},
		"other blanks":         {"\n  \"name\"", "\n \"name\""},
		"something behind it":  {"}\n", "}\n{}"},
		"a key in capitals":    {`"author"`, `"Author"`},
	} {
		bad := strings.Replace(string(text), change[0], change[1], 1)
		if what == "something behind it" {
			bad = string(text) + "{}"
		}
		if bad == string(text) {
			t.Fatalf("%s: nothing was changed", what)
		}
		if _, err := release.Decode([]byte(bad)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
	_, err = release.Decode([]byte(`{"format": 7}`))
	if err == nil || !strings.Contains(err.Error(), "its format is 7, and this version of Skein reads format 1") {
		t.Errorf("got %v", err)
	}
}

func TestMismatchIsNamed(t *testing.T) {
	t.Parallel()
	m := build(t, scripts("a=1 b=1 c=1 d=1 e=1 f=1")...)
	err := m.Verify(scripts("a=2 b=2 c=2 d=2 e=2 g=1"))
	want := "these are not the scripts of release 2026.11; changed: a, b, c, and 2 more; missing: f; not part of it: g"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	err = m.Verify(scripts("b=1 a=1 c=1 d=1 e=1 f=1"))
	if want := "these are not the scripts of release 2026.11; in another order"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
