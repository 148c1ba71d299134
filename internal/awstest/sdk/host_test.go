package sdk

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	invoked "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	hosts "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
)

// TestHost has the SDK run commands on the host of the imitation of Systems Manager, and wait for them with a waiter of its own.
func TestHost(t *testing.T) {
	t.Parallel()
	_, c := host(t)
	client := ssm.NewFromConfig(c)
	run := func(script string) *ssm.GetCommandInvocationOutput {
		out, err := client.SendCommand(t.Context(), &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{lambdatest.Host},
			Parameters: map[string][]string{"commands": {script}, "executionTimeout": {"60"}, "workingDirectory": {workplace}}})
		in := &ssm.GetCommandInvocationInput{CommandId: need(t, out, err).Command.CommandId, InstanceId: aws.String(lambdatest.Host)}
		_ = ssm.NewCommandExecutedWaiter(client, func(o *ssm.CommandExecutedWaiterOptions) {
			o.MinDelay, o.MaxDelay = time.Millisecond, 50*time.Millisecond
		}).Wait(t.Context(), in, time.Minute) // one that fails is an error
		end, err := client.GetCommandInvocation(t.Context(), in)
		return need(t, end, err)
	}
	if o := run("pwd; echo oh >&2"); o.Status != hosts.CommandInvocationStatusSuccess || o.ResponseCode != 0 || *o.StandardOutputContent != workplace+"\n" || *o.StandardErrorContent != "oh\n" {
		t.Errorf("%+v", o)
	}
	if o := run("exit 3"); o.Status != hosts.CommandInvocationStatusFailed || o.ResponseCode != 3 {
		t.Errorf("%+v", o)
	}
	_, err := client.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: aws.String("00000000-0000-4000-9000-000000000009"), InstanceId: aws.String(lambdatest.Host)})
	if _, ok := errors.AsType[*hosts.InvocationDoesNotExist](err); !ok {
		t.Errorf("a command that nobody sent: %v", err)
	}
	_, err = client.SendCommand(t.Context(), &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{"i-00000000000000000"}})
	if _, ok := errors.AsType[*hosts.InvalidInstanceId](err); !ok {
		t.Errorf("another host: %v", err)
	}
	c.Credentials = configured(lambdatest.AccessKey, "wrong", lambdatest.SessionToken).Credentials
	_, err = parameter(t.Context(), c)
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidSignatureException" {
		t.Errorf("another key: %v", err)
	}
}

// TestFunction has the SDK invoke a function of the imitation of Lambda, in each of the ways.
func TestFunction(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "echo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", program, "./testdata/echo").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f := lambdatest.Start(t, lambdatest.Options{Binary: program, Dir: t.TempDir()})
	_, c := function(f.URL())
	client := sdklambda.NewFromConfig(c)
	invoke := func(name string, kind invoked.InvocationType, payload string) (string, error) {
		out, err := client.Invoke(t.Context(), &sdklambda.InvokeInput{FunctionName: &name, InvocationType: kind, Payload: []byte(payload)})
		if err != nil {
			return "", err
		}
		return fmt.Sprint(out.StatusCode, " ", aws.ToString(out.FunctionError), " ", string(out.Payload)), nil
	}
	for _, c := range []struct {
		name    string
		kind    invoked.InvocationType
		payload string
		want    string
	}{
		{lambdatest.Name, invoked.InvocationTypeDryRun, `{}`, "204  "},
		{lambdatest.ARN, invoked.InvocationTypeRequestResponse, `{"a":[1,"é"]}`, `200  {"a":[1,"é"]}`},
		{lambdatest.Name, invoked.InvocationTypeEvent, `{"b":2}`, "202  "},
		{lambdatest.Name, "", `"fail"`, `200 Unhandled {"errorMessage":"it was told to fail","errorType":"errorString"}`},
	} {
		if got, err := invoke(c.name, c.kind, c.payload); err != nil || got != c.want {
			t.Errorf("%s %s: %q %v", c.kind, c.payload, got, err)
		}
	}
	f.Wait(20 * time.Second)
	var seen []string
	for _, i := range f.Invocations() {
		seen = append(seen, i.Payload)
	}
	if len(seen) != 3 || !strings.Contains(strings.Join(seen, " "), `{"b":2}`) {
		t.Errorf("the function has seen %q", seen)
	}
	_, err := invoke("other", invoked.InvocationTypeEvent, `{}`)
	if _, ok := errors.AsType[*invoked.ResourceNotFoundException](err); !ok {
		t.Errorf("another function: %v", err)
	}
}
