//go:build unix

package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envHelper makes the test binary play another process: "server" starts a
// server, "watch" watches over a pid; both then wait to be killed.
const envHelper = "PGSERVER_TEST_HELPER"

func TestMain(m *testing.M) {
	if role := os.Getenv(envHelper); role != "" {
		os.Exit(helper(role))
	}
	os.Exit(m.Run())
}

func helper(role string) int {
	arg := os.Args[len(os.Args)-1]
	var err error
	switch role {
	case "server":
		var s *Server
		if s, err = Start(context.Background(), Options{Dir: arg}); err == nil {
			fmt.Println(s.PID(), s.Dir)
		}
	case "cached":
		var s *Server
		if s, err = Start(context.Background(), Options{InitCache: arg}); err == nil {
			fmt.Println(s.PID(), s.Dir)
			_, _ = io.Copy(io.Discard, os.Stdin)
			err = s.Stop(context.Background())
		}
		if err == nil {
			return 0
		}
	case "watch":
		var pid int
		if pid, err = strconv.Atoi(arg); err == nil {
			_, err = watch(pid, serverAccount())
			fmt.Println("watching")
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until we are killed
	return 0
}

// startHelper returns the helper process, which has printed its first line.
func startHelper(t *testing.T, role, arg string) (cmd *exec.Cmd, in io.Closer, line string) {
	t.Helper()
	cmd = exec.Command(os.Args[0], arg)
	cmd.Env = append(os.Environ(), envHelper+"="+role)
	stdin, err := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(err, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		t.Fatalf("the helper process said %q, %v", line, err)
	}
	return cmd, stdin, strings.TrimSpace(line)
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := testContext(t); syscall.Kill(pid, 0) == nil; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestServerDiesWithItsProcess(t *testing.T) {
	t.Parallel()
	base := baseDir(t)
	cmd, _, line := startHelper(t, "server", base)
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the server does not run: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("expected to find what the killed process left: %v", err)
	}
	begin(t, Options{Dir: base})
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the next start did not remove the orphan's folder: %v", err)
	}
}

// sleeper is a process of the server's user.
func sleeper(t *testing.T) (pid int, ended <-chan error) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	serverAccount().become(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd.Process.Pid, done
}

// awaitSignal returns the signal that ended a sleeper.
func awaitSignal(t *testing.T, ended <-chan error) syscall.Signal {
	t.Helper()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("the process ended by itself: %v", err)
		}
		return exit.Sys().(syscall.WaitStatus).Signal()
	case <-testContext(t).Done():
		t.Fatal("the process still runs")
		return 0
	}
}

// wantUntouched ends the sleeper with a signal that comes after every SIGQUIT
// sent before: were there one, it would have ended the process.
func wantUntouched(t *testing.T, pid int, ended <-chan error) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if sig := awaitSignal(t, ended); sig != syscall.SIGTERM {
		t.Errorf("the process had been ended with %v", sig)
	}
}

// The watchdog serves where the kernel has no parent death signal, but works on
// any unix.
func TestWatchdogEndsProcess(t *testing.T) {
	t.Parallel()
	pid, ended := sleeper(t)
	cmd, _, _ := startHelper(t, "watch", strconv.Itoa(pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if sig := awaitSignal(t, ended); sig != syscall.SIGQUIT {
		t.Errorf("the watched process ended with %v, want SIGQUIT", sig)
	}
}

func TestWatchdogCalledOff(t *testing.T) {
	t.Parallel()
	pid, ended := sleeper(t)
	release, err := watch(pid, serverAccount())
	if err != nil {
		t.Fatal(err)
	}
	release() // returns when the watchdog itself has ended
	wantUntouched(t, pid, ended)
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	base := baseDir(t)
	// An orphan that still runs: its owner is gone, so nobody holds the lock.
	orphan := begin(t, Options{Dir: base, Detached: true})
	owner, err := claim(orphan.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	living := begin(t, Options{Dir: base})
	<-orphan.Exited()
	if _, err := os.Stat(orphan.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the orphan's folder is still there: %v", err)
	}
	detached := begin(t, Options{Dir: base, Detached: true})
	sweep(base)
	for name, s := range map[string]*Server{"owned": living, "detached": detached} {
		if s.PID() == 0 || query(t, s.URL("postgres"), "select 'here'") != "here" {
			t.Errorf("the %s server was taken for an orphan", name)
		}
	}
}

func TestOrphanSparesStrangers(t *testing.T) {
	t.Parallel()
	base := baseDir(t)
	pid, ended := sleeper(t)
	dir := filepath.Join(base, dirPrefix+"stale")
	stale := filepath.Join(dir, "data", "postmaster.pid")
	err := errors.Join(
		os.MkdirAll(filepath.Dir(stale), 0o755),
		os.WriteFile(stale, fmt.Appendf(nil, "%d\n%s\n", pid, filepath.Dir(stale)), 0o600),
		os.WriteFile(filepath.Join(dir, ownerFile), nil, 0o600),
		os.Mkdir(filepath.Join(base, dirPrefix+"unowned"), 0o755),
	)
	if err != nil {
		t.Fatal(err)
	}
	sweep(base)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stale folder is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(base, dirPrefix+"unowned")); err != nil {
		t.Errorf("a folder without an owner file was removed: %v", err)
	}
	wantUntouched(t, pid, ended)
}
