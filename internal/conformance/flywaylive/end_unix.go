//go:build unix

package flywaylive

import (
	"os/exec"
	"syscall"
)

// The launcher of Flyway's own distribution starts java as a child, which killing the launcher alone would leave behind.
func endWithChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
