package lambda_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

// broken is a small plan whose last script fails.
var broken = map[string]string{
	"sql/V1__a.sql": "create table a (id int);",
	"sql/V2__b.sql": "create table b (id int);\n\ncreate table a (id int);",
	"sql/V3__c.sql": "create table c (id int);",
}

// TestFailureIsAnAnswer: Lambda must not try a script again that has failed.
func TestFailureIsAnAnswer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	f := start(t, map[string]string{"dev": db.URL}, broken, lambdatest.Options{Timeout: 20 * time.Second})
	f.Send(`{"command": "migrate", "environment": "dev"}`)
	f.Wait(time.Minute)
	if n := len(f.Invocations()); n != 1 {
		t.Errorf("%d invocations\n%s", n, f.story())
	}
	a := f.answers()[0]
	e := a.Error
	if a.Status != lambda.StatusFailed || len(a.Applied) != 1 || a.Applied[0].Script != "V1__a.sql" || a.Version != "1" || a.Pending != 2 || e == nil {
		t.Fatalf("%+v", a)
	}
	if e.Kind != "sql" || e.Script != "V2__b.sql" || e.Line != 3 || e.SQLState != "42P07" || !strings.Contains(e.Message, `"a" already exists`) || e.Hint == "" ||
		!strings.Contains(e.Kept, "nothing of V2 was kept") {
		t.Errorf("%+v", *e)
	}
	done := f.finished()
	if len(done) != 1 || done[0]["status"] != "failed" || done[0]["environment"] != "dev" || done[0]["error"].(map[string]any)["sqlstate"] != "42P07" {
		t.Errorf("finished: %v", done)
	}
	if m := f.metrics(); m["RunFailed"] != 1 || m["RunSucceeded"] != 0 || m["ScriptsApplied"] != 1 {
		t.Errorf("metrics: %v", m)
	}
	f.write("sql/V2__b.sql", "create table b (id int);")
	if a = f.ask(`{"command": "migrate", "environment": "dev"}`); a.Status != lambda.StatusSucceeded || len(a.Applied) != 2 || a.Pending != 0 {
		t.Errorf("%+v", a)
	}
	if a = f.ask(`{"command": "migrate", "environment": "dev"}`); a.Status != lambda.StatusNothing || len(a.Applied) != 0 {
		t.Errorf("%+v", a)
	}
}

// metrics sums what the function's lines say, by the metrics' names, and checks their form.
func (f *function) metrics() map[string]float64 {
	f.t.Helper()
	sums := map[string]float64{}
	for _, line := range f.Logs() {
		var m struct {
			AWS *struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		var fields map[string]any
		if json.Unmarshal([]byte(line), &m) != nil || m.AWS == nil || json.Unmarshal([]byte(line), &fields) != nil {
			continue
		}
		for _, d := range m.AWS.CloudWatchMetrics {
			if d.Namespace != lambda.Namespace || !matches(`^\[\[Environment\]( \[Environment Target\])?\]$`, fmt.Sprint(d.Dimensions)) || time.Since(time.UnixMilli(m.AWS.Timestamp)) > time.Hour {
				f.t.Errorf("a metric that is not as it is to be: %s", line)
			}
			for _, each := range d.Dimensions[len(d.Dimensions)-1] {
				if s, _ := fields[each].(string); s == "" {
					f.t.Errorf("the dimension %s has no value: %s", each, line)
				}
			}
			for _, each := range d.Metrics {
				value, ok := fields[each.Name].(float64)
				if !ok || lambda.Metrics[each.Name] != each.Unit {
					f.t.Errorf("%s: %s", each.Name, line)
				}
				sums[each.Name] += value
			}
		}
	}
	return sums
}

// TestReadingCommands are info and validate, and requests that cannot be followed.
func TestReadingCommands(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	f := start(t, map[string]string{"dev": db.URL, "default": db.URL}, broken, lambdatest.Options{Timeout: 20 * time.Second})
	f.ask(`{"command": "migrate", "environment": "dev", "target": "1"}`)
	a := f.ask(`{"command": "info", "environment": "dev"}`)
	if a.Status != lambda.StatusSucceeded || a.Version != "1" || a.Pending != 2 || len(a.Migrations) != 3 || a.Migrations[0].State != "Success" || a.Migrations[2].State != "Pending" {
		t.Errorf("info: %+v", a)
	}
	f.write("sql/V1__a.sql", "create table a (id bigint);")
	a = f.ask(`{"command": "validate"}`)
	if a.Status != lambda.StatusFailed || a.Error == nil || a.Error.Kind != "validate" || len(a.Problems) < 1 || a.Problems[0].Code != "CHECKSUM_MISMATCH" {
		t.Errorf("validate: %+v", a)
	}
	before := f.metrics()["RunFailed"]
	for payload, want := range map[string]string{
		`{"command": "migrate", "environment": "prod"}`: "config: .*prod",
		`{"command": "promote", "environment": "dev"}`:  "refused: .*no place for releases is set",
		`{"command": "migrate", "enviroment": "dev"}`:   "internal: .*unknown field",
		`{"command": "info", "release": "a,b"}`:         "internal: .*no name of a release",
		`{"command": "info", "via": "ssm"}`:             "refused: via is ssm, and no instance is set",
	} {
		a := f.ask(payload)
		if a.Status != lambda.StatusFailed || a.Error == nil || !matches(want, a.Error.Kind+": "+a.Error.Message) {
			t.Errorf("%s: %+v", payload, a.Error)
		}
	}
	if got := f.metrics()["RunFailed"] - before; got != 2 {
		t.Errorf("%v failed runs were counted: of a migrate and a promote that were not followed", got)
	}
}

// TestWrappings sends the same migrate in the forms in which the answer is another.
func TestWrappings(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	f := start(t, map[string]string{"dev": db.URL}, map[string]string{"sql/V1__a.sql": "create table a (id int);"}, lambdatest.Options{
		Timeout: 20 * time.Second, Env: []string{"SKEIN_LAMBDA_ON_RELEASE=migrate", "SKEIN_URL=" + db.URL},
	})
	url := func(body string) string {
		text, _ := json.Marshal(body)
		return `{"version": "2.0", "requestContext": {"requestId": "r", "http": {"method": "POST"}, "authorizer": {"iam": {"userArn": "a"}}}, "body": ` + string(text) + `}`
	}
	for _, c := range []struct{ payload, want string }{
		{`{"Records": [{"eventSource": "aws:sqs", "messageId": "m1", "body": "{\"command\": \"migrate\", \"environment\": \"dev\"}"}, {"eventSource": "aws:sqs", "messageId": "m2", "body": "no"}]}`,
			`{"batchItemFailures":[{"itemIdentifier":"m2"}]}`},
		{url(`{"command": "migrate", "environment": "dev"}`), `"statusCode":200`},
		{url(`{"command": "migrate", "environment": "nowhere"}`), `"statusCode":400`},
		{url(`{"command": "promote", "environment": "dev"}`), `"statusCode":422`},
		{`{"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "r1/release.json", "version-id": "1"}}}`,
			`{"status":"nothing","command":"migrate","environment":"default"`},
		{`{"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": "r1/V1__a.sql"}}}`, `"status":"nothing","hop":0`},
	} {
		if got, ok := f.Invoke(c.payload); !ok || !strings.Contains(got, c.want) {
			t.Errorf("%s\n got %s\nwant %s", c.payload, got, c.want)
		}
	}
	if got := db.Value(t, "select count(*) from flyway_schema_history"); got != "1" {
		t.Errorf("%s rows", got)
	}
}

// TestStepFunctions: with "continue": "answer" whoever reads the answer sends what comes next.
func TestStepFunctions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	f := start(t, map[string]string{"dev": db.URL}, slow(4, 600*time.Millisecond), lambdatest.Options{Timeout: 2 * time.Second})
	payload, loops := `{"command": "migrate", "environment": "dev", "continue": "answer"}`, 0
	for {
		a := f.ask(payload)
		if a.Next == nil {
			break
		}
		if a.Status != lambda.StatusContinued && a.Status != lambda.StatusWaiting {
			t.Errorf("%+v", a)
		}
		next, err := json.Marshal(a.Next)
		if err != nil {
			t.Fatal(err)
		}
		payload = string(next)
		if loops++; loops > 20 {
			t.Fatal(f.story())
		}
	}
	once(t, f, db, 4)
	if n := len(f.Invocations()); n != loops+1 || loops == 0 {
		t.Errorf("%d invocations in %d rounds: it has invoked itself", n, loops)
	}
}

// TestOutage: a database that does not answer is waited for, and then an error of the function.
func TestOutage(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	target, err := pgx.ParseConfig(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	address := pgtest.FreeAddress(t)
	late := strings.Replace(db.URL, net.JoinHostPort(target.Host, fmt.Sprint(target.Port)), address, 1)
	f := start(t, map[string]string{"dev": late, "reader": "postgres://u:secret-word@shop.cluster-ro-abc.eu-west-1.rds.amazonaws.com/shop"}, broken, lambdatest.Options{
		Timeout: 20 * time.Second, Env: []string{"SKEIN_LAMBDA_WAKE_TIME=2s"},
	})
	text, ok := f.Invoke(`{"command": "migrate", "environment": "dev"}`)
	if ok || !strings.Contains(text, "errorMessage") {
		t.Errorf("nobody there: %t %s", ok, text)
	}
	if m := f.metrics(); m["RunFailed"] != 0 {
		t.Errorf("an outage counts as a failed run: %v", m)
	}
	a := f.ask(`{"command": "migrate", "environment": "reader"}`)
	if a.Error == nil || a.Error.Kind != "refused" || !strings.Contains(a.Error.Message, "reader endpoint") {
		t.Errorf("reader: %+v", a.Error)
	}
	// The server comes while the function waits for it.
	done := make(chan lambda.Answer)
	go func() { done <- f.ask(`{"command": "migrate", "environment": "dev", "target": "1"}`) }()
	for !strings.Contains(strings.Join(f.Logs(), "\n"), `"hop":0,"requestId":"00000000-0000-4000-8000-000000000003","error"`) {
		time.Sleep(10 * time.Millisecond)
	}
	relay(t, address, net.JoinHostPort(target.Host, fmt.Sprint(target.Port)))
	if a := <-done; a.Status != lambda.StatusSucceeded || len(a.Applied) != 1 {
		t.Errorf("awake: %+v\n%s", a, f.story())
	}
	if all := f.story(); strings.Contains(all, "secret-word") {
		t.Errorf("a password in answers or logs\n%s", all)
	}
}
