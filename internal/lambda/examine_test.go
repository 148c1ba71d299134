package lambda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/doctor"
	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

// TestDoctor: the function looks from where it is, and at itself; it is no run.
func TestDoctor(t *testing.T) {
	t.Parallel()
	sts := lambdatest.StartScheduler(t)
	url := ""
	for _, v := range sts.Env() {
		if rest, ok := strings.CutPrefix(v, "AWS_ENDPOINT_URL="); ok {
			url = "AWS_ENDPOINT_URL_STS=" + rest
		}
	}
	f := start(t, map[string]string{"dev": pgtest.URL(t), "gone": "postgres://u@127.0.0.1:1/x"}, nil, lambdatest.Options{Env: []string{url, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256"}, Timeout: 5 * time.Minute})
	lines := func(a lambda.Answer) string {
		var b strings.Builder
		for _, c := range a.Checks {
			fmt.Fprintf(&b, "%s: %s: %s\n", c.Check, c.Status, c.Text)
		}
		return b.String()
	}
	want := func(a lambda.Answer, status string, wants ...string) {
		t.Helper()
		for _, w := range wants {
			if a.Status != status || !strings.Contains(lines(a), w) {
				t.Errorf("%s, %+v: no %q in\n%s", a.Status, a.Error, w, lines(a))
			}
		}
	}
	a := f.ask(`{"command": "doctor", "environment": "dev"}`)
	want(a, lambda.StatusSucceeded, "time: ok: ", "are left of the function's time", "memory: ok: 256 MB", "go on: ok: the function may invoke itself", "settings: ok: environment dev", "credentials: ok: arn:aws:sts::", "login: ok: ", "privileges: ok: ", "history: ok: ")
	if f := doctor.First(a.Checks); f != nil || a.Error != nil || a.Environment != "dev" {
		t.Errorf("%+v %+v", f, a)
	}
	a = f.ask(`{"command": "doctor", "environment": "gone"}`)
	want(a, lambda.StatusFailed, "network: failed: 127.0.0.1:1 refuses", "login: not looked at")
	if a.Error == nil || a.Error.Kind != "connection" || !strings.HasPrefix(a.Error.Message, "network: 127.0.0.1:1 refuses") || a.Error.Hint == "" {
		t.Errorf("%+v", a.Error)
	}
	a = f.ask(`{"command": "doctor", "environment": "none"}`)
	want(a, lambda.StatusFailed, "settings: failed: ", "database: not looked at")
	for _, line := range f.Logs() {
		if strings.Contains(line, "RunFailed") || strings.Contains(line, "run_finished") {
			t.Errorf("it counts as a run: %s", line)
		}
	}
	if text, ok := f.Invoke(`{"command": "doctor", "environment": "dev", "via": "ssm"}`); !ok || !strings.Contains(text, "on the host run skein aws doctor") {
		t.Errorf("%v %s", ok, text)
	}
}
