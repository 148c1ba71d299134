package local_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/secret/local"
)

func TestGit(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	env := []string{"PATH=" + filepath.Dir(git), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"}
	m := local.Machine{OS: runtime.GOOS, Env: env, Dir: dir}
	run := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	ask := func(key, want string) {
		t.Helper()
		got, err := m.Git(t.Context(), key)
		if err != nil {
			got = "error: " + err.Error()
		}
		if !strings.HasPrefix(got, want) || want == "" {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	ask("branch", "error: git: branch: fatal: not a git repository")
	ask("tag", `error: git: "tag" is not one of branch, commit, user, email`)
	run("init", "-q", "-b", "feature/x")
	ask("branch", "feature/x") // before the first commit too
	ask("user", "error: git: user: git found nothing (exit status 1)")
	run("commit", "-q", "--allow-empty", "-m", "one")
	run("config", "user.name", "Ada L.")
	run("config", "user.email", "ada@example.com")
	ask("user", "Ada L.")
	ask("email", "ada@example.com")
	ask("commit", run("rev-parse", "HEAD"))
	run("checkout", "-q", "--detach")
	ask("branch", "error: git: branch: no branch is checked out (HEAD is detached)")
}

// The programs of the keychains are stood in for by scripts that check how they are called.
func TestKeychain(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins are shell scripts")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"security": `[ "$*" = "find-generic-password -s Flyway -a dev -w" ] && echo mac-canary && exit
echo "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain." >&2; exit 44`,
		"secret-tool": `[ "$*" = "lookup product Flyway version 1 key dev" ] && printf lin-canary && exit; exit 1`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ os, path, key, want string }{
		{"darwin", dir, "dev", "mac-canary"},
		{"darwin", dir, "qa", "localSecret: qa: security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain."},
		{"linux", dir, "dev", "lin-canary"},
		{"linux", dir, "qa", "localSecret: qa: secret-tool found nothing (exit status 1)"},
		{"linux", "/nowhere", "dev", "localSecret: dev: the program secret-tool is not in PATH"},
		{"windows", dir, "dev", "localSecret: the Windows Credential Manager can only be read by a program of Windows' own kind, which Skein does not start; " +
			"give the value by an environment variable, ${env.NAME}"},
	} {
		m := local.Machine{OS: c.os, Env: []string{"PATH=" + c.path}, Dir: dir}
		got, err := m.Keychain(t.Context(), c.key)
		text := got.Reveal()
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%s %s: %q, want %q", c.os, c.key, text, c.want)
		}
	}
}
