package schedule

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// The years of EventBridge.
const (
	firstYear = 1970
	lastYear  = 2199
)

// cron is a parsed cron expression.
type cron struct {
	minutes, hours []int // sorted
	months, years  map[int]bool
	days           days
}

// days says which days of a month are meant.
type days struct {
	month  map[int]bool // days of the month; nil: any
	week   map[int]bool // 0 Sunday … 6; nil: any
	either bool         // cron's own: a day that one of the two means
	last   bool         // L: the last of the month
	near   int          // 15W: the weekday nearest to that day; 0: none
	final  int          // FRIL: the last such day of the month, 1 Sunday … 7; 0: none
	nth    int          // FRI#2: which of the days in week; 0: each
}

func parseCron(p piece, fields []field) (*cron, *Error) {
	parts := p.words()
	if len(parts) != len(fields) {
		return nil, p.fail("", countHint(parts), "cron(…) has 6 fields: minute hour day-of-month month day-of-week year; this has %d", len(parts))
	}
	c := &cron{}
	dom, dow := parts[2], parts[4]
	switch {
	case dom.text == "?" && dow.text == "?":
		return nil, dow.fail("day of week", "write "+dom.with("*"), "day of month and day of week cannot both be ?")
	case dom.text != "?" && dow.text != "?":
		return nil, dow.fail("day of week", "write "+oneMark(dom, dow), "one of day of month and day of week must be ?")
	}
	if err := c.clock(parts, fields); err != nil {
		return nil, err
	}
	var err *Error
	if err = c.days.readMonth(&fields[2], dom); err != nil {
		return nil, err
	}
	if err = c.days.readWeek(&fields[4], dow); err != nil {
		return nil, err
	}
	if c.years, err = fields[5].values(parts[5]); err != nil {
		return nil, err
	}
	return c, c.never(dom)
}

// clock reads minutes, hours and months.
func (c *cron) clock(parts []piece, fields []field) *Error {
	minutes, err := fields[0].values(parts[0])
	if err != nil {
		return err
	}
	hours, err := fields[1].values(parts[1])
	if err != nil {
		return err
	}
	c.minutes, c.hours = sorted(minutes), sorted(hours)
	c.months, err = fields[3].values(parts[3])
	return err
}

// oneMark suggests which of two day fields becomes "?": the one that says nothing, else the day of the week.
func oneMark(dom, dow piece) string {
	if dom.text == "*" && dow.text != "*" {
		return dom.with("?")
	}
	if dow.text == "*" {
		return dow.with("?")
	}
	return dow.with("?") + " or " + dom.with("?")
}

// countHint turns five fields, which are cron's own, into EventBridge's six.
func countHint(parts []piece) string {
	const example = "for 02:00 on the first of each month write cron(0 2 1 * ? *)"
	if len(parts) != len(classic) {
		return example
	}
	text := make([]string, 0, len(eventBridge))
	for _, p := range parts {
		text = append(text, p.text)
	}
	switch {
	case text[2] == "?" || text[4] == "?":
	case text[4] == "*":
		text[4] = "?"
	case text[2] == "*":
		set, err := classic[4].values(parts[4])
		if err != nil {
			return example
		}
		text[2], text[4] = "?", weekList(set)
	default:
		return example
	}
	return "write cron(" + strings.Join(append(text, "*"), " ") + ")"
}

// weekList names days of the week, where 0 and 7 are Sunday.
func weekList(set map[int]bool) string {
	var out []string
	for d := range 7 {
		if set[d] || d == 0 && set[7] {
			out = append(out, strings.ToUpper(dayNames[d]))
		}
	}
	return strings.Join(out, ",")
}

func parseClassic(p piece) (*cron, *Error) {
	parts := p.words()
	if len(parts) == len(eventBridge) {
		return nil, p.fail("", "write cron("+p.text+")", "six fields are EventBridge's")
	}
	if len(parts) != len(classic) {
		return nil, p.fail("", "write rate(…), cron(…), at(…) or the five fields of cron: minute hour day-of-month month day-of-week",
			"this is no schedule")
	}
	c := &cron{years: map[int]bool{}}
	for y := firstYear; y <= lastYear; y++ {
		c.years[y] = true
	}
	if err := c.clock(parts, classic); err != nil {
		return nil, err
	}
	month, err := classic[2].values(parts[2])
	if err != nil {
		return nil, err
	}
	week, err := classic[4].values(parts[4])
	if err != nil {
		return nil, err
	}
	week[0] = week[0] || week[7]
	// as cron has always read it: two fields that are both set mean either day; one that begins with * only narrows the other
	c.days = days{month: month, week: week, either: parts[2].text[0] != '*' && parts[4].text[0] != '*'}
	return c, c.never(parts[2])
}

func (d *days) readMonth(f *field, p piece) *Error {
	switch {
	case p.text == "?":
		return nil
	case strings.EqualFold(p.text, "L"):
		d.last = true
		return nil
	case len(p.text) > 1 && strings.EqualFold(p.text[len(p.text)-1:], "W"):
		day, ok := digits(p.text[:len(p.text)-1])
		if !ok || day < 1 || day > 31 {
			return p.fail(f.name, f.markHint(), "%q names no day", p.text)
		}
		d.near = day
		return nil
	}
	var err *Error
	d.month, err = f.values(p)
	return err
}

func (d *days) readWeek(f *field, p piece) *Error {
	end := len(p.text) - 1
	switch hash := strings.IndexByte(p.text, '#'); {
	case p.text == "?":
		return nil
	case strings.EqualFold(p.text, "L"): // the last day of the week
		d.week = map[int]bool{6: true}
		return nil
	case hash > 0 && !strings.ContainsAny(p.text, ",/-"):
		day, err := f.value(p.part(0, hash))
		if err != nil {
			return err
		}
		n, ok := digits(p.text[hash+1:])
		if !ok || n < 1 || n > 5 {
			return p.part(hash+1, len(p.text)).fail(f.name, "write for instance FRI#2; the last one is FRIL", "a month has no day of the week number %q", p.text[hash+1:])
		}
		d.week, d.nth = map[int]bool{day - 1: true}, n
		return nil
	case end > 0 && (p.text[end] == 'L' || p.text[end] == 'l') && !strings.ContainsAny(p.text, ",/-"):
		day, err := f.value(p.part(0, end))
		if err != nil {
			return err
		}
		d.final = day
		return nil
	}
	set, err := f.values(p)
	if err != nil {
		return err
	}
	d.week = map[int]bool{}
	for day := range set {
		d.week[day-1] = true // EventBridge counts from 1
	}
	return nil
}

// never is the error for a day that does not exist in any month of any year meant.
func (c *cron) never(p piece) *Error {
	for day, end := date(firstYear, 1, 1), date(lastYear+1, 1, 1); day.Before(end); {
		if !c.years[day.Year()] {
			day = date(day.Year()+1, 1, 1)
			continue
		}
		if c.months[int(day.Month())] && c.days.has(day) {
			return nil
		}
		day = day.AddDate(0, 0, 1)
	}
	return p.fail("day of month", "L is the last day of each month", "such a day never comes")
}

// has reports whether a day is meant.
func (d *days) has(day wall) bool {
	inMonth := d.month == nil || d.month[day.Day()]
	switch {
	case d.last:
		inMonth = day.AddDate(0, 0, 1).Day() == 1
	case d.near > 0:
		inMonth = day.Day() == nearest(day.Year(), day.Month(), d.near)
	}
	weekday := int(day.Weekday())
	inWeek := d.week == nil || d.week[weekday]
	switch {
	case d.nth > 0:
		inWeek = inWeek && (day.Day()-1)/7+1 == d.nth
	case d.final > 0:
		inWeek = weekday == d.final-1 && day.AddDate(0, 0, 7).Month() != day.Month()
	}
	if d.either {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// nearest gives the day from Monday to Friday that is nearest to a day and in its month; 0 when the month has no such day.
func nearest(year int, month time.Month, day int) int {
	w := date(year, month, day)
	if w.Month() != month {
		return 0
	}
	switch last := w.AddDate(0, 0, 1).Day() == 1; {
	case w.Weekday() == time.Saturday && day == 1:
		return 3
	case w.Weekday() == time.Saturday:
		return day - 1
	case w.Weekday() == time.Sunday && last:
		return day - 2
	case w.Weekday() == time.Sunday:
		return day + 1
	}
	return day
}

// next walks from day to day. What reach gives never runs backwards, so the first time after the given one can be searched
// for within a day.
func (c *cron) next(after time.Time, zone *time.Location) (Occurrence, bool) {
	day := wallOf(after, zone)
	day = date(day.Year(), day.Month(), day.Day()-2) // a time that the clock jumped over may belong to a day that is gone
	if day.Year() < firstYear {
		day = date(firstYear, 1, 1)
	}
	for ; day.Year() <= lastYear; day = day.AddDate(0, 0, 1) {
		for !c.years[day.Year()] || !c.months[int(day.Month())] {
			if day = date(day.Year(), day.Month()+1, 1); day.Year() > lastYear {
				return Occurrence{}, false
			}
		}
		if !c.days.has(day) {
			continue
		}
		n := len(c.hours) * len(c.minutes)
		at := func(i int) (time.Time, bool) {
			hour, minute := c.hours[i/len(c.minutes)], c.minutes[i%len(c.minutes)]
			return reach(day.Add(time.Duration(60*hour+minute)*time.Minute), zone)
		}
		i := sort.Search(n, func(i int) bool { t, _ := at(i); return t.After(after) })
		if i < n {
			t, moved := at(i)
			return Occurrence{At: t, Moved: moved && !c.shows(wallOf(t, zone))}, true
		}
	}
	return Occurrence{}, false
}

// shows reports whether what a clock shows is meant as it stands.
func (c *cron) shows(w wall) bool {
	return w.Second() == 0 && slices.Contains(c.minutes, w.Minute()) && slices.Contains(c.hours, w.Hour()) &&
		c.months[int(w.Month())] && c.years[w.Year()] && c.days.has(w)
}

func sorted(set map[int]bool) []int {
	out := make([]int, 0, len(set))
	for v := range set {
		out = append(out, v)
	}
	sort.Ints(out)
	return out
}
