//go:build unix && !linux

package pgserver

import "syscall"

// kernelTellsChildren is false here: watch does it.
const kernelTellsChildren = false

func dieWithParent(*syscall.SysProcAttr) {}
