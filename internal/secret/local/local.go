// Package local asks programs of this machine for values: git, and the keychain of the operating system.
package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Machine is where the programs run.
type Machine struct {
	OS  string   // as runtime.GOOS
	Env []string // "NAME=value"; PATH is where the programs are looked for
	Dir string   // the working directory
}

var gitArguments = map[string][]string{
	"branch": {"rev-parse", "--abbrev-ref", "HEAD"},
	"commit": {"rev-parse", "HEAD"},
	"user":   {"config", "user.name"},
	"email":  {"config", "user.email"},
}

// Git returns what git says of the working directory: key is branch, commit, user or email. Without a branch (a detached
// HEAD) it is an error to ask for one.
func (m Machine) Git(ctx context.Context, key string) (string, error) {
	arguments, ok := gitArguments[key]
	if !ok {
		return "", fmt.Errorf("git: %q is not one of branch, commit, user, email", key)
	}
	if key == "branch" {
		// Unlike rev-parse this knows the branch of a repository without a commit.
		if text, err := m.run(ctx, "git", "symbolic-ref", "--short", "-q", "HEAD"); err == nil {
			return text, nil
		}
	}
	text, err := m.run(ctx, "git", arguments...)
	switch {
	case err != nil:
		return "", fmt.Errorf("git: %s: %w", key, err)
	case key == "branch" && text == "HEAD":
		return "", errors.New("git: branch: no branch is checked out (HEAD is detached)")
	}
	return text, nil
}

// Keychain returns the secret of that name from the operating system's store: on macOS a generic password with the
// service Flyway and that account, elsewhere than on Windows what secret-tool finds under product=Flyway, version=1 and
// key=name.
func (m Machine) Keychain(ctx context.Context, name string) (secret.Text, error) {
	var text string
	var err error
	switch m.OS {
	case "windows":
		return secret.Text{}, errors.New("localSecret: the Windows Credential Manager can only be read by a program of Windows' own kind, which Skein does not start; " +
			"give the value by an environment variable, ${env.NAME}")
	case "darwin":
		text, err = m.run(ctx, "security", "find-generic-password", "-s", "Flyway", "-a", name, "-w")
	default:
		text, err = m.run(ctx, "secret-tool", "lookup", "product", "Flyway", "version", "1", "key", name)
		if err == nil && text == "" {
			err = errors.New("nothing is stored under product=Flyway version=1 key=" + name)
		}
	}
	if err != nil {
		return secret.Text{}, fmt.Errorf("localSecret: %s: %w", name, err)
	}
	return secret.New(text), nil
}

// run runs a program and returns the first line that it prints.
func (m Machine) run(ctx context.Context, name string, arguments ...string) (string, error) {
	file, err := m.find(name)
	if err != nil {
		return "", err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, file, arguments...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = m.Env, m.Dir, &out, &errs
	if err := cmd.Run(); err != nil {
		if said, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n"); said != "" {
			return "", errors.New(said)
		}
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
			return "", fmt.Errorf("%s found nothing (exit status %d)", name, exit.ExitCode())
		}
		return "", err
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	return strings.TrimSuffix(first, "\r"), nil
}

func (m Machine) find(name string) (string, error) {
	path := ""
	for _, entry := range slices.Backward(m.Env) {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			path = value
			break
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(file) {
			return file, nil
		}
	}
	return "", fmt.Errorf("the program %s is not in PATH", name)
}
