package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
)

const (
	functionARN = "arn:aws:lambda:eu-central-1:123456789012:function:skein"
	roleARN     = "arn:aws:iam::123456789012:role/scheduler"
)

// awsRun runs a command line against an AWS and gives its exit code and what it prints.
func awsRun(t *testing.T, env []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), Process{Args: append([]string{"skein"}, args...), Env: env, Dir: t.TempDir(), Stdin: strings.NewReader(stdin), StderrIsTerm: stdin != "", Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

// held reads a schedule as the service has it.
func held(t *testing.T, fake *lambdatest.Scheduler, name string) map[string]any {
	t.Helper()
	s := map[string]any{}
	if err := json.Unmarshal([]byte(fake.Held("default", name)), &s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, field := range []string{"Arn", "CreationDate", "LastModificationDate"} {
		if s[field] == nil {
			t.Errorf("%s has no %s", name, field)
		}
		delete(s, field)
	}
	return s
}

func TestScheduleSet(t *testing.T) {
	t.Parallel()
	fake := lambdatest.StartScheduler(t)
	set := func(args ...string) (int, string, string) {
		t.Helper()
		return awsRun(t, fake.Env(), "", append([]string{"aws", "schedule", "set"}, args...)...)
	}
	fake.Busy(2)
	code, out, errs := set("dev", "cron(0 2 1 10 ? 2098)", "--timezone", "Europe/Oslo", "--function", functionARN, "--role", roleARN, "--dead-letter", "arn:aws:sqs:eu-central-1:123456789012:letters")
	if code != 0 || !strings.HasPrefix(errs, "account 123456789012, region eu-central-1, as arn:aws:sts::123456789012:assumed-role/skein/me") ||
		out != "created: the schedule dev in the group default\ncron(0 2 1 10 ? 2098), time zone Europe/Oslo\nWed 2098-10-01 02:00:00 +02:00\nand no time after that\n" {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	want := map[string]any{
		"Name": "dev", "GroupName": "default", "State": "ENABLED", "ScheduleExpression": "cron(0 2 1 10 ? 2098)", "ScheduleExpressionTimezone": "Europe/Oslo", "ActionAfterCompletion": "NONE",
		"FlexibleTimeWindow": map[string]any{"Mode": "OFF"},
		"Target": map[string]any{
			"Arn": functionARN, "RoleArn": roleARN, "RetryPolicy": map[string]any{"MaximumRetryAttempts": 10.0, "MaximumEventAgeInSeconds": 3600.0},
			"DeadLetterConfig": map[string]any{"Arn": "arn:aws:sqs:eu-central-1:123456789012:letters"},
			"Input":            `{"command": "migrate", "environment": "dev", "scheduledTime": "<aws.scheduler.scheduled-time>", "executionId": "<aws.scheduler.execution-id>"}`,
		},
	}
	if diff := cmp.Diff(want, held(t, fake, "dev")); diff != "" {
		t.Error(diff)
	}

	// What is not given stays, also what Skein knows nothing of; the same again is nothing to do.
	named, _ := json.Marshal(want) // it can be written
	edited := strings.Replace(strings.Replace(string(named), `"Name"`, `"Description":"by hand","EndDate":4102444800.5,"Name"`, 1), `\"environment\": \"dev\"`, `\"environment\": \"dev\", \"release\": \"7\"`, 1)
	if err := fake.Put("default", "dev", edited); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = set("dev", "--disabled", "--start", "2097-01-02T03:04:05Z", "--command", "deploy"); code != 0 || !strings.Contains(out, "changed: the schedule dev in the group default, disabled") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	target, _ := want["Target"].(map[string]any)
	target["Input"] = `{"command": "deploy", "environment": "dev", "scheduledTime": "<aws.scheduler.scheduled-time>", "executionId": "<aws.scheduler.execution-id>", "release": "7"}`
	want["State"], want["StartDate"], want["Description"], want["EndDate"] = "DISABLED", 4007934245.0, "by hand", 4102444800.5
	if diff := cmp.Diff(want, held(t, fake, "dev")); diff != "" {
		t.Error(diff)
	}
	if code, out, errs = set("dev", "--start", "2097-01-02T03:04:05Z"); code != 0 || !strings.HasPrefix(out, "nothing to change") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	// A start that has passed is taken by nobody: a rate goes on in its rhythm, and a cron has no use for it.
	if code, out, errs = set("past", "rate(14 days)", "--start", "2020-01-06T02:00:00Z", "--function", functionARN, "--role", roleARN); code != 0 {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	begin, _ := held(t, fake, "past")["StartDate"].(float64)
	if at := int64(begin) - 1578276000; at%(14*24*3600) != 0 || int64(begin) < time.Now().Unix() || int64(begin) > time.Now().Add(14*24*time.Hour).Unix() {
		t.Errorf("it begins %d seconds after the start that was given", at)
	}
	old := strings.Replace(fake.Held("default", "past"), `"StartDate":`, `"StartDate":1578276000,"WasDate":`, 1)
	if err := fake.Put("default", "past", regexp.MustCompile(`"WasDate":[^,}]*,?`).ReplaceAllString(old, "")); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = set("past"); code != 0 || !strings.HasPrefix(out, "nothing to change") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	if code, out, errs = set("past", "cron(0 2 1 10 ? 2098)"); code != 0 || held(t, fake, "past")["StartDate"] != nil {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	code, out, _ = set("dev", "--disabled=false", "--function", strings.Replace(functionARN, ":lambda:", ":states:", 1), "-outputType=json")
	if got := held(t, fake, "dev"); code != 0 || got["State"] != "ENABLED" || !strings.Contains(fmt.Sprint(got["Target"]), `"environment": "dev", "continue": "answer", "scheduledTime"`) ||
		!strings.Contains(out, `"done" : "changed"`) || !strings.Contains(out, `"2098-10-01T02:00:00+02:00"`) || !strings.Contains(out, `"account" : "123456789012"`) {
		t.Errorf("%d %v\n%s", code, got, out)
	}
	if diff := cmp.Diff([]string{"POST dev", "PUT dev", "POST past", "PUT past", "PUT dev"}, fake.Writes()); diff != "" {
		t.Error(diff)
	}
}

// What cannot be is refused before anything is changed, by Skein or by the service.
func TestScheduleSetRefuses(t *testing.T) {
	t.Parallel()
	fake := lambdatest.StartScheduler(t)
	if err := fake.Put("default", "theirs", `{"ScheduleExpression":"rate(1 hour)","Target":{"Arn":"`+functionARN+`","RoleArn":"`+roleARN+`","Input":"{\"job\": 1}"}}`); err != nil {
		t.Fatal(err)
	}
	whole := []string{"--function", functionARN, "--role", roleARN}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{nil, 2, `write skein aws schedule set ENVIRONMENT`},
		{[]string{"dev"}, 2, "a new schedule takes an expression"},
		{[]string{"dev", "rate(1 hour)"}, 2, "a new schedule takes a role"},
		{append([]string{"dev", "rate(1 hours)"}, whole...), 2, "write rate(1 hour)"},
		{append([]string{"dev", "0 2 1 * *"}, whole...), 2, "nothing that EventBridge Scheduler takes"},
		{append([]string{"dev", "at(2020-01-01T00:00:00)"}, whole...), 2, "has no time after now"},
		{append([]string{"dev", "rate(1 hour)", "--timezone", "Europe/Olso"}, whole...), 2, "no time zone"},
		{append([]string{"dev", "rate(1 hour)", "--start", "soon"}, whole...), 2, "no moment"},
		{append([]string{"dev", "rate(1 hour)", "--command", "clean"}, whole...), 2, "aws.schedule.command"},
		{append([]string{"de/v", "rate(1 hour)"}, whole...), 2, `"de/v" cannot be the name of a schedule`},
		{append([]string{"dev", "rate(1 hour)", "--yes"}, whole...), 2, "aws schedule set does not take it"},
		{[]string{"dev", "rate(1 hour)", "--function", "skein", "--role", roleARN}, 2, `"skein" is no ARN`},
		{[]string{"dev", "rate(1 hour)", "--function", functionARN, "--role", functionARN}, 2, "ValidationException"},
		{append([]string{"dev", "rate(1 hour)", "--group", "none"}, whole...), 2, "Schedule group none does not exist"},
		{[]string{"theirs", "rate(1 hour)"}, 8, "the schedule theirs in the group default is not Skein's"},
	} {
		code, out, errs := awsRun(t, fake.Env(), "", append([]string{"aws", "schedule", "set"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.text) || out != "" {
			t.Errorf("%q: %d\n%s%s", c.args, code, out, errs)
		}
		if fake.Held("default", "dev") != "" {
			t.Fatalf("%q made a schedule", c.args)
		}
	}

	line := append([]string{"aws", "schedule", "set", "dev", "rate(1 hour)"}, whole...)
	fake.Deny("scheduler:CreateSchedule")
	if code, _, errs := awsRun(t, fake.Env(), "", line...); code != 7 || !strings.Contains(errs, "access denied") || !strings.Contains(errs, "iam:PassRole") {
		t.Errorf("denied: %d %s", code, errs)
	}
	fake.Deny("")
	fake.Busy(100)
	if code, _, errs := awsRun(t, fake.Env(), "", line...); code != 7 || !strings.Contains(errs, "Rate exceeded") {
		t.Errorf("busy: %d %s", code, errs)
	}
	fake.Busy(0)
	env := append(fake.Env(), "AWS_SECRET_ACCESS_KEY=wrong")
	if code, _, errs := awsRun(t, env, "", line...); code != 7 || !strings.Contains(errs, "AWS refused the credentials") {
		t.Errorf("wrong secret: %d %s", code, errs)
	}
	if code, _, errs := awsRun(t, []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=x"}, "", line...); code != 2 || !strings.Contains(errs, "no credentials") {
		t.Errorf("no credentials: %d %s", code, errs)
	}
	if code, _, errs := awsRun(t, append(fake.Env(), "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1"), "", line...); code != 7 || !strings.Contains(errs, "127.0.0.1:1 does not answer") {
		t.Errorf("nobody there: %d %s", code, errs)
	}
}

func TestScheduleListAndDelete(t *testing.T) {
	t.Parallel()
	fake := lambdatest.StartScheduler(t)
	fake.Group("skein")
	for _, args := range [][]string{
		{"dev", "cron(0 2 1 10 ? 2098)", "--timezone", "Europe/Oslo"}, {"qa", "rate(14 days)", "--start", "2098-12-07T02:00:00Z", "--command", "promote", "--group", "skein"},
		{"old", "cron(30 2 29 3 ? 2099)", "--disabled", "--group", "skein"}, {"dev-silence", "cron(0 0 1 1 ? 2098)", "--command", "silence", "--group", "skein"},
	} {
		if code, _, errs := awsRun(t, fake.Env(), "", append(append([]string{"aws", "schedule", "set"}, args...), "--function", functionARN, "--role", roleARN)...); code != 0 {
			t.Fatalf("%d %s", code, errs)
		}
	}
	for name, target := range map[string]string{"other": functionARN + "x", "their": functionARN} {
		if err := fake.Put("default", name, `{"ScheduleExpression":"rate(1 hour)","Target":{"Arn":"`+target+`","Input":"{}"}}`); err != nil {
			t.Fatal(err)
		}
	}
	if err := fake.Put("default", "odd", `{"ScheduleExpression":"cron(99 * * * ? *)","Target":{"Arn":"`+functionARN+`:live","Input":"{\"command\":\"deploy\",\"environment\":\"odd\"}"}}`); err != nil {
		t.Fatal(err)
	}
	list := func(args ...string) string {
		t.Helper()
		code, out, errs := awsRun(t, fake.Env(), "", append([]string{"aws", "schedule", "list"}, args...)...)
		if code != 0 {
			t.Errorf("%q: %d %s", args, code, errs)
		}
		return out
	}
	for _, want := range []string{
		"| default | dev         | migrate | dev         | cron(0 2 1 10 ? 2098)  | Europe/Oslo | enabled  | 2098-10-01 02:00 +02:00",
		"| skein   | qa          | promote | qa          | rate(14 days)          | UTC         | enabled  | 2098-12-07 02:00 +00:00",
		"| skein   | old         | migrate | old         | cron(30 2 29 3 ? 2099) | UTC         | disabled | ",
		"| skein   | dev-silence | silence | dev-silence | ", "| default | odd         | deploy  | odd         | cron(99 * * * ? *)     | UTC         | enabled  | ",
	} {
		if out := list(); !strings.Contains(out, want) || strings.Contains(out, "other") || strings.Contains(out, "their") {
			t.Errorf("want %s in\n%s", want, out)
		}
	}
	for _, c := range []struct {
		args, want []string
	}{
		{[]string{"--group", "skein"}, []string{"dev-silence", "old", "qa"}}, {[]string{"--prefix", "dev"}, []string{"dev", "dev-silence"}},
		{[]string{"--function", functionARN}, []string{"dev", "odd", "dev-silence", "old", "qa"}}, {[]string{"--function", functionARN + "x"}, nil},
	} {
		var doc struct{ Schedules []struct{ Name string } }
		if err := json.Unmarshal([]byte(list(append(c.args, "-outputType=json")...)), &doc); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range doc.Schedules {
			got = append(got, s.Name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q: %s", c.args, diff)
		}
	}

	remove := []string{"aws", "schedule", "delete"}
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		text  string
	}{
		{"", []string{"dev"}, 2, "not deleted"}, {"no\n", []string{"dev"}, 2, "not deleted"}, {"", []string{"their", "--yes"}, 8, "is not Skein's"},
		{"", []string{"qa", "--yes"}, 2, "there is no such schedule: qa in the group default"}, {"", []string{"--yes"}, 2, "write skein aws schedule delete ENVIRONMENT"},
		{"", []string{"dev", "--role", roleARN}, 2, "does not take it"},
	} {
		if code, _, errs := awsRun(t, fake.Env(), c.stdin, append(remove, c.args...)...); code != c.code || !strings.Contains(errs, c.text) {
			t.Errorf("%q: %d %s", c.args, code, errs)
		}
	}
	if fake.Held("default", "dev") == "" || fake.Held("default", "their") == "" {
		t.Fatal("a schedule was removed")
	}
	code, out, errs := awsRun(t, fake.Env(), "yes\n", append(remove, "dev")...)
	if code != 0 || fake.Held("default", "dev") != "" || !strings.Contains(errs, "account 123456789012, region eu-central-1") || !strings.Contains(errs, "cron(0 2 1 10 ? 2098)") || !strings.HasPrefix(out, "deleted: the schedule dev") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	if code, out, _ := awsRun(t, fake.Env(), "", append(remove, "qa", "--group", "skein", "--yes", "-outputType=json")...); code != 0 || fake.Held("skein", "qa") != "" || !strings.Contains(out, `"name" : "qa"`) {
		t.Errorf("%d\n%s", code, out)
	}
	fake.Deny("scheduler:ListSchedules")
	if code, out, errs := awsRun(t, fake.Env(), "", "aws", "schedule", "list"); code != 7 || out != "" || !strings.Contains(errs, "allow scheduler:ListSchedules") {
		t.Errorf("denied: %d\n%s\n%s", code, out, errs)
	}
}
