package report

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

var pagesTo = flag.String("pages", "", "write the sample pages into this folder, to be looked at")

// start is when the samples begin, in a zone that has a name of its own.
var start = time.Date(2026, 3, 29, 1, 30, 0, 0, time.FixedZone("CET", 3600))

func plain(s string) string { return s }

// nasty is what must stay text wherever it turns up.
const nasty = `</title></script></style><script>alert(1)</script>"'><img src=x onerror=alert(1)>&amp; {{.}}`

// story is a command told by its events, one millisecond after the other.
type story struct {
	Recorder
	now time.Time
}

func newStory() *story {
	s := &story{Recorder: Recorder{Redact: plain}, now: start}
	s.tell(skein.Connected{Database: "shop", User: "deploy", Host: "db.example.com:5432", ServerVersion: "15.20", Schema: "public", Table: "flyway_schema_history"})
	return s
}

func (s *story) tell(events ...skein.Event) {
	for _, e := range events {
		s.now = s.now.Add(time.Millisecond)
		s.Hear(e, s.now)
	}
}

func (s *story) end(err error) Run {
	code := 0
	if err != nil {
		code = 5
	}
	return s.Run(Outcome{Verb: "migrate", Skein: "1.2.3", Started: start, Ended: s.now, ExitCode: code, Err: err})
}

func script(version, description string) *migration.Script {
	s := &migration.Script{Kind: migration.Repeatable, Type: migration.TypeSQL, Description: description, Path: "R__" + description + ".sql"}
	if version != "" {
		s.Kind, s.Version, s.Path = migration.Versioned, migration.MustVersion(version), "V"+version+"__"+description+".sql"
	}
	return s
}

// steps plans scripts, and runs the first ran of them with n statements each.
func (s *story) steps(scripts []*migration.Script, ran, n int) {
	planned := skein.Planned{Schema: "public", Fingerprint: strings.Repeat("ab", 32)}
	for _, script := range scripts {
		planned.Steps = append(planned.Steps, migration.Step{Script: script})
	}
	s.tell(planned)
	for i, script := range scripts[:ran] {
		s.tell(skein.StepStarted{Schema: "public", Script: script, Index: i, Total: len(scripts), Transactional: true})
		for j := range n {
			s.tell(skein.StatementDone{Path: script.Path, Line: 3*j + 1, Index: j, Tag: "INSERT 0 " + fmt.Sprint(j), Rows: int64(j),
				Took: time.Duration(1+j*j) * 100 * time.Microsecond, SQL: fmt.Sprintf("insert into t%d\n  select * from generate_series(1, %d)", i, j)})
		}
		s.tell(skein.StepDone{Script: script, Index: i, Total: len(scripts), Took: time.Duration(n*n) * 100 * time.Microsecond, Statements: n})
	}
}

// stands gives the Standing at the end: the first n scripts are applied, the others pending.
func stands(scripts []*migration.Script, n int) skein.Standing {
	e := skein.Standing{After: true}
	for i, s := range scripts {
		entry := migration.Entry{Script: s, State: migration.StatePending}
		if i < n {
			entry.State = migration.StateSuccess
			entry.Applied = &migration.Row{Rank: i + 1, Version: s.Version, Description: s.Description, Type: s.Type, Script: s.Path,
				InstalledBy: "deploy", InstalledOn: start.Add(time.Second), ExecutionTime: 12, Success: true}
			e.Version = s.Version
		}
		e.Entries = append(e.Entries, entry)
	}
	return e
}

// failing is a migrate that fails in its third of four scripts, with everything that a report shows in it.
func failing() Run {
	s := newStory()
	scripts := []*migration.Script{script("1", "create customer"), script("2", "add orders"), script("3", nasty), script("4", "later")}
	s.tell(skein.Standing{}, skein.Warning{Text: "an early warning " + nasty, Path: "flyway.toml", Line: 3, Hint: "look there"},
		skein.HistoryCreated{Schema: "public", Table: "flyway_schema_history"},
		skein.CallbackStarted{Callback: &migration.Callback{Type: migration.TypeSQL, Event: "beforeMigrate", Path: "beforeMigrate.sql"}, Transactional: true},
		skein.StatementDone{Path: "beforeMigrate.sql", Line: 1, Tag: "SET", Took: 300 * time.Microsecond, SQL: "set lock_timeout = '2s'"})
	s.steps(scripts, 2, 4)
	s.tell(skein.CallbackStarted{Callback: &migration.Callback{Event: "beforeEachMigrate", Path: "beforeEachMigrate.sql"}},
		skein.StepStarted{Script: scripts[2], Index: 2, Total: 4, Transactional: true, OutOfOrder: true},
		skein.StatementDone{Path: "beforeEachMigrate.sql", Line: 1, Tag: "SELECT 1", Rows: 1, Took: time.Millisecond, SQL: "select 'each'"},
		skein.Notice{Severity: "NOTICE", Code: "00000", Text: "hello " + nasty},
		skein.StatementDone{Path: scripts[2].Path, Line: 2, Tag: "DO", Took: 4 * time.Millisecond, SQL: "do $$ " + nasty + " $$"},
		skein.Notice{Severity: "WARNING", Code: "01000", Text: "before the error"},
		skein.ProgramOutput{Path: "x.sh", Text: "out " + nasty})
	err := &skein.Error{
		Kind: skein.KindSQL, Code: "FAILED_VERSIONED_MIGRATION", Message: `column "plced" does not exist ` + nasty, Kept: "nothing of V3 was kept (it ran in a transaction)",
		Hint: "fix the script, then run: skein migrate", SQL: &skein.SQLError{State: "42703", Message: "x", Position: 46, Detail: "some detail", Hint: "a hint", Where: "a place"},
		At: &skein.Location{Path: scripts[2].Path, Line: 9, Column: 8, Source: "\tset\tplced = now()", Statement: "-- why\nupdate orders\n   set amount = 2,\n       plced = now()"},
	}
	s.tell(stands(scripts, 2))
	return s.end(err)
}

// big is a migrate of many scripts of many statements.
func big(scripts, statements int) Run {
	s := newStory()
	var all []*migration.Script
	for i := range scripts {
		all = append(all, script(fmt.Sprint(i+1), fmt.Sprintf("change number %d", i+1)))
	}
	s.steps(all, scripts, statements)
	s.tell(skein.Migrated{Schema: "public", Applied: scripts})
	s.tell(stands(all, scripts))
	return s.end(nil)
}

// files renders runs with nothing before them.
func files(t *testing.T, runs ...Run) (page, data string) {
	t.Helper()
	r := Report{Runs: runs, ExitCode: runs[len(runs)-1].ExitCode, Redact: plain, Results: []json.RawMessage{json.RawMessage(`{"operation":"info"}`)}}
	p, d, err := r.Files(&Earlier{})
	if err != nil {
		t.Fatal(err)
	}
	return string(p), string(d)
}

// TestPages renders the samples; with -pages=folder they are written there (make report-screens).
func TestPages(t *testing.T) {
	t.Parallel()
	lost := newStory().end(errors.New("the connection was lost"))
	for name, runs := range map[string][]Run{
		"failed": {failing()}, "done": {big(3, 6)}, "several": {big(2, 3), big(12, 40), failing()}, "big": {big(1000, 20)}, "lost": {lost},
	} {
		page, data := files(t, runs...)
		t.Logf("%s: page %d bytes, JSON %d bytes", name, len(page), len(data))
		if !strings.Contains(page, "<h1>") || !json.Valid([]byte(data)) {
			t.Errorf("%s is not whole", name)
		}
		if *pagesTo != "" {
			if err := os.WriteFile(filepath.Join(*pagesTo, name+".html"), []byte(page), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
