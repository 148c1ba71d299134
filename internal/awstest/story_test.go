package awstest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
)

// TestMonth is the story of docs/monthly.md: scripts arrive in the bucket as a release, the schedules of the template fire, dev is
// deployed and then, by promotion, qa, where somebody has made a table by hand. The run fails and says so, the alarm sounds,
// the fix goes through.
func TestMonth(t *testing.T) {
	t.Parallel()
	s3, dev, qa := s3test.New(t), pgtest.New(t), pgtest.New(t)
	s3.Bucket("example-scripts", true)
	f := start(t, map[string]string{"skein.toml": fmt.Sprintf(`[environments.dev]
url = %q
[environments.qa]
url = %q
[skein]
pipeline = ["dev", "qa"]
releases = "s3://example-scripts/releases"
`, dev.URL, qa.URL)}, lambdatest.Options{Timeout: 30 * time.Second, Env: append(s3.Env(), "AWS_SESSION_TOKEN=")})
	plan := both(t, Choice{Name: "skein", Bucket: "example-scripts", Environments: []Environment{
		{Name: "dev", Command: "deploy", Schedule: "cron(0 2 1 * ? *)", Silence: 1116},
		{Name: "qa", Command: "promote", Schedule: "cron(0 3 1 * ? *)", Silence: 1116},
	}})["cloudformation"]
	// fire does what EventBridge Scheduler does: it fills in the time and sends the input.
	fire := func(environment, month, want string) string {
		t.Helper()
		input := strings.NewReplacer("<aws.scheduler.scheduled-time>", month+"-01T02:00:00Z", "<aws.scheduler.execution-id>", "x").Replace(plan.Schedules[environment].Input)
		return ask(t, f, input, want)
	}
	alarm := func(environment, want string) {
		t.Helper()
		points, err := Points(f.Logs())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := plan.Alarms["skein-failed-"+environment].State(points, time.Now().Add(time.Second)); got != want {
			t.Errorf("the alarm of %s is %s, want %s (%v)", environment, got, want, err)
		}
	}
	work := t.TempDir()
	arrive := func(name string, files map[string]string) {
		t.Helper()
		write(t, work, files)
		for _, args := range [][]string{{"release", "create", name}, {"release", "push", name, "-releases=s3://example-scripts/releases"}} {
			command := exec.Command(lambdatest.Bootstrap(t), args...)
			command.Dir, command.Env = work, append(os.Environ(), s3.Env()...)
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
		}
	}
	arrive("2026.11", map[string]string{"sql/V1__customer.sql": "create table customer (id bigint primary key);"})
	fire("dev", "2026-11", `"status":"succeeded"`)
	fire("qa", "2026-11", `"status":"succeeded"`)
	byHand(t, qa.URL, "create table orders (number text);")

	arrive("2026.12", map[string]string{"sql/V2__orders.sql": "create table orders (id bigint primary key);", "sql/V3__invoice.sql": "create table invoice (id bigint primary key);"})
	fire("dev", "2026-12", `"status":"succeeded"`)
	answer := fire("qa", "2026-12", `"status":"failed"`)
	for _, want := range []string{`"release":"2026.12"`, `"applied":[]`, `"pending":2`, `"target":"qa"`, `"script":"V2__orders.sql"`, `"line":1`, `"sqlstate":"42P07"`, `relation \"orders\" already exists`,
		`"kept":"nothing of V2 was kept`} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer does not say %s: %s", want, answer)
		}
	}
	alarm("dev", OK)
	alarm("qa", Sounds)
	byHand(t, qa.URL, "drop table orders;")
	ask(t, f, `{"command": "promote", "environment": "qa"}`, `"status":"succeeded"`)
	fire("qa", "2027-01", `"status":"nothing"`)

	var told []string
	for _, line := range f.Log() {
		switch {
		case line["event"] == lambda.Finished:
			told = append(told, fmt.Sprintf("%v %v", line["environment"], line["status"]))
			if e, _ := line["error"].(map[string]any); e != nil {
				told[len(told)-1] += fmt.Sprintf(" %v", e["script"])
			}
		case line["status"] == "applied":
			told = append(told, fmt.Sprintf("%v", line["script"]))
		default:
			continue
		}
		if _, timed := line["milliseconds"].(float64); !timed && line["status"] != "applied" {
			t.Errorf("how long it took is missing: %v", line)
		}
	}
	want := []string{
		"V1__customer.sql", "dev succeeded", "V1__customer.sql", "qa succeeded",
		"V2__orders.sql", "V3__invoice.sql", "dev succeeded", "qa failed V2__orders.sql",
		"V2__orders.sql", "V3__invoice.sql", "qa succeeded", "qa nothing",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("the log tells another story: %s", diff)
	}
	t.Log(answer)
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
