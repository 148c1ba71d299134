//go:build !unix

package flywaylive

import "os/exec"

// Without process groups the command's own end, and closing its pipes after WaitDelay, has to do.
func endWithChildren(*exec.Cmd) {}
