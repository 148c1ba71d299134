package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const dirPrefix = "skein-pg-"

// makeDir makes the server's folder: ours, with data and socket folders that
// belong to the server's user.
func (s *Server) makeDir(o Options) error {
	base := o.Dir
	if base == "" {
		var err error
		if base, err = s.account.tempDir(); err != nil {
			return err
		}
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if err := s.account.canReach(base); err != nil {
		return fmt.Errorf("keep PostgreSQL's data in %s: %w", base, err)
	}
	sweep(base)
	if s.Dir, err = os.MkdirTemp(base, dirPrefix); err != nil {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	s.DataDir = filepath.Join(s.Dir, "data")
	s.SocketDir = filepath.Join(s.Dir, "s")
	s.LogFile = o.LogFile
	if s.LogFile == "" {
		s.LogFile = filepath.Join(s.Dir, "server.log")
	}
	err = errors.Join(
		os.Chmod(s.Dir, 0o711), // the server's user passes through, and sees no more
		s.account.mkdir(s.DataDir),
		s.account.mkdir(s.SocketDir),
	)
	if err == nil && !s.detached {
		s.owner, err = claim(s.Dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make a folder for PostgreSQL: %w", err), s.remove())
	}
	return nil
}

func (s *Server) remove() error {
	if s.owner != nil {
		_ = s.owner.Close() // only its lock mattered
	}
	if err := os.RemoveAll(s.Dir); err != nil {
		return fmt.Errorf("remove the stopped server's folder: %w", err)
	}
	return nil
}

// initialize fills s.DataDir with a new cluster.
func (s *Server) initialize(ctx context.Context, o Options, in Installation, say func(string)) error {
	args := append([]string{"-U", superuser, "-E", "UTF8", "--locale=C", "--no-sync"}, o.InitArgs...)
	if o.Password {
		s.Password = rand.Text()
		file := filepath.Join(s.Dir, "password")
		if err := s.account.writeFile(file, s.Password); err != nil {
			return fmt.Errorf("write PostgreSQL's password file: %w", err)
		}
		defer os.Remove(file)
		say("creating a database cluster")
		return s.account.initdb(ctx, in.BinDir, s.DataDir, append(args, "-A", "scram-sha-256", "--pwfile="+file))
	}
	args = append(args, "-A", "trust")
	if o.InitCache == "" {
		say("creating a database cluster")
		return s.account.initdb(ctx, in.BinDir, s.DataDir, args)
	}
	made, err := s.account.cachedCluster(ctx, o.InitCache, in, args, say)
	if err != nil {
		return err
	}
	return s.account.copyTree(made, s.DataDir)
}

// cachedCluster returns a folder that initdb filled with these arguments, now
// or earlier. Two processes may both make it: the first rename wins, and what
// is there is complete.
func (a account) cachedCluster(ctx context.Context, cache string, in Installation, args []string, say func(string)) (string, error) {
	key := sha256.Sum256([]byte(strings.Join(append([]string{in.BinDir, in.banner}, args...), "\x00")))
	made := filepath.Join(cache, fmt.Sprintf("initdb-%s-%x", in.Version, key[:6]))
	if _, err := os.Stat(made); err == nil {
		return made, nil
	}
	say("creating a database cluster")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("keep an initdb outcome: %w", err)
	}
	if err := a.canReach(cache); err != nil {
		return "", fmt.Errorf("keep an initdb outcome in %s: %w", cache, err)
	}
	work, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return "", fmt.Errorf("keep an initdb outcome: %w", err)
	}
	defer os.RemoveAll(work)
	data := filepath.Join(work, "data")
	if err := errors.Join(os.Chmod(work, 0o711), a.mkdir(data)); err != nil {
		return "", fmt.Errorf("keep an initdb outcome: %w", err)
	}
	if err := a.initdb(ctx, in.BinDir, data, args); err != nil {
		return "", err
	}
	if err := os.Rename(data, made); err != nil {
		if _, other := os.Stat(made); other != nil {
			return "", fmt.Errorf("keep an initdb outcome: %w", err)
		}
	}
	return made, nil
}

func (a account) initdb(ctx context.Context, binDir, dataDir string, args []string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(binDir, "initdb"), append([]string{"-D", dataDir}, args...)...)
	cmd.Dir = dataDir // the caller's folder may be out of reach for the server's user
	cmd.Env = serverEnv()
	a.become(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = killLimit // for the children that initdb leaves when ctx ends it
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("initdb in %s: %w\n%s", dataDir, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// serverEnv is our environment without the PG… variables, which name other
// servers, and with untranslated messages, which launch reads.
func serverEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG")
	})
	return append(env, "LC_ALL=C")
}

// maxSocketDir leaves room for "/.s.PGSQL.65535" in the 104 bytes that the
// shortest sockaddr_un has.
const maxSocketDir = 88

func (s *Server) writeSettings(more map[string]string) error {
	if !hasUnixSockets || len(s.SocketDir) > maxSocketDir {
		s.SocketDir = ""
	}
	set := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": s.SocketDir,
		"lc_messages":             "C",
	}
	maps.Copy(set, more)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&b, "%s = '%s'\n", k, strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(set[k]))
	}
	f, err := os.OpenFile(filepath.Join(s.DataDir, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("set PostgreSQL's settings: %w", err)
	}
	_, err = f.WriteString("\n" + b.String())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("set PostgreSQL's settings: %w", err)
	}
	return nil
}

// copyTree copies a folder's contents into to, which exists.
func (a account) copyTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		if err := errors.Join(err, relErr); err != nil || rel == "." {
			return err
		}
		if d.IsDir() {
			return a.mkdir(filepath.Join(to, rel))
		}
		return a.copyFile(path, filepath.Join(to, rel))
	})
	if err != nil {
		return fmt.Errorf("copy a database cluster from %s: %w", from, err)
	}
	return nil
}
