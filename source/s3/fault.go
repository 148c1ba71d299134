package s3

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/skein-db/skein/source"
)

// fault is an answer of S3 that is an error.
type fault struct {
	Status  int    `xml:"-"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
	Region  string `xml:"Region"`
	region  string // where the bucket is, when it said so
}

func (f *fault) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s (%s, status %d)", cmp.Or(f.Message, http.StatusText(f.Status)), cmp.Or(f.Code, "no code"), f.Status))
}

// passing reports whether the same request may succeed a moment later: what the SDKs think so of, by whatever name a store
// has for it, and what S3 says of two who write at once.
func (f *fault) passing() bool {
	switch f.Code {
	case "SlowDown", "RequestTimeout", "RequestTimeoutException", "InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict", "BadDigest",
		"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
		"BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete":
		return true
	}
	return f.Status >= 500 && f.Status != http.StatusNotImplemented || f.Status == http.StatusTooManyRequests
}

func faultOf(response *http.Response, text []byte) *fault {
	f := &fault{}
	_ = xml.Unmarshal(text, f) // what is not S3's has its status
	f.Status = response.StatusCode
	f.region = cmp.Or(response.Header.Get("X-Amz-Bucket-Region"), f.Region)
	return f
}

// noCredentials is the reason why nothing was asked.
type noCredentials struct{ err error }

func (e *noCredentials) Error() string { return e.err.Error() }

func (e *noCredentials) Unwrap() error { return e.err }

// what was wanted, for the words of errors.
type wanted struct {
	place  string // "s3://bucket/key"
	bucket string
	action string // the permission
	on     string // what the permission is on, below arn:aws:s3:::
}

// explain turns what happened into what a person does next. A missing object stays fs.ErrNotExist, and one that is there
// already fs.ErrExist.
func (c *Client) explain(w wanted, err error) error {
	tell := func(reason source.Reason, hint, format string, args ...any) error {
		return &source.Error{Reason: reason, Message: w.place + ": " + fmt.Sprintf(format, args...), Hint: hint, Err: err}
	}
	if _, ok := errors.AsType[*source.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*noCredentials](err); ok {
		return tell(source.Wrong, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role", "no AWS credentials: %v", e.err)
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		return tell(source.Unreachable, "look at the network, AWS_REGION and AWS_ENDPOINT_URL_S3; running the command again is safe", "S3 does not answer as it should: %v", err)
	}
	switch f.Code {
	case "NoSuchBucket":
		return tell(source.Wrong, "correct the bucket's name; a bucket of another account or partition is told by its policy, not by its name", "there is no bucket %s", w.bucket)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed":
		return tell(source.Unreachable, "these are the wrong credentials, or for another region or endpoint: look at AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_REGION", "S3 refused the credentials: %v", f)
	case "ExpiredToken", "TokenRefreshRequired":
		return tell(source.Unreachable, "sign in again: aws sso login", "the credentials have expired: %v", f)
	case "RequestTimeTooSkewed":
		return tell(source.Unreachable, "set this machine's clock", "this machine's clock is wrong: %v", f)
	case "NoSuchVersion":
		return fmt.Errorf("%s: this version is gone: %w", w.place, fs.ErrNotExist)
	}
	switch f.Status {
	case http.StatusForbidden:
		return tell(source.Unreachable, fmt.Sprintf("allow %s on arn:aws:s3:::%s", w.action, w.on), "access denied: %v", f)
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w", w.place, fs.ErrNotExist)
	case http.StatusPreconditionFailed, http.StatusConflict:
		return fmt.Errorf("%s: %w", w.place, fs.ErrExist)
	}
	return tell(source.Unreachable, "running the command again is safe", "S3 refused: %v", f)
}
