package lambda_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

// TestSSM runs Skein on a host: what takes longer than a function, and what fails, is answered as if it had run here.
func TestSSM(t *testing.T) {
	t.Parallel()
	program := lambdatest.Bootstrap(t)
	db := pgtest.New(t)
	// 400 scripts: their document is longer than what SSM keeps.
	files := map[string]string{"sql/V1__nap.sql": "create procedure nap(s float) language plpgsql as $$ begin perform pg_sleep(s); end $$;", "sql/V2__call.sql": "call nap(4);"}
	for i := 3; i < 403; i++ {
		files[fmt.Sprintf("sql/V%d__a_script_with_a_rather_long_description_%d.sql", i, i)] = "select 1;"
	}
	host := start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{})
	ssm := lambdatest.StartSSM(t)
	f := start(t, map[string]string{"dev": "postgres://nobody@127.0.0.1:1/nowhere"}, nil, lambdatest.Options{Timeout: 4 * time.Second, Env: []string{
		"AWS_ENDPOINT_URL_SSM=" + ssm.URL(), "SKEIN_SSM_INSTANCE=" + lambdatest.Host, "SKEIN_SSM_COMMAND=" + program, "SKEIN_SSM_DIRECTORY=" + host.dir,
	}})
	f.Send(`{"command": "migrate", "environment": "dev", "via": "ssm"}`)
	f.Wait(time.Minute)
	all := f.answers()
	a := all[len(all)-1]
	if len(all) < 2 || all[0].Status != lambda.StatusContinued || a.Status != lambda.StatusSucceeded || len(a.Applied) != 402 || a.Version != "402" || a.Via != "ssm" ||
		a.Applied[1].Milliseconds < 3900 || a.Target == "" || a.Run != all[0].Run {
		t.Errorf("%d answers, %d applied: %+v\n%s", len(all), len(a.Applied), a.Error, f.story())
	}
	if n := len(ssm.Sent()); n != 1 {
		t.Errorf("%d commands were sent", n)
	}
	if done := f.finished(); len(done) != 1 || done[0]["status"] != "succeeded" {
		t.Errorf("finished: %v", done)
	}
	if a := f.ask(`{"command": "migrate", "environment": "dev", "via": "ssm"}`); a.Status != lambda.StatusNothing {
		t.Errorf("again: %+v", a)
	}
	host.write("sql/V403__broken.sql", "select 1;\nselect nothing;")
	a = f.ask(`{"command": "migrate", "environment": "dev", "via": "ssm"}`)
	if e := a.Error; a.Status != lambda.StatusFailed || e == nil || e.Kind != "sql" || e.SQLState != "42703" || e.Line != 2 || !strings.Contains(e.Script, "V403__broken.sql") || !strings.Contains(e.Hint, "--command-id") {
		t.Errorf("%+v %+v", a, e)
	}
	if a = f.ask(`{"command": "info", "environment": "dev", "via": "ssm"}`); a.Version != "402" || a.Pending != 1 || len(a.Migrations) != 403 {
		t.Errorf("info: version %s, %d pending, %d", a.Version, a.Pending, len(a.Migrations))
	}
	// A name in an event does not get into the host's shell.
	if a = f.ask(`{"command": "info", "environment": "dev", "target": "1'; touch owned; '", "via": "ssm"}`); a.Status != lambda.StatusFailed {
		t.Errorf("%+v", a)
	}
	for _, script := range ssm.Sent() {
		if strings.Contains(script, "touch owned") {
			t.Errorf("sent: %s", script)
		}
	}
}

// TestSSMRefused: what Systems Manager does not follow is an answer, and no error that is tried again.
func TestSSMRefused(t *testing.T) {
	t.Parallel()
	ssm := lambdatest.StartSSM(t)
	for instance, want := range map[string]string{
		"i-gone":        "Systems Manager: .*InvalidInstanceId",
		lambdatest.Host: "the command ended on the host with Failed, exit code 127: .*not found",
	} {
		f := start(t, map[string]string{"dev": "postgres://nobody@127.0.0.1:1/nowhere"}, nil, lambdatest.Options{Timeout: 5 * time.Second, Env: []string{
			"AWS_ENDPOINT_URL_SSM=" + ssm.URL(), "SKEIN_SSM_INSTANCE=" + instance, "SKEIN_SSM_COMMAND=no-such-skein",
		}})
		a := f.ask(`{"command": "migrate", "environment": "dev", "via": "ssm"}`)
		if a.Status != lambda.StatusFailed || a.Error == nil || !matches(want, a.Error.Message) {
			t.Errorf("%s: %+v", instance, a.Error)
		}
	}
}
