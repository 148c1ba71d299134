package killmatrix

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// scenario is a set of scripts and the command that is broken while it runs them.
type scenario struct {
	name    string
	command []string
	start   string // migrate to this version first; "": the database is empty
	known   bool   // and by a deployment, so that there are side tables
	refusal bool   // a run may end in the documented refusal, since nobody can know how a statement ended
	dir     string // of the scripts
	files   []txtar.File
}

// scenarios reads testdata. The text before the first file has a line for each of command, start, known and refusal.
func scenarios(t testing.TB) []scenario {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var all []scenario
	for _, path := range paths {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), files: ar.Files, dir: t.TempDir()}
		for line := range strings.Lines(string(ar.Comment)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "command":
				s.command = strings.Fields(value)
			case "start":
				s.start = value
			case "known":
				s.known = true
			case "refusal":
				s.refusal = true
			}
		}
		if len(s.command) == 0 {
			t.Fatalf("%s: no command", path)
		}
		for _, f := range ar.Files {
			if err := os.WriteFile(filepath.Join(s.dir, f.Name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, s)
	}
	return all
}

// prepare brings a new database to where the scenario starts.
func (s *scenario) prepare(t testing.TB, db *pgtest.DB) {
	t.Helper()
	if s.start == "" {
		return
	}
	target, err := migration.ParseTarget(s.start)
	if err != nil {
		t.Fatal(err)
	}
	cfg := skein.Config{URL: db.URL, Source: source.FS(os.DirFS(s.dir), "."), TargetVersion: target}
	if s.known {
		cfg.Deployment = &skein.Deployment{ID: "d-1", Release: "r1", Releaser: "ana", Environment: "dev"}
	}
	if _, err := skein.Migrate(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	// A survey waits for sessions that end, and would use the network now more and now less.
	soon(t, db, pgtest.Unlocked)
}

// program is the test binary under the name skein.
var program = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "skein-killmatrix-")
	if err != nil {
		return "", err
	}
	link := filepath.Join(dir, "skein")
	return link, os.Symlink(self, link)
})

// patience bounds each run of the command.
const patience = 3 * time.Minute

// client is one run of the command as a process of its own.
type client struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
}

// start starts the scenario's command against the database.
func (s *scenario) run(t testing.TB, url string) *client {
	t.Helper()
	return command(t, url, s.dir, append([]string{"-outputType=json", "-outputProgress=true"}, s.command...)...)
}

func command(t testing.TB, url, dir string, args ...string) *client {
	t.Helper()
	link, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c := &client{ended: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, link, append([]string{"-url=" + url, "-locations=filesystem:" + dir}, args...)...)
	c.cmd.Dir, c.cmd.Env = dir, []string{"TZ=UTC", "HOME=" + dir}
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	if err := c.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		defer cancel()
		defer close(c.ended)
		_ = c.cmd.Wait() // ProcessState says how
	}()
	return c
}

// kill ends the process with SIGKILL and waits for its end.
func (c *client) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// wait gives the exit code, -1 after a signal.
func (c *client) wait() int {
	<-c.ended
	return c.cmd.ProcessState.ExitCode()
}

var completed = regexp.MustCompile(`Successfully completed (?:migration|undo) of ([^"]+)"`)

// announced are the scripts that the command said were done.
func (c *client) announced() []string {
	var all []string
	for _, m := range completed.FindAllStringSubmatch(c.output.String(), -1) {
		all = append(all, m[1])
	}
	return all
}

// eventually asks until the answer is yes.
func eventually(what string, ask func() (bool, error)) error {
	tick, end := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		yes, err := ask()
		if err != nil || yes {
			return err
		}
		select {
		case <-tick.C:
		case <-end:
			return errors.New("never came: " + what)
		}
	}
}
