package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// field says what one field of a cron expression may hold.
type field struct {
	name     string
	min, max int
	names    []string // for min, min+1, …
	marks    string   // which of ? L W # it knows
	loose    bool     // cron's own: no n/m, and the last name may close a range that it begins (fri-sun)
}

var (
	monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	dayNames   = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// eventBridge are the fields of cron(…).
var eventBridge = []field{
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of month", min: 1, max: 31, marks: "?LW"},
	{name: "month", min: 1, max: 12, names: monthNames},
	{name: "day of week", min: 1, max: 7, names: dayNames, marks: "?L#"},
	{name: "year", min: firstYear, max: lastYear},
}

// classic are cron's own fields.
var classic = []field{
	{name: "minute", max: 59, loose: true},
	{name: "hour", max: 23, loose: true},
	{name: "day of month", min: 1, max: 31, loose: true},
	{name: "month", min: 1, max: 12, names: monthNames, loose: true},
	{name: "day of week", max: 7, names: dayNames, loose: true},
}

// values reads lists, ranges and steps into a set. Marks are read before.
func (f *field) values(p piece) (map[int]bool, *Error) {
	set := map[int]bool{}
	for _, item := range p.cut(',') {
		if err := f.item(item, set); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func (f *field) item(p piece, set map[int]bool) *Error {
	base, step := p, 1
	slash := strings.IndexByte(p.text, '/')
	if slash >= 0 {
		base = p.part(0, slash)
		by := p.part(slash+1, len(p.text))
		n, ok := digits(by.text)
		switch {
		case !ok || n == 0:
			return by.fail(f.name, "write for instance */10", "the step %q is not a number above 0", by.text)
		case n > f.max-f.min:
			return by.fail(f.name, f.longStep(n), "a step of %d is longer than the whole field (%d-%d)", n, f.min, f.max)
		}
		step = n
	}
	lo, hi := f.min, f.max
	if base.text != "*" {
		dash := strings.IndexByte(base.text, '-')
		first, last := base, base
		if dash > 0 {
			first, last = base.part(0, dash), base.part(dash+1, len(base.text))
		}
		var err *Error
		if lo, err = f.value(first); err != nil {
			return err
		}
		switch {
		case dash > 0:
			if hi, err = f.value(last); err != nil {
				return err
			}
			if f.loose && f.max == 7 && hi == 0 && lo > 0 {
				hi = 7
			}
			if hi < lo {
				return base.fail(f.name, f.turned(base, lo, hi), "the range %s runs backwards", base.text)
			}
		case slash < 0:
			hi = lo
		case f.loose:
			return base.fail(f.name, "write "+base.with(fmt.Sprintf("%d-%d", lo, f.max)), "a step needs a range or *")
		}
	}
	for v := lo; v <= hi; v += step {
		set[v] = true
	}
	return nil
}

// value reads a number or a name.
func (f *field) value(p piece) (int, *Error) {
	for i, name := range f.names {
		if strings.EqualFold(p.text, name) {
			return f.min + i, nil
		}
	}
	n, ok := digits(p.text)
	switch {
	case p.text == "":
		return 0, p.fail(f.name, "", "something is missing here")
	case !ok:
		return 0, p.fail(f.name, f.wordHint(p.text), "%q is not understood here", p.text)
	case n < f.min || n > f.max:
		hint := ""
		if n == 0 && f.max == 7 {
			hint = "Sunday is 1 in EventBridge: write " + p.with("SUN")
		}
		return 0, p.fail(f.name, hint, "%d is not between %d and %d", n, f.min, f.max)
	}
	return n, nil
}

func (f *field) markHint() string {
	switch {
	case f.loose:
		return "? L W # belong to EventBridge's cron(…); cron's own fields have numbers, names, * , - and /"
	case f.marks == "?LW":
		return "? stands for any day, L for the last, 15W for the weekday nearest to the 15th, each alone in the field"
	case f.marks == "?L#":
		return "? stands for any day, FRIL for the last Friday, FRI#2 for the second, each alone in the field"
	}
	return "? L W # belong into the fields of days"
}

// wordHint says what to write instead of something that is no number.
func (f *field) wordHint(text string) string {
	for _, name := range f.names {
		if len(text) > 3 && strings.EqualFold(text[:3], name) && !strings.ContainsAny(text, "#?") {
			return "write " + strings.ToUpper(name)
		}
	}
	switch {
	case strings.ContainsAny(text, "?LW#"):
		return f.markHint()
	case len(f.names) > 0:
		return "the names are " + strings.ToUpper(strings.Join(f.names, " "))
	}
	return ""
}

func (f *field) longStep(n int) string {
	switch f.name {
	case "minute":
		return fmt.Sprintf("every %d minutes is rate(%d minutes)", n, n)
	case "hour":
		return fmt.Sprintf("every %d hours is rate(%d hours)", n, n)
	case "day of month":
		return fmt.Sprintf("every %d days is rate(%d days)", n, n)
	}
	return ""
}

// turned writes a backward range as a list of two ranges.
func (f *field) turned(p piece, lo, hi int) string {
	say := func(a, b int) string {
		if a == b {
			return f.say(a)
		}
		return f.say(a) + "-" + f.say(b)
	}
	max := f.max
	if f.loose && max == 7 {
		max = 6
	}
	return "write " + p.with(say(lo, max)+","+say(f.min, hi))
}

func (f *field) say(v int) string {
	if len(f.names) > 0 {
		return strings.ToUpper(f.names[(v-f.min)%len(f.names)])
	}
	return strconv.Itoa(v)
}

// digits reads a number that is nothing but digits.
func digits(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
