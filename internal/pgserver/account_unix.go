//go:build unix

package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

const hasUnixSockets = true

// account is the user who runs servers: ours, unless we are root, whom
// PostgreSQL refuses.
type account struct {
	drop     bool
	uid, gid int
}

// nobodyID is what most systems call nobody; it needs no entry in a user list.
const nobodyID = 65534

func serverAccount() account {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}
	}
	for _, name := range []string{superuser, "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid > 0 { // some systems give nobody a negative id
			return account{drop: true, uid: uid, gid: gid}
		}
	}
	return account{drop: true, uid: nobodyID, gid: nobodyID}
}

// become makes cmd run as the account, in a session of its own, so that a ^C in
// the terminal reaches us alone and we decide how the server stops.
func (a account) become(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a.drop {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// canReach reports which folder on the way to path keeps the account out.
func (a account) canReach(path string) error {
	if !a.drop {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for p := real; ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if !a.mayEnter(info) {
			return fmt.Errorf("root must run PostgreSQL as user id %d, who may not enter %s (mode %v): choose a folder that everybody may enter, or run as an ordinary user", a.uid, p, info.Mode().Perm())
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}

func (a account) mayEnter(info os.FileInfo) bool {
	st := info.Sys().(*syscall.Stat_t)
	switch perm := info.Mode().Perm(); {
	case int(st.Uid) == a.uid:
		return perm&0o100 != 0
	case int(st.Gid) == a.gid:
		return perm&0o010 != 0
	default:
		return perm&0o001 != 0
	}
}

// tempDir is the first usual temporary folder that the account can reach: a
// root's TMPDIR is often closed to others.
func (a account) tempDir() (string, error) {
	var all error
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		err := a.canReach(dir)
		if err == nil {
			return dir, nil
		}
		all = errors.Join(all, err)
	}
	return "", fmt.Errorf("find a temporary folder for PostgreSQL: %w", all)
}

// systemCacheDir serves root, whose own cache folder is closed to others.
func systemCacheDir() (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("neither $XDG_CACHE_HOME nor $HOME is set")
	}
	return "/var/cache", nil
}
