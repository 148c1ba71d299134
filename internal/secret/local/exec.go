package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/secret"
)

// maxSecret bounds what a command or a file may give.
const maxSecret = 64 << 10

// Command runs a program and returns what it prints on its standard output, without the line's end after it. Its standard
// error is thrown away, since it may hold anything, and no shell is involved. When ctx is over the program is killed.
func (m Machine) Command(ctx context.Context, words []string) (secret.Text, error) {
	file := words[0]
	if !strings.ContainsAny(file, `/\`) {
		var err error
		if file, err = m.find(file); err != nil {
			return secret.Text{}, err
		}
	} else if !filepath.IsAbs(file) {
		file = filepath.Join(m.Dir, file)
	}
	out := &bounded{}
	cmd := exec.CommandContext(ctx, file, words[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout = m.Env, m.Dir, out
	cmd.WaitDelay = time.Second // for what it has started and left behind with the pipe open
	err := cmd.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return secret.Text{}, errors.New("it did not end in time and was stopped")
	case out.full:
		return secret.Text{}, fmt.Errorf("it printed more than %d bytes", maxSecret)
	case ended:
		return secret.Text{}, fmt.Errorf("it ended with exit status %d", exit.ExitCode())
	case err != nil:
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			err = failed.Err
		}
		return secret.Text{}, fmt.Errorf("it could not be run: %w", err)
	}
	return secret.New(chomp(out.String())), nil
}

// File returns the text of a file, without the line's end after it.
func File(path string) (secret.Text, error) {
	f, err := os.Open(path)
	if err != nil {
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			err = failed.Err
		}
		return secret.Text{}, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return secret.Text{}, errors.New("it cannot be read")
	case len(raw) > maxSecret:
		return secret.Text{}, fmt.Errorf("it is longer than %d bytes", maxSecret)
	}
	return secret.New(chomp(string(raw))), nil
}

func chomp(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r") }

// bounded takes up to maxSecret bytes.
type bounded struct {
	strings.Builder
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxSecret {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.Builder.Write(p)
}
