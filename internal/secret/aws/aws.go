// Package aws reads secrets from AWS Secrets Manager and parameters from the Systems Manager, and makes tokens that RDS
// takes for passwords.
//
// It makes the calls that it needs itself, signed by the SDK: the SDK's own clients of the services, and the package
// that finds credentials, cost each start of the program a millisecond and the binary four megabytes, used or not.
package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/secret"
)

// Account says where region and credentials come from: the variables and files that the AWS SDKs and the aws command
// read.
type Account struct {
	Env  []string // "NAME=value"
	Home string   // holds .aws; "" for none
}

// Read returns the text of a secret, named by its name or ARN. The region is the ARN's, else AWS_REGION's,
// AWS_DEFAULT_REGION's or the profile's; AWS_ENDPOINT_URL_SECRETS_MANAGER and AWS_ENDPOINT_URL name another endpoint.
// Errors hold no part of a secret.
func (a Account) Read(ctx context.Context, id string) (secret.Text, error) {
	return a.version(ctx, map[string]any{"SecretId": id}, id)
}

// Previous returns what the secret was before its last rotation (its stage AWSPREVIOUS); a secret that was never rotated
// has none, and that is an error.
func (a Account) Previous(ctx context.Context, id string) (secret.Text, error) {
	return a.version(ctx, map[string]any{"SecretId": id, "VersionStage": "AWSPREVIOUS"}, id)
}

func (a Account) version(ctx context.Context, question map[string]any, id string) (secret.Text, error) {
	var value struct{ SecretString *string }
	err := a.ask(ctx, secretsManager, id, question, &value)
	if err == nil && value.SecretString == nil {
		err = errors.New("it holds bytes, not text (SecretBinary)")
	}
	if err != nil {
		return secret.Text{}, fmt.Errorf("AWS Secrets Manager: %s: %w", id, err)
	}
	return secret.New(*value.SecretString), nil
}

// Parameter returns the value of a parameter of the Systems Manager, named by its name or ARN, decrypted. Region and
// errors are as with Read; the variable of the endpoint is AWS_ENDPOINT_URL_SSM.
func (a Account) Parameter(ctx context.Context, name string) (secret.Text, error) {
	var value struct{ Parameter struct{ Value *string } }
	err := a.ask(ctx, parameterStore, name, map[string]any{"Name": name, "WithDecryption": true}, &value)
	if err == nil && value.Parameter.Value == nil {
		err = errors.New("the answer holds no value")
	}
	if err != nil {
		return secret.Text{}, fmt.Errorf("AWS Systems Manager: %s: %w", name, err)
	}
	return secret.New(*value.Parameter.Value), nil
}

// api is one of the services of AWS that speak JSON.
type api struct {
	name, target, permission, thing string
}

var (
	secretsManager = api{"secretsmanager", "secretsmanager.GetSecretValue", "secretsmanager:GetSecretValue", "secret"}
	parameterStore = api{"ssm", "AmazonSSM.GetParameter", "ssm:GetParameter", "parameter"}
)

func (a Account) ask(ctx context.Context, of api, id string, question, into any) error {
	region, err := a.region(id)
	if err != nil {
		return err
	}
	session, err := a.Session(ctx, region)
	if err != nil {
		return err
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answer, err := session.Do(ctx, Call{
		Service: of.name, Body: body, Header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": of.target},
	}, time.Now())
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return of.refusal(answer)
	}
	if json.Unmarshal(answer.Body, into) != nil {
		return errors.New("the answer is not JSON")
	}
	return nil
}

// refusal words an error of the service.
func (of api) refusal(answer Answer) error {
	kind, text := Said(answer.Header, answer.Body)
	text = strings.TrimSpace(cmp.Or(text, http.StatusText(answer.Status)))
	switch kind {
	case "ResourceNotFoundException", "ParameterNotFound":
		return fmt.Errorf("there is no such %s in this region and account", of.thing)
	case "AccessDeniedException":
		return fmt.Errorf("%s (the permission is %s, and kms:Decrypt for a key of one's own)", text, of.permission)
	}
	err := fmt.Errorf("%s: %s", kind, text)
	if kind == "" {
		err = fmt.Errorf("%s (status %d)", text, answer.Status)
	}
	if Passing(answer.Status, kind) { // it is there, and has no time
		err = secret.Silent(err)
	}
	return err
}

func (a Account) get(name string) string {
	for _, entry := range slices.Backward(a.Env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func (a Account) region(id string) (string, error) {
	if parts := strings.Split(id, ":"); len(parts) > 3 && parts[0] == "arn" && parts[3] != "" {
		return parts[3], nil
	}
	if region := cmp.Or(a.get("AWS_REGION"), a.get("AWS_DEFAULT_REGION"), a.profile()["region"]); region != "" {
		return region, nil
	}
	return "", errors.New("no region is known: set AWS_REGION")
}
