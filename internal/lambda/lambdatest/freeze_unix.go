//go:build unix

package lambdatest

import "syscall"

// Between two events Lambda freezes a sandbox.
const (
	freeze = syscall.SIGSTOP
	thaw   = syscall.SIGCONT
)
