//go:build !unix

package process

import (
	"os"
	"os/exec"
	"strconv"
)

func group(*exec.Cmd) {}

// terminate ends the program and what it started: there is no way to ask them.
func terminate(p *os.Process) {
	_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(p.Pid)).Run() // gone already is as well
}

func kill(p *os.Process) { _ = p.Kill() }

func busy(error) bool { return false }
