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
	"encoding/json"
	"encoding/xml"
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
		return e.Status == http.StatusTooManyRequests || e.Status >= 500 || strings.HasPrefix(e.Kind, "Throttl")
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

// endpoints are the names that the SDKs have for services in variables, where they are not those in addresses.
var endpoints = map[string]string{"monitoring": "CLOUDWATCH"}

// Endpoint is the URL of a service in a region, or of what variables name in its place.
func (c Caller) Endpoint(service, region string) string {
	domain := "amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		domain += ".cn"
	}
	variable := "AWS_ENDPOINT_URL_" + cmp.Or(endpoints[service], strings.ToUpper(service))
	own := cmp.Or(c.Account.Variable(variable), c.Account.Variable("AWS_ENDPOINT_URL"), "https://"+service+"."+region+"."+domain)
	return strings.TrimRight(own, "/")
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
	target := c.Endpoint(call.Service, region) + cmp.Or(call.Path, "/")
	if len(call.Query) > 0 {
		target += "?" + strings.ReplaceAll(call.Query.Encode(), "+", "%20")
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	sum := sha256.Sum256(call.Body)
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
		answer, err := receive(request)
		if !Busy(err) || wait > 2*time.Second {
			return answer, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Answer{}, err
		}
	}
}

// plain does not follow redirections: a signature is for one host.
var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func receive(request *http.Request) (Answer, error) {
	response, err := plain.Do(request)
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
	kind, text := said(body)
	kind = cmp.Or(kind, response.Header.Get("X-Amzn-Errortype"), "no name")
	kind, _, _ = strings.Cut(kind[strings.LastIndexByte(kind, '#')+1:], ":")
	return Answer{}, &Error{response.StatusCode, kind, cmp.Or(text, http.StatusText(response.StatusCode)), date}
}

// said reads the body of an error, in JSON or, of the older services, XML. What is not the service's has no text worth
// telling.
func said(body []byte) (kind, text string) {
	var fields struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // or Message: names are matched without regard to case
	}
	if json.Unmarshal(body, &fields) == nil {
		return fields.Type, fields.Message
	}
	var old struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	_ = xml.Unmarshal(body, &old)
	return old.Code, old.Message
}
