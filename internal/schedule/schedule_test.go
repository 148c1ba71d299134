package schedule

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// TestManual runs testdata: every section begins with a question, "expression | zone | time", and the lines below it are
// what comes out: the next times of a schedule, when windows open and close, or the mistake.
func TestManual(t *testing.T) {
	t.Parallel()
	ask := map[string]func(*testing.T, []string, []string) string{"schedule": nextTimes, "window": openings, "error": mistakes}
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases (%v)", err)
	}
	for _, name := range names {
		kind, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txtar"), "-")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			ar, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ar.Files {
				f := &ar.Files[i]
				question, rest, _ := strings.Cut(string(f.Data), "\n")
				args := strings.Split(question, " | ")
				lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
				got := question + "\n" + ask[kind](t, args, lines)
				if *update {
					f.Data = []byte(got)
				} else if diff := cmp.Diff(string(f.Data), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(name, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t testing.TB, text string, loc *time.Location) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, loc); err == nil {
			return at
		}
	}
	t.Fatalf("%q is no time", text)
	return time.Time{}
}

const day = "Mon 2006-01-02 15:04 -0700"

// nextTimes answers "expression | zone | after [| start]" with as many times as the case has lines.
func nextTimes(t *testing.T, args, lines []string) string {
	t.Helper()
	loc := zone(t, args[1])
	s, err := ParseSchedule(args[0], loc)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	if len(args) > 3 {
		s.Start = instant(t, args[3], loc)
	}
	var out strings.Builder
	times := s.Upcoming(instant(t, args[2], loc), len(lines))
	for _, o := range times {
		out.WriteString(o.At.Format(day))
		if o.Moved {
			out.WriteString(" moved")
		}
		out.WriteString("\n")
	}
	if len(times) < len(lines) {
		out.WriteString("never again\n")
	}
	return out.String()
}

// openings answers "windows; … [freeze …] | zone | from" with the next openings and closings.
func openings(t *testing.T, args, lines []string) string {
	t.Helper()
	loc := zone(t, args[1])
	var windows, freezes []string
	for _, text := range strings.Split(args[0], "; ") {
		if f, ok := strings.CutPrefix(text, "freeze "); ok {
			freezes = append(freezes, f)
		} else if text != "" {
			windows = append(windows, text)
		}
	}
	w, err := ParseWindows(windows, freezes, loc)
	if err != nil {
		t.Fatal(err)
	}
	now := instant(t, args[2], loc)
	var out strings.Builder
	for range lines {
		if f, frozen := w.Frozen(now); frozen {
			fmt.Fprintf(&out, "%s frozen by %s\n", now.Format(day), f.Text)
		}
		at := w.NextOpen(now)
		until, ok := w.Open(at)
		switch {
		case !ok:
			t.Fatalf("closed at %s, which NextOpen gave", at)
		case until.IsZero():
			fmt.Fprintf(&out, "%s open without end\n", at.Format(day))
			return out.String()
		}
		fmt.Fprintf(&out, "%s to %s, %s\n", at.Format(day), until.Format(day), until.Sub(at))
		now = until
		if strings.Count(out.String(), "\n") >= len(lines) {
			break
		}
	}
	return out.String()
}

// mistakes answers "expression" or "window expression" or "freeze expression" with the error and its column.
func mistakes(t *testing.T, args, _ []string) string {
	t.Helper()
	var err error
	text := strings.Join(args, " | ")
	if w, ok := strings.CutPrefix(text, "window "); ok {
		text = w
		_, err = ParseWindow(w)
	} else if f, ok := strings.CutPrefix(text, "freeze "); ok {
		text = f
		_, err = ParseFreeze(f)
	} else {
		_, err = ParseSchedule(text, nil)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%q is accepted", text)
		return "accepted\n"
	}
	return fmt.Sprintf("%s^ %s\nhint: %s\n", strings.Repeat(" ", e.Column-1), strings.TrimSpace(e.Field+" "+e.Message), e.Hint)
}

// TestHintsHold puts every expression that a hint suggests back in: it must be accepted.
func TestHintsHold(t *testing.T) {
	t.Parallel()
	ar, err := txtar.ParseFile("testdata/error.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, f := range ar.Files {
		question, answer, _ := strings.Cut(string(f.Data), "\n")
		_, hint, found := strings.Cut(answer, "hint: write ")
		if !found || strings.Contains(hint, "…") {
			continue
		}
		hint = strings.TrimSuffix(strings.TrimPrefix(hint, "for instance "), "\n")
		hint, _, _ = strings.Cut(hint, ";")
		for _, text := range strings.Split(hint, " or ") {
			var err error
			switch {
			case strings.HasPrefix(question, "window "):
				_, err = ParseWindow(text)
			case strings.HasPrefix(question, "freeze "):
				_, err = ParseFreeze(text)
			case strings.ContainsAny(text, "( "):
				_, err = ParseSchedule(text, nil)
			default:
				continue // a word or a sign, not a whole expression
			}
			if err != nil {
				t.Errorf("%s: the hint %q: %v", f.Name, text, err)
			}
			tried++
		}
	}
	if tried < 10 {
		t.Errorf("only %d hints were tried", tried)
	}
}
