package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// What the journal and the locks have to say is on the page and in the file.
func TestRecorderOfWaitsAndResumedScripts(t *testing.T) {
	t.Parallel()
	scripts := []*migration.Script{script("1", "index"), script("2", "load"), script("3", "later")}
	s := newStory()
	other := skein.Holder{PID: 77, User: "ci", Application: "skein", Host: "10.0.0.1"}
	s.tell(skein.LockWaiting{Holder: other})
	s.now = s.now.Add(10 * time.Second)
	s.tell(skein.LockWaiting{Holder: other, Waited: 10 * time.Second}, skein.Notice{Severity: "NOTICE", Text: "meanwhile"})
	s.now = s.now.Add(2 * time.Second)
	s.steps(scripts, 0, 0)
	s.tell(skein.StepStarted{Script: scripts[0], Total: 3}, skein.Resumed{Script: scripts[0], Done: 2, Total: 5, Line: 9},
		skein.StepDone{Script: scripts[0], Total: 3, Took: time.Millisecond}, skein.StepStarted{Script: scripts[1], Index: 1, Total: 3},
		skein.Resumed{Script: scripts[1], Done: 1, Total: 1}, skein.LockWaiting{Holder: skein.Holder{}})
	stands := stands(scripts, 1)
	stands.Unfinished = []skein.Unfinished{{Script: scripts[1], Done: 1, Open: true, Since: "2026-03-29 01:30:00+01"}}
	s.now = s.now.Add(time.Second)
	s.tell(stands, skein.DecidedByHand{Script: scripts[1], Applied: true, Reason: "see CHG-1"}, skein.DecidedByHand{Script: scripts[1], Reason: "taken back"})
	run := s.end(nil)
	want := []Wait{{"process 77, user ci, skein, from 10.0.0.1", 12003000}, {"another session", 1001000}}
	if diff := cmp.Diff(want, run.Waits); diff != "" {
		t.Errorf("waits: %s", diff)
	}
	if diff := cmp.Diff(&Begun{Done: 1, Open: true, Since: "2026-03-29 01:30:00+01"}, run.Migrations[1].Begun); diff != "" || run.Migrations[2].Begun != nil {
		t.Errorf("begun: %s, %v", diff, run.Migrations[2].Begun)
	}
	page, data := files(t, run)
	for _, text := range []string{
		"<li>12.00 s for process 77, user ci, skein, from 10.0.0.1</li>", "2 of 5 statements had been done, this one went on with line 9.",
		"1 of 1 statement had been done, only its history row was missing.", "1 statement done, how the next one ended is not known",
		"<li>recorded V2__load.sql as applied, without running it: see CHG-1", "<li>V2__load.sql will begin with its first statement again: taken back",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	for _, text := range []string{`"statementsDone": 2`, `"nextOneUnknown": true`, `"waits"`} {
		if !strings.Contains(data, text) {
			t.Errorf("the file lacks %s", text)
		}
	}
}
