package schedule

import (
	"strings"
	"time"
)

var dayWords = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// ParseWindow reads days and a time: "mon-thu 20:00-23:00", "sat,sun 02:00-06:00", "fri 22:00-04:00" (over midnight), "02:00-04:00"
// (each day), "sat,sun" (whole days). A range of days may run over the end of the week, "fri-mon". The error is an *Error.
func ParseWindow(text string) (Window, error) {
	parts := (piece{text, text, 0}).words()
	w := Window{Text: text, to: 24 * time.Hour}
	var err *Error
	switch {
	case len(parts) == 0, len(parts) > 2:
		err = (piece{text, text, 0}).fail("", "write for instance mon-thu 20:00-23:00", "a window is days and a time")
	case len(parts) == 2:
		if err = w.readDays(parts[0]); err == nil {
			err = w.readHours(parts[1])
		}
	case strings.Contains(text, ":"):
		w.days = [7]bool{true, true, true, true, true, true, true}
		err = w.readHours(parts[0])
	default:
		err = w.readDays(parts[0])
	}
	if err != nil {
		return Window{}, err
	}
	return w, nil
}

func (w *Window) readDays(p piece) *Error {
	for _, item := range p.cut(',') {
		ends := item.cut('-')
		if len(ends) > 2 {
			return item.fail("days", "write for instance mon-thu", "%q is no range of days", item.text)
		}
		first, err := readDay(ends[0])
		if err != nil {
			return err
		}
		last, err := readDay(ends[len(ends)-1])
		if err != nil {
			return err
		}
		for d := first; ; d = (d + 1) % 7 {
			w.days[d] = true
			if d == last {
				break
			}
		}
	}
	return nil
}

func readDay(p piece) (int, *Error) {
	word := strings.ToLower(p.text)
	for d, name := range dayWords {
		if word == name || word == name[:3] {
			return d, nil
		}
	}
	for d, name := range dayWords {
		if len(word) > 1 && (strings.HasPrefix(word, name[:2]) || strings.HasPrefix(name, word)) {
			return 0, p.fail("days", "write "+p.with(dayNames[d]), "%q is no day", p.text)
		}
	}
	return 0, p.fail("days", "the days are "+strings.Join(dayNames, " "), "%q is no day", p.text)
}

func (w *Window) readHours(p piece) *Error {
	ends := p.cut('-')
	if len(ends) != 2 {
		return p.fail("time", "write for instance 20:00-23:00", "%q has no beginning and end", p.text)
	}
	var err *Error
	if w.from, err = readHour(ends[0], 23); err != nil {
		return err
	}
	if w.to, err = readHour(ends[1], 24); err != nil {
		return err
	}
	switch {
	case w.from == w.to:
		return p.fail("time", "for the whole day write "+p.with("00:00-24:00"), "the window is empty")
	case w.to < w.from:
		w.to += 24 * time.Hour
	}
	return nil
}

func readHour(p piece, last int) (time.Duration, *Error) {
	hint := "hours and minutes go from 00:00 to 23:59, and a window may end at 24:00"
	parts := p.cut(':')
	if len(parts) != 2 || len(parts[1].text) != 2 || len(parts[0].text) > 2 {
		return 0, p.fail("time", hint, "%q is no time", p.text)
	}
	hour, ok := digits(parts[0].text)
	minute, ok2 := digits(parts[1].text)
	if !ok || !ok2 || hour > last || minute > 59 || hour == 24 && minute > 0 {
		return 0, p.fail("time", hint, "%q is no time", p.text)
	}
	return time.Duration(60*hour+minute) * time.Minute, nil
}

// ParseFreeze reads "2026-12-24" or "2026-12-20..2027-01-03"; both days are part of it. The error is an *Error.
func ParseFreeze(text string) (Freeze, error) {
	whole := piece{text, text, 0}
	first, last := whole, whole
	if i := strings.Index(text, ".."); i >= 0 {
		first, last = whole.part(0, i), whole.part(i+2, len(text))
	}
	f := Freeze{Text: text}
	var err *Error
	if f.First, err = readDate(first); err != nil {
		return Freeze{}, err
	}
	if f.Last, err = readDate(last); err != nil {
		return Freeze{}, err
	}
	if f.Last.Before(f.First) {
		return Freeze{}, last.fail("last day", "write "+last.text+".."+first.text, "it is before the first")
	}
	return f, nil
}

func readDate(p piece) (wall, *Error) {
	const layout = "2006-01-02"
	t, err := time.Parse(layout, p.text)
	if err != nil {
		return wall{}, p.fail("date", "write for instance 2026-12-24 or 2026-12-20..2027-01-03", "%q is no date that exists", p.text)
	}
	return t, nil
}
