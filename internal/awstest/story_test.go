package awstest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
)

// TestMonth is the story of docs/monthly.md: scripts arrive in the bucket as a release, the schedules of the template fire,
// dev is deployed and then qa, where somebody has made a table by hand. The run fails and says so, the alarm sounds, the
// fix goes through with the next time.
func TestMonth(t *testing.T) {
	t.Parallel()
	s3, dev, qa := s3test.New(t), pgtest.New(t), pgtest.New(t)
	s3.Bucket("shop-scripts", true)
	f := start(t, map[string]string{"skein.toml": fmt.Sprintf(`[environments.dev]
url = %q
[environments.qa]
url = %q
[flyway]
locations = ["release:month"]
[skein]
releases = "s3://shop-scripts/releases"
`, dev.URL, qa.URL)}, lambdatest.Options{Timeout: 30 * time.Second, Env: append(s3.Env(), "AWS_SESSION_TOKEN=")})
	plan := both(t, Choice{Name: "skein", Bucket: "shop-scripts", Environments: []Environment{
		{Name: "dev", Schedule: "cron(0 2 1 * ? *)", Silence: 1116}, {Name: "qa", Schedule: "cron(0 3 1 * ? *)", Silence: 1116},
	}})["cloudformation"]
	// fire does what EventBridge Scheduler does: it fills in the time and sends the input.
	fire := func(environment, month, want string) string {
		t.Helper()
		input := strings.NewReplacer("<aws.scheduler.scheduled-time>", month+"-01T02:00:00Z", "<aws.scheduler.execution-id>", "x").Replace(plan.Schedules[environment].Input)
		return ask(t, f, input, want)
	}
	alarm := func(want string) {
		t.Helper()
		points, err := Points(f.Logs())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := plan.Alarms["skein-failed-qa"].State(points, time.Now().Add(time.Second)); got != want {
			t.Errorf("the alarm of qa is %s, want %s (%v)", got, want, err)
		}
	}
	work := t.TempDir()
	write(t, work, map[string]string{"sql/V1__customer.sql": "create table customer (id bigint primary key);", "sql/V2__orders.sql": "create table orders (id bigint primary key);"})
	for _, args := range [][]string{{"release", "create", "month"}, {"release", "push", "month", "-releases=s3://shop-scripts/releases"}} {
		command := exec.Command(built(t), args...)
		command.Dir, command.Env = work, append(os.Environ(), s3.Env()...)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	ask(t, f, `{"command": "migrate", "environment": "qa", "target": "1"}`, `"status":"succeeded"`) // the month before
	byHand(t, qa.URL, "create table orders (number text);")

	fire("dev", "2026-12", `"status":"succeeded"`)
	answer := fire("qa", "2026-12", `"status":"failed"`)
	for _, want := range []string{`"script":"V2__orders.sql"`, `"sqlstate":"42P07"`, `relation \"orders\" already exists`, `"line":1`} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer does not say %s: %s", want, answer)
		}
	}
	alarm(Sounds)
	byHand(t, qa.URL, "drop table orders;")
	fire("qa", "2027-01", `"status":"succeeded"`)
	fire("qa", "2027-02", `"status":"nothing"`)

	var told []string
	for _, line := range f.Log() {
		if line["event"] == lambda.Finished {
			told = append(told, fmt.Sprintf("%v %v %v", line["environment"], line["status"], line["applied"]))
		}
	}
	if got, want := strings.Join(told, ", "), "qa succeeded 1, dev succeeded 2, qa failed 0, qa succeeded 1, qa nothing 0"; got != want {
		t.Errorf("the log tells %q, want %q", got, want)
	}
}

func byHand(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}
