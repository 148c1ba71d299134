package skein_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/source"
)

// wideScript is a script of mb megabytes; each INSERT has a line of about 8 KB.
func wideScript(mb int) string {
	var b strings.Builder
	b.WriteString("create table ${t}(i int primary key, t text);\n")
	for i := 0; b.Len() < mb<<20; i++ {
		fmt.Fprintf(&b, "insert into ${t} values (%d, '%s');\n", i, strings.Repeat("ä;", 2700))
	}
	return b.String()
}

func TestLargeScript(t *testing.T) {
	t.Parallel()
	text := wideScript(5)
	lines := strings.Count(text, "\n")
	copied := text + "copy ${t} from stdin;\n" + strings.Repeat("1${n}\tx;\n", 1) + "\\.\ninsert into ${t} values (-1, '');\n"
	for _, c := range []struct {
		name   string
		files  []string
		cfg    skein.Config
		count  string
		line   int // of the error
		kind   skein.Kind
		source string
	}{
		{name: "whole", files: []string{"V1__a.sql", text}, count: fmt.Sprint(lines - 1)},
		{name: "with COPY", files: []string{"V1__a.sql", copied}, count: fmt.Sprint(lines + 1)},
		{name: "in a group", files: []string{"V1__a.sql", text, "V2__b.sql", "delete from ${t} where i > 0;"}, cfg: skein.Config{Group: true}, count: "1"},
		{name: "with callbacks", files: []string{"V1__a.sql", text, "beforeEachMigrate.sql", "create table x()", "afterEachMigrate.sql", "drop table x; delete from ${t} where i > 1;"}, count: "2"},
		{name: "with callbacks around statements", files: []string{"V1__a.sql", text, "afterEachMigrateStatement.sql", "select 1"}, count: fmt.Sprint(lines - 1)},
		{name: "with times", files: []string{"V1__a.sql", text}, cfg: skein.Config{Account: true}, count: fmt.Sprint(lines - 1)},
		{name: "outside", files: []string{"V1__a.sql", text}, cfg: skein.Config{NoTransactions: true}, count: fmt.Sprint(lines - 1)},
		{name: "that commits", files: []string{"V1__a.sql", text + "commit; begin; delete from ${t} where i > 2; commit;"}, count: "3"},
		{name: "of two kinds", files: []string{"V1__a.sql", text + "\nvacuum ${t};"}, line: lines + 2, kind: skein.KindScript, source: "vacuum ${t};"},
		{name: "with an error", files: []string{"V1__a.sql", text + "select 1;\n  select nope, '${t}';\n"}, line: lines + 2, kind: skein.KindSQL, source: "  select nope, '${t}';"},
		{name: "with a fault", files: []string{"V1__a.sql", text + "select '${what}';\n"}, line: lines + 1, kind: skein.KindScript, source: "select '${what}';"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			c.cfg.Source, c.cfg.Placeholders.Values = scripts(c.files...), map[string]string{"t": "big", "n": "00000"}
			_, err := migrate(t, db, c.cfg)
			if c.line > 0 {
				var e *skein.Error
				if !errors.As(err, &e) || e.Kind != c.kind || e.At == nil || e.At.Line != c.line || e.At.Source != c.source || e.Kept == "" {
					t.Errorf("error %v at %+v", err, e.At)
				}
				if got := history(t, db); got != "" {
					t.Errorf("history %s", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, "select count(*) from big"); got != c.count {
				t.Errorf("%s rows, want %s", got, c.count)
			}
			if _, err := migrate(t, db, c.cfg); err != nil { // the checksum is the recorded one
				t.Error(err)
			}
		})
	}
}

// A file that changes between the look at its statements and their execution is noticed, also where it has got a COMMIT.
func TestLargeScriptThatChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{"by a row": "delete from big;", "by a commit": "commit;"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, dir := pgtest.New(t), t.TempDir()
			file := filepath.Join(dir, "V1__a.sql")
			text := strings.ReplaceAll(wideScript(5), "${t}", "big")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			src, err := source.Locations([]string{"filesystem:" + dir}, source.Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = migrate(t, db, skein.Config{Source: src, Report: func(e skein.Event) {
				if _, ok := e.(skein.StepStarted); ok {
					if err := os.WriteFile(file, []byte(text+change), 0o644); err != nil {
						t.Error(err)
					}
				}
			}})
			var e *skein.Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, "was changed while it was being read") || !strings.Contains(e.Kept, "nothing of V1 was kept") {
				t.Errorf("error %v", err)
			}
			if got := db.Value(t, "select to_regclass('big') is null"); got != "t" || history(t, db) != "" {
				t.Errorf("no table: %s, history %s", got, history(t, db))
			}
		})
	}
}

// A script of 64 MB (BULK_MB) is migrated by a process that never has more than 64 MB in memory.
func TestLargeScriptInLittleMemory(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc")
	}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector's own memory counts too")
	}
	if url := os.Getenv("BULK_URL"); url != "" {
		debug.SetGCPercent(400) // as the command does
		src, err := source.Locations([]string{"filesystem:" + os.Getenv("BULK_DIR")}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := skein.Migrate(context.Background(), skein.Config{URL: url, Source: src}); err != nil {
			t.Fatal(err)
		}
		if _, err := skein.Validate(context.Background(), skein.Config{URL: url, Source: src}); err != nil {
			t.Fatal(err)
		}
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, peak, _ := strings.Cut(string(status), "VmHWM:")
		fmt.Printf("peak %s\n", strings.Fields(peak)[0])
		return
	}
	mb := 64
	if set := os.Getenv("BULK_MB"); set != "" {
		if _, err := fmt.Sscan(set, &mb); err != nil {
			t.Fatal(err)
		}
	}
	db, dir := pgtest.New(t), t.TempDir()
	writeWide(t, filepath.Join(dir, "V1__a.sql"), mb)
	child := exec.Command(os.Args[0], "-test.run=^TestLargeScriptInLittleMemory$")
	child.Env = append(os.Environ(), "BULK_URL="+db.URL, "BULK_DIR="+dir)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var kb int
	_, peak, _ := strings.Cut(string(out), "peak ")
	if _, err := fmt.Sscan(peak, &kb); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if t.Logf("a script of %d MB, peak memory %d kB", mb, kb); kb > 64<<10 {
		t.Errorf("peak memory %d kB", kb)
	}
}

// writeWide writes a script of mb megabytes without holding it.
func writeWide(t *testing.T, file string, mb int) {
	t.Helper()
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(wideScript(1), "${t}", "big")
	head, rows, _ := strings.Cut(text, "\n")
	_, err = out.WriteString(strings.Replace(head, "i int primary key", "i int", 1) + "\n")
	for i := 0; i < mb && err == nil; i++ {
		_, err = out.WriteString(rows)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// A large script waits for locks as others do, and begins again from its start when it has to give way.
func TestLargeScriptAndLocks(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{"waits": "alter table t add column b int", "gives way": hidden} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table t(a int)")
			reader := session(t, db)
			do(t, reader, "begin", "select from t", grow)
			waited, gaveWay := 0, 0
			text := strings.ReplaceAll(wideScript(5), "${t}", "big")
			cfg := skein.Config{Source: scripts("V2__a.sql", text+last, "beforeEachMigrate.sql", "create table x()", "afterEachMigrate.sql", "drop table x"),
				BaselineOnMigrate: true, StallBudget: 50 * time.Millisecond}
			cfg.Report = func(e skein.Event) {
				switch e := e.(type) {
				case skein.LockWaiting:
					if waited++; e.Path != "V2__a.sql" || e.Line != 1+strings.Count(text, "\n") {
						t.Errorf("%+v", e)
					}
					do(t, reader, "commit")
				case skein.GaveWay:
					if gaveWay++; gaveWay == 2 {
						do(t, reader, "commit")
					}
				}
			}
			if _, err := migrate(t, db, cfg); err != nil {
				t.Fatal(err)
			}
			if last == hidden && gaveWay != 2 || last != hidden && waited != 1 {
				t.Errorf("waited %d times, gave way %d times", waited, gaveWay)
			}
			if got := db.Value(t, "select count(*) from big"); got != fmt.Sprint(strings.Count(text, "\n")-1) {
				t.Errorf("%s rows", got)
			}
		})
	}
}
