// Package aws reads secrets from AWS Secrets Manager and parameters from the Systems Manager, and makes tokens that RDS
// takes for passwords.
//
// It makes the calls that it needs itself, signed by the SDK: the SDK's own clients of the services, and the package
// that finds credentials, cost each start of the program a millisecond and the binary four megabytes, used or not.
package aws

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/skein-db/skein/internal/secret"
)

// Account says where region and credentials come from: the variables and files that the AWS SDKs and the aws command
// read.
type Account struct {
	Env  []string // "NAME=value"
	Home string   // holds .aws; "" for none
}

// maxAnswer bounds an answer; a secret is at most 64 KiB.
const maxAnswer = 1 << 20

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
	credentials, err := a.credentials(ctx, region)
	if err != nil {
		return err
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	endpoint := a.Endpoint(of.name, region)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the endpoint %s cannot be used", endpoint)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", of.target)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), of.name, region, time.Now()); err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	status, header, answer, err := a.call(request)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return of.refusal(status, header, answer)
	}
	if json.Unmarshal(answer, into) != nil {
		return errors.New("the answer is not JSON")
	}
	return nil
}

// call sends a request that must not be sent on to elsewhere.
func (a Account) call(request *http.Request) (status int, header http.Header, body []byte, err error) {
	client, err := a.Client()
	if err != nil {
		return 0, nil, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return 0, nil, nil, secret.Silent(fmt.Errorf("%s does not answer: %w", request.URL.Host, err))
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, nil, nil, secret.Silent(fmt.Errorf("the answer broke off: %w", err))
	}
	return response.StatusCode, response.Header, body, nil
}

// refusal words an error of the service.
func (of api) refusal(status int, header http.Header, body []byte) error {
	kind, text := Said(header, body)
	text = strings.TrimSpace(cmp.Or(text, http.StatusText(status)))
	switch kind {
	case "ResourceNotFoundException", "ParameterNotFound":
		return fmt.Errorf("there is no such %s in this region and account", of.thing)
	case "AccessDeniedException":
		return fmt.Errorf("%s (the permission is %s, and kms:Decrypt for a key of one's own)", text, of.permission)
	}
	err := fmt.Errorf("%s: %s", kind, text)
	if kind == "" {
		err = fmt.Errorf("%s (status %d)", text, status)
	}
	if Passing(status, kind) { // it is there, and has no time
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
