package pgserver

import "syscall"

const kernelTellsChildren = true

// dieWithParent has the kernel send the postmaster SIGQUIT (an immediate
// shutdown) when we end, even by SIGKILL.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
