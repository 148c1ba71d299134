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

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/skein-db/skein/internal/secret"
)

// Call is one call to a service of AWS.
type Call struct {
	// Service is its name in signatures and addresses: "lambda", "monitoring".
	Service string
	Method  string // "": POST
	Path    string // escaped; "": /
	Query   url.Values
	Header  map[string]string
	Body    []byte
}

// Answer is what a service says to a call, whether it follows it or not.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // the first 8 MiB
}

const largest = 8 << 20

// Session makes calls to one region with the credentials of one moment.
type Session struct {
	account     Account
	region      string
	credentials sdk.Credentials
	client      *http.Client
}

// Session finds what calls to a region are made with.
func (a Account) Session(ctx context.Context, region string) (Session, error) {
	credentials, err := a.credentials(ctx, region)
	if err != nil {
		return Session{}, err
	}
	client, err := a.Client()
	return Session{a, region, credentials, client}, err
}

// Do signs a call, by a clock that shows now, and makes it once. A service that does not answer gives a secret.ErrSilent.
func (s Session) Do(ctx context.Context, call Call, now time.Time) (Answer, error) {
	target, err := s.account.Endpoint(call.Service, s.region)
	if err != nil {
		return Answer{}, err
	}
	target += cmp.Or(call.Path, "/")
	if len(call.Query) > 0 {
		target += "?" + strings.ReplaceAll(call.Query.Encode(), "+", "%20")
	}
	request, err := http.NewRequestWithContext(ctx, cmp.Or(call.Method, http.MethodPost), target, bytes.NewReader(call.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("the endpoint %s cannot be used", target)
	}
	for name, value := range call.Header {
		request.Header.Set(name, value)
	}
	sum := sha256.Sum256(call.Body)
	if err := v4.NewSigner().SignHTTP(ctx, s.credentials, request, hex.EncodeToString(sum[:]), call.Service, s.region, now); err != nil {
		return Answer{}, fmt.Errorf("signing the request: %w", err)
	}
	return receive(s.client, request)
}

// receive sends a request and reads the answer.
func receive(client *http.Client, request *http.Request) (Answer, error) {
	response, err := client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return Answer{}, secret.Silent(fmt.Errorf("%s does not answer: %w", request.URL.Host, err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err != nil {
		return Answer{}, secret.Silent(fmt.Errorf("the answer broke off: %w", err))
	}
	return Answer{response.StatusCode, response.Header, body}, nil
}
