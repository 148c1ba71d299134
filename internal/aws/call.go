// Package aws makes calls to services of AWS, and knows the few of them that Skein needs: who somebody is, and the schedules of
// EventBridge Scheduler.
//
// Calls are made over net/http and signed by the SDK: its clients of the services cost each start of the program more
// than the connection to the database does.
package aws

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	account "github.com/skein-db/skein/internal/secret/aws"
)

// patience is how long one call may take, with the attempts that it needs.
const patience = 10 * time.Second

// largest is what is read of an answer.
const largest = 8 << 20

// Caller makes calls for one account.
type Caller struct {
	// Account says where region and credentials come from.
	Account account.Account
	// Now is the clock that calls are signed by; nil: the real one.
	Now func() time.Time
}

// Call is one call to a service.
type Call struct {
	// Service is its name in signatures and addresses: "lambda", "monitoring".
	Service string
	Method  string // "": POST
	Path    string // escaped; "": /
	Query   url.Values
	Header  map[string]string
	Body    []byte
}

// Answer is what a service says to a call that it follows.
type Answer struct {
	Body []byte
	// Date is the service's clock when it answered; zero where it does not say.
	Date time.Time
}

// Error is what a service says of a call that it does not follow.
type Error struct {
	Status     int
	Kind, Text string
	Date       time.Time // as in an Answer
}

func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s (%s, status %d)", e.Text, e.Kind, e.Status))
}

// NoCredentials is the reason why a call was not made.
type NoCredentials struct{ Err error }

func (e *NoCredentials) Error() string { return e.Err.Error() }

func (e *NoCredentials) Unwrap() error { return e.Err }

// Busy reports whether the same call may succeed in a moment.
func Busy(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return account.Passing(e.Status, e.Kind)
	}
	_, none := errors.AsType[*NoCredentials](err)
	return err != nil && !none
}

// Region is where calls go.
func (c Caller) Region() (string, error) {
	region, err := c.Account.Region()
	if err != nil {
		return "", &NoCredentials{err}
	}
	return region, nil
}

// Do signs and makes a call, again after a moment if the service is busy. An error of the service is *Error.
func (c Caller) Do(ctx context.Context, call Call) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	region, err := c.Region()
	if err != nil {
		return Answer{}, err
	}
	credentials, err := c.Account.Credentials(ctx)
	if err != nil {
		return Answer{}, &NoCredentials{err}
	}
	target := c.Account.Endpoint(call.Service, region) + cmp.Or(call.Path, "/")
	if len(call.Query) > 0 {
		target += "?" + strings.ReplaceAll(call.Query.Encode(), "+", "%20")
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	client, err := c.Account.Client()
	if err != nil {
		return Answer{}, &NoCredentials{err}
	}
	sum := sha256.Sum256(call.Body)
	var before error // of the attempt before
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		request, err := http.NewRequestWithContext(ctx, cmp.Or(call.Method, http.MethodPost), target, bytes.NewReader(call.Body))
		if err != nil {
			return Answer{}, fmt.Errorf("the endpoint %s cannot be used", target)
		}
		for name, value := range call.Header {
			request.Header.Set(name, value)
		}
		if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), call.Service, region, now()); err != nil {
			return Answer{}, fmt.Errorf("signing the request: %w", err)
		}
		answer, err := receive(client, request)
		if err != nil && before != nil && ctx.Err() != nil {
			return Answer{}, before // what the service has said says more than that the time is up
		}
		if !Busy(err) || wait > 2*time.Second {
			return answer, err
		}
		before = err
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Answer{}, err
		}
	}
}

func receive(client *http.Client, request *http.Request) (Answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("%s does not answer: %w", request.URL.Host, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err != nil {
		return Answer{}, fmt.Errorf("the answer broke off: %w", err)
	}
	date, _ := http.ParseTime(response.Header.Get("Date")) // zero where there is none
	if response.StatusCode < 300 {
		return Answer{Body: body, Date: date}, nil
	}
	kind, text := account.Said(response.Header, body)
	return Answer{}, &Error{response.StatusCode, cmp.Or(kind, "no name"), cmp.Or(text, http.StatusText(response.StatusCode)), date}
}
