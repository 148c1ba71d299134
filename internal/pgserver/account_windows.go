package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

const hasUnixSockets = false

// account is always ours: initdb and pg_ctl give up administrator rights by
// themselves.
type account struct{}

func serverAccount() account { return account{} }

func (account) become(cmd *exec.Cmd) {
	// A ^C in the console must reach us alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func (account) own(string) error         { return nil }
func (account) canReach(string) error    { return nil }
func (account) tempDir() (string, error) { return os.TempDir(), nil }

func systemCacheDir() (string, error) { return "", errors.New("%LocalAppData% is not set") }
