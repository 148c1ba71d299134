package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The zones of the properties: an hour north and south of the equator, half an hour, a change at midnight, a whole day that
// is left out, and none.
var zones = []string{"Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Casablanca", "Pacific/Apia",
	"America/St_Johns", "Asia/Kathmandu", "UTC"}

// changes gives moments near to which clocks were set, so that most draws see one.
func changes() []time.Time {
	var out []time.Time
	for _, text := range []string{"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z",
		"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z", "2026-03-08T05:00:00Z", "2026-11-01T05:00:00Z", "2011-12-30T10:00:00Z",
		"2028-02-29T00:00:00Z", "2027-12-31T23:59:00Z", "2026-02-15T02:00:00Z", "2026-03-22T02:00:00Z"} {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			panic(err)
		}
		out = append(out, t)
	}
	return out
}

// walk goes from minute to minute, as slowly as it can be done, and calls seen with what the clock shows at each, and with
// the highest that it has shown before: what lies between the two was jumped over.
func walk(loc *time.Location, from time.Time, minutes int, seen func(at time.Time, shows, before wall) bool) {
	const lead = 26 * 60 // so that a repeated hour at the start is known as one
	at := from.Add(-lead * time.Minute)
	high := wallOf(at, loc).Add(-time.Minute)
	for i := range lead + minutes {
		at := at.Add(time.Duration(i) * time.Minute)
		shows := wallOf(at, loc)
		if i >= lead && !seen(at, shows, high) {
			return
		}
		if shows.After(high) {
			high = shows
		}
	}
}

// slowNext is the truth about a cron expression: the clock comes to a time that is meant, for the first time, or jumps over one.
func slowNext(c *cron, loc *time.Location, after time.Time, minutes int) time.Time {
	var found time.Time
	walk(loc, after.Truncate(time.Minute).Add(time.Minute), minutes, func(at time.Time, shows, before wall) bool {
		for w := before.Add(time.Minute); !w.After(shows); w = w.Add(time.Minute) {
			if c.shows(w) {
				found = at
				return false
			}
		}
		return true
	})
	return found
}

func drawField(t *rapid.T, f field, name string) string {
	value := func(label string) int { return rapid.IntRange(f.min, f.max).Draw(t, label) }
	switch rapid.IntRange(0, 5).Draw(t, name) {
	case 0, 1:
		return "*"
	case 2:
		return fmt.Sprint(value("a"))
	case 3:
		return fmt.Sprintf("%d,%d", value("a"), value("b"))
	case 4:
		return fmt.Sprintf("*/%d", rapid.IntRange(1, f.max-f.min).Draw(t, "step"))
	}
	a, b := value("a"), value("b")
	return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
}

// drawCron draws an expression of either form.
func drawCron(t *rapid.T) string {
	if rapid.Bool().Draw(t, "classic") {
		var parts []string
		for _, f := range classic {
			parts = append(parts, drawField(t, f, f.name))
		}
		return strings.Join(parts, " ")
	}
	var parts []string
	for _, f := range eventBridge[:5] {
		parts = append(parts, drawField(t, f, f.name))
	}
	if rapid.Bool().Draw(t, "day of month") {
		parts[4] = "?"
		switch rapid.IntRange(0, 3).Draw(t, "mark") {
		case 0:
			parts[2] = "L"
		case 1:
			parts[2] = fmt.Sprintf("%dW", rapid.IntRange(1, 31).Draw(t, "W"))
		}
	} else {
		parts[2] = "?"
		switch d := rapid.IntRange(1, 7).Draw(t, "weekday"); rapid.IntRange(0, 3).Draw(t, "mark") {
		case 0:
			parts[4] = fmt.Sprintf("%dL", d)
		case 1:
			parts[4] = fmt.Sprintf("%d#%d", d, rapid.IntRange(1, 5).Draw(t, "#"))
		}
	}
	return "cron(" + strings.Join(parts, " ") + " *)"
}

func drawMoment(t *rapid.T) time.Time {
	at := rapid.SampledFrom(changes()).Draw(t, "near")
	return at.Add(time.Duration(rapid.IntRange(-3*24*3600, 36*3600).Draw(t, "seconds")) * time.Second)
}

// TestNextIsTheWalkersNext compares Next with the walker. What is looked for within four days is found by both or by neither.
func TestNextIsTheWalkersNext(t *testing.T) {
	t.Parallel()
	const minutes = 4 * 24 * 60
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		text := drawCron(t)
		s, err := ParseSchedule(text, loc)
		if err != nil {
			t.Skip(err.Error()) // a day that never comes
		}
		after := drawMoment(t)
		want := slowNext(s.cron, loc, after, minutes)
		got := s.Next(after)
		if want.IsZero() {
			if !got.IsZero() && got.Sub(after) < (minutes-1)*time.Minute {
				t.Fatalf("%s %s after %s: %s, and the walker finds none", text, loc, after.In(loc), got)
			}
			return
		}
		if !got.Equal(want) {
			t.Fatalf("%s %s after %s: %s, the walker says %s", text, loc, after.In(loc), got, want.In(loc))
		}
	})
}

// slowDays is the truth about the days of an expression: said again in other words.
func TestDaysSaidAgain(t *testing.T) {
	t.Parallel()
	weekdayBefore := func(d wall) wall {
		for d.Weekday() == time.Saturday || d.Weekday() == time.Sunday {
			d = d.AddDate(0, 0, -1)
		}
		return d
	}
	weekdayAfter := func(d wall) wall {
		for d.Weekday() == time.Saturday || d.Weekday() == time.Sunday {
			d = d.AddDate(0, 0, 1)
		}
		return d
	}
	for d := date(2023, 1, 1); d.Year() < 2032; d = d.AddDate(0, 0, 1) {
		first, last := date(d.Year(), d.Month(), 1), date(d.Year(), d.Month()+1, 0)
		if got, want := (&days{last: true}).has(d), d.Equal(last); got != want {
			t.Fatalf("L on %s: %v", d, got)
		}
		same := 0 // days with this name up to this one, and after it
		for e := first; !e.After(d); e = e.AddDate(0, 0, 1) {
			if e.Weekday() == d.Weekday() {
				same++
			}
		}
		for n := 1; n <= 5; n++ {
			x := days{week: map[int]bool{int(d.Weekday()): true}, nth: n}
			if got := x.has(d); got != (n == same) {
				t.Fatalf("#%d on %s: %v", n, d, got)
			}
		}
		final := days{final: int(d.Weekday()) + 1}
		if got, want := final.has(d), last.Sub(d) < 7*24*time.Hour; got != want {
			t.Fatalf("last weekday on %s: %v", d, got)
		}
		near := 0
		for n := 1; n <= last.Day(); n++ {
			meant := date(d.Year(), d.Month(), n)
			before, after := weekdayBefore(meant), weekdayAfter(meant)
			choice := before
			if before.Month() != d.Month() || after.Month() == d.Month() && after.Sub(meant) < meant.Sub(before) {
				choice = after
			}
			if got := (&days{near: n}).has(d); got != choice.Equal(d) {
				t.Fatalf("%dW on %s: %v, nearest is %s", n, d, got, choice)
			}
			near++
		}
		if (&days{near: last.Day() + 1}).has(d) {
			t.Fatalf("%dW has a day in %s", last.Day()+1, d.Month())
		}
	}
}

// slowOpen is the truth about windows: a window's beginning and end are crossed when the clock first shows them or jumps over them.
func slowOpen(w Windows, loc *time.Location, from time.Time, minutes int, seen func(at time.Time, open bool) bool) {
	open := map[[2]int]bool{} // by window and the day on which it opened
	frozen := map[int]bool{}
	walk(loc, from.Add(-3*24*time.Hour), minutes+3*24*60, func(at time.Time, shows, before wall) bool {
		for m := before.Add(time.Minute); !m.After(shows); m = m.Add(time.Minute) {
			midnight := date(m.Year(), m.Month(), m.Day())
			for i, win := range w.List {
				for ago := range 2 {
					opened := midnight.AddDate(0, 0, -ago)
					key := [2]int{i, int(opened.Unix() / 86400)}
					switch {
					case m.Equal(opened.Add(win.from)):
						open[key] = win.days[opened.Weekday()]
					case m.Equal(opened.Add(win.to)):
						delete(open, key)
					}
				}
				yesterday := midnight.AddDate(0, 0, -1)
				if m.Equal(midnight) && win.to == 24*time.Hour {
					delete(open, [2]int{i, int(yesterday.Unix() / 86400)})
				}
			}
			for i, f := range w.Freezes {
				frozen[i] = !midnight.Before(f.First) && !midnight.After(f.Last)
			}
		}
		any := len(w.List) == 0
		for _, is := range open {
			any = any || is
		}
		for _, is := range frozen {
			any = any && !is
		}
		if at.Before(from) {
			return true
		}
		return seen(at, any)
	})
}

func drawWindow(t *rapid.T) string {
	hour := func(label string) string {
		return fmt.Sprintf("%02d:%02d", rapid.SampledFrom([]int{0, 1, 2, 3, 4, 12, 22, 23}).Draw(t, label), rapid.SampledFrom([]int{0, 15, 30}).Draw(t, label))
	}
	a, b := hour("from"), hour("to")
	if a == b || rapid.IntRange(0, 5).Draw(t, "whole") == 0 {
		a, b = "00:00", "24:00"
	}
	day := rapid.SampledFrom(dayNames)
	return fmt.Sprintf("%s-%s %s-%s", day.Draw(t, "first"), day.Draw(t, "last"), a, b)
}

// TestWindowsAreTheWalkersWindows compares Open and NextOpen with the walker, minute by minute.
func TestWindowsAreTheWalkersWindows(t *testing.T) {
	t.Parallel()
	const minutes = 2 * 24 * 60
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		var windows, freezes []string
		for range rapid.IntRange(0, 2).Draw(t, "windows") {
			windows = append(windows, drawWindow(t))
		}
		from := drawMoment(t).Truncate(time.Minute)
		if rapid.Bool().Draw(t, "freeze") {
			first := wallOf(from, loc).AddDate(0, 0, rapid.IntRange(-1, 2).Draw(t, "first"))
			last := first.AddDate(0, 0, rapid.IntRange(0, 1).Draw(t, "days"))
			freezes = append(freezes, first.Format("2006-01-02")+".."+last.Format("2006-01-02"))
		}
		w, err := ParseWindows(windows, freezes, loc)
		if err != nil {
			t.Fatal(err)
		}
		var opens, closes time.Time // of what was asked at some minute: the answer must come true
		step := rapid.IntRange(1, 7).Draw(t, "step")
		i := 0
		slowOpen(w, loc, from, minutes, func(at time.Time, open bool) bool {
			if i++; i%step == 0 || opens.Equal(at) || closes.Equal(at) {
				until, ok := w.Open(at)
				if ok != open {
					t.Fatalf("%v %v %s at %s: open is %v, the walker says %v", windows, freezes, loc, at.In(loc), ok, open)
				}
				if ok && closes.IsZero() {
					closes = until
				}
				if !ok && opens.IsZero() {
					opens = w.NextOpen(at)
				}
			}
			if open && !closes.IsZero() && !at.Before(closes) {
				t.Fatalf("%v %v %s: open at %s, and should have closed at %s", windows, freezes, loc, at.In(loc), closes)
			}
			if !open && !closes.IsZero() && at.Before(closes) {
				t.Fatalf("%v %v %s: closed at %s, and should be open until %s", windows, freezes, loc, at.In(loc), closes)
			}
			if open && !opens.IsZero() && at.Before(opens) {
				t.Fatalf("%v %v %s: open at %s, and should open at %s", windows, freezes, loc, at.In(loc), opens)
			}
			if !open {
				closes = time.Time{}
			} else {
				opens = time.Time{}
			}
			return true
		})
	})
}
