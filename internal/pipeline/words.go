package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// list joins names and leaves most of a long list out.
func list(names []string) string {
	const most = 5
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) == 1:
		return names[0]
	case len(names) > most+1:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// count writes "1 target", "3 targets".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// isAre goes with a list.
func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// moment writes an instant in the zone that the reader of the gate knows: the one of its windows.
func moment(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("Mon 2006-01-02 15:04 -07:00")
}

// span writes a duration as people say it: 3d 4h, 2h 5m, 40s.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours, minutes, seconds := d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60
	pair := func(a time.Duration, unit string, b time.Duration, small string) string {
		if b == 0 {
			return fmt.Sprintf("%d%s", a, unit)
		}
		return fmt.Sprintf("%d%s %d%s", a, unit, b, small)
	}
	switch {
	case days > 0:
		return pair(days, "d", hours, "h")
	case hours > 0:
		return pair(hours, "h", minutes, "m")
	case minutes > 0:
		return pair(minutes, "m", seconds, "s")
	}
	return fmt.Sprintf("%ds", seconds)
}

// after names the command that brings a release somewhere.
func deploy(environment, release string) string {
	if release == "" {
		return "skein deploy " + environment
	}
	return fmt.Sprintf("skein deploy %s --release %s", environment, release)
}
