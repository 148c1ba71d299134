package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/source"
)

// listSchedules shows the schedules whose input is an event for Skein's function.
func (r *runner) listSchedules(ctx context.Context, caller aws.Caller) error {
	function := r.settings.Text("aws.schedule.function")
	found, err := caller.Schedules(ctx, r.settings.Text("aws.schedule.group"), r.settings.Text("aws.schedule.prefix"))
	if err != nil {
		return err
	}
	if function != "" { // its aliases and versions too
		found = slices.DeleteFunc(found, func(s aws.Schedule) bool { return s.Target != function && !strings.HasPrefix(s.Target, function+":") })
	}
	// Only the schedule itself has the input. One that is removed meanwhile is none any more.
	err = source.Parallel(ctx, len(found), func(ctx context.Context, i int) error {
		read, err := caller.Schedule(ctx, found[i].Group, found[i].Name)
		if errors.Is(err, aws.ErrNotFound) {
			err = nil
		}
		found[i] = read
		return err
	})
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(s aws.Schedule) bool {
		_, _, ours := aws.ReadInput(s.Input)
		return !ours
	})
	slices.SortFunc(found, func(a, b aws.Schedule) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name)) })
	region, err := caller.Region()
	if err != nil {
		return err
	}
	if r.console.json {
		all := list{}
		for _, s := range found {
			all = append(all, scheduleObject(s))
		}
		r.document(object{"operation": "aws schedule list", "region": region, "schedules": all})
		return nil
	}
	t := table{Header: []string{"Group", "Name", "Command", "Environment", "Schedule", "Time zone", "State", "Next"}}
	for _, s := range found {
		command, environment, _ := aws.ReadInput(s.Input)
		t.Rows = append(t.Rows, []string{s.Group, s.Name, command, environment, s.Expression, s.Timezone, stateOf(s), nextTime(s)})
	}
	text := "there is no schedule for Skein's function in " + region
	if len(t.Rows) > 0 {
		text = strings.TrimSuffix(t.String(), "\n")
	}
	r.console.result(text, "")
	return nil
}

func stateOf(s aws.Schedule) string {
	if s.Disabled {
		return "disabled"
	}
	return "enabled"
}

// nextTimes are the next times of a schedule at AWS. A rate without a start is counted from when it was made, which Scheduler
// does not promise to the minute.
func nextTimes(s aws.Schedule, most int) (next []time.Time, about bool, problem string) {
	if s.Disabled {
		return nil, false, ""
	}
	times, wrong := parseSchedule("aws.schedule", s.Expression, cmp.Or(s.Timezone, "UTC"), "")
	if len(wrong) > 0 {
		return nil, false, wrong[0].Text
	}
	if times.Start = s.Start; s.Start.IsZero() && strings.HasPrefix(s.Expression, "rate") {
		times.Start, about = s.Created, true
	}
	for _, o := range times.Upcoming(time.Now(), most) {
		if !o.Moved { // EventBridge Scheduler leaves it out
			next = append(next, o.At)
		}
	}
	return next, about, ""
}

func nextTime(s aws.Schedule) string {
	next, about, problem := nextTimes(s, 2)
	switch {
	case problem != "":
		return problem
	case s.Disabled:
		return ""
	case len(next) == 0:
		return "never"
	case about:
		return "about " + next[0].Format("2006-01-02 15:04 -07:00")
	}
	return next[0].Format("2006-01-02 15:04 -07:00")
}

func scheduleObject(s aws.Schedule) object {
	command, environment, _ := aws.ReadInput(s.Input)
	next, about, problem := nextTimes(s, 3)
	times := list{}
	for _, at := range next {
		times = append(times, at.Format(time.RFC3339))
	}
	o := object{"name": s.Name, "group": s.Group, "command": command, "environment": environment, "expression": s.Expression, "timezone": s.Timezone, "state": stateOf(s),
		"function": s.Target, "role": s.Role, "deadLetter": nil, "start": nil, "next": times, "nextIsAbout": about, "problem": nil}
	if s.DeadLetters != "" {
		o["deadLetter"] = s.DeadLetters
	}
	if !s.Start.IsZero() {
		o["start"] = s.Start.Format(time.RFC3339)
	}
	if problem != "" {
		o["problem"] = problem
	}
	return o
}
