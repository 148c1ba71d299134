package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// EnvBinDir names the environment variable whose folder of PostgreSQL binaries
// wins over every other installation.
const EnvBinDir = "SKEIN_POSTGRES"

// Installation is a set of PostgreSQL server binaries.
type Installation struct {
	BinDir  string
	Version string // such as "16.4" or "19beta1"
	Major   int
	banner  string // all that `postgres --version` says, with the packager's own version
}

// Find lists the installed servers, newest first. With $SKEIN_POSTGRES set it
// lists that one alone, or fails when no server is there.
func Find(ctx context.Context) ([]Installation, error) {
	if dir := os.Getenv(EnvBinDir); dir != "" {
		in, err := Inspect(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", EnvBinDir, dir, err)
		}
		return []Installation{in}, nil
	}
	var found []Installation
	for _, dir := range candidates(ctx) {
		if in, err := Inspect(ctx, dir); err == nil {
			found = append(found, in)
		}
	}
	slices.SortStableFunc(found, func(a, b Installation) int {
		return cmp.Or(cmp.Compare(b.Major, a.Major), cmp.Compare(b.minor(), a.minor()))
	})
	return found, ctx.Err()
}

// Inspect asks the binaries in a folder for their version; it fails when
// postgres or initdb is missing or does not run.
func Inspect(ctx context.Context, binDir string) (Installation, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(binDir, name+exeSuffix())); err != nil {
			return Installation{}, fmt.Errorf("no PostgreSQL server binaries: %w", err)
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(binDir, "postgres"), "--version").Output()
	if err != nil {
		return Installation{}, fmt.Errorf("ask %s for its version: %w", filepath.Join(binDir, "postgres"), err)
	}
	in, err := parseBanner(strings.TrimSpace(string(out)))
	in.BinDir = binDir
	return in, err
}

var bannerPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

func parseBanner(banner string) (Installation, error) {
	m := bannerPattern.FindStringSubmatch(banner)
	if m == nil {
		return Installation{}, fmt.Errorf("%q names no PostgreSQL version", banner)
	}
	major, err := strconv.Atoi(m[2])
	return Installation{Version: m[1], Major: major, banner: banner}, err
}

// minor is the number after the point; a beta has none and comes last.
func (in Installation) minor() int {
	_, text, _ := strings.Cut(in.Version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// places are where packagers put the server; Debian, Alpine, Red Hat's PGDG,
// from source, Homebrew (ARM, Intel, Linux), Postgres.app, the EDB installer.
var places = []string{
	"/usr/lib/postgresql/*/bin", "/usr/libexec/postgresql*", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin", "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// candidates are the folders that may hold a server, each once.
func candidates(ctx context.Context) []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	globs := places
	if dir := os.Getenv("ProgramFiles"); dir != "" {
		globs = append(slices.Clone(places), filepath.Join(dir, "PostgreSQL", "*", "bin"))
	}
	for _, g := range globs {
		if found, err := filepath.Glob(g); err == nil {
			dirs = append(dirs, found...)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(dirs, func(dir string) bool {
		real, err := filepath.EvalSymlinks(dir)
		twice := err != nil || seen[real]
		seen[real] = true
		return twice
	})
}

// choose picks the binaries that Start runs.
func choose(ctx context.Context, o Options, say func(string)) (Installation, error) {
	if o.BinDir != "" {
		return Inspect(ctx, o.BinDir)
	}
	found, err := Find(ctx)
	if err != nil {
		return Installation{}, err
	}
	for _, in := range found {
		if o.Major == 0 || in.Major == o.Major {
			return in, nil
		}
	}
	if os.Getenv(EnvBinDir) != "" {
		return Installation{}, fmt.Errorf("PostgreSQL %d is wanted, but %s names a folder with %s", o.Major, EnvBinDir, found[0].Version)
	}
	if o.NoDownload {
		return Installation{}, errors.New("no PostgreSQL server of the wanted version is installed: install it, or set " + EnvBinDir + " to the folder of its binaries")
	}
	return Download(ctx, o.Major, say)
}
