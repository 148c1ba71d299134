package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Schedule is when something happens, again and again or once.
type Schedule struct {
	Text string         // as it was written
	Zone *time.Location // whose clock it means
	// Start is the moment from which a rate is counted, and its first time; EventBridge Scheduler calls it the start date.
	// Zero: a rate is counted from the moment that Next is asked about. Nothing of cron and at is before it either.
	Start time.Time

	rate time.Duration // 0: not a rate
	once wall          // zero: not an at
	cron *cron         // nil: neither a cron
}

// ParseSchedule reads one of
//
//	rate(5 minutes)                 minutes, hours or days (of 24 hours); the singular with 1
//	cron(0 2 1 * ? *)               minute hour day-of-month month day-of-week year, with ? L W # as EventBridge Scheduler has them
//	at(2026-12-24T22:00:00)         once
//	0 2 1 * *                       cron's own five fields
//
// in the zone (nil: UTC). It is strict: what EventBridge does not document is refused, and so is what can never happen.
// Every error is an *Error.
func ParseSchedule(text string, zone *time.Location) (*Schedule, error) {
	if zone == nil {
		zone = time.UTC
	}
	s := &Schedule{Text: text, Zone: zone}
	whole := piece{text, text, 0}
	word, inner, found := whole.call()
	var err *Error
	switch {
	case found && word.text == "rate":
		s.rate, err = parseRate(inner)
	case found && word.text == "at":
		s.once, err = parseAt(inner)
	case found && word.text == "cron":
		s.cron, err = parseCron(inner, eventBridge)
	case found && (strings.EqualFold(word.text, "rate") || strings.EqualFold(word.text, "at") || strings.EqualFold(word.text, "cron")):
		err = word.fail("", "write "+word.with(strings.ToLower(word.text)), "%s is written in small letters", strings.ToLower(word.text))
	case found:
		err = word.fail("", "write rate(…), cron(…), at(…) or cron's five fields", "%q is no kind of schedule", word.text)
	case strings.ContainsAny(text, "()"):
		err = whole.fail("", "write for instance rate(1 hour) or cron(0 2 1 * ? *)", "the parentheses do not fit")
	case strings.HasPrefix(text, "@"):
		err = whole.fail("", nickname(text), "names such as %s are not known", text)
	default:
		s.cron, err = parseClassic(whole)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// call splits "word(inner)".
func (p piece) call() (word, inner piece, found bool) {
	open := strings.IndexByte(p.text, '(')
	if open < 0 || !strings.HasSuffix(p.text, ")") || strings.ContainsAny(p.text[open+1:len(p.text)-1], "()") {
		return piece{}, piece{}, false
	}
	return p.part(0, open), p.part(open+1, len(p.text)-1), true
}

func nickname(text string) string {
	fields := map[string]string{"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
		"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}
	if f, ok := fields[strings.ToLower(text)]; ok {
		return "write " + f
	}
	return "the five fields are minute hour day-of-month month day-of-week"
}

var units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

func parseRate(p piece) (time.Duration, *Error) {
	parts := p.cut(' ')
	if len(parts) != 2 {
		return 0, p.fail("", "write for instance rate(5 minutes)", "a rate is a number, one blank and a unit")
	}
	number, unit := parts[0], parts[1]
	n, err := strconv.Atoi(number.text)
	if err != nil || n < 1 || number.text[0] == '+' || number.text[0] == '0' {
		return 0, number.fail("number", "write for instance rate(5 minutes)", "%q is not a whole number above 0", number.text)
	}
	one := strings.TrimSuffix(strings.ToLower(unit.text), "s")
	each, ok := units[one]
	if !ok {
		return 0, unit.fail("unit", unitHint(one, n), "%q is not minutes, hours or days", unit.text)
	}
	right := one
	if n > 1 {
		right += "s"
	}
	if unit.text != right {
		return 0, unit.fail("unit", "write "+unit.with(right), "%q does not go with %d", unit.text, n)
	}
	if n > int(100*365*24*time.Hour/each) {
		return 0, number.fail("number", "", "more than a hundred years")
	}
	return time.Duration(n) * each, nil
}

func unitHint(unit string, n int) string {
	switch unit {
	case "week":
		return fmt.Sprintf("write rate(%d days)", 7*n)
	case "month":
		return "for the first of each month at 02:00 write cron(0 2 1 * ? *)"
	case "second", "sec":
		return "the shortest rate is rate(1 minute)"
	}
	return "write minutes, hours or days"
}

const atLayout = "2006-01-02T15:04:05"

func parseAt(p piece) (wall, *Error) {
	t, err := time.Parse(atLayout, p.text)
	if err == nil && t.Format(atLayout) == p.text {
		return t, nil
	}
	hint := "write for instance at(2026-12-24T22:00:00)"
	for layout, why := range map[string]string{
		time.RFC3339:          "leave the zone out: the schedule's time zone says it",
		"2006-01-02T15:04":    "add the seconds: " + p.with(p.text+":00"),
		"2006-01-02 15:04:05": "write " + p.with(strings.Replace(p.text, " ", "T", 1)),
		"2006-01-02":          "add the time: " + p.with(p.text+"T00:00:00"),
	} {
		if _, err := time.Parse(layout, p.text); err == nil {
			hint = why
		}
	}
	return wall{}, p.fail("time", hint, "%q is not a time that exists in this form", p.text)
}

// Occurrence is one time of a schedule.
type Occurrence struct {
	At time.Time
	// Moved says that the clock jumps over the time that was meant, and At is the first moment after the jump. EventBridge
	// Scheduler itself leaves such a time out.
	Moved bool
}

// Next gives the first time after the given one, in the schedule's zone; the zero time when there is none any more.
func (s *Schedule) Next(after time.Time) time.Time {
	o, _ := s.next(after)
	return o.At
}

// Upcoming gives the next n times after the given one; fewer when there are no more.
func (s *Schedule) Upcoming(after time.Time, n int) []Occurrence {
	var out []Occurrence
	for len(out) < n {
		o, ok := s.next(after)
		if !ok {
			break
		}
		out = append(out, o)
		after = o.At
	}
	return out
}

func (s *Schedule) next(after time.Time) (Occurrence, bool) {
	if !s.Start.IsZero() && after.Before(s.Start) {
		after = s.Start.Add(-time.Nanosecond) // the start itself counts
	}
	switch {
	case s.rate > 0:
		from := s.Start
		if from.IsZero() {
			from = after
		}
		at := from
		if !after.Before(from) {
			at = after.Add(s.rate - after.Sub(from)%s.rate)
		}
		return Occurrence{At: at.In(s.Zone)}, true
	case s.cron != nil:
		return s.cron.next(after, s.Zone)
	}
	at, moved := reach(s.once, s.Zone)
	if !at.After(after) {
		return Occurrence{}, false
	}
	return Occurrence{At: at, Moved: moved}, true
}
