package aws_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	account "github.com/skein-db/skein/internal/secret/aws"
)

func env(more ...string) account.Account {
	return account.Account{Env: append([]string{"AWS_REGION=" + lambdatest.Region, "AWS_ACCESS_KEY_ID=" + lambdatest.AccessKey, "AWS_SECRET_ACCESS_KEY=" + lambdatest.SecretKey,
		"AWS_SESSION_TOKEN=" + lambdatest.SessionToken}, more...)}
}

// TestErrors: what services say of a call is told in their words, whichever way they write it.
func TestErrors(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = lambdatest.VerifySignature(r, body, "ssm")
		}
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/json":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"com.amazon#InvalidInstanceId","message":"no such host"}`)
		case "/header":
			w.Header().Set("X-Amzn-Errortype", "ConflictException:http://x/")
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"Message":"it is there"}`)
		case "/xml":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The token is invalid</Message></Error></ErrorResponse>`)
		case "/proxy":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<html>go away`)
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		default:
			fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
		}
	}))
	defer server.Close()
	c := aws.Caller{Account: env("AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ENDPOINT_URL_SSM="+server.URL+"/")}
	for path, want := range map[string]string{
		"/json": "no such host (InvalidInstanceId, status 400)", "/header": "it is there (ConflictException, status 409)", "/xml": "The token is invalid (InvalidClientTokenId, status 403)",
		"/proxy": "Forbidden (no name, status 403)", "/moved": "Temporary Redirect (no name, status 307)",
	} {
		calls = 0
		_, err := c.Do(t.Context(), aws.Call{Service: "ssm", Path: path, Body: []byte("{}")})
		e, ok := errors.AsType[*aws.Error](err)
		if !ok || e.Error() != want || e.Date.IsZero() || aws.Busy(err) || calls != 1 {
			t.Errorf("%s: %v after %d calls", path, err, calls)
		}
	}
	answer, err := c.Do(t.Context(), aws.Call{Service: "ssm", Method: http.MethodGet, Path: "/ok", Query: map[string][]string{"a": {"b c"}}})
	if err != nil || string(answer.Body) != "GET /ok?a=b%20c " || time.Since(answer.Date).Abs() > time.Minute {
		t.Errorf("%s %v %v", answer.Body, answer.Date, err)
	}
}

func TestWhereCallsGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ service, region, variables, want string }{
		{"lambda", "eu-central-1", "", "https://lambda.eu-central-1.amazonaws.com"},
		{"sts", "cn-north-1", "", "https://sts.cn-north-1.amazonaws.com.cn"},
		{"ssm", "eusc-de-east-1", "", "https://ssm.eusc-de-east-1.amazonaws.eu"},
		{"secretsmanager", "x", "AWS_ENDPOINT_URL_SECRETSMANAGER=http://no AWS_ENDPOINT_URL_SECRETS_MANAGER=http://own", "http://own"},
		{"sts", "x", "AWS_ENDPOINT_URL=http://all AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", "https://sts.x.amazonaws.com"},
		{"scheduler", "x", "AWS_ENDPOINT_URL=http://all/ AWS_ENDPOINT_URL_SCHEDULER=http://own/", "http://own"},
		{"monitoring", "x", "AWS_ENDPOINT_URL_MONITORING=http://no AWS_ENDPOINT_URL_CLOUDWATCH=http://own", "http://own"},
		{"sts", "x", "AWS_ENDPOINT_URL=http://all/ AWS_ENDPOINT_URL_SCHEDULER=http://own/", "http://all"},
	} {
		caller := aws.Caller{Account: account.Account{Env: strings.Fields(c.variables)}}
		if got, err := caller.Account.Endpoint(c.service, c.region); err != nil || got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for _, a := range []account.Account{{Env: []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=x"}}, {Env: []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}}} {
		_, err := aws.Caller{Account: a}.WhoAmI(t.Context())
		if _, ok := errors.AsType[*aws.NoCredentials](err); !ok || aws.Busy(err) {
			t.Errorf("%v: %v", a.Env, err)
		}
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	fake := lambdatest.StartScheduler(t)
	fake.Skew(-time.Hour)
	who, err := aws.Caller{Account: account.Account{Env: fake.Env()}}.WhoAmI(t.Context())
	if err != nil || who.Account != lambdatest.AccountID || who.ARN != "arn:aws:sts::123456789012:assumed-role/skein/me" || time.Since(who.Date).Round(time.Minute) != time.Hour {
		t.Errorf("%+v %v", who, err)
	}
}
