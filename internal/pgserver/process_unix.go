//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// spawn runs postgres as our own child: no pg_ctl between us, so we learn of
// its end at once and it can learn of ours.
func (s *Server) spawn(context.Context) (*process, error) {
	log, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	defer func() { _ = log.Close() }() // the server has its own handle
	cmd := exec.Command(filepath.Join(s.BinDir, "postgres"), "-D", s.DataDir, "-p", strconv.Itoa(s.Port))
	cmd.Dir, cmd.Env = s.DataDir, serverEnv()
	cmd.Stdout, cmd.Stderr = log, log
	s.account.become(cmd)
	if !s.detached {
		dieWithParent(cmd.SysProcAttr)
	}
	p := &process{exited: make(chan struct{})}
	started := make(chan error)
	go p.run(cmd, started, s.account, !s.detached)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run starts cmd and waits for it. It keeps its thread all the while: to Linux the
// parent is the thread that started the child, and on another goroutine's
// account Go may end any thread that is not locked.
func (p *process) run(cmd *exec.Cmd, started chan<- error, a account, watched bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	release := func() {}
	if watched && !kernelTellsChildren {
		var err error
		if release, err = watch(p.pid, a); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			started <- err
			return
		}
	}
	started <- nil
	_ = cmd.Wait() // why it ended stands in its log
	release()
	close(p.exited)
}

// watchdog reads from us; an end of file without a line means that we died.
const watchdog = `read -r line || kill -QUIT "$1"`

// watch makes a shell end process pid when we end, in whatever way: the kernel
// then closes our end of the pipe. release calls it off.
func watch(pid int, a account) (release func(), err error) {
	cmd := exec.Command("/bin/sh", "-c", watchdog, "sh", strconv.Itoa(pid))
	cmd.Dir = "/"
	a.become(cmd)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("watch over PostgreSQL: %w", err)
	}
	return func() {
		_, _ = io.WriteString(in, "\n") // fails only when the shell is gone, as wanted
		_ = in.Close()
		_ = cmd.Wait()
	}, nil
}

func (s *Server) shutdown(mode Mode) error {
	sig, ok := map[Mode]syscall.Signal{
		Smart: syscall.SIGTERM, Fast: syscall.SIGINT, Immediate: syscall.SIGQUIT,
	}[mode]
	if !ok {
		return errors.New("the mode must be smart, fast or immediate")
	}
	return syscall.Kill(s.process.pid, sig)
}
