package report

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// outline is a run in a few lines.
func outline(run Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", run.Summary)
	messages := func(indent string, list []Message) {
		for _, m := range list {
			fmt.Fprintf(&b, "%s%s %s:%d\n", indent, m.Severity, m.Path, m.Line)
		}
	}
	messages("", run.Messages)
	for _, s := range run.Steps {
		fmt.Fprintf(&b, "%s %s%s %d us\n", s.State, s.Callback, s.Version, s.Micros)
		for _, st := range s.Statements {
			fmt.Fprintf(&b, "  %s:%d %s failed=%v %d\n", st.Path, st.Line, st.Tag, st.Failed, deref(st.Micros))
		}
		messages("  ", s.Messages)
		for _, line := range s.Output {
			fmt.Fprintf(&b, "  > %.5s\n", line)
		}
	}
	return b.String()
}

func TestRecorderOfAFailure(t *testing.T) {
	t.Parallel()
	run := failing()
	path := script("3", nasty).Path
	want := `migrate failed in ` + path + `, line 9: column "plced" does not exist ` + nasty + `
WARNING flyway.toml:3
ran beforeMigrate 300 us
  :1 SET failed=false 300
applied 1 1600 us
  :1 INSERT 0 0 failed=false 100
  :4 INSERT 0 1 failed=false 200
  :7 INSERT 0 2 failed=false 500
  :10 INSERT 0 3 failed=false 1000
applied 2 1600 us
  :1 INSERT 0 0 failed=false 100
  :4 INSERT 0 1 failed=false 200
  :7 INSERT 0 2 failed=false 500
  :10 INSERT 0 3 failed=false 1000
failed 3 6000 us
  beforeEachMigrate.sql:1 SELECT 1 failed=false 1000
  :2 DO failed=false 4000
  :7  failed=true 0
  NOTICE ` + path + `:2
  WARNING ` + path + `:0
  > out <
not run 4 0 us
`
	if diff := cmp.Diff(want, outline(run)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if last := run.Steps[3].Statements; !strings.HasPrefix(last[len(last)-1].SQL, "update orders") {
		t.Errorf("the failed statement begins with %q", last[len(last)-1].SQL)
	}
	if run.OK || run.pending() != 2 || len(run.installed()) != 2 || *run.VersionAfter != "2" || len(run.warnings()) != 2 || len(run.Actions) != 1 {
		t.Errorf("ok %v, %d pending, %d installed, %v, %v", run.OK, run.pending(), len(run.installed()), run.warnings(), run.Actions)
	}
}

// What becomes of steps, by how the run ends.
func TestRecorderStates(t *testing.T) {
	t.Parallel()
	scripts := []*migration.Script{script("1", "a"), script("2", "b"), script("3", "c")}
	back := *scripts[1]
	back.Kind = migration.Undo
	inCallback := &skein.Error{Kind: skein.KindSQL, Code: "DB_CONNECTION", Callback: "afterMigrate", Message: "no"}
	inScript := &skein.Error{Kind: skein.KindSQL, Code: "FAILED_VERSIONED_MIGRATION", Message: "no", At: &skein.Location{Path: "V2__b.sql"}}
	refused := &skein.Error{Kind: skein.KindScript, Code: "ERROR", Message: "two kinds of statements"}
	after := skein.CallbackStarted{Callback: &migration.Callback{Event: "afterMigrate", Path: "afterMigrate.sql"}}
	second := skein.StepStarted{Script: scripts[1], Index: 1, Total: 3}
	for name, c := range map[string]struct {
		ran     int
		events  []skein.Event
		err     error
		grouped bool
		want    string
	}{
		"all":                 {ran: 3, want: "applied applied applied"},
		"stopped between":     {ran: 1, err: refused, want: "applied not run not run"},
		"in a script":         {ran: 1, events: []skein.Event{second}, err: inScript, want: "applied failed not run"},
		"in a group":          {ran: 1, events: []skein.Event{second}, err: inScript, grouped: true, want: "rolled back failed not run"},
		"a callback after":    {ran: 3, events: []skein.Event{skein.Migrated{}, after}, err: inCallback, want: "applied applied applied failed"},
		"not this callback":   {ran: 3, events: []skein.Event{skein.Migrated{}, after}, err: refused, want: "applied applied applied ran"},
		"undone":              {events: []skein.Event{skein.StepStarted{Script: &back}, skein.StepDone{Script: &back}}, want: "undone not run not run"},
		"recorded":            {events: []skein.Event{skein.StepStarted{Script: scripts[0], Skipped: true}, skein.StepStarted{Script: scripts[1], Skipped: true}, skein.Migrated{}, after}, want: "recorded recorded ran not run"},
		"recording is denied": {events: []skein.Event{skein.StepStarted{Script: scripts[0], Skipped: true}}, err: inScript, want: "failed not run not run"},
		"an error callback":   {events: []skein.Event{second, skein.CallbackStarted{Callback: &migration.Callback{Event: "afterEachMigrateError"}}}, err: inScript, want: "failed not run not run"},
	} {
		s := newStory()
		s.Grouped = c.grouped
		s.steps(scripts, c.ran, 1)
		s.tell(c.events...)
		var got []string
		for _, step := range s.end(c.err).Steps {
			got = append(got, string(step.State))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, not %s", name, got, c.want)
		}
	}
}

func TestSummaries(t *testing.T) {
	t.Parallel()
	scripts := []*migration.Script{script("1", "a"), script("2", "b")}
	row := migration.Row{Rank: 2, Script: "V2__b.sql"}
	for _, c := range []struct {
		verb     string
		events   []skein.Event
		problems int
		want     string
	}{
		{"migrate", []skein.Event{stands(scripts, 2)}, 0, "migrate found nothing to do; the schema is at version 2, nothing is pending"},
		{"migrate", nil, 0, "migrate found nothing to do; the schema's version is not known, what is pending is not known"},
		{"undo", []skein.Event{stands(scripts, 0)}, 0, "undo found nothing to do; the schema has no version yet, 2 migrations are pending"},
		{"info", []skein.Event{stands(scripts, 1)}, 0, "the schema is at version 1; 1 migration is pending"},
		{"validate", []skein.Event{skein.Validated{Count: 7}}, 0, "validate found nothing wrong in 7 migrations"},
		{"validate", nil, 2, "validate found 2 problems"},
		{"repair", nil, 0, "repair found nothing to mend in the history"},
		{"repair", []skein.Event{skein.RepairRemoved{Row: row}, skein.RepairDeleted{Row: row}, skein.RepairAligned{Row: row, Script: scripts[1]}}, 0, "repair mended the history: 3 changes"},
		{"clean", []skein.Event{skein.Cleaned{Schema: "public"}, skein.Dropped{Schema: "work"}}, 0, `clean: emptied the schema "public", dropped the schema "work"`},
		{"baseline", []skein.Event{skein.HistoryCreated{Schema: "s", Table: "t", Baseline: true}, skein.BaselineWritten{Text: "Successfully baselined"}}, 0, `baseline: created the history table "s"."t" with a baseline, Successfully baselined`},
		{"baseline", nil, 0, "baseline succeeded"},
	} {
		s := newStory()
		s.tell(c.events...)
		run := s.Run(Outcome{Verb: c.verb, Started: start, Ended: s.now, Problems: make([]migration.Problem, c.problems)})
		if run.Summary != c.want || run.OK != (c.problems == 0) {
			t.Errorf("%s: %q, ok %v", c.verb, run.Summary, run.OK)
		}
	}
}

var tag = regexp.MustCompile(`<(/?)([a-zA-Z0-9]+)`)

// Whatever scripts and servers say stays text: the page has only the tags that its template has.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()
	page, _ := files(t, failing())
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		if slices.Contains([]string{"img", "iframe", "object", "link", "base"}, m[2]) {
			t.Errorf("the page has a tag %s", m[0])
		}
	}
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if strings.Count(page, "<style>") != 1 || strings.Contains(page, nasty) || strings.Count(page, "&lt;script&gt;alert(1)") < 8 {
		t.Errorf("text is not escaped:\n%s", page)
	}
	if loads := regexp.MustCompile(`(?i)\b(src|href|action|srcset|data)=["'][^#]|url\(|@import|https?://`).FindString(page); loads != "" {
		t.Errorf("the page asks for something outside of it: %s", loads)
	}
}

// The page's policy lets its own style and script through: the hashes are those of what stands in it.
func TestPolicy(t *testing.T) {
	t.Parallel()
	page, _ := files(t, failing())
	for _, name := range []string{"style", "script"} {
		_, rest, _ := strings.Cut(page, "<"+name+">")
		text, _, found := strings.Cut(rest, "</"+name+">")
		if !found || !strings.Contains(page, name+"-src &#39;"+strings.ReplaceAll(hash(text), "+", "&#43;")+"&#39;") {
			t.Errorf("the policy does not allow the page's %s: %s", name, page[:700])
		}
	}
	if strings.Contains(page, " style=") || strings.Contains(page, " on") && regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(page) {
		t.Error("the page has styles or handlers that its policy forbids")
	}
}

// TestAccessible asks what can be asked without a browser.
func TestAccessible(t *testing.T) {
	t.Parallel()
	page, _ := files(t, big(2, 3), big(12, 40), failing())
	if strings.Count(page, "<table") != strings.Count(page, "<caption") || strings.Count(page, "<th ") != strings.Count(page, "<th scope=") {
		t.Error("a table without caption, or a head cell without scope")
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:href="#|aria-labelledby=")([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("nothing has the id %s", m[1])
		}
	}
	level := 0
	for _, m := range regexp.MustCompile(`<h([1-6])`).FindAllStringSubmatch(page, -1) {
		next := int(m[1][0] - '0')
		if next > level+1 {
			t.Errorf("h%d follows h%d", next, level)
		}
		level = next
	}
	for _, want := range []string{`<html lang="en">`, "<main>", `name="viewport"`, "✓ applied", "✗ failed", "– not run", "@media print", "prefers-color-scheme"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// Every text of a run goes through the redactor, before long ones are cut.
func TestEveryTextIsRedacted(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry"
	s := newStory()
	s.Redact = func(text string) string { return strings.ReplaceAll(text, canary, "***") }
	fill := reflect.New(reflect.TypeFor[Run]()).Elem()
	fillTexts(fill, "a "+canary+" b")
	run := fill.Interface().(Run)
	run.Steps[0].Statements[0].SQL = strings.Repeat("x", sqlCharacters-3) + canary
	run.Failure.Source = "x " + canary
	run.Failure.Column = 9
	run.scrub(s.Redact)
	page, data := files(t, run)
	if strings.Contains(page+data, "c4n") {
		t.Error("a secret is in the report")
	}
	if run.Failure.Column != 0 {
		t.Error("a caret stands below a line that was changed")
	}
	old := Earlier{runs: []Run{fill.Interface().(Run)}, results: []json.RawMessage{json.RawMessage(`{"operation":"info","x":[{"y":"c4n4ry","n":12345678901234567890}]}`)}}
	old.runs[0].Verb = "undo"
	p, d, err := Report{Runs: []Run{big(1, 1)}, Redact: s.Redact}.Files(&old)
	if err != nil || strings.Contains(string(p)+string(d), "c4n") || !strings.Contains(string(d), "12345678901234567890") {
		t.Errorf("what was there before: %v\n%s", err, d)
	}
}

func fillTexts(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillTexts(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillTexts(v.Index(0), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type != reflect.TypeFor[State]() && f.Type != reflect.TypeFor[time.Time]() {
				fillTexts(v.Field(i), text)
			}
		}
	}
}

// A page of very many statements shows the slowest of each script, and says what it leaves out; the JSON has all.
func TestBigRuns(t *testing.T) {
	t.Parallel()
	page, data := files(t, big(9, 1000))
	if n := strings.Count(page, `<details class="sql"`); n != 9*stepRows {
		t.Errorf("%d statements are shown", n)
	}
	if !strings.Contains(page, "1000 statements of V1__change number 1.sql: the slowest 200; the other 800 took") || strings.Count(data, `"tag"`) != 9000 {
		t.Error("what is left out is not told, or not in the JSON")
	}
	if !strings.Contains(page, "The 10 slowest statements") {
		t.Error("the slowest statements have no table")
	}
	page, _ = files(t, big(2000, 30))
	if n := strings.Count(page, `<details class="sql"`); n > maxRows+stepRows || n < maxRows/2 {
		t.Errorf("%d statements are shown", n)
	}
}
