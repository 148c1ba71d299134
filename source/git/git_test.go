package git_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/git"
)

// repository makes one with two commits on main, a tag v1 on the first, and a work tree in which everything is different.
func repository(t *testing.T) (dir string, run func(args ...string) string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git here")
	}
	dir = t.TempDir()
	run = func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Env = dir, environment()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "-b", "main")
	write(t, dir, "db/sql/V1__a.sql", "select 1;\r\n")
	write(t, dir, "db/sql/V10__j.sql", "")
	write(t, dir, "db/sql/sub/R__ä b.sql", "select 'ä';\n")
	write(t, dir, "db/sql/.hidden/V9__h.sql", "select 9;\n")
	write(t, dir, "db/sql/README.md", "about")
	write(t, dir, "other/V3__c.sql", "select 3;\n")
	run("add", ".")
	run("commit", "-q", "-m", "one")
	run("tag", "-a", "-m", "the first", "v1")
	write(t, dir, "db/sql/V2__b.sql", strings.Repeat("select 2;\n", 500_000))
	run("rm", "-q", "db/sql/V10__j.sql")
	if err := os.Symlink("V2__b.sql", filepath.Join(dir, "db/sql/V4__link.sql")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "lfs/V5__l.sql", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
	run("add", ".")
	run("commit", "-q", "-m", "two")
	write(t, dir, "db/sql/V1__a.sql", "changed in the work tree")
	write(t, dir, "db/sql/V7__new.sql", "not committed")
	return dir, run
}

func environment() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_CEILING_DIRECTORIES=/tmp")
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func load(ctx context.Context, dir, location string) (source.Release, error) {
	r := git.Repository{Dir: dir, Env: environment(), Wanted: source.Options{Suffixes: []string{".sql"}}.Wanted}
	_, from, err := r.Location(location)
	if err != nil {
		return source.Release{}, err
	}
	return from.Load(ctx)
}

func describe(t *testing.T, r source.Release) string {
	t.Helper()
	var b strings.Builder
	for _, f := range r.Files {
		content := "-"
		switch {
		case f.Open != nil:
			body, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(body)
			if err = errors.Join(err, body.Close()); err != nil {
				t.Fatal(err)
			}
			content = fmt.Sprintf("%d bytes, %d lines", len(text), bytes.Count(text, []byte("\n")))
		case f.Content != nil:
			content = fmt.Sprintf("%q", f.Content)
		}
		fmt.Fprintf(&b, "%s | %s | %s\n", f.Path, f.Location, content)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(&b, "warning:", w)
	}
	return b.String()
}

func TestCommits(t *testing.T) {
	t.Parallel()
	dir, run := repository(t)
	before := run("status", "--porcelain")
	first, second := run("rev-parse", "v1^{commit}"), run("rev-parse", "main")
	firstFiles := func(location string) string {
		return "README.md | " + location + " | -\n" +
			"V10__j.sql | " + location + ` | ""` + "\n" +
			"V1__a.sql | " + location + ` | "select 1;\r\n"` + "\n" +
			"sub/R__ä b.sql | " + location + ` | "select 'ä';\n"` + "\n"
	}
	secondFiles := `README.md | git:main:db/sql | -
V1__a.sql | git:main:db/sql | "select 1;\r\n"
V2__b.sql | git:main:db/sql | 5000000 bytes, 500000 lines
sub/R__ä b.sql | git:main:db/sql | "select 'ä';\n"
warning: git:main:db/sql: V4__link.sql: skipped this link
`
	for location, c := range map[string]struct{ from, want, commit string }{
		"main:db/sql":           {".", secondFiles, second},
		"main:/db/sql/":         {"other", secondFiles, second},
		"v1:db/sql":             {".", firstFiles("git:v1:db/sql"), first},
		"HEAD~1:db/sql":         {".", firstFiles("git:HEAD~1:db/sql"), first},
		first[:10] + ":db/sql":  {".", firstFiles("git:" + first[:10] + ":db/sql"), first},
		"v1:./sql":              {"db", firstFiles("git:v1:./sql"), first},
		"refs/tags/v1:./db/sql": {".", firstFiles("git:refs/tags/v1:./db/sql"), first},
	} {
		r, err := load(t.Context(), filepath.Join(dir, c.from), location)
		if err != nil {
			t.Errorf("%s: %v", location, err)
			continue
		}
		if diff := cmp.Diff(c.want, describe(t, r)); diff != "" {
			t.Errorf("%s, want -, got +:\n%s", location, diff)
		}
		if !strings.HasSuffix(r.Origins[0], " at commit "+c.commit) {
			t.Errorf("%s: origin %s, want commit %s", location, r.Origins[0], c.commit)
		}
	}
	if all, err := load(t.Context(), dir, "v1"); err != nil || len(all.Files) != 5 {
		t.Errorf("%d files, %v", len(all.Files), err)
	}
	if after := run("status", "--porcelain"); after != before {
		t.Errorf("the work tree was touched: %s", after)
	}
}

func TestCommitMistakes(t *testing.T) {
	t.Parallel()
	dir, _ := repository(t)
	for location, c := range map[string]struct{ dir, want string }{
		"nope:db/sql":            {dir, "there is no commit nope in the repository"},
		"main:nope":              {dir, "there is no folder nope in commit "},
		"main:db/sql/V1__a.sql":  {dir, "db/sql/V1__a.sql is a file"},
		":sql":                   {dir, "names no commit"},
		"--output=x:sql":         {dir, "names no commit"},
		"main:lfs":               {dir, "is kept by git-lfs"},
		"main:db/sql/.hidden/..": {t.TempDir(), "is in no git repository"},
	} {
		r, err := load(t.Context(), c.dir, location)
		e, ok := errors.AsType[*source.Error](err)
		if !ok || e.Reason != source.Wrong || !strings.Contains(e.Message, c.want) || e.Hint == "" || len(r.Files) > 0 {
			t.Errorf("%s: want %q, got %v", location, c.want, err)
		}
	}
}

func TestNoGit(t *testing.T) {
	dir, _ := repository(t)
	t.Setenv("PATH", t.TempDir())
	_, err := load(t.Context(), dir, "main:db/sql")
	if err == nil || err.Error() != "a location of git takes the git program, which is not here" {
		t.Errorf("got %v", err)
	}
}

func TestCommitHearsContext(t *testing.T) {
	t.Parallel()
	dir, _ := repository(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load(ctx, dir, "main:db/sql"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestLargeIsLetGo: a large file that is not read to its end leaves no git process behind.
func TestLargeIsLetGo(t *testing.T) {
	t.Parallel()
	dir, _ := repository(t)
	r, err := load(t.Context(), dir, "main:db/sql")
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.Files[2].Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := body.Read(make([]byte, 10)); err == nil {
		t.Error("it is read after it was closed")
	}
}
