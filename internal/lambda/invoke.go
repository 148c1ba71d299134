package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/skein-db/skein/internal/aws"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// invoke has the function follow a request in another invocation, later. It asks for permission lambda:InvokeFunction.
func (f *Function) invoke(ctx context.Context, c call, r Request) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	name := f.name(c)
	if err := f.invoked(ctx, name, "Event", body); err != nil {
		return fmt.Errorf("the run cannot go on: the function could not invoke itself (lambda:InvokeFunction on %s): %w", name, err)
	}
	return nil
}

// name is what the function invokes itself by: as it was invoked, an alias stays one.
func (f *Function) name(c call) string { return cmp.Or(c.function, f.env("AWS_LAMBDA_FUNCTION_NAME")) }

// invoked asks for an invocation of a type: Event is one for later, DryRun one that is only allowed or not.
func (f *Function) invoked(ctx context.Context, name, kind string, body []byte) error {
	_, err := f.caller().Do(ctx, aws.Call{
		Service: "lambda", Path: "/2015-03-31/functions/" + url.QueryEscape(name) + "/invocations", Body: body, Header: map[string]string{"X-Amz-Invocation-Type": kind},
	})
	return err
}

// caller makes the function's calls to AWS. It finds region and credentials in variables.
func (f *Function) caller() aws.Caller {
	return aws.Caller{Account: account.Account{Env: f.World.Env, Home: f.World.Home}, Now: f.now}
}
