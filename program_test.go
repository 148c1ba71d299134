//go:build unix

package skein_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// outputs gathers what programs write, as "path: text".
func outputs(into *[]string) func(skein.Event) {
	return func(e skein.Event) {
		if o, ok := e.(skein.ProgramOutput); ok {
			*into = append(*into, o.Path+": "+o.Text)
		}
	}
}

func TestProgramsAreMigrations(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var heard []string
	cfg := skein.Config{
		Source: scripts(
			"V1__a.sql", "create table a(id int);",
			"V2__shell.sh", "echo hello from $FLYWAY_USER\necho err >&2\n",
			"V3__bash.bash", "echo ${BASH_VERSION:+bash}\n",
			"V4__bare", "#!/bin/sh\necho \"bare $(basename \"$0\")\"\n",
			"V5__python.py", "import os\nprint('python', os.environ['FP__who__'])\n",
			"R__again.sh", "echo again FP__who__\n",
		),
		Placeholders: migration.Placeholders{Values: map[string]string{"who": "me"}},
		Report:       outputs(&heard),
	}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	user := db.Value(t, "select current_user")
	want := []string{"V2__shell.sh: hello from " + user, "V2__shell.sh: err", "V3__bash.bash: bash", "V4__bare: bare V4__bare", "V5__python.py: python me", "R__again.sh: again FP__who__"}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %q\nwant  %q", heard, want)
	}
	if got, want := history(t, db), "1|1|SQL|V1__a.sql|t\n2|2|SCRIPT|V2__shell.sh|t\n3|3|SCRIPT|V3__bash.bash|t\n4|4|SCRIPT|V4__bare|t\n5|5|SCRIPT|V5__python.py|t\n6|<null>|SCRIPT|R__again.sh|t\n"; got != want {
		t.Errorf("history\n%swant\n%s", got, want)
	}
	heard = nil
	if _, err := migrate(t, db, cfg); err != nil || heard != nil {
		t.Errorf("the second run: %v, heard %q", err, heard)
	}
	cfg.Placeholders.Values = map[string]string{"who": "you"}
	if _, err := migrate(t, db, cfg); err != nil || !slices.Equal(heard, []string{"R__again.sh: again FP__who__"}) {
		t.Errorf("with another placeholder: %v, heard %q", err, heard)
	}
}

// The recorded checksum is the one that Flyway 13.0.0 has for this file.
func TestProgramChecksum(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := migrate(t, db, skein.Config{Source: scripts("V1__s.sh", "#!/bin/sh\necho hello from $FLYWAY_USER\necho err >&2\n")}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select checksum from flyway_schema_history"); got != "-2057461923" {
		t.Errorf("checksum %s", got)
	}
}

func TestProgramEnvironment(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	cfg := skein.Config{
		Source: scripts("V1__env.sh", `echo "$FLYWAY_URL"
echo "$FP__flyway_defaultSchema__ $FP__flyway_table__ $FP__flyway_filename__ $FP__flyway_environment__"
echo "$FP__Mixed__/$FP__mixed__/$FP__a_b__"
pwd -P
`, "V2__off.sh", `echo "[$FP__Mixed__]"`, "V2__off.sh.conf", "placeholderReplacement=false", "V3__password.sh", `echo "the password is $FLYWAY_PASSWORD!"; exit 1`),
		Placeholders:     migration.Placeholders{Values: map[string]string{"Mixed": "x", "a:b": "y"}},
		WorkingDirectory: dir, ProgramURL: "jdbc:postgresql://here/db", Report: outputs(&heard),
		Connection: func(context.Context) (*pgx.ConnConfig, error) {
			c, err := pgx.ParseConfig(db.URL)
			if err == nil {
				c.Password = "canary-9f3a" // the test's server asks for none, so any will do
			}
			return c, err
		},
	}
	_, err = skein.Migrate(t.Context(), cfg)
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"V1__env.sh: jdbc:postgresql://here/db", "V1__env.sh: public flyway_schema_history V1__env.sh default", "V1__env.sh: x//y", "V1__env.sh: " + dir,
		"V2__off.sh: []",
	}
	if len(heard) != 6 || !slices.Equal(heard[:5], want) {
		t.Errorf("heard %q\nwant  %q", heard, want)
	}
	if all := strings.Join(heard, "\n") + fmt.Sprintf("%v %+v", err, errors.Unwrap(err)); strings.Contains(all, "canary") || !strings.Contains(all, "the password is ") {
		t.Errorf("the password is shown, or its line is not: %s", all)
	}
}

func TestFailingProgram(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Source: scripts("V1__a.sql", "create table a(id int);", "V2__s.sh", "echo why\nexit 3\n", "V3__b.sql", "create table b(id int);",
		"afterEachMigrateError.sql", "create table heard(id int);")}
	res, err := migrate(t, db, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindSQL || e.Code != "FAILED_VERSIONED_MIGRATION" || e.At.Path != "V2__s.sh" {
		t.Fatalf("error %+v", err)
	}
	want := `V2__s.sh: exit status 3; the end of its output:
   why
what V2 did before stays (a program cannot be rolled back); it is not recorded as applied; 1 earlier script stays applied
hint: fix the script, then run: skein migrate`
	if err.Error() != want {
		t.Errorf("error:\n%s\nwant:\n%s", err, want)
	}
	if got := history(t, db); got != "1|1|SQL|V1__a.sql|t\n" {
		t.Errorf("history %s", got)
	}
	if len(res.Applied) != 1 || res.Failed == nil || res.Failed.Path != "V2__s.sh" || db.Value(t, "select to_regclass('heard') is not null") != "t" {
		t.Errorf("result %+v", res)
	}
}

// A program file in a folder runs where it is, so that it finds what lies beside it; its bits and the folder stay.
func TestProgramRunsInPlace(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"V1__s.sh": `cat "$(dirname "$0")/data.txt"`, "data.txt": "beside\n", "V2__bare": "#!/bin/sh\necho bare\n", "V3__bits": "#!/bin/sh\ncat \"$(dirname \"$0\")/data.txt\"\n",
	} {
		mode := os.FileMode(0o644)
		if name == "V3__bits" {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	src, err := source.Locations([]string{"filesystem:" + dir}, source.Options{Suffixes: []string{".sql"}})
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	if _, err := migrate(t, db, skein.Config{Source: src, Report: outputs(&heard)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"V1__s.sh: beside", "V2__bare: bare", "V3__bits: beside"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q", heard)
	}
	if info, err := os.Stat(filepath.Join(dir, "V2__bare")); err != nil || info.Mode() != 0o644 {
		t.Errorf("the file's mode is %v now (%v)", info.Mode(), err)
	}
}

func TestStoppedProgram(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := skein.Migrate(ctx, skein.Config{URL: db.URL, Source: scripts("V1__wait.sh", "echo ready\nsleep 600\n"), Report: func(e skein.Event) {
		if o, ok := e.(skein.ProgramOutput); ok && o.Text == "ready" {
			cancel()
		}
	}})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindInterrupted || !strings.Contains(e.Kept, "cannot be rolled back") {
		t.Errorf("error %+v", err)
	}
	if history(t, db) != "" {
		t.Error("it is recorded")
	}
}

func TestMissingInterpreterStopsBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "create table a(id int);", "V2__p.ps1", "echo"), PowerShell: "no-such-powershell"})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindScript || !strings.Contains(e.Message, "no-such-powershell") || e.At.Path != "V2__p.ps1" {
		t.Errorf("error %+v", err)
	}
	if history(t, db) != "" {
		t.Error("V1 ran")
	}
}

// A program cannot be part of a group's transaction: what it did would stay when that is rolled back, and what it
// looks for might not be committed yet.
func TestProgramInAGroup(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Group: true, Source: scripts("V1__a.sql", "create table a(id int);", "V2__s.sh", "echo")}
	_, err := migrate(t, db, cfg)
	if err == nil || !strings.Contains(err.Error(), "First offending migration: V2") || history(t, db) != "" {
		t.Errorf("error %v, history %s", err, history(t, db))
	}
	cfg.Mixed = true
	if _, err := migrate(t, db, cfg); err != nil || history(t, db) != "1|1|SQL|V1__a.sql|t\n2|2|SCRIPT|V2__s.sh|t\n" {
		t.Errorf("with mixed: %v, history %s", err, history(t, db))
	}
}

func TestProgramSkipped(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var heard []string
	cfg := skein.Config{SkipExecutingMigrations: true, Source: scripts("V1__s.ps1", "echo ran"), PowerShell: "no-such-powershell", Report: outputs(&heard)}
	if _, err := migrate(t, db, cfg); err != nil || heard != nil || history(t, db) != "1|1|SCRIPT|V1__s.ps1|t\n" {
		t.Errorf("%v, heard %q, history %s", err, heard, history(t, db))
	}
}

// On an empty database a baseline migration that is a program stands for what is below it; later it is passed over.
func TestBaselineThatIsAProgram(t *testing.T) {
	t.Parallel()
	later := []string{"V1__a.sql", "create table a(id int);", "V2__two.sql", "create table two(id int);", "B2__base.sh", "echo base", "V3__c.sql", "create table c(id int);"}
	for name, c := range map[string]struct {
		before      []string
		heard, want string
	}{
		"an empty database":  {nil, "B2__base.sh: base", "1|2|SQL_BASELINE|B2__base.sh|t\n2|3|SQL|V3__c.sql|t\n"},
		"one with a history": {later[:2], "", "1|1|SQL|V1__a.sql|t\n2|2|SQL|V2__two.sql|t\n3|3|SQL|V3__c.sql|t\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			if c.before != nil {
				if _, err := migrate(t, db, skein.Config{Source: scripts(c.before...)}); err != nil {
					t.Fatal(err)
				}
			}
			var heard []string
			for range 2 { // the second time nothing is left to do, and validate accepts what is there
				if _, err := migrate(t, db, skein.Config{Source: scripts(later...), Report: outputs(&heard)}); err != nil {
					t.Fatal(err)
				}
			}
			if got := history(t, db); strings.Join(heard, ",") != c.heard || got != c.want {
				t.Errorf("heard %q, history\n%s", heard, got)
			}
		})
	}
}

// connecting gives a Config.Connection that calls first each time it is asked.
func connecting(db *pgtest.DB, first func()) func(context.Context) (*pgx.ConnConfig, error) {
	return func(context.Context) (*pgx.ConnConfig, error) {
		first()
		return pgx.ParseConfig(db.URL)
	}
}
