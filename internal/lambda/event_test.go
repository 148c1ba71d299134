package lambda

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// told writes an event as the files of testdata/events have it.
func told(e Event, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	b.WriteString(string(e.Form) + "\n")
	for _, item := range e.Items {
		if item.Message != "" {
			b.WriteString(item.Message + " ")
		}
		if item.Err != nil {
			b.WriteString("error: " + item.Err.Error() + "\n")
			continue
		}
		text, err := json.Marshal(item.Request)
		if err != nil {
			return err.Error()
		}
		b.WriteString(string(text) + "\n")
	}
	for _, why := range e.Ignored {
		b.WriteString("ignored: " + why + "\n")
	}
	return b.String()
}

func TestDecode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/events/*.txtar")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(archive.Files); i += 2 {
			given, want := archive.Files[i], archive.Files[i+1]
			if want.Name != given.Name+".want" {
				t.Fatalf("%s: %q is followed by %q", file, given.Name, want.Name)
			}
			t.Run(given.Name, func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(string(want.Data), told(Decode(given.Data))); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

// TestDecodeDepth wraps a request into topics for ever.
func TestDecodeDepth(t *testing.T) {
	t.Parallel()
	event := `{"command": "info"}`
	for n := range 6 {
		_, err := Decode([]byte(event))
		if (err != nil) != (n >= deepest) {
			t.Errorf("%d wrappings: %v", n, err)
		}
		text, _ := json.Marshal(event)
		event = `{"Type": "Notification", "MessageId": "m", "Message": ` + string(text) + `}`
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/events/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, a := range archive.Files {
			f.Add(a.Data)
		}
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		e, err := Decode(event)
		for _, item := range e.Items {
			if err == nil && item.Err == nil && item.Request.Command == "" && !item.Request.Arrived {
				t.Errorf("a request without a command: %s", event)
			}
		}
	})
}

// TestRunID says when two requests belong to the same run.
func TestRunID(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC)
	id := func(r Request, fallback string) string { return r.begin(fallback, now).Run.ID }
	dev := Request{Command: "migrate", Environment: "dev", Key: "sqs:m1"}
	if id(dev, "a") != id(dev, "b") {
		t.Error("the same event, delivered again, is another run")
	}
	qa := dev
	qa.Environment = "qa"
	if id(dev, "a") == id(qa, "a") {
		t.Error("two requests of one event are the same run")
	}
	hand := Request{Command: "migrate", Environment: "dev"}
	first, again, other := id(hand, "a"), id(hand, "a"), id(hand, "b")
	if first != again || first == other {
		t.Error("an event without a key is told apart by Lambda's request id, which its retries keep")
	}
	next := dev.begin("a", now)
	if next.begin("b", now.Add(time.Hour)).Run != next.Run {
		t.Error("a run that goes on begins anew")
	}
}
