package lambda

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The calls to AWS are made over net/http and signed by the SDK: its clients of the services cost each start of the program
// more than the connection to the database does. A function finds its region and credentials in variables.

// patience is how long one call to AWS may take.
const patience = 10 * time.Second

// invoke has the function follow a request in another invocation, later. It asks for permission lambda:InvokeFunction.
func (f *Function) invoke(ctx context.Context, c call, r Request) error {
	name := cmp.Or(c.function, f.env("AWS_LAMBDA_FUNCTION_NAME"))
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	request, err := f.request(ctx, "lambda", "/2015-03-31/functions/"+url.PathEscape(name)+"/invocations", body)
	if err != nil {
		return err
	}
	request.Header.Set("X-Amz-Invocation-Type", "Event")
	if _, err = f.send(request, body, "lambda", http.StatusAccepted); err != nil {
		return fmt.Errorf("the run cannot go on: the function could not invoke itself (lambda:InvokeFunction on %s): %w", name, err)
	}
	return nil
}

// request begins a call to a service.
func (f *Function) request(ctx context.Context, service, path string, body []byte) (*http.Request, error) {
	region := f.env("AWS_REGION")
	variable := "AWS_ENDPOINT_URL_" + strings.ToUpper(service)
	if service == "monitoring" { // the name in addresses; the SDKs call it by its other name
		variable = "AWS_ENDPOINT_URL_CLOUDWATCH"
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	endpoint := cmp.Or(f.env(variable), f.env("AWS_ENDPOINT_URL"), "https://"+service+"."+region+"."+domain)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(endpoint, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the endpoint %s cannot be used", endpoint)
	}
	return request, nil
}

// send signs and sends a call, again after a moment if the service is busy, and gives the answer's body.
func (f *Function) send(request *http.Request, body []byte, service string, want int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	credentials := sdk.Credentials{
		AccessKeyID: f.env("AWS_ACCESS_KEY_ID"), SecretAccessKey: f.env("AWS_SECRET_ACCESS_KEY"), SessionToken: f.env("AWS_SESSION_TOKEN"),
	}
	sum := sha256.Sum256(body)
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		try := request.Clone(ctx)
		try.Body = io.NopCloser(bytes.NewReader(body))
		if err := v4.NewSigner().SignHTTP(ctx, credentials, try, hex.EncodeToString(sum[:]), service, f.env("AWS_REGION"), f.now()); err != nil {
			return nil, fmt.Errorf("signing the request: %w", err)
		}
		answer, err := receive(try, want)
		if !busy(err) || wait > 2*time.Second {
			return answer, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// serviceError is what a service says of a call that it does not follow.
type serviceError struct {
	status     int
	kind, text string
}

func (e *serviceError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s (%s, status %d)", e.text, e.kind, e.status))
}

// busy reports whether the same call may succeed in a moment.
func busy(err error) bool {
	if e, ok := err.(*serviceError); ok { //nolint:errorlint // receive gives it as it is
		return e.status == http.StatusTooManyRequests || e.status >= 500 || strings.HasPrefix(e.kind, "Throttl")
	}
	return err != nil
}

func receive(request *http.Request, want int) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", request.URL.Host, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	if response.StatusCode == want {
		return body, nil
	}
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message: names are matched without regard to case
	}
	_ = json.Unmarshal(body, &said) // a body that is not the service's has no text worth telling
	kind := cmp.Or(said.Type, response.Header.Get("X-Amzn-Errortype"), "no name")
	kind, _, _ = strings.Cut(kind[strings.LastIndexByte(kind, '#')+1:], ":")
	return nil, &serviceError{response.StatusCode, kind, cmp.Or(said.Message, http.StatusText(response.StatusCode))}
}
