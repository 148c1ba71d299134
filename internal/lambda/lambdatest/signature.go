package lambdatest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var signedHeaders = regexp.MustCompile(`SignedHeaders=([a-z0-9;-]+)`)

// VerifySignature says what is wrong with the signature of a call to a service, which has to be the function's.
func VerifySignature(r *http.Request, body []byte, service string) error {
	return verify(r, body, service, SessionToken)
}

func verify(r *http.Request, body []byte, service, token string) error {
	given := r.Header.Get("Authorization")
	m := signedHeaders.FindStringSubmatch(given)
	if m == nil {
		return errors.New("the call is not signed")
	}
	when, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(when).Abs() > 5*time.Minute {
		return errors.New("the date of the signature is wrong")
	}
	again, err := http.NewRequestWithContext(context.Background(), r.Method, "http://"+r.Host+r.URL.RequestURI(), http.NoBody)
	if err != nil {
		return err
	}
	again.ContentLength = r.ContentLength
	for _, name := range strings.Split(m[1], ";") {
		if values := r.Header.Values(name); len(values) > 0 && !strings.EqualFold(name, "content-length") {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: AccessKey, SecretAccessKey: SecretKey, SessionToken: token}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, again, hex.EncodeToString(sum[:]), service, Region, when); err != nil {
		return err
	}
	if again.Header.Get("Authorization") != given {
		return fmt.Errorf("the signature does not match: want %s, got %s", again.Header.Get("Authorization"), given)
	}
	return nil
}
