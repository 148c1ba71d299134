package sdk

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	account "github.com/skein-db/skein/internal/secret/aws"
	"github.com/skein-db/skein/internal/wire"
)

// workplace is the folder in which a host works.
const workplace = "/usr"

// alias is what the function is invoked by: it goes on under the same name.
const alias = lambdatest.ARN + ":live"

// invoke has the function follow an event, and gives its answer.
func invoke(ctx context.Context, a account.Account, left time.Duration, event string) (lambda.Answer, error) {
	env := append([]string{"SKEIN_URL=postgres://nobody@127.0.0.1:1/nowhere", "SKEIN_SSM_INSTANCE=" + lambdatest.Host, "SKEIN_SSM_COMMAND=/opt/skein", "SKEIN_SSM_DIRECTORY=" + workplace,
		"AWS_LAMBDA_FUNCTION_NAME=" + lambdatest.Name}, a.Env...)
	own := &lambda.Function{World: wire.World{Env: env}, Out: io.Discard}
	if strings.Contains(event, "silence") { // whose answer says how long ago something was
		own.Now = func() time.Time { return moment }
	}
	f := lambda.Handler(own)
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	answer := lambda.Answer{}
	text, err := f.Invoke(lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "r", InvokedFunctionArn: alias}), []byte(event))
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

const onHost = `{"command": "info", "target": "2", "via": "ssm", "key": "k"}`

// following is a row's ours: what the function answers.
func following(event string, left time.Duration, of func(lambda.Answer) string) func(*testing.T, account.Account) any {
	return func(t *testing.T, a account.Account) any {
		answer, err := invoke(t.Context(), a, left, event)
		return of(need(t, answer, err))
	}
}

// printed is what a command on a host prints: Skein's document, packed.
func printed(document string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(document)) // into memory
	_ = z.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func invocation(status, details string, code int, out, errs string) string {
	text, _ := json.Marshal(map[string]any{ // texts and a number
		"CommandId": "00000000-0000-4000-9000-000000000001", "InstanceId": lambdatest.Host, "Comment": "", "DocumentName": "AWS-RunShellScript", "PluginName": "aws:runShellScript",
		"ResponseCode": code, "ExecutionStartDateTime": "2026-11-29T02:00:00.123Z", "ExecutionElapsedTime": "PT1.5S", "Status": status, "StatusDetails": details,
		"StandardOutputContent": out, "StandardOutputUrl": "", "StandardErrorContent": errs, "CloudWatchOutputConfig": map[string]any{"CloudWatchOutputEnabled": false},
	})
	return string(text)
}

const (
	send, look, call = "ssm:SendCommand", "ssm:GetCommandInvocation", "lambda:InvokeFunction"
	sent             = `{"Command":{"CommandId":"00000000-0000-4000-9000-000000000001","Comment":"","DocumentName":"AWS-RunShellScript","InstanceIds":["i-0123456789abcdef0"],"RequestedDateTime":1.764388843123E9,"Status":"Pending","TimeoutSeconds":3600}}`
)

// functions are the calls that the Lambda function makes.
func functions() []row {
	done := invocation("Success", "Success", 0, printed(`{"database":"shop","schemaVersion":"42","migrations":[]}`), "")
	failed := invocation("Failed", "NonZeroExitCode", 127, "", "sh: 1: no-such-skein: not found\n")
	sites := []string{"internal/lambda/ssm.go sendCommand"}
	polls := []string{"internal/lambda/ssm.go invocation"}
	version := func(a lambda.Answer) string { return a.Via + a.Version }
	return append([]row{{
		action: send, sites: sites, replies: map[string][]reply{send: {{body: sent}}, look: {{body: failed}}},
		ours: following(onHost, time.Minute, func(a lambda.Answer) string {
			_, id, _ := strings.Cut(a.Error.Hint, "--command-id ")
			return strings.Fields(id)[0]
		}),
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := command(t.Context(), c)
			return *need(t, out, err).Command.CommandId
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			return told(invoke(ctx, a, time.Minute, onHost))
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := command(ctx, c)
			return err
		},
	}, {
		action: look, note: "that succeeded", sites: polls, replies: map[string][]reply{send: {{body: sent}}, look: {{body: done}}}, ours: following(onHost, time.Minute, version),
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := polled(t.Context(), c)
			text, err2 := base64.StdEncoding.DecodeString(*need(t, out, err).StandardOutputContent)
			z, err3 := gzip.NewReader(bytes.NewReader(need(t, text, err2)))
			var d struct{ SchemaVersion string }
			if err := json.NewDecoder(need(t, z, err3)).Decode(&d); err != nil {
				t.Fatal(err)
			}
			return "ssm" + d.SchemaVersion
		},
	}, {
		action: look, note: "that failed", sites: polls, replies: map[string][]reply{send: {{body: sent}}, look: {{body: failed}}},
		ours: following(onHost, time.Minute, func(a lambda.Answer) string { return a.Error.Message }),
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := polled(t.Context(), c)
			out = need(t, out, err)
			return fmt.Sprintf("the command ended on the host with %s, exit code %d: %s", *out.StatusDetails, out.ResponseCode, strings.TrimSpace(*out.StandardErrorContent))
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			return told(invoke(ctx, a, time.Minute, onHost))
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := polled(ctx, c)
			return err
		},
	}}, append(onward(), alarms()...)...)
}

// command sends what ours sends; the id of the run in the comment comes of the event.
func command(ctx context.Context, c aws.Config) (*ssm.SendCommandOutput, error) {
	return ssm.NewFromConfig(c).SendCommand(ctx, &ssm.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{lambdatest.Host}, Comment: aws.String("skein info, run 38e8465e4df4bbac"),
		Parameters: map[string][]string{"executionTimeout": {"172800"}, "workingDirectory": {workplace},
			"commands": {`out=$(/opt/skein info -outputType=json -environment='default' -target='2'); code=$?; printf %s "$out" | gzip -c | base64 | tr -d '\n'; exit $code`}},
	})
}

func polled(ctx context.Context, c aws.Config) (*ssm.GetCommandInvocationOutput, error) {
	return ssm.NewFromConfig(c).GetCommandInvocation(ctx, &ssm.GetCommandInvocationInput{CommandId: aws.String("00000000-0000-4000-9000-000000000001"), InstanceId: aws.String(lambdatest.Host)})
}

var ended = regexp.MustCompile(`\((\w[\w ]*), status \d+\)`)

// told finds the name of a service's error in what the function says. An error of the function is tried again by Lambda.
func told(a lambda.Answer, err error) (kind string, again bool) {
	text := fmt.Sprint(err)
	if err == nil && a.Error != nil {
		text = a.Error.Message
	}
	return append(ended.FindStringSubmatch(text), text, text)[1], err != nil
}
