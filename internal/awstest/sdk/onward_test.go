package sdk

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	invoked "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/skein-db/skein/internal/doctor"
	"github.com/skein-db/skein/internal/lambda"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// onward are the function's invocations of itself.
func onward() []row {
	running := invocation("InProgress", "InProgress", -1, "", "")
	sites := []string{"internal/lambda/invoke.go invoked"}
	own := map[string]string{"header Content-Type": "a payload is bytes, and the service reads no type", "signed header content-type": "as the header"}
	return []row{{
		action: call, note: "for later", sites: sites,
		replies: map[string][]reply{send: {{body: sent}}, look: {{body: running}}, call: {{status: 202}}},
		ours:    following(onHost, 2*time.Second, func(a lambda.Answer) string { return a.Status }),
		theirs: func(t *testing.T, c aws.Config, first []taken) any {
			out, err := again(t.Context(), c, invoked.InvocationTypeEvent, first)
			return need(t, map[bool]string{true: "continued"}[out != nil && out.StatusCode == http.StatusAccepted], err)
		},
		meant: own,
	}, {
		action: call, note: "whether it may", sites: sites, replies: map[string][]reply{call: {{status: 204}}},
		ours: following(`{"command": "doctor"}`, 20*time.Second, func(a lambda.Answer) string { return string(goesOn(a).Status) }),
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			answer, err := invoke(ctx, a, 20*time.Second, `{"command": "doctor"}`)
			text := fmt.Sprint(goesOn(answer).Text, err)
			return append(ended.FindStringSubmatch(text), text, text)[1], strings.Contains(text, "could not be seen")
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := again(ctx, c, invoked.InvocationTypeDryRun, nil)
			return err
		},
		theirs: func(t *testing.T, c aws.Config, first []taken) any {
			out, err := again(t.Context(), c, invoked.InvocationTypeDryRun, first)
			return need(t, map[bool]string{true: "ok"}[out != nil && out.StatusCode == http.StatusNoContent], err)
		},
		meant: own,
	}}
}

// goesOn is what doctor found about whether the function may go on in another invocation.
func goesOn(a lambda.Answer) doctor.Finding {
	for _, c := range a.Checks {
		if c.Check == "go on" {
			return c
		}
	}
	return doctor.Finding{}
}

// again invokes a function with the payload of ours, which is opaque to Lambda.
func again(ctx context.Context, c aws.Config, kind invoked.InvocationType, first []taken) (*sdklambda.InvokeOutput, error) {
	in := &sdklambda.InvokeInput{FunctionName: aws.String(alias), InvocationType: kind, Payload: []byte("{}")}
	if len(first) > 0 {
		in.Payload = first[0].Body
	}
	return sdklambda.NewFromConfig(c).Invoke(ctx, in)
}
