package cli

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/migration"
)

// A recorded case is what Flyway 13.0.0 printed for something that is here told as events, an error and a result. The
// face flyway has to print the same bytes.
type recordedCase struct {
	file     string
	dir      string // the location, below /app
	events   []skein.Event
	err      error
	info     *skein.InfoResult // printed behind the events
	document func(failureText) object
}

var (
	ms     = time.Millisecond
	moment = time.Date(2026, 11, 22, 17, 18, 18, 374868234, time.UTC)
	shop   = skein.Target{Database: "shop", Schema: "public", Table: "flyway_schema_history", ServerVersion: "15.18"}

	connected = skein.Connected{Database: "shop", User: "app", Host: "db:5432", ServerVersion: "15.18", Schema: "public", Table: "flyway_schema_history"}
	missing   = skein.HistoryMissing{Schema: "public", Table: "flyway_schema_history"}
	created   = skein.HistoryCreated{Schema: "public", Table: "flyway_schema_history"}

	first  = script("sql", "1", "first one", "V1__first_one.sql")
	second = script("sql", "1.1", "second", "V1.1__second.sql")
	third  = script("sql", "3", "", "V3__.sql")
	view   = script("sql", "", "my view", "R__my_view.sql")
)

func script(dir, version, description, file string) *migration.Script {
	s := &migration.Script{Kind: migration.Repeatable, Description: description, Type: migration.TypeSQL, Path: file, Physical: "/app/" + dir + "/" + file}
	if version != "" {
		s.Kind, s.Version = migration.Versioned, migration.MustVersion(version)
	}
	return s
}

func row(s *migration.Script) *migration.Row {
	return &migration.Row{Version: s.Version, Description: s.Description, Type: s.Type, Script: s.Path, InstalledBy: "postgres",
		InstalledOn: time.Date(2026, 11, 22, 17, 18, 18, 376280000, time.UTC), ExecutionTime: 1, Success: true}
}

// steps tells that scripts ran.
func steps(scripts ...*migration.Script) []skein.Event {
	var events []skein.Event
	for i, s := range scripts {
		events = append(events, skein.StepStarted{Schema: "public", Script: s, Index: i, Total: len(scripts), Transactional: true},
			skein.StepDone{Script: s, Index: i, Total: len(scripts), Took: ms, Statements: 1})
	}
	return events
}

func tell(parts ...any) []skein.Event {
	var events []skein.Event
	for _, p := range parts {
		switch p := p.(type) {
		case skein.Event:
			events = append(events, p)
		case []skein.Event:
			events = append(events, p...)
		}
	}
	return events
}

func planned(current string) skein.Planned { return skein.Planned{Schema: "public", Current: current} }

func scriptError(s *migration.Script, code, state, message, detail string, line int, statement string) *skein.Error {
	return &skein.Error{
		Kind: skein.KindSQL, Code: code, Message: message,
		At:  &skein.Location{Path: s.Path, Physical: s.Physical, Line: line, Source: statement, Statement: statement},
		SQL: &skein.SQLError{State: state, Severity: "ERROR", Message: message, Detail: detail},
	}
}

func TestRecordedFlyway(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range slices.Concat(migrateCases(), failedCases(), infoCases(), otherCases()) {
		seen[c.file+".txtar"] = true
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			want := map[string]string{}
			archive, err := txtar.ParseFile(filepath.Join("testdata", "flyway-"+Dialect, c.file+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range archive.Files {
				want[f.Name] = string(f.Data)
			}
			out, errs, f := render(t, c)
			if diff := cmp.Diff(want["stdout"], out); diff != "" {
				t.Errorf("stdout (-flyway +skein):\n%s", diff)
			}
			if diff := cmp.Diff(want["stderr"], strings.ReplaceAll(errs, "\r\n", "\n")); diff != "" {
				t.Errorf("stderr (-flyway +skein):\n%s", diff)
			}
			if c.document == nil {
				return
			}
			if diff := cmp.Diff(want["json"], document(c.document(f))+"\n"); diff != "" {
				t.Errorf("json (-flyway +skein):\n%s", diff)
			}
		})
	}
	files, err := filepath.Glob("testdata/flyway-" + Dialect + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, f := range files {
		if !seen[filepath.Base(f)] {
			t.Errorf("%s is compared with nothing", f)
		}
	}
}

func render(t *testing.T, c recordedCase) (stdout, stderr string, f failureText) {
	t.Helper()
	var out, errs bytes.Buffer
	con := &console{stdout: &out, stderr: &errs, redactor: &secret.Redactor{}, flyway: true}
	n := &narrator{console: con, target: "********"}
	for _, e := range c.events {
		n.report(e)
	}
	f = failureText{flyway: true, environment: "default", locations: []string{"filesystem:" + c.dir}, dir: "/app"}
	if c.info != nil {
		s := loadSettings(t, "-locations=filesystem:"+c.dir)
		printInfo(con, c.info, c.info.Entries, s, "/srv/projects/shop", time.UTC)
	}
	if c.err != nil {
		f.print(con, c.err, n.running)
	}
	return out.String(), errs.String(), f
}
