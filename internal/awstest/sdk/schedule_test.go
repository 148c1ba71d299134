package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	ours "github.com/skein-db/skein/internal/aws"
	account "github.com/skein-db/skein/internal/secret/aws"
)

const heldSchedule = `{"ActionAfterCompletion":"NONE","Arn":"arn:aws:scheduler:eu-central-1:123456789012:schedule/shop/dev","CreationDate":1.764388843125E9,"Description":"of somebody else",` +
	`"FlexibleTimeWindow":{"Mode":"OFF"},"GroupName":"shop","LastModificationDate":1.764388843125E9,"Name":"dev","ScheduleExpression":"cron(0 2 1 * ? *)","ScheduleExpressionTimezone":"Europe/Oslo",` +
	`"StartDate":1.8E9,"State":"DISABLED","Target":{"Arn":"arn:aws:lambda:eu-central-1:123456789012:function:skein","DeadLetterConfig":{"Arn":"arn:aws:sqs:eu-central-1:123456789012:letters"},` +
	`"Input":"{\"command\": \"deploy\"}","RetryPolicy":{"MaximumEventAgeInSeconds":3600,"MaximumRetryAttempts":10},"RoleArn":"arn:aws:iam::123456789012:role/scheduler"}}`

// wanted is a schedule as ours is told of it.
func wanted(expression string) ours.Schedule {
	return ours.Schedule{
		Name: "dev", Group: "shop", Expression: expression, Timezone: "Europe/Oslo", Start: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Input: `{"command": "deploy"}`,
		Target: "arn:aws:lambda:eu-central-1:123456789012:function:skein", Role: "arn:aws:iam::123456789012:role/scheduler", DeadLetters: "arn:aws:sqs:eu-central-1:123456789012:letters",
	}
}

// creation is that schedule as the SDK is told of it. The token is ours.
func creation(s ours.Schedule, first []taken) *scheduler.CreateScheduleInput {
	var of struct {
		ClientToken *string
		StartDate   float64
	}
	if len(first) > 0 {
		_ = json.Unmarshal(first[0].Body, &of) // the comparison finds what is missing
		s.Start = time.Unix(int64(of.StartDate), 0)
	}
	return &scheduler.CreateScheduleInput{
		Name: &s.Name, GroupName: &s.Group, ScheduleExpression: &s.Expression, ScheduleExpressionTimezone: &s.Timezone, StartDate: &s.Start, State: types.ScheduleStateEnabled,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, ClientToken: of.ClientToken,
		Target: &types.Target{Arn: &s.Target, RoleArn: &s.Role, Input: &s.Input, DeadLetterConfig: &types.DeadLetterConfig{Arn: &s.DeadLetters},
			RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(10), MaximumEventAgeInSeconds: aws.Int32(3600)}},
	}
}

// change is the schedule of heldSchedule at another time, as the SDK is told of it.
func change(c *scheduler.CreateScheduleInput) *scheduler.UpdateScheduleInput {
	return &scheduler.UpdateScheduleInput{
		Name: c.Name, GroupName: c.GroupName, ScheduleExpression: c.ScheduleExpression, ScheduleExpressionTimezone: c.ScheduleExpressionTimezone, StartDate: c.StartDate, State: c.State,
		FlexibleTimeWindow: c.FlexibleTimeWindow, ClientToken: c.ClientToken, Target: c.Target, Description: c.Description, ActionAfterCompletion: c.ActionAfterCompletion,
	}
}

// schedulers are the calls to EventBridge Scheduler.
func schedulers() []row {
	const create = `{"ScheduleArn":"arn:aws:scheduler:eu-central-1:123456789012:schedule/shop/dev"}`
	return append(lookers(), row{
		action: "scheduler:CreateSchedule", sites: []string{"internal/aws/scheduler.go PutSchedule"}, replies: map[string][]reply{"scheduler:CreateSchedule": {{body: create}}},
		ours: func(t *testing.T, a account.Account) any {
			changed, err := ours.Caller{Account: a}.PutSchedule(t.Context(), wanted("cron(0 2 1 * ? *)"))
			return need(t, changed, err)
		},
		theirs: func(t *testing.T, c aws.Config, first []taken) any {
			out, err := scheduler.NewFromConfig(c).CreateSchedule(t.Context(), creation(wanted("cron(0 2 1 * ? *)"), first))
			return need(t, out, err).ScheduleArn != nil
		},
	}, row{
		action: "scheduler:UpdateSchedule", sites: []string{"internal/aws/scheduler.go PutSchedule"},
		replies: map[string][]reply{"scheduler:UpdateSchedule": {{body: create}}, "scheduler:GetSchedule": {{body: heldSchedule}}},
		ours: func(t *testing.T, a account.Account) any {
			caller := ours.Caller{Account: a}
			s, err := caller.Schedule(t.Context(), "shop", "dev")
			s = need(t, s, err)
			s.Expression = "rate(1 day)"
			changed, err := caller.PutSchedule(t.Context(), s)
			return need(t, changed, err)
		},
		theirs: func(t *testing.T, c aws.Config, first []taken) any {
			in := change(creation(wanted("rate(1 day)"), first))
			in.State = types.ScheduleStateDisabled
			in.Description, in.ActionAfterCompletion = aws.String("of somebody else"), types.ActionAfterCompletionNone
			out, err := scheduler.NewFromConfig(c).UpdateSchedule(t.Context(), in)
			return need(t, out, err).ScheduleArn != nil
		},
	}, row{
		action: "scheduler:DeleteSchedule", sites: []string{"internal/aws/scheduler.go DeleteSchedule"}, replies: map[string][]reply{"scheduler:DeleteSchedule": {{body: "{}"}}},
		ours: func(t *testing.T, a account.Account) any {
			return need(t, "gone", ours.Caller{Account: a}.DeleteSchedule(t.Context(), "shop", "dev"))
		},
		theirs: func(t *testing.T, c aws.Config, first []taken) any {
			in := &scheduler.DeleteScheduleInput{Name: aws.String("dev"), GroupName: aws.String("shop")}
			if len(first) > 0 {
				in.ClientToken = aws.String(first[0].Query.Get("clientToken"))
			}
			_, err := scheduler.NewFromConfig(c).DeleteSchedule(t.Context(), in)
			return need(t, "gone", err)
		},
	})
}

func lookers() []row {
	pages := []reply{
		{body: `{"NextToken":"AAA=/+","Schedules":[{"Arn":"a","GroupName":"shop","Name":"dev","State":"ENABLED","Target":{"Arn":"arn:1"},"CreationDate":1.7E9}]}`},
		{body: `{"NextToken":null,"Schedules":[{"GroupName":"shop","Name":"dev-2","State":"DISABLED","Target":{"Arn":"arn:2"}}]}`},
	}
	return []row{{
		action: "scheduler:ListSchedules", note: "two pages", sites: []string{"internal/aws/scheduler.go Schedules"}, replies: map[string][]reply{"scheduler:ListSchedules": pages},
		ours: func(t *testing.T, a account.Account) any {
			list, err := ours.Caller{Account: a}.Schedules(t.Context(), "shop", "dev")
			var text string
			for _, s := range need(t, list, err) {
				text += fmt.Sprintln(s.Group, s.Name, s.Disabled, s.Target)
			}
			return text
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			var text string
			in := &scheduler.ListSchedulesInput{GroupName: aws.String("shop"), NamePrefix: aws.String("dev"), MaxResults: aws.Int32(100)}
			for p := scheduler.NewListSchedulesPaginator(scheduler.NewFromConfig(c), in); p.HasMorePages(); {
				out, err := p.NextPage(t.Context())
				for _, s := range need(t, out, err).Schedules {
					text += fmt.Sprintln(*s.GroupName, *s.Name, s.State == types.ScheduleStateDisabled, *s.Target.Arn)
				}
			}
			return text
		},
	}, {
		action: "scheduler:GetSchedule", sites: []string{"internal/aws/scheduler.go Schedule"}, replies: map[string][]reply{"scheduler:GetSchedule": {{body: heldSchedule}}},
		ours: func(t *testing.T, a account.Account) any {
			s, err := ours.Caller{Account: a}.Schedule(t.Context(), "shop", "dev")
			s = need(t, s, err)
			return fmt.Sprint(s.Name, s.Group, s.Expression, s.Timezone, near(s.Start), near(s.Created), s.Disabled, s.Target, s.Role, s.Input, s.DeadLetters)
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := schedule(t.Context(), c)
			s := need(t, out, err)
			return fmt.Sprint(*s.Name, *s.GroupName, *s.ScheduleExpression, *s.ScheduleExpressionTimezone, near(aws.ToTime(s.StartDate)), near(*s.CreationDate), s.State == types.ScheduleStateDisabled,
				*s.Target.Arn, *s.Target.RoleArn, *s.Target.Input, *s.Target.DeadLetterConfig.Arn)
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			_, err := ours.Caller{Account: a}.Schedule(ctx, "shop", "dev")
			return ofService(err)
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := schedule(ctx, c)
			return err
		},
	}}
}

func schedule(ctx context.Context, c aws.Config) (*scheduler.GetScheduleOutput, error) {
	return scheduler.NewFromConfig(c).GetSchedule(ctx, &scheduler.GetScheduleInput{Name: aws.String("dev"), GroupName: aws.String("shop")})
}

// near is a moment to the millisecond, which is what the SDK keeps of one. It comes as a binary fraction, which is not exact.
func near(at time.Time) time.Time {
	return at.Add(200 * time.Nanosecond).Truncate(time.Millisecond).UTC()
}
