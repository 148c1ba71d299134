//go:build unix

package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func sh(text string) []string { return []string{"sh", "-c", text} }

func TestRunTellsTheLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []string
		status     string
	}{
		{"both outputs in order", "echo one; echo two >&2; printf three", []string{"one", "two", "three"}, ""},
		{"carriage returns", `printf 'a\r\nb\n\n'`, []string{"a", "b", ""}, ""},
		{"nothing", ":", nil, ""},
		{"bad bytes", `printf 'x\377y\n'`, []string{"x\uFFFDy"}, ""},
		{"input is empty", "cat; echo end", []string{"end"}, ""},
		{"exit status", "echo why; exit 3", []string{"why"}, "exit status 3"},
		{"signal", "kill -9 $$", nil, "signal: killed"},
		{"variables win", "echo $HOME $PROCESS_TEST", []string{"here x"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			err := Run(t.Context(), Command{Args: sh(c.text), Env: []string{"HOME=here", "PROCESS_TEST=x"}, Line: func(l string) { got = append(got, l) }})
			if !slices.Equal(got, c.want) {
				t.Errorf("lines %q, want %q", got, c.want)
			}
			status := ""
			if exit, ok := errors.AsType[*ExitError](err); ok {
				status = exit.Status
				if !slices.Equal(exit.Tail, c.want) {
					t.Errorf("tail %q", exit.Tail)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if status != c.status {
				t.Errorf("status %q, want %q", status, c.status)
			}
		})
	}
}

func TestRunCutsLongLines(t *testing.T) {
	t.Parallel()
	var sizes []int
	if err := Run(t.Context(), Command{Args: sh("head -c 150000 /dev/zero | tr '\\0' x; echo"), Line: func(l string) { sizes = append(sizes, len(l)) }}); err != nil {
		t.Fatal(err)
	}
	if want := []int{MaxLine, MaxLine, 150000 - 2*MaxLine}; !slices.Equal(sizes, want) {
		t.Errorf("sizes %v, want %v", sizes, want)
	}
}

// However the output comes in pieces, a line is cut at the same places.
func TestLinesAreCutWhereverTheyCome(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("x", 2*MaxLine+100) + "\nshort\n")
	for _, piece := range []int{1000, MaxLine, MaxLine + 1, 2*MaxLine + 50, len(text)} {
		var sizes []int
		l := &lines{each: func(s string) { sizes = append(sizes, len(s)) }}
		for p := range slices.Chunk(text, piece) {
			if _, err := l.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if want := []int{MaxLine, MaxLine, 100, 5}; !slices.Equal(sizes, want) {
			t.Errorf("in pieces of %d: sizes %v, want %v", piece, sizes, want)
		}
	}
}

func TestRunStartsInTheFolder(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := Run(t.Context(), Command{Args: sh("pwd -P"), Dir: dir, Line: func(l string) { got = l }}); err != nil || got != dir {
		t.Errorf("%q, %v; want %q", got, err, dir)
	}
}

// A line is heard while the program still runs: this one waits for the answer to its first.
func TestRunTellsLinesWhenTheyCome(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "answer")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var answer sync.Once
	var got []string
	err := Run(t.Context(), Command{Args: append(sh(`echo ready; read x <"$0"; echo "got $x"`), fifo), Line: func(l string) {
		got = append(got, l)
		answer.Do(func() {
			if err := os.WriteFile(fifo, []byte("word\n"), 0o600); err != nil {
				t.Error(err)
			}
		})
	}})
	if want := []string{"ready", "got word"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

// Stopping ends the program's children too, also those that do not listen. That the child is gone is seen by its end of
// a pipe being closed.
func TestStoppingEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fifo := filepath.Join(t.TempDir(), "held")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() {
		_, err := os.ReadFile(fifo)
		closed <- err
	}()
	err := Run(ctx, Command{
		Args: append(sh(`sh -c 'trap "" TERM; exec 3>"$0"; echo ready; while :; do sleep 60; done' "$0" & wait`), fifo),
		Line: func(string) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the child lives on")
	}
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	_, _, err := Arguments("x/V1__a.ps1", "no-such-powershell")
	if missing, ok := errors.AsType[*Missing](err); !ok || missing.Program != "no-such-powershell" {
		t.Errorf("error %v", err)
	}
	if err := Run(t.Context(), Command{Args: []string{"/no/such/program"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"a/V1__x.sh": "sh a/V1__x.sh", "V1__x.SH": "sh V1__x.SH", "V1__x.bash": "bash V1__x.bash",
		"V1__x.ps1": "sh -File V1__x.ps1", "./V1__x": "./V1__x",
	} {
		args, direct, err := Arguments(file, "sh")
		if got := strings.Join(args, " "); err != nil || got != want || direct != (file == "./V1__x") {
			t.Errorf("%s: %q %t %v", file, got, direct, err)
		}
	}
}
