// Package process runs the programs that scripts such as V1__load.sh are.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Command is one program to run.
type Command struct {
	Args []string // the program and its arguments; the program is looked for in PATH
	Dir  string   // where it starts; "" means where this process is
	// Env are variables, NAME=value, on top of this process's own, which they win over.
	Env []string
	// Line hears each line that the program writes, to either of its outputs, when it is written; without its line
	// break. A longer line than MaxLine bytes comes in parts.
	Line func(text string)
}

// MaxLine is how much of a line is waited for before it is handed on.
const MaxLine = 64 << 10

// ExitError says that the program ran and did not end well.
type ExitError struct {
	Status string // "exit status 3", "signal: killed"
	Tail   []string
}

func (e *ExitError) Error() string { return e.Status }

// tailLines is how many of the last lines an ExitError carries.
const tailLines = 20

// How long a stopped program, and output that a background process of an ended one still holds, are waited for.
const (
	stopGrace   = 5 * time.Second
	outputGrace = 2 * time.Second
)

// Run runs the program to its end, with nothing to read on its standard input. The error is an *ExitError when the
// program ran and failed, the context's when it was stopped: then the program and all that it started and left in its
// process group were asked to end, and killed when they did not. Processes that a program leaves in the background when
// it ends by itself are left alone.
func Run(ctx context.Context, c Command) error {
	out := &lines{each: c.Line}
	cmd, err := start(c, out)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		terminate(cmd.Process)
		timer := time.NewTimer(stopGrace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
		}
		kill(cmd.Process)
	}()
	err = cmd.Wait()
	close(ended)
	<-stopped
	out.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ExitError{Status: exit.String(), Tail: out.tail}
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // it ended well, and something that it left behind still holds its output
	}
	return err
}

// start starts the program. Another goroutine may be starting one at this moment, whose child holds a file that was
// just written open for an instant more; such a file is said to be busy.
func start(c Command, out *lines) (*exec.Cmd, error) {
	for attempt := 0; ; attempt++ {
		cmd := exec.Command(c.Args[0], c.Args[1:]...)
		cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.WaitDelay = outputGrace
		group(cmd)
		err := cmd.Start()
		if err == nil || !busy(err) || attempt == 10 {
			return cmd, err
		}
		time.Sleep(time.Duration(attempt+1) * 10 * time.Millisecond)
	}
}

// lines cuts what is written into lines. It is written to by one goroutine at a time.
type lines struct {
	each func(string)
	rest []byte
	tail []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		at := bytes.IndexByte(l.rest, '\n')
		switch {
		case at >= 0 && at <= MaxLine:
			l.line(l.rest[:at])
			l.rest = l.rest[at+1:]
		case len(l.rest) >= MaxLine:
			l.line(l.rest[:MaxLine])
			l.rest = l.rest[MaxLine:]
		default:
			return len(p), nil
		}
	}
}

func (l *lines) line(b []byte) {
	text := strings.ToValidUTF8(strings.TrimSuffix(string(b), "\r"), "\uFFFD")
	if l.tail = append(l.tail, text); len(l.tail) > tailLines {
		l.tail = l.tail[1:]
	}
	if l.each != nil {
		l.each(text)
	}
}

// end hands on a last line without a line break.
func (l *lines) end() {
	if len(l.rest) > 0 {
		l.line(l.rest)
		l.rest = nil
	}
}

// Missing says that no program for a file could be found.
type Missing struct{ File, Program string }

func (e *Missing) Error() string {
	return fmt.Sprintf("%s needs the program %s, which is not in PATH", e.File, e.Program)
}
