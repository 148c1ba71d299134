package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Mode is a way to shut a server down, as in `pg_ctl stop -m`.
type Mode string

// The modes that PostgreSQL knows.
const (
	Smart     Mode = "smart"     // waits until every client is gone
	Fast      Mode = "fast"      // ends sessions, writes a checkpoint
	Immediate Mode = "immediate" // as a crash: the next start recovers
)

var (
	errNeverReady = errors.New("PostgreSQL did not start")
	errPortTaken  = errors.New("the port is taken")
	errSurvivors  = errors.New("processes of the last run are still there")
)

// launch starts the postmaster on s.Port and waits until it is ready.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	logged := fileSize(s.LogFile)
	p, err := s.spawn(ctx)
	if err != nil {
		return s.explain(err, logged)
	}
	s.process = p
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if postmasterReady(s.DataDir, p.pid) {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return s.explain(errNeverReady, logged)
		case <-ctx.Done():
			s.end(ctx)
			return s.explain(fmt.Errorf("%w: %w", errNeverReady, context.Cause(ctx)), logged)
		}
	}
}

// postmasterReady reads the status line that a postmaster keeps in its pid
// file; unlike a connection attempt it needs no password and leaves no log line.
func postmasterReady(dataDir string, pid int) bool {
	lines := pidFile(dataDir)
	if len(lines) < 8 || lines[0] != strconv.Itoa(pid) {
		return false
	}
	status := strings.TrimSpace(lines[7])
	return status == "ready" || status == "standby" // which, after a while, may take readers
}

// pidFile returns postmaster.pid's lines: pid, data directory, start time,
// port, socket directory, address, shared memory, status. Nil when absent.
func pidFile(dataDir string) []string {
	b, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\n")
}

// explain adds what the server logged from offset on, and recognises the
// failures that another port or a little patience cure.
func (s *Server) explain(err error, offset int64) error {
	b, readErr := os.ReadFile(s.LogFile)
	if readErr != nil || int64(len(b)) < offset {
		return err
	}
	text := strings.TrimSpace(string(b[offset:]))
	if strings.Contains(text, "could not bind IPv4 address") {
		err = fmt.Errorf("%w: 127.0.0.1:%d: %w", err, s.Port, errPortTaken)
	}
	if strings.Contains(text, "pre-existing shared memory block") {
		err = fmt.Errorf("%w: %w", err, errSurvivors)
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 20 {
		lines = lines[len(lines)-20:]
	}
	return fmt.Errorf("%w; its log says:\n%s", err, strings.Join(lines, "\n"))
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Halt shuts the server down in the given mode and keeps its data; Restart
// brings it back. It does nothing when the server is down already. When ctx
// ends first the server is still shutting down.
func (s *Server) Halt(ctx context.Context, mode Mode) error {
	if s.PID() == 0 {
		return nil
	}
	if err := s.shutdown(mode); err != nil && s.PID() != 0 {
		return fmt.Errorf("shut PostgreSQL down (%s, pid %d): %w", mode, s.process.pid, err)
	}
	select {
	case <-s.process.exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("PostgreSQL (pid %d) still shuts down (%s): %w", s.process.pid, mode, context.Cause(ctx))
	}
}

// Restart halts the server, if it runs, and starts it on the same port.
func (s *Server) Restart(ctx context.Context, mode Mode) error {
	if err := s.Halt(ctx, mode); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.launch(ctx)
		if !errors.Is(err, errSurvivors) { // a killed postmaster's backends end a little later
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// Kill ends the postmaster with SIGKILL, as the kernel does when memory is
// short. Its backends notice and end by themselves; Restart then recovers.
func (s *Server) Kill() {
	if s.PID() != 0 {
		s.kill()
	}
}

func (s *Server) kill() {
	if p, err := os.FindProcess(s.process.pid); err == nil {
		_ = p.Kill() // it may have ended by itself; exited tells
	}
	<-s.process.exited
}

// Stop ends the server for good and removes its folder: a fast shutdown, after
// a while (or at once when ctx is over) an immediate one, in the end a kill.
func (s *Server) Stop(ctx context.Context) error {
	if s.PID() != 0 {
		s.end(ctx)
	}
	return s.remove()
}

func (s *Server) end(ctx context.Context) {
	fast, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	if ctx.Err() == nil && s.Halt(fast, Fast) == nil {
		return
	}
	now, cancel := context.WithTimeout(context.WithoutCancel(ctx), killLimit)
	defer cancel()
	if s.Halt(now, Immediate) != nil {
		s.kill()
	}
}
