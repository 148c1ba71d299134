package awstest

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// TestAgainstMoto holds the calls to AWS against an emulator that others wrote: secrets and their rotation, parameters, who
// somebody is, and schedules. .ci/templates installs it, and SKEIN_TEST_MOTO names another moto_server; without one the
// test is skipped. The fakes of the other tests check signatures, which moto does not.
func TestAgainstMoto(t *testing.T) {
	t.Parallel()
	env := StartMoto(t)
	db := pgtest.New(t)
	cc, err := pgx.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	caller := aws.Caller{Account: account.Account{Env: env}}
	put := func(service, target string, body map[string]any) {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		header := map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
		if _, err := caller.Do(t.Context(), aws.Call{Service: service, Header: header, Body: raw}); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
	}
	skein := func(code int, want string, args ...string) {
		t.Helper()
		command := exec.Command(lambdatest.Bootstrap(t), args...)
		command.Dir, command.Env = t.TempDir(), append(env, "PATH="+os.Getenv("PATH"))
		out, err := command.CombinedOutput()
		got := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			got = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if got != code || !strings.Contains(string(out), want) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s", args, got, code, want, out)
		}
	}

	secret := func(host string) string {
		text, err := json.Marshal(map[string]any{"engine": "postgres", "host": host, "port": cc.Port, "dbname": cc.Database, "username": cc.User, "password": "any"})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	put("secretsmanager", "secretsmanager.CreateSecret", map[string]any{"Name": "shop/dev", "SecretString": secret("nowhere.invalid")})
	skein(7, "nowhere.invalid", "testConnection", "-url=aws-secretsmanager:shop/dev")
	put("secretsmanager", "secretsmanager.PutSecretValue", map[string]any{"SecretId": "shop/dev", "SecretString": secret(cc.Host)})
	skein(0, cc.Database, "testConnection", "-url=aws-secretsmanager:shop/dev")
	skein(2, "there is no such secret", "testConnection", "-url=aws-secretsmanager:shop/none")
	if before, err := caller.Account.Previous(t.Context(), "shop/dev"); err != nil || !strings.Contains(before.Reveal(), "nowhere.invalid") {
		t.Errorf("the version before: %v", err)
	}

	put("ssm", "AmazonSSM.PutParameter", map[string]any{"Name": "/shop/url", "Value": db.URL, "Type": "SecureString"})
	skein(0, cc.Database, "testConnection", "-url=aws-ssm-parameter:/shop/url")

	const function, role = "arn:aws:lambda:eu-central-1:123456789012:function:skein", "arn:aws:iam::123456789012:role/scheduler"
	set := []string{"aws", "schedule", "set", "dev", "--timezone", "Europe/Oslo", "--function", function, "--role", role}
	skein(0, "created: the schedule dev", append(set, "cron(0 2 1 * ? *)")...)
	skein(0, "cron(0 2 1 * ? *)", "aws", "schedule", "list", "--function", function)
	skein(0, "changed: the schedule dev", append(set, "cron(0 3 1 * ? *)")...)
	skein(0, "cron(0 3 1 * ? *)", "aws", "schedule", "list", "--function", function)
	skein(0, "dev", "aws", "schedule", "delete", "dev", "--yes")
}
