//go:build unix

package pgserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func publish(_ *os.File, from, to string) error { return os.Rename(from, to) }

// abandonedBy tells whether the process that owned dir is dead, by taking its
// lock; the lock is held until the file is closed. The folder must be our
// user's: anybody may make one with such a name in a shared temporary folder.
func abandonedBy(dir string) (*os.File, bool) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
		return nil, false
	}
	f, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, false
	}
	if lock(f) != nil {
		_ = f.Close()
		return nil, false
	}
	return f, true
}

// endOrphan ends the postmaster of a data directory, if it still runs. Its pid
// may belong to another program by now: that program's command line does not
// name the directory.
func endOrphan(dataDir string) {
	lines := pidFile(dataDir)
	if len(lines) == 0 {
		return
	}
	pid, err := strconv.Atoi(lines[0])
	if err != nil || pid <= 1 {
		return
	}
	out, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if err == nil && strings.Contains(string(out), dataDir) {
		_ = syscall.Kill(pid, syscall.SIGQUIT)
	}
}
