package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/schedule"
)

// shownTimes is how many of a schedule's times are printed.
const shownTimes = 10

// scheduleNext prints the next times of a schedule.
func (r *runner) scheduleNext() int {
	s, from, err := r.readSchedule()
	if err != nil {
		return r.fail(err)
	}
	times := s.Upcoming(from, shownTimes)
	if r.console.json {
		all := list{}
		for _, o := range times {
			all = append(all, object{"at": o.At.Format(time.RFC3339), "moved": o.Moved})
		}
		r.document(object{"operation": "schedule next", "expression": s.Text, "timezone": s.Zone.String(), "times": all})
		return 0
	}
	r.console.result(timesText(s, times), "")
	return 0
}

func timesText(s *schedule.Schedule, times []schedule.Occurrence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, time zone %s\n", s.Text, s.Zone)
	for _, o := range times {
		fmt.Fprintf(&b, "%s", o.At.Format("Mon 2006-01-02 15:04:05 -07:00"))
		if o.Moved {
			b.WriteString("  the clock jumps over the time that is meant: this is the moment after, and EventBridge Scheduler leaves it out")
		}
		b.WriteString("\n")
	}
	if len(times) < shownTimes {
		b.WriteString("and no time after that\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// readSchedule reads the command line's expression, zone and start, and gives the moment after which times are wanted.
func (r *runner) readSchedule() (*schedule.Schedule, time.Time, error) {
	now := time.Now()
	if r.settings.Text("schedule.expression") == "" {
		return nil, now, &usageError{Message: "schedule next without an expression", Hint: `write skein schedule next "cron(0 2 1 * ? *)"`}
	}
	s, wrong := parseSchedule("schedule", r.settings.Text("schedule.expression"), r.settings.Text("schedule.timezone"), r.settings.Text("schedule.start"))
	if len(wrong) > 0 {
		return nil, now, wrong
	}
	return s, now, nil
}

// parseSchedule reads an expression, a zone and a start; the settings of the family are named where they are wrong.
func parseSchedule(family, text, name, start string) (s *schedule.Schedule, wrong config.Mistakes) {
	mistake := func(key, text, hint string) {
		wrong = append(wrong, config.Mistake{Key: family + "." + key, Text: text, Hint: hint})
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		mistake("timezone", fmt.Sprintf("%q is no time zone", name), "write a name of the time zone database, such as Europe/Oslo")
	}
	s, err = schedule.ParseSchedule(text, zone)
	if e, ok := errors.AsType[*schedule.Error](err); ok {
		hint := e.Hint
		e.Hint = ""
		mistake("expression", e.Error(), hint)
	}
	if start != "" {
		at, err := time.Parse(time.RFC3339, start)
		if err != nil {
			mistake("start", fmt.Sprintf("%q is no moment", start), "write for instance 2026-12-07T02:00:00Z")
		}
		if s != nil {
			s.Start = at
		}
	}
	return s, wrong
}
