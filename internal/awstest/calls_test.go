package awstest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
)

var update = flag.Bool("update", false, "write testdata/calls.json anew")

const callsFile = "testdata/calls.json"

// recorded are the calls that TestCalls found the function to make.
func recorded(t testing.TB) []Call {
	t.Helper()
	text, err := os.ReadFile(callsFile)
	if err != nil {
		t.Fatal(err)
	}
	var calls []Call
	if err := json.Unmarshal(text, &calls); err != nil {
		t.Fatal(err)
	}
	return calls
}

// TestCalls has the real function do everything for which it calls AWS, takes down each call, and compares them with those
// that the policies are checked against.
func TestCalls(t *testing.T) {
	t.Parallel()
	r := NewRecorder(t)
	fromBucket(t, r)
	onHost(t, r)
	got := r.Calls()
	for i, c := range got { // the objects of a release have names of their own; a permission is for a folder
		for _, folder := range []string{"shop/releases/", "shop/sql/"} {
			if at := strings.Index(c.Resource, folder); at > 0 {
				got[i].Resource = c.Resource[:at+len(folder)] + "file"
			}
		}
	}
	got = unique(got)
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(callsFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(recorded(t), got); diff != "" {
		t.Errorf("other calls than before: look at the policies in deploy/aws, then go test ./internal/awstest -run TestCalls -update\n%s", diff)
	}
}

func unique(list []Call) []Call {
	var out []Call
	seen := map[Call]bool{}
	for _, c := range list {
		if !seen[c] {
			seen[c] = true
			out = append(out, c)
		}
	}
	return out
}

// fromBucket deploys a release, and a folder that is none, from a bucket.
func fromBucket(t *testing.T, r *Recorder) {
	s3, dev, qa := s3test.New(t), pgtest.New(t), pgtest.New(t)
	s3.Bucket("shop-scripts", true)
	s3.Put("shop-scripts", "shop/sql/V1__a.sql", "create table a();")
	dir := t.TempDir()
	for _, args := range [][]string{
		{"release", "create", "1", "-locations=s3://shop-scripts/shop/sql"},
		{"release", "push", "1", "-locations=s3://shop-scripts/shop/sql", "-releases=s3://shop-scripts/shop/releases"},
	} {
		command := exec.Command(lambdatest.Bootstrap(t), args...)
		command.Dir, command.Env = dir, append(os.Environ(), s3.Env()...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	env := append(s3.Env(), "AWS_SESSION_TOKEN=", "AWS_ENDPOINT_URL_S3="+r.BeforeURL(s3.Endpoint))
	f := start(t, map[string]string{"skein.toml": fmt.Sprintf(`[environments.dev]
url = %q
[environments.qa]
url = %q
[flyway]
locations = ["s3://shop-scripts/shop/sql"]
[skein]
releases = "s3://shop-scripts/shop/releases"
allowBarePrefix = true
barePrefixQuiet = "0"
`, dev.URL, qa.URL)}, lambdatest.Options{Timeout: 20 * time.Second, Env: env})
	ask(t, f, `{"command": "migrate", "environment": "dev", "release": "1"}`, `"status":"succeeded"`)
	ask(t, f, `{"command": "migrate", "environment": "qa"}`, `"status":"succeeded"`)
	ask(t, f, `{"command": "deploy", "environment": "dev"}`, `"status":"nothing"`)
	ask(t, f, `{"command": "promote", "environment": "qa"}`, `"status":"nothing"`)
	ask(t, f, `{"command": "status"}`, `"release":"1"`)
}

// onHost has the function run a command on a host, log in with a secret, go on by itself, and ask for the last success.
func onHost(t *testing.T, r *Recorder) {
	db := pgtest.New(t)
	address, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	host := t.TempDir()
	write(t, host, map[string]string{"skein.toml": fmt.Sprintf("[environments.host]\nurl = %q\n", db.URL), "sql/V1__a.sql": "create table a();"})
	secret, err := json.Marshal(map[string]string{"SecretString": db.URL})
	if err != nil {
		t.Fatal(err)
	}
	id := "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-login"
	var f *lambdatest.Emulator
	again := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err = errors.Join(err, lambdatest.VerifySignature(request, body, "lambda")); err != nil {
			t.Errorf("it invokes itself: %v", err)
		}
		f.Send(string(body))
		w.WriteHeader(http.StatusAccepted)
	})
	f = start(t, map[string]string{
		"skein.toml":    fmt.Sprintf("[environments.dev]\nurl = \"aws-secretsmanager:%s\"\n[environments.host]\nurl = %q\n", id, address.String()),
		"sql/V1__a.sql": "create table a();",
		"sql/V2__b.sql": "select pg_sleep(1.6);",
		"sql/V3__c.sql": "select pg_sleep(1.6);",
		"sql/V4__d.sql": "create table d();",
	}, lambdatest.Options{Timeout: 4 * time.Second, Env: []string{
		"AWS_ENDPOINT_URL_SSM=" + r.BeforeURL(lambdatest.StartSSM(t).URL()), "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + r.Before(answering(string(secret))),
		"AWS_ENDPOINT_URL_LAMBDA=" + r.Before(again), "AWS_ENDPOINT_URL_CLOUDWATCH=" + watched(t, r, func() []string { return f.Logs() }),
		"SKEIN_SSM_INSTANCE=" + lambdatest.Host, "SKEIN_SSM_COMMAND=" + lambdatest.Bootstrap(t), "SKEIN_SSM_DIRECTORY=" + host,
	}})
	f.Send(`{"command": "migrate", "environment": "host", "via": "ssm"}`)
	f.Wait(30 * time.Second)
	f.Send(`{"command": "migrate", "environment": "dev"}`)
	f.Wait(30 * time.Second)
	ask(t, f, `{"command": "silence", "environment": "dev"}`, `the last run that succeeded was about`)
}

// TestPolicies checks the policies, and all else that no validator knows, of both templates.
func TestPolicies(t *testing.T) {
	t.Parallel()
	c := choices["most"]
	for kind, p := range both(t, c) {
		for _, problem := range p.Problems(recorded(t)) {
			t.Errorf("%s: %s", kind, problem)
		}
		sids := map[string]bool{}
		for role, list := range p.Roles {
			for _, s := range list {
				sids[role+"/"+s.Sid] = true
			}
		}
		for _, s := range both(t, choices["loop"])[kind].Roles["states"] {
			sids["states/"+s.Sid] = true
		}
		sids["scheduler/StartLoop"] = true // of the loop too
		for name := range Reasons {
			if !sids[name] {
				t.Errorf("%s: there is a reason for %s, and no such statement", kind, name)
			}
		}
	}
	for kind, p := range both(t, choices["loop"]) {
		for _, problem := range p.Problems(nil) {
			if !strings.Contains(problem, "nobody needs") && !strings.Contains(problem, "is for everything") { // no calls were given
				t.Errorf("%s with a loop: %s", kind, problem)
			}
		}
	}
}
