//go:build unix

package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// envPart makes TestPart, in a test process of its own, play a part: "pass",
// "fail", or "hang" until someone kills it.
const envPart = "PGTEST_PART"

func TestPart(t *testing.T) {
	part := os.Getenv(envPart)
	if part == "" {
		t.Skip("only for tests that start it in a process of its own")
	}
	db := New(t)
	db.Exec(t, "create table evidence (id int)")
	fmt.Printf("\npostmaster %d in %s\n", db.server.PID(), db.server.Dir)
	switch part {
	case "fail":
		t.Error("as told")
	case "hang":
		select {}
	}
}

var (
	postmasterLine = regexp.MustCompile(`postmaster (\d+) in (\S+)`)
	keptLine       = regexp.MustCompile(`the database is kept: (\S+)`)
)

// TestProcessEnds looks at what is left when a test process ends: the server
// lives on only after a failure, and only when asked to.
func TestProcessEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, part, keep, says string
		lives                  bool
	}{
		{name: "passed", part: "pass", says: "PASS"},
		{name: "passed and asked to keep", part: "pass", keep: "1", says: "PASS"},
		{name: "failed", part: "fail", says: "run with SKEIN_PGTEST_KEEP=1"},
		{name: "failed and asked to keep", part: "fail", keep: "1", says: "the server is kept at postgres://", lives: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := part(c.part, c.keep)
			b, err := cmd.CombinedOutput()
			out := string(b)
			if (err == nil) != (c.part == "pass") || !strings.Contains(out, c.says) {
				t.Fatalf("%v; want to read %q in\n%s", err, c.says, out)
			}
			pid, dir := postmasterOf(t, out)
			if !c.lives {
				awaitGone(t, pid)
				return
			}
			t.Cleanup(func() { endKept(t, pid, dir) })
			m := keptLine.FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("no URL in\n%s", out)
			}
			evidence(t, m[1])
		})
	}
}

func part(name, keep string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestPart$", "-test.v")
	cmd.Env = append(os.Environ(), envPart+"="+name, envKeep+"="+keep)
	return cmd
}

func TestProcessIsKilled(t *testing.T) {
	t.Parallel()
	cmd := part("hang", "")
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var text string
	for lines := bufio.NewScanner(out); !postmasterLine.MatchString(text) && lines.Scan(); {
		text += lines.Text() + "\n"
	}
	pid, dir := postmasterOf(t, text)
	if err := errors.Join(syscall.Kill(pid, 0), cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
	if err := os.RemoveAll(dir); err != nil { // else the next server would
		t.Error(err)
	}
}

func postmasterOf(t *testing.T, out string) (pid int, dir string) {
	t.Helper()
	m := postmasterLine.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no postmaster in\n%s", out)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid, m[2]
}

// evidence finds the failed test's table in the database it was told of.
func evidence(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "table evidence"); err != nil {
		t.Error(err)
	}
}

func endKept(t *testing.T, pid int, dir string) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Error(err)
	}
	awaitGone(t, pid)
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("the server, pid %d, still runs", pid)
		}
	}
}
