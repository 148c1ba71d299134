package schedule

import "time"

// wall is what a clock on the wall shows: digits without a zone. It is held as a time in UTC, which has no gaps.
type wall = time.Time

// wallOf gives what the zone's clock shows at an instant.
func wallOf(t time.Time, zone *time.Location) wall {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// date gives midnight of a day; day may be outside the month, as for time.Date.
func date(year int, month time.Month, day int) wall {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// reach gives the first instant at which the zone's clock shows w or has jumped past it: a time in the gap of spring is
// the moment of the change, a time that comes twice in autumn is the first of the two. moved says that the clock never
// shows w.
//
// time.Date does not say which of the possible instants it takes, so the zone's offsets around w are walked here. No
// clock has been set by more than a day; two days on either side are seen.
func reach(w wall, zone *time.Location) (at time.Time, moved bool) {
	const around = 50 * time.Hour
	for look := w.Add(-around); ; {
		local := look.In(zone)
		_, offset := local.Zone()
		start, end := local.ZoneBounds()
		at = w.Add(-time.Duration(offset) * time.Second)
		if !start.IsZero() && at.Before(start) {
			return start.In(zone), true // the change that began this stretch jumped over w
		}
		if end.IsZero() || at.Before(end) {
			return at.In(zone), false
		}
		look = end
	}
}
