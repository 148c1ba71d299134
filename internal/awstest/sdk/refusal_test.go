package sdk

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/skein-db/skein/internal/awstest"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
)

// TestRefusals: what the imitations refuse, and that they are busy, the SDK understands as it does of the services.
func TestRefusals(t *testing.T) {
	t.Parallel()
	fake := lambdatest.StartScheduler(t)
	_, c := function(as(fake.Env()).Variable("AWS_ENDPOINT_URL"))
	wrong := c
	wrong.Credentials = configured(lambdatest.AccessKey, "wrong", lambdatest.SessionToken).Credentials
	watch := httptest.NewServer(&awstest.CloudWatch{Refuse: true})
	t.Cleanup(watch.Close)
	_, alarms := function(watch.URL)
	client := scheduler.NewFromConfig(c)
	for want, ask := range map[string]func() error{
		"AccessDeniedException": func() error {
			fake.Deny("scheduler:GetSchedule")
			defer fake.Deny("")
			_, err := schedule(t.Context(), c)
			return err
		},
		"ThrottlingException": func() error {
			fake.Busy(1)
			_, err := schedule(t.Context(), c)
			return err
		},
		"ResourceNotFoundException": func() error {
			_, err := schedule(t.Context(), c)
			if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
				t.Errorf("it is of another type: %v", err)
			}
			return err
		},
		"ValidationException": func() error {
			in := creation(wanted("cron(0 2 1 * 1 *)"), nil)
			in.GroupName = aws.String("default")
			_, err := client.CreateSchedule(t.Context(), in)
			return err
		},
		"InvalidSignatureException": func() error {
			_, err := schedule(t.Context(), wrong)
			return err
		},
		"SignatureDoesNotMatch": func() error {
			_, err := sts.NewFromConfig(wrong).GetCallerIdentity(t.Context(), nil)
			return err
		},
		"AccessDenied": func() error {
			_, err := statistics(t.Context(), cloudwatch.NewFromConfig(alarms, query))
			return err
		},
	} {
		err := ask()
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != want || e.ErrorMessage() == "" {
			t.Errorf("%s: %v", want, err)
		}
	}
	fake.Busy(2)
	c.RetryMaxAttempts = 3
	out, err := scheduler.NewFromConfig(c).ListSchedules(t.Context(), nil)
	if need(t, out, err); len(out.Schedules) != 0 {
		t.Errorf("%+v", out)
	}
}
