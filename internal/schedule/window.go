// Package schedule says when: rate, cron and at expressions as EventBridge Scheduler and cron know them, and windows with freezes.
// All of it is about what a zone's clock shows, right over both changes of daylight saving. A time that the clock jumps over
// in spring counts as the first moment after the jump, a time that comes twice in autumn counts once, the first time.
package schedule

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Windows says when something may happen: inside one of the windows, and not on a frozen day. The zero value is always
// open. Windows that touch or overlap are one.
type Windows struct {
	Zone    *time.Location // whose clock the windows and freezes mean; nil: UTC
	List    []Window       // none: always open, but for the freezes
	Freezes []Freeze
}

// Window is a time that comes back each week, such as "mon-thu 20:00-23:00". It belongs to the day on which it opens:
// "fri 22:00-04:00" ends on Saturday. It opens and closes at the first moment at which the clock shows the time or has
// jumped past it, so in the night of a change it may be shorter or longer than it is written, and it never opens twice.
type Window struct {
	Text string // as it was written
	days [7]bool
	from time.Duration // after midnight
	to   time.Duration // after midnight of the day on which it opens; above 24 h when it ends on the next day
}

// Freeze is a time without any window: whole days from First to Last, both included.
type Freeze struct {
	Text        string // as it was written
	First, Last time.Time
}

// ParseWindows reads windows and freezes and tells all mistakes at once; each is an *Error.
func ParseWindows(windows, freezes []string, zone *time.Location) (Windows, error) {
	out := Windows{Zone: zone}
	var faults []error
	for _, text := range windows {
		w, err := ParseWindow(text)
		if err != nil {
			faults = append(faults, err)
		}
		out.List = append(out.List, w)
	}
	for _, text := range freezes {
		f, err := ParseFreeze(text)
		if err != nil {
			faults = append(faults, err)
		}
		out.Freezes = append(out.Freezes, f)
	}
	if len(faults) > 0 {
		return Windows{}, errors.Join(faults...)
	}
	return out, nil
}

// span is a stretch of time with its first moment and without its last.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

func (w Windows) zone() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

// Open reports whether now is inside a window and outside the freezes, and until when. The zero time means that no end is in
// sight.
func (w Windows) Open(now time.Time) (until time.Time, ok bool) {
	if _, frozen := w.Frozen(now); frozen {
		return time.Time{}, false
	}
	until, ok = w.inside(now)
	if !ok {
		return time.Time{}, false
	}
	for _, f := range w.Freezes {
		if s := w.frost(f); s.from.After(now) && s.to.After(s.from) && (until.IsZero() || s.from.Before(until)) {
			until = s.from
		}
	}
	return until, true
}

// inside is Open without the freezes.
func (w Windows) inside(now time.Time) (until time.Time, ok bool) {
	if len(w.List) == 0 {
		return time.Time{}, true
	}
	const always = 15 * 24 * time.Hour // a pattern of weeks that has no hole in two of them has none
	until = now
	for grown := true; grown; {
		grown = false
		for _, s := range w.around(until) {
			if s.has(until) {
				until, grown = s.to, true
			}
		}
		if until.Sub(now) > always {
			return time.Time{}, true
		}
	}
	return until.In(w.zone()), until.After(now)
}

// around gives the windows of the days next to a moment, in the order in which they open.
func (w Windows) around(t time.Time) []span {
	today := wallOf(t, w.zone())
	var out []span
	for offset := -2; offset <= 2; offset++ {
		day := date(today.Year(), today.Month(), today.Day()+offset)
		for _, win := range w.List {
			if !win.days[day.Weekday()] {
				continue
			}
			from, _ := reach(day.Add(win.from), w.zone())
			to, _ := reach(day.Add(win.to), w.zone())
			out = append(out, span{from, to})
		}
	}
	slices.SortStableFunc(out, func(a, b span) int { return a.from.Compare(b.from) })
	return out
}

// Frozen gives the freeze that now is in; where several are, the one that ends last.
func (w Windows) Frozen(now time.Time) (Freeze, bool) {
	var found Freeze
	var end time.Time
	for _, f := range w.Freezes {
		if s := w.frost(f); s.has(now) && s.to.After(end) {
			found, end = f, s.to
		}
	}
	return found, !end.IsZero()
}

// frost gives the instants of a freeze.
func (w Windows) frost(f Freeze) span {
	from, _ := reach(f.First, w.zone())
	to, _ := reach(f.Last.AddDate(0, 0, 1), w.zone())
	return span{from, to}
}

// NextOpen gives the first moment from now on at which Open is true: now itself when it is open.
func (w Windows) NextOpen(now time.Time) time.Time { return w.NextFit(now, 0) }

// NextFit gives the first moment from now on at which a window is open and stays open for that long; the zero time when
// none does within a year after the last freeze.
func (w Windows) NextFit(now time.Time, need time.Duration) time.Time {
	horizon := now
	for _, f := range w.Freezes {
		if s := w.frost(f); s.to.After(horizon) {
			horizon = s.to
		}
	}
	for t, end := now, horizon.AddDate(1, 0, 0); !t.After(end); {
		until, ok := w.Open(t)
		switch {
		case ok && (until.IsZero() || until.Sub(t) >= need):
			return t.In(w.zone())
		case ok:
			t = until
		default:
			t = w.later(t)
		}
	}
	return time.Time{}
}

// later gives the next moment after one that is closed at which it may be open: a freeze ends or a window opens.
func (w Windows) later(t time.Time) time.Time {
	if f, frozen := w.Frozen(t); frozen {
		return w.frost(f).to
	}
	for _, s := range w.around(t) {
		if s.from.After(t) && s.to.After(s.from) {
			return s.from
		}
	}
	return w.midnight(t, 1)
}

// midnight gives the beginning of a day some days after the one of t.
func (w Windows) midnight(t time.Time, offset int) time.Time {
	day := wallOf(t, w.zone())
	at, _ := reach(date(day.Year(), day.Month(), day.Day()+offset), w.zone())
	return at
}

// String gives the windows as they were written, or "any time".
func (w Windows) String() string {
	if len(w.List) == 0 {
		return "any time"
	}
	texts := make([]string, len(w.List))
	for i, win := range w.List {
		texts[i] = win.Text
	}
	return strings.Join(texts, ", ") + " " + w.zone().String()
}
