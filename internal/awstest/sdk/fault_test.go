package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// kinds are errors of services, by their names and statuses.
var kinds = []struct {
	name   string
	status int
}{
	{"AccessDeniedException", 400}, {"AccessDeniedException", 403}, {"AccessDenied", 403}, {"ExpiredTokenException", 400}, {"ExpiredToken", 403}, {"UnrecognizedClientException", 400},
	{"InvalidClientTokenId", 403}, {"InvalidSignatureException", 403}, {"SignatureDoesNotMatch", 403}, {"ValidationException", 400}, {"ConflictException", 409},
	{"InvalidInstanceId", 400}, {"DecryptionFailure", 400}, {"KMSAccessDeniedException", 502}, {"NoSuchBucket", 404}, {"InvalidAccessKeyId", 403},
	{"Throttling", 400}, {"ThrottlingException", 400}, {"ThrottledException", 400}, {"RequestThrottledException", 400}, {"TooManyRequestsException", 429}, {"RequestLimitExceeded", 400},
	{"RequestLimitExceeded", 503}, {"LimitExceededException", 400}, {"SlowDown", 503}, {"SlowDown", 400}, {"PriorRequestNotComplete", 400}, {"BandwidthLimitExceeded", 400},
	{"RequestTimeout", 400}, {"RequestTimeoutException", 408}, {"InternalServerError", 500}, {"InternalServiceError", 500}, {"ServiceUnavailable", 503}, {"ServiceException", 500},
}

// forms are the ways in which a service names an error: those of JSON in the body or in a header, those of XML always alike.
var forms = map[string]func(name string) (map[string]string, string){
	"a field": func(name string) (map[string]string, string) {
		return nil, `{"__type":"` + name + `","message":"so it is"}`
	},
	"a field with namespace": func(name string) (map[string]string, string) {
		return nil, `{"__type":"com.amazonaws.ssm#` + name + `","Message":"so it is"}`
	},
	"a field and a URL": func(name string) (map[string]string, string) {
		return nil, `{"__type":"` + name + `:http://x/#y","Message":"so it is"}`
	},
	"a code": func(name string) (map[string]string, string) {
		return nil, `{"code":"` + name + `","message":"so it is"}`
	},
	"a header": func(name string) (map[string]string, string) {
		return map[string]string{"X-Amzn-Errortype": name + ":http://internal.amazon.com/coral/x#y"}, `{"Message":"so it is"}`
	},
	"a header and no body": func(name string) (map[string]string, string) { return map[string]string{"X-Amzn-Errortype": name}, `` },
	"a header, and a field that says another": func(name string) (map[string]string, string) {
		return map[string]string{"X-Amzn-Errortype": name}, `{"__type":"Wrapped","message":"so it is"}`
	},
	"nothing": func(string) (map[string]string, string) { return nil, `{"message":"so it is"}` },
}

// TestErrors holds what the product makes of errors against what the SDK makes of the same bytes: the name, and whether the
// same call may succeed in a moment.
func TestErrors(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	for _, r := range rows() {
		if r.broken == nil {
			continue
		}
		inXML := strings.HasPrefix(r.action, "sts:") || strings.HasPrefix(r.action, "cloudwatch:") || strings.HasPrefix(r.action, "s3:")
		for _, k := range kinds {
			for form, of := range forms {
				if inXML {
					form, of = "XML", inBody(r.action)
				}
				group.Go(func() {
					header, body := of(k.name)
					compare(t, r, fmt.Sprintf("%s: %s as %s with status %d", r.title(), k.name, form, k.status), reply{status: k.status, header: header, body: body})
				})
				if inXML {
					break
				}
			}
		}
		group.Wait() // so many connections at a time, and no more
	}
}

func inBody(action string) func(string) (map[string]string, string) {
	return func(name string) (map[string]string, string) {
		body := `<Error><Type>Sender</Type><Code>` + name + `</Code><Message>so it is</Message></Error>`
		if !strings.HasPrefix(action, "s3:") {
			body = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` + body + `<RequestId>r</RequestId></ErrorResponse>`
		}
		return nil, `<?xml version="1.0" encoding="UTF-8"?>` + body
	}
}

// calls are names that ours has other words for, or keeps as they came where the SDK gives its type's.
var calls = map[string]string{"UnknownError": "no name", "InternalServiceFault": "InternalServiceError"}

func compare(t *testing.T, r row, what string, say reply) {
	p := newTape(t, map[string][]reply{r.action: {say}, "ssm:SendCommand": {{body: sent}}, "ssm:GetCommandInvocation": {{body: invocation("InProgress", "InProgress", -1, "", "")}}})
	p.replies[r.action] = []reply{say}                             // over what stands there for the way to it
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // ours has tried again by then
	defer cancel()
	name, again := r.broken(ctx, as(p.env()))
	asked := len(p.of(r.action))
	if strings.HasPrefix(r.action, "s3:") {
		again = asked > 1
	}
	err := r.failing(t.Context(), p.config())
	want := "UnknownError"
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		want = e.ErrorCode()
	}
	if other, ok := calls[want]; ok {
		want = other
	}
	if name != want || asked == 0 {
		t.Errorf("%s: ours read the name %q, the SDK %q (%v)", what, name, want, err)
	}
	retries := retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
	if again != retries && !(again && say.status == http.StatusTooManyRequests) { // too many are too many, whatever they are called
		t.Errorf("%s: ours tries again: %t, the SDK: %t (%v)", what, again, retries, err)
	}
}
