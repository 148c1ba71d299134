//go:build unix

package process

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// group puts the program and what it starts into a process group of their own, so that they can be stopped together,
// and so that a ^C on the terminal reaches Skein alone, which then stops them.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// The group may be gone already, which is as well.
func terminate(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }
func kill(p *os.Process)      { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

func busy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }
