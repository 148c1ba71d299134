package awstest

import (
	"encoding/json"
	"testing"

	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// TestSetMakesWhatTheTemplatesMake: a schedule by `skein aws schedule set` is one of the templates'.
func TestSetMakesWhatTheTemplatesMake(t *testing.T) {
	t.Parallel()
	for name, choice := range choices {
		for kind, plan := range both(t, choice) {
			fake := lambdatest.StartScheduler(t)
			fake.Group("skein")
			caller := aws.Caller{Account: account.Account{Env: fake.Env()}}
			compared := 0
			for _, s := range plan.Schedules {
				command, environment, ours := aws.ReadInput(s.Input)
				target := "arn:aws:lambda:eu-central-1:123456789012:function:skein"
				if environment != "" && command != "silence" && choice.Loop == "stepfunctions" {
					target = "arn:aws:states:eu-central-1:123456789012:stateMachine:skein"
				}
				if got := aws.Input("", command, environment, target); !ours || got != s.Input {
					t.Errorf("%s, %s, %s:\n the template says %s\n set says          %s", name, kind, s.Name, s.Input, got)
				}
				if command == "silence" {
					continue // of lesser retries; set makes the ones for runs
				}
				_, err := caller.PutSchedule(t.Context(), aws.Schedule{Name: s.Name, Group: s.Group, Expression: s.Expression, Timezone: "UTC", Target: target,
					Role: "arn:aws:iam::123456789012:role/scheduler", DeadLetters: "arn:aws:sqs:eu-central-1:123456789012:letters", Input: s.Input})
				var held struct {
					FlexibleTimeWindow struct{ Mode string }
					Target             struct {
						RetryPolicy struct{ MaximumRetryAttempts, MaximumEventAgeInSeconds int }
					}
				}
				if err == nil {
					err = json.Unmarshal([]byte(fake.Held(s.Group, s.Name)), &held)
				}
				if p := held.Target.RetryPolicy; err != nil || p.MaximumRetryAttempts != s.Attempts || p.MaximumEventAgeInSeconds != s.Age || held.FlexibleTimeWindow.Mode != s.Window {
					t.Errorf("%s, %s, %s: the template has %d, %d, %s, set %+v %v", name, kind, s.Name, s.Attempts, s.Age, s.Window, held, err)
				}
				compared++
			}
			if compared == 0 {
				t.Errorf("%s, %s: no schedule was compared", name, kind)
			}
		}
	}
}
