//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/pgtest"
)

// TestMain lets the test binary stand in for the program: started under the name skein it is the program, signals and
// all.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "skein" {
		main()
	}
	pgtest.Main(m)
}

// program is skein as a process of its own, in a folder with scripts.
type program struct {
	*exec.Cmd
	out bytes.Buffer
}

func start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{Cmd: exec.Command(self, args...)}
	p.Args[0], p.Dir = "skein", dir
	p.Stdout, p.Stderr = &p.out, &p.out
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return p
}

// ends waits for the program and gives its exit code, -1 for a signal.
func (p *program) ends(t *testing.T) int {
	t.Helper()
	var exit *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// folder makes a folder of scripts, names and texts in turn.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// soon waits for the answer t.
func soon(t *testing.T, what string, answer func() bool) {
	t.Helper()
	tick, end := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !answer() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("after a minute not yet: " + what)
		}
	}
}

func asks(t *testing.T, db *pgtest.DB, question string) {
	t.Helper()
	soon(t, question, func() bool { return db.Value(t, question) == "t" })
}

// waits is a statement that takes for ever until there is a table public.go.
const waits = "select case when to_regclass('public.go') is null then pg_sleep(600) end"

const (
	waiting = "select count(*) > 0 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
	alone   = "select count(*) = 0 from pg_stat_activity where datname = current_database() and application_name like 'skein%'"
	applied = "select coalesce(string_agg(version, ',' order by installed_rank), '') from flyway_schema_history where success"
)

// TestFirstSignalStopsTheRun: whatever runs is stopped, what is done is kept and recorded, the output says what is left
// and what to type, and the same command finishes the work.
func TestFirstSignalStopsTheRun(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("insert into a values (1);\n", 60)
	for name, c := range map[string]struct {
		files   []string
		applied string // when it was stopped
		rows    string // of a, in the end
		says    []string
	}{
		"together": {
			files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "insert into a values (1);\n" + waits, "V3__c.sql", "insert into a values (2)"},
			rows:  "2", applied: "1", says: []string{"nothing of V2 was kept", "1 earlier script stays applied", "left to do: 2 scripts (V2, V3)"},
		},
		"pipeline": {
			files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "insert into a values (1);", "V3__c.sql", waits, "V4__d.sql", "insert into a values (2)"},
			rows:  "2", applied: "1,2", says: []string{"nothing of V3 was kept", "2 earlier scripts stay applied", "left to do: 2 scripts (V3, V4)"},
		},
		"stepwise": {
			files: []string{"V1__a.sql", "create table a(id int);\n" + large + waits},
			rows:  "60", says: []string{"nothing of V1 was kept", "left to do: V1"},
		},
		"outside": {
			files: []string{"V1__a.sql", "create table a(id int);\ninsert into a values (1);\n" + waits + ";\ninsert into a values (2)", "V1__a.sql.conf", "executeInTransaction=false"},
			rows:  "2", says: []string{"the 2 statements of V1 before it stay", "left to do: V1"},
		},
		"alone": { // a statement that no catalog tells anything about
			files: []string{"V1__p.sql", "create table a(id int);\ncreate procedure p() language plpgsql as $$ begin commit; insert into a values (1); " +
				"if to_regclass('public.go') is null then perform pg_sleep(600); end if; end $$", "V2__call.sql", "call p()", "V2__call.sql.conf", "executeInTransaction=false"},
			rows: "1", applied: "1", says: []string{"nothing of V2 was kept", "left to do: V2"},
		},
		"program": {
			files: []string{"V1__a.sql", "create table a(id int);", "V2__load.sh", "touch started\nwhile [ ! -e go ]; do sleep 0.05; done\n"},
			rows:  "0", applied: "1", says: []string{"it was stopped from outside", "left to do: V2"},
		},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprint(name, " ", signal), func(t *testing.T) {
				t.Parallel()
				db, dir := pgtest.New(t), folder(t, c.files...)
				args := []string{"-url=" + db.URL, "-locations=filesystem:" + dir, "migrate"}
				p := start(t, dir, args...)
				if name == "program" {
					soon(t, "started", func() bool { _, err := os.Stat(filepath.Join(dir, "started")); return err == nil })
				} else {
					asks(t, db, waiting)
				}
				if err := p.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if code := p.ends(t); code != 9 {
					t.Errorf("exit code %d", code)
				}
				out := p.out.String()
				for _, want := range append(c.says, "stopping: ", "it is safe to run the same command again: skein migrate") {
					if !strings.Contains(out, want) {
						t.Errorf("the output lacks %q:\n%s", want, out)
					}
				}
				asks(t, db, alone)
				if got := db.Value(t, applied); got != c.applied {
					t.Errorf("applied: %s", got)
				}
				db.Exec(t, "create table go()")
				if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				again := start(t, dir, args...)
				if code := again.ends(t); code != 0 {
					t.Errorf("the second run ended with %d:\n%s", code, again.out.String())
				}
				if got := db.Value(t, "select count(*) from a"); got != c.rows {
					t.Errorf("%s rows", got)
				}
			})
		}
	}
}

// TestSecondSignalEndsAtOnce: a program that does not want to end holds up the first signal, and not the second.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir := folder(t, "V1__stubborn.sh", "trap 'touch asked' TERM\ntouch started\nwhile [ -e started ]; do sleep 0.05; done\n")
	p := start(t, dir, "-url="+db.URL, "-locations=filesystem:"+dir, "migrate")
	there := func(file string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(dir, file)); return err == nil }
	}
	soon(t, "started", there("started")) // the program outlives skein, and ends when its folder is removed
	_ = p.Process.Signal(syscall.SIGINT)
	soon(t, "the program was asked to end", there("asked"))
	_ = p.Process.Signal(syscall.SIGINT)
	p.ends(t)
	if s, ok := p.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v:\n%s", p.ProcessState, p.out.String())
	}
}
