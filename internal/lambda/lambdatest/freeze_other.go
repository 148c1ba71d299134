//go:build !unix

package lambdatest

import "syscall"

// Where processes cannot be frozen they wait awake: these are signals that the system refuses.
const (
	freeze = syscall.Signal(0)
	thaw   = syscall.Signal(0)
)
