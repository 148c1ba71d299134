package pgserver

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestParseBanner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		banner, version string
		major, minor    int
	}{
		{"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18", 15, 18},
		{"postgres (PostgreSQL) 9.6.24", "9.6.24", 9, -1},
		{"postgres (PostgreSQL) 19beta2", "19beta2", 19, -1},
		{"postgres (PostgreSQL) 18devel", "18devel", 18, -1},
	} {
		in, err := parseBanner(c.banner)
		if err != nil || in.Version != c.version || in.Major != c.major || in.minor() != c.minor {
			t.Errorf("%s: got %+v, minor %d, %v; want %+v", c.banner, in, in.minor(), err, c)
		}
	}
	for _, bad := range []string{"", "postgres", "postgres (PostgreSQL)", "EnterpriseDB 16"} {
		if in, err := parseBanner(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, in)
		}
	}
}

// fakeInstallation makes binaries that only know their version.
func fakeInstallation(t *testing.T, dir, version string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in binaries are shell scripts")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
	for _, name := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEnvironmentWins(t *testing.T) {
	dir := fakeInstallation(t, t.TempDir(), "11.5")
	t.Setenv(EnvBinDir, dir)
	found, err := Find(t.Context())
	if err != nil || len(found) != 1 || found[0].BinDir != dir || found[0].Version != "11.5" {
		t.Errorf("Find = %+v, %v; want %s alone", found, err, dir)
	}
	in, err := choose(t.Context(), Options{Major: 16}, func(string) {})
	if err == nil {
		t.Errorf("asked for 16 the folder with 11.5 gave %+v", in)
	}
	t.Setenv(EnvBinDir, t.TempDir())
	if found, err := Find(t.Context()); err == nil {
		t.Errorf("an empty folder gave %+v", found)
	}
}

func TestFindIsNewestFirst(t *testing.T) {
	t.Setenv(EnvBinDir, "")
	root := t.TempDir()
	for _, version := range []string{"16.9", "16.10", "9.6.24", "17beta1"} {
		fakeInstallation(t, filepath.Join(root, version), version)
	}
	if err := os.MkdirAll(filepath.Join(root, "broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", fakeInstallation(t, filepath.Join(root, "path"), "12.3"))
	defer func(saved []string) { places = saved }(places)
	places = []string{filepath.Join(root, "*")}
	found, err := Find(t.Context())
	var versions []string
	for _, in := range found {
		versions = append(versions, in.Version)
	}
	want := []string{"17beta1", "16.10", "16.9", "12.3", "9.6.24"}
	if err != nil || !slices.Equal(versions, want) {
		t.Errorf("found %q, %v; want %q", versions, err, want)
	}
}
