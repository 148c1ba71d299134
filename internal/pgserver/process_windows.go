package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// spawn goes through pg_ctl, which gives up administrator rights as postgres
// demands, and returns when the server is ready.
func (s *Server) spawn(ctx context.Context) (*process, error) {
	err := s.pgctl(ctx, "start", "-w", "-t", strconv.Itoa(int(startLimit.Seconds())),
		"-l", s.LogFile, "-o", "-p "+strconv.Itoa(s.Port))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNeverReady, err)
	}
	lines := pidFile(s.DataDir)
	if len(lines) == 0 {
		return nil, errNeverReady
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return nil, fmt.Errorf("read postmaster.pid in %s: %w", s.DataDir, err)
	}
	p := &process{pid: pid, exited: make(chan struct{})}
	child, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNeverReady, err)
	}
	go func() {
		_, _ = child.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (s *Server) shutdown(mode Mode) error {
	return s.pgctl(context.Background(), "stop", "-W", "-m", string(mode))
}

func (s *Server) pgctl(ctx context.Context, args ...string) error {
	return pgctl(ctx, s.BinDir, s.DataDir, args...)
}

func pgctl(ctx context.Context, binDir, dataDir string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(binDir, "pg_ctl"), append(args, "-D", dataDir)...)
	cmd.Env = serverEnv()
	account{}.become(cmd)
	return cmd.Run()
}
