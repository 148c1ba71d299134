package aws

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"time"
)

// Schedule is a schedule of EventBridge Scheduler.
type Schedule struct {
	Name, Group          string
	Expression, Timezone string
	Start                time.Time // zero: none is set
	Created              time.Time // of one that was read
	Disabled             bool
	Target, Role         string // ARNs
	Input                string
	DeadLetters          string // the queue's ARN; "" for none

	// held is all that Scheduler has of it: what is not named above stays when it is changed.
	held map[string]any
}

// How often Scheduler tries again to hand over an event, and for how long; deploy/aws has the same.
const (
	retryAttempts = 10
	retrySeconds  = 3600
)

// ErrNotFound is the cause of the failure to find a schedule.
var ErrNotFound = errors.New("there is no such schedule")

// Schedules lists those of a group ("": of all) whose names begin so. Of each, only name, group, state and target are filled in.
func (c Caller) Schedules(ctx context.Context, group, prefix string) ([]Schedule, error) {
	query := url.Values{"MaxResults": {"100"}}
	if group != "" {
		query.Set("ScheduleGroup", group)
	}
	if prefix != "" {
		query.Set("NamePrefix", prefix)
	}
	var all []Schedule
	for {
		answer, err := c.Do(ctx, Call{Service: "scheduler", Method: http.MethodGet, Path: "/schedules", Query: query})
		if err != nil {
			return nil, err
		}
		var page struct {
			NextToken string
			Schedules []struct {
				Name, GroupName, State string
				Target                 struct{ Arn string }
			}
		}
		if err := json.Unmarshal(answer.Body, &page); err != nil {
			return nil, fmt.Errorf("the list of schedules cannot be read: %w", err)
		}
		for _, s := range page.Schedules {
			all = append(all, Schedule{Name: s.Name, Group: s.GroupName, Disabled: s.State == "DISABLED", Target: s.Target.Arn})
		}
		if page.NextToken == "" {
			return all, nil
		}
		if page.NextToken == query.Get("NextToken") {
			return nil, errors.New("the list of schedules has no end")
		}
		query.Set("NextToken", page.NextToken)
	}
}

// Schedule reads one. One that is not there is ErrNotFound.
func (c Caller) Schedule(ctx context.Context, group, name string) (Schedule, error) {
	answer, err := c.Do(ctx, Call{Service: "scheduler", Method: http.MethodGet, Path: "/schedules/" + url.PathEscape(name), Query: url.Values{"groupName": {group}}})
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == "ResourceNotFoundException" {
		return Schedule{}, fmt.Errorf("%w: %s in the group %s (%w)", ErrNotFound, name, group, err)
	}
	if err != nil {
		return Schedule{}, err
	}
	var read struct {
		Name, GroupName, State                         string
		ScheduleExpression, ScheduleExpressionTimezone string
		StartDate, CreationDate                        float64 // seconds
		Target                                         struct {
			Arn, RoleArn, Input string
			DeadLetterConfig    struct{ Arn string }
		}
	}
	s := Schedule{}
	d := json.NewDecoder(bytes.NewReader(answer.Body))
	d.UseNumber() // what is not understood goes back as it came
	if err := errors.Join(json.Unmarshal(answer.Body, &read), d.Decode(&s.held)); err != nil {
		return s, fmt.Errorf("the schedule %s cannot be read: %w", name, err)
	}
	s.Name, s.Group, s.Disabled = read.Name, read.GroupName, read.State == "DISABLED"
	s.Expression, s.Timezone, s.Start, s.Created = read.ScheduleExpression, read.ScheduleExpressionTimezone, moment(read.StartDate), moment(read.CreationDate)
	s.Target, s.Role, s.Input, s.DeadLetters = read.Target.Arn, read.Target.RoleArn, read.Target.Input, read.Target.DeadLetterConfig.Arn
	return s, nil
}

func moment(seconds float64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}

// PutSchedule creates a schedule, or changes one that Schedule has read. It reports whether there was something to do.
func (c Caller) PutSchedule(ctx context.Context, s Schedule) (changed bool, err error) {
	if !s.Changed() {
		return false, nil
	}
	body, method := s.body(), http.MethodPost
	if s.held != nil {
		method = http.MethodPut
	}
	body["ClientToken"] = rand.Text() // the same for each attempt of this call
	text, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	_, err = c.Do(ctx, Call{Service: "scheduler", Method: method, Path: "/schedules/" + url.PathEscape(s.Name), Body: text, Header: map[string]string{"Content-Type": "application/json"}})
	return err == nil, err
}

// Changed reports whether it is new, or another one than was read.
func (s Schedule) Changed() bool {
	return s.held == nil || !reflect.DeepEqual(s.body(), writable(s.held))
}

// writable is what of a schedule that was read may be written.
func writable(held map[string]any) map[string]any {
	body := maps.Clone(held)
	for _, name := range []string{"Arn", "CreationDate", "LastModificationDate", "Name"} {
		delete(body, name)
	}
	return body
}

// body is the whole of a schedule: a change sets what it leaves out to its default.
func (s Schedule) body() map[string]any {
	body := writable(s.held)
	if body == nil {
		body = map[string]any{}
	}
	target, _ := body["Target"].(map[string]any)
	target = maps.Clone(target)
	if target == nil {
		target = map[string]any{}
	}
	target["Arn"], target["RoleArn"], target["Input"] = s.Target, s.Role, s.Input
	target["RetryPolicy"] = map[string]any{"MaximumRetryAttempts": number(retryAttempts), "MaximumEventAgeInSeconds": number(retrySeconds)}
	if s.DeadLetters != "" {
		target["DeadLetterConfig"] = map[string]any{"Arn": s.DeadLetters}
	}
	body["GroupName"], body["Target"], body["State"] = s.Group, target, "ENABLED"
	if s.Disabled {
		body["State"] = "DISABLED"
	}
	body["ScheduleExpression"], body["ScheduleExpressionTimezone"], body["FlexibleTimeWindow"] = s.Expression, s.Timezone, map[string]any{"Mode": "OFF"}
	if before, _ := body["StartDate"].(json.Number); s.Start.IsZero() {
		delete(body, "StartDate")
	} else {
		if seconds, err := before.Float64(); err != nil || !moment(seconds).Equal(s.Start) {
			body["StartDate"] = number(s.Start.Unix())
		}
	}
	return body
}

func number(n int64) json.Number { return json.Number(fmt.Sprint(n)) }

// DeleteSchedule removes one. One that is not there is ErrNotFound.
func (c Caller) DeleteSchedule(ctx context.Context, group, name string) error {
	_, err := c.Do(ctx, Call{Service: "scheduler", Method: http.MethodDelete, Path: "/schedules/" + url.PathEscape(name),
		Query: url.Values{"groupName": {group}, "clientToken": {rand.Text()}}})
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == "ResourceNotFoundException" {
		return fmt.Errorf("%w: %s in the group %s (%w)", ErrNotFound, name, group, err)
	}
	return err
}
