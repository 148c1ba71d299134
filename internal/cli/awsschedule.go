package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/schedule"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// scheduleVerbs are those about EventBridge Scheduler, with the settings that each of them takes.
var scheduleVerbs = []string{"aws schedule list", "aws schedule set", "aws schedule delete"}

// awsSchedule runs one of them.
func (r *runner) awsSchedule(ctx context.Context) int {
	verb := r.line.Verbs[0]
	err := r.onlyOwn(verb)
	if err == nil {
		caller := aws.Caller{Account: account.Account{Env: r.process.Env, Home: r.process.Home}}
		do := map[string]func(context.Context, aws.Caller) error{"aws schedule list": r.listSchedules, "aws schedule set": r.setSchedule, "aws schedule delete": r.deleteSchedule}[verb]
		err = do(ctx, caller)
	}
	if err != nil {
		return r.fail(awsError(err, map[string]string{
			"aws schedule list":   "scheduler:ListSchedules and scheduler:GetSchedule",
			"aws schedule set":    "scheduler:GetSchedule, scheduler:CreateSchedule and scheduler:UpdateSchedule, and iam:PassRole on the role",
			"aws schedule delete": "scheduler:GetSchedule and scheduler:DeleteSchedule",
		}[verb]))
	}
	return 0
}

// onlyOwn refuses what belongs to another of the verbs.
func (r *runner) onlyOwn(verb string) error {
	v, _ := lookupVerb(verb)
	takes := append(slices.Clone(v.Settings), grammar(false).Words[verb]...)
	var wrong config.Mistakes
	for _, k := range config.Keys() {
		if strings.HasPrefix(k.Name, "aws.schedule.") && r.settings.IsSet(k.Name) && !slices.Contains(takes, k.Name) {
			wrong = append(wrong, config.Mistake{Origin: r.settings.Origin(k.Name), Key: k.Name, Text: verb + " does not take it", Hint: "see " + r.programName() + " help " + verb})
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// scheduleNamed is the schedule that the command line is about.
func (r *runner) scheduleNamed(verb, usage string) (group, name string, err error) {
	name, group = r.settings.Text("aws.schedule.environment"), r.settings.Text("aws.schedule.group")
	if group == "" {
		group = "default"
	}
	switch {
	case name == "":
		return "", "", &usageError{Message: verb + " without an environment", Hint: "write " + r.programName() + " " + verb + " " + usage}
	case len(name) > 64 || strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
	}):
		return "", "", config.Mistakes{{Key: "aws.schedule.environment", Text: fmt.Sprintf("%q cannot be the name of a schedule", name), Hint: "up to 64 of A-Z a-z 0-9 . _ -"}}
	}
	return group, name, nil
}

// where asks whose account it is, and tells it before anything is changed there.
func (r *runner) where(ctx context.Context, caller aws.Caller) (aws.Identity, string, error) {
	region, err := caller.Region()
	if err != nil {
		return aws.Identity{}, "", err
	}
	who, err := caller.WhoAmI(ctx)
	if err != nil {
		return who, region, err
	}
	r.console.info("%s", fmt.Sprintf("account %s, region %s, as %s", who.Account, region, who.ARN))
	return who, region, nil
}

// change is the command line's part in a schedule.
func (r *runner) change(s aws.Schedule) (aws.Schedule, error) {
	settings, isNew := r.settings, s.Target == ""
	take := func(into *string, key string) {
		if isNew || settings.IsSet(key) {
			*into = settings.Text(key)
		}
	}
	take(&s.Expression, "aws.schedule.expression")
	take(&s.Timezone, "aws.schedule.timezone")
	take(&s.Target, "aws.schedule.function")
	take(&s.Role, "aws.schedule.role")
	take(&s.DeadLetters, "aws.schedule.deadLetter")
	command, environment, ours := aws.ReadInput(s.Input)
	if !isNew && !ours {
		return s, notOurs(s)
	}
	if isNew {
		environment = s.Name
	}
	take(&command, "aws.schedule.command")
	if settings.IsSet("aws.schedule.disabled") {
		s.Disabled = settings.Bool("aws.schedule.disabled")
	}
	var wrong config.Mistakes
	for _, key := range []string{"function", "role", "deadLetter"} {
		text := map[string]string{"function": s.Target, "role": s.Role, "deadLetter": s.DeadLetters}[key]
		switch {
		case text == "" && key == "deadLetter":
		case text == "":
			wrong = append(wrong, config.Mistake{Key: "aws.schedule." + key, Text: "a new schedule takes a " + key, Hint: "give its ARN: --" + key + " arn:aws:…"})
		case !strings.HasPrefix(text, "arn:"):
			wrong = append(wrong, config.Mistake{Key: "aws.schedule." + key, Text: fmt.Sprintf("%q is no ARN", text), Hint: "write it as arn:aws:…"})
		}
	}
	times, also := schedulerTimes(s.Expression, s.Timezone, settings.Text("aws.schedule.start"))
	if wrong = append(wrong, also...); len(also) == 0 {
		if !times.Start.IsZero() {
			s.Start = times.Start
		}
		if times.Start = s.Start; len(times.Upcoming(time.Now(), 1)) == 0 {
			wrong = append(wrong, config.Mistake{Key: "aws.schedule.expression", Text: s.Expression + " has no time after now"})
		}
	}
	if len(wrong) > 0 {
		return s, wrong
	}
	s.Input = aws.Input(s.Input, command, environment, s.Target)
	if s.Changed() {
		s.Start = notPast(times, s.Start, time.Now())
	}
	return s, nil
}

// notPast gives a start that Scheduler takes, which is none that has passed: of a rate the next time that is counted from it, of
// others none, since it has no say any more.
func notPast(times *schedule.Schedule, start, now time.Time) time.Time {
	switch {
	case start.IsZero() || start.After(now):
		return start
	case strings.HasPrefix(times.Text, "rate"):
		return times.Upcoming(now, 1)[0].At.UTC()
	}
	return time.Time{}
}

// schedulerTimes reads an expression as EventBridge Scheduler does, which does not know cron's own five fields.
func schedulerTimes(text, zone, start string) (*schedule.Schedule, config.Mistakes) {
	switch {
	case text == "":
		return nil, config.Mistakes{{Key: "aws.schedule.expression", Text: "a new schedule takes an expression", Hint: `write it after the environment: "cron(0 2 1 * ? *)"`}}
	case !strings.HasSuffix(text, ")"):
		return nil, config.Mistakes{{Key: "aws.schedule.expression", Text: text + " is nothing that EventBridge Scheduler takes", Hint: "write rate(…), at(…), or cron(…) with six fields"}}
	}
	return parseSchedule("aws.schedule", text, zone, start)
}

func (r *runner) setSchedule(ctx context.Context, caller aws.Caller) error {
	group, name, err := r.scheduleNamed("aws schedule set", `ENVIRONMENT "cron(0 2 1 * ? *)" --function ARN --role ARN`)
	if err != nil {
		return err
	}
	if text := r.settings.Text("aws.schedule.expression"); text != "" { // nobody is asked about one that cannot be meant
		if _, wrong := schedulerTimes(text, r.settings.Text("aws.schedule.timezone"), r.settings.Text("aws.schedule.start")); len(wrong) > 0 {
			return wrong
		}
	}
	who, region, err := r.where(ctx, caller)
	if err != nil {
		return err
	}
	s, err := caller.Schedule(ctx, group, name)
	isNew := errors.Is(err, aws.ErrNotFound)
	if isNew {
		s, err = aws.Schedule{Group: group, Name: name}, nil
	}
	if err == nil {
		s, err = r.change(s)
	}
	if err != nil {
		return err
	}
	changed, err := caller.PutSchedule(ctx, s)
	if err != nil {
		return err
	}
	done := "changed"
	switch {
	case isNew:
		done = "created"
	case !changed:
		done = "nothing to change"
	}
	if r.console.json {
		o := scheduleObject(s)
		o["operation"], o["account"], o["region"], o["done"] = "aws schedule set", who.Account, region, done
		r.document(o)
		return nil
	}
	text := done + ": the schedule " + s.Name + " in the group " + s.Group
	if s.Disabled {
		text += ", disabled: nothing happens until --disabled=false"
	}
	times, wrong := parseSchedule("aws.schedule", s.Expression, s.Timezone, "")
	if len(wrong) > 0 {
		return wrong
	}
	times.Start = s.Start
	r.console.result(text+"\n"+timesText(times, times.Upcoming(time.Now(), shownTimes)), "")
	return nil
}

func (r *runner) deleteSchedule(ctx context.Context, caller aws.Caller) error {
	group, name, err := r.scheduleNamed("aws schedule delete", "ENVIRONMENT")
	if err != nil {
		return err
	}
	who, region, err := r.where(ctx, caller)
	if err != nil {
		return err
	}
	s, err := caller.Schedule(ctx, group, name)
	if err != nil {
		return err
	}
	if _, _, ours := aws.ReadInput(s.Input); !ours {
		return notOurs(s)
	}
	r.console.info("%s", fmt.Sprintf("schedule %s in the group %s: %s, time zone %s, target %s", s.Name, s.Group, s.Expression, s.Timezone, s.Target))
	if !r.settings.Bool("aws.schedule.yes") && !r.saysYes("delete it?") {
		return &usageError{Message: "not deleted", Hint: "answer yes, or add --yes"}
	}
	if err := caller.DeleteSchedule(ctx, group, name); err != nil {
		return err
	}
	if r.console.json {
		r.document(object{"operation": "aws schedule delete", "name": s.Name, "group": s.Group, "account": who.Account, "region": region})
		return nil
	}
	r.console.result("deleted: the schedule "+s.Name+" in the group "+s.Group, "")
	return nil
}

func notOurs(s aws.Schedule) error {
	return &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: fmt.Sprintf("the schedule %s in the group %s is not Skein's: its input is no event for the function", s.Name, s.Group),
		Hint: "give the environment's schedule another --group"}
}
