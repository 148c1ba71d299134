package lambda_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
)

// bucket is the one of a test: its S3 knows the function's own credentials, which are also what it invokes itself with.
const bucket = "shop-scripts"

func bucketFor(t testing.TB) *s3test.Server {
	t.Helper()
	s3 := s3test.Of(t, lambdatest.Region, lambdatest.AccessKey, lambdatest.SecretKey)
	s3.Bucket(bucket, true)
	return s3
}

// shop is a function with the pipeline dev, qa, and releases below a prefix of the bucket.
func shop(t testing.TB, s3 *s3test.Server, prefix, dev, qa string, files map[string]string, o lambdatest.Options, more ...string) *function {
	t.Helper()
	o.NoToken, o.Env = true, append(o.Env, "AWS_ENDPOINT_URL_S3="+s3.Endpoint)
	f := start(t, nil, files, o)
	f.write("skein.toml", fmt.Sprintf(`[environments.dev]
url = %q
[environments.qa]
url = %q
[flyway]
locations = ["filesystem:sql"]
[skein]
pipeline = ["dev", "qa"]
releases = "s3://%s/%s"
%s
`, dev, qa, bucket, prefix, strings.Join(more, "\n")))
	return f
}

// release makes a release of the function's scripts and pushes it, as whoever merges them does.
func (f *function) release(s3 *s3test.Server, name string) {
	f.t.Helper()
	program := lambdatest.Bootstrap(f.t)
	for _, verb := range []string{"create", "push"} {
		command := exec.Command(program, "release", verb, name)
		command.Dir, command.Env = f.dir, append(s3.Env(), "PATH="+os.Getenv("PATH"), "HOME="+f.dir)
		if out, err := command.CombinedOutput(); err != nil {
			f.t.Fatalf("release %s: %v\n%s", verb, err, out)
		}
	}
}

// arrived is the event with which EventBridge tells of a release's manifest.
func arrived(prefix, name string) string {
	return fmt.Sprintf(`{"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created", "source": "aws.s3",
 "detail": {"version": "0", "bucket": {"name": %q}, "object": {"key": "%s/%s/release.json", "version-id": "01", "sequencer": "617f08299329d189"}, "reason": "PutObject"}}`,
		bucket, prefix, name)
}

// scheduled is the input of EventBridge Scheduler as it arrives.
func scheduled(command, environment string) string {
	return fmt.Sprintf(`{"command": %q, "environment": %q, "scheduledTime": "2026-12-01T02:00:00Z", "executionId": "d32c5kddcf5bb8c3"}`, command, environment)
}

// runs counts the answers of each run, by environment and run id.
func (f *function) runs() map[string]int {
	runs := map[string]int{}
	for _, a := range f.answers() {
		runs[a.Environment+" "+a.Run]++
	}
	return runs
}

// late counts how often answers tell of a script that it ended after its invocation, having taken so long.
func (f *function) late(script string, milliseconds int64) int {
	n := 0
	for _, a := range f.answers() {
		for _, s := range a.Applied {
			if s.Detached && s.Script == script && s.Milliseconds >= milliseconds {
				n++
			}
		}
	}
	return n
}

// killed counts the invocations that were.
func (f *function) killed() int {
	n := 0
	for _, i := range f.Invocations() {
		if i.End == lambdatest.Killed {
			n++
		}
	}
	return n
}

// TestReleases: a release arrives in the bucket and is deployed to dev over several invocations, while the same event comes
// again, another one asks for the same, and a newer release arrives. Then a schedule promotes it to qa, on another server,
// and an invocation of that is killed.
func TestReleases(t *testing.T) {
	t.Parallel()
	s3, dev, qa := bucketFor(t), pgtest.New(t), pgtest.On(t, pgtest.Server(t, nil))
	var armed atomic.Bool
	posts := make(chan string, 100)
	told := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var post struct{ Event, Environment string }
		if err := json.NewDecoder(r.Body).Decode(&post); err != nil {
			t.Error(err)
		}
		posts <- post.Event + " " + post.Environment
	}))
	defer told.Close()
	files := slow(5, 300*time.Millisecond)
	files["sql/V3__slow.sql"] = "insert into ran select 3 from pg_sleep(2.5);"
	f := shop(t, s3, "db", dev.URL, qa.URL, files, lambdatest.Options{Timeout: 2 * time.Second, Kill: func(int) time.Duration {
		if armed.Load() {
			return 500 * time.Millisecond
		}
		return 0
	}}, "[skein.notify]", fmt.Sprintf("webhook = %q", told.URL), `webhookSecret = "a-secret"`)
	f.release(s3, "r1")
	f.Send(arrived("db", "r1"))
	f.Send(arrived("db", "r1"))
	f.Send(scheduled("deploy", "dev"))
	for len(f.answers()) == 0 && len(f.DeadLetters()) == 0 { // each of the three has chosen its release before it answers
		time.Sleep(10 * time.Millisecond)
	}
	f.write("sql/V6__later.sql", "insert into ran select 6;")
	f.release(s3, "r2")
	f.Wait(time.Minute)
	once(t, f, dev, 5)
	if runs := f.runs(); len(runs) != 2 || len(f.answers()) < 4 {
		t.Errorf("runs %v: want one of the event that came twice, one of the schedule\n%s", runs, f.story())
	}
	ends := map[string]int{}
	for _, line := range f.finished() {
		ends[fmt.Sprint(line["environment"], " ", line["status"])]++
	}
	for _, a := range f.answers() {
		if a.Release != "r1" && a.Next == nil {
			t.Errorf("deployed %q: %+v", a.Release, a)
		}
	}
	t.Logf("%v, %d invocations", ends, len(f.Invocations()))
	if late := f.late("V3__slow.sql", 2500); late != 1 {
		t.Errorf("the end of the statement that was left behind was told %d times\n%s", late, f.story())
	}
	if ends["dev failed"]+ends["dev blocked"] > 0 || ends["dev succeeded"] == 0 {
		t.Errorf("ends: %v\n%s", ends, f.story())
	}

	armed.Store(true)
	f.Send(scheduled("promote", "qa"))
	f.Wait(time.Minute)
	once(t, f, qa, 5)
	if f.killed() != 1 || len(f.DeadLetters()) != 0 {
		t.Errorf("%d killed, dead letters %q\n%s", f.killed(), f.DeadLetters(), f.story())
	}
	if runs := f.runs(); len(runs) != 3 {
		t.Errorf("runs %v: want one more", runs)
	}
	answers := f.answers()
	if last := answers[len(answers)-1]; last.Status != lambda.StatusSucceeded || last.Environment != "qa" || last.Release != "r1" || last.Pending != 0 {
		t.Errorf("the last: %+v\n%s", last, f.story())
	}
	if a := f.ask(arrived("db", "r1")); a.Status != lambda.StatusNothing {
		t.Errorf("delivered again: %+v", a)
	}
	close(posts)
	events := map[string]int{}
	for post := range posts {
		events[post]++
	}
	if events["done dev"] == 0 || events["done qa"] != 1 || len(events) != 2 {
		t.Errorf("people were told %v: a run that goes on is no end", events)
	}
	a := f.ask(`{"command": "status"}`)
	if len(a.Targets) != 2 || a.Targets[0].Release != "r1" || a.Targets[1].Release != "r1" || cmp.Or(a.Targets[0].Unreachable, a.Targets[1].Unreachable) != "" {
		t.Errorf("status: %+v", a)
	}
}

// TestReleaseFails: a deployment that fails is an answer, and Lambda does not try it again.
func TestReleaseFails(t *testing.T) {
	t.Parallel()
	s3, dev, qa := bucketFor(t), pgtest.New(t), pgtest.New(t)
	f := shop(t, s3, "db", dev.URL, qa.URL, broken, lambdatest.Options{Timeout: 20 * time.Second})
	f.release(s3, "r1")
	f.Send(arrived("db", "r1"))
	f.Wait(time.Minute)
	if n := len(f.Invocations()); n != 1 {
		t.Fatalf("%d invocations\n%s", n, f.story())
	}
	a := f.answers()[0]
	if e := a.Error; a.Status != lambda.StatusFailed || len(a.Applied) != 1 || a.Pending != 2 || a.Release != "r1" || e == nil || e.Target != "dev" || e.Script != "V2__b.sql" || e.SQLState != "42P07" || e.Line != 3 {
		t.Errorf("%+v %+v", a, a.Error)
	}
	if m := f.metrics(); m["RunFailed"] != 1 || m["RunSucceeded"] != 0 {
		t.Errorf("metrics: %v", m)
	}
	if a = f.ask(scheduled("promote", "qa")); a.Status != lambda.StatusBlocked || a.Reasons[0].Gate != "previous" || a.Pending != 0 {
		t.Errorf("what dev has not proved: %+v", a)
	}
	f.write("sql/V2__b.sql", "create table b (id int);")
	f.release(s3, "r2")
	if a = f.ask(arrived("db", "r2")); a.Status != lambda.StatusSucceeded || len(a.Applied) != 2 {
		t.Errorf("mended: %+v %+v", a, a.Error)
	}
	if a = f.ask(`{"command": "promote", "environment": "qa", "release": "r1"}`); a.Status != lambda.StatusFailed || !matches("promote takes the release that", a.Error.Message) {
		t.Errorf("promote by name: %+v", a.Error)
	}
	if a = f.ask(scheduled("promote", "qa")); a.Status != lambda.StatusSucceeded || len(a.Applied) != 3 || a.Release != "r2" {
		t.Errorf("promoted: %+v %+v", a, a.Error)
	}
}

// TestReleaseOutage: a bucket, a database, or one of the environment before that does not answer is waited for, and is then an
// error of the function. Lambda tries again, and by then it answers.
func TestReleaseOutage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ event, away string }{
		"bucket":   {arrived("db", "r1"), "s3"},
		"database": {scheduled("deploy", "dev"), "dev"},
		"before":   {scheduled("promote", "qa"), "dev"},
		"hanging":  {arrived("db", "r1"), "s3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s3, dev, qa := bucketFor(t), pgtest.New(t), pgtest.New(t)
			address := pgtest.FreeAddress(t)
			near := *s3
			devURL, to := dev.URL, strings.TrimPrefix(s3.Endpoint, "http://")
			if c.away == "dev" {
				target, err := pgx.ParseConfig(dev.URL)
				if err != nil {
					t.Fatal(err)
				}
				to = net.JoinHostPort(target.Host, fmt.Sprint(target.Port))
				devURL = strings.Replace(dev.URL, to, address, 1)
			} else {
				near.Endpoint = "http://" + address
			}
			var mute net.Listener // takes calls and answers none
			if name == "hanging" {
				var err error
				if mute, err = net.Listen("tcp", address); err != nil {
					t.Fatal(err)
				}
			}
			o := lambdatest.Options{Timeout: 20 * time.Second, Env: []string{"SKEIN_LAMBDA_WAKE_TIME=300ms"}}
			if mute != nil {
				o.Timeout = 2 * time.Second
			}
			f := shop(t, &near, "db", devURL, qa.URL, map[string]string{"sql/V1__a.sql": "create table a (id int);"}, o)
			f.release(s3, "r1")
			if text, ok := f.Invoke(c.event); ok || !strings.Contains(text, "errorMessage") {
				t.Errorf("nobody there: %t %s", ok, text)
			}
			if m := f.metrics(); m["RunFailed"]+m["RunBlocked"] != 0 {
				t.Errorf("an outage counts as the end of a run: %v", m)
			}
			f.Send(c.event)
			for len(f.Invocations()) < 2 {
				time.Sleep(time.Millisecond)
			}
			if mute != nil {
				_ = mute.Close() // it was only listening
			}
			relay(t, address, to)
			f.Wait(time.Minute)
			if name == "before" { // nothing is there yet to be promoted, and that is an answer
				if a := f.answers(); len(a) != 1 || a[0].Status != lambda.StatusBlocked {
					t.Errorf("%+v\n%s", a, f.story())
				}
				f.ask(scheduled("deploy", "dev"))
				if a := f.ask(c.event); a.Status != lambda.StatusSucceeded {
					t.Errorf("promoted: %+v", a)
				}
				return
			}
			if a := f.answers(); len(a) != 1 || a[0].Status != lambda.StatusSucceeded || len(a[0].Applied) != 1 || len(f.DeadLetters()) > 0 {
				t.Errorf("%+v\n%s", a, f.story())
			}
		})
	}
}

// TestSecretOutage: that nobody answers for a secret is no mistake in the settings, whatever asks for it.
func TestSecretOutage(t *testing.T) {
	t.Parallel()
	dev := pgtest.New(t)
	address := pgtest.FreeAddress(t)
	f := start(t, nil, map[string]string{"sql/V1__a.sql": "create table a (id int);"}, lambdatest.Options{
		Timeout: 20 * time.Second, Env: []string{"SKEIN_LAMBDA_WAKE_TIME=300ms", "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://" + address},
	})
	f.write("skein.toml", `[environments.dev]
url = "aws-secretsmanager:shop/dev"
[skein]
pipeline = ["dev"]
releases = "filesystem:releases"
`)
	f.push("r1")
	events := []string{`{"command": "migrate", "environment": "dev"}`, `{"command": "info", "environment": "dev"}`, `{"command": "deploy", "environment": "dev"}`}
	for _, event := range events {
		if text, ok := f.Invoke(event); ok || !strings.Contains(text, "does not answer") {
			t.Errorf("%s: %t %s", event, ok, text)
		}
	}
	if m := f.metrics(); m["RunFailed"]+m["RunBlocked"] != 0 {
		t.Errorf("an outage counts as the end of a run: %v", m)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	there := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, err := json.Marshal(map[string]string{"SecretString": dev.URL})
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(text) // the function tells when it misses it
	}))
	_ = there.Listener.Close() // another is its
	there.Listener = listener
	there.Start()
	defer there.Close()
	for _, event := range events {
		if a := f.ask(event); a.Error != nil {
			t.Errorf("%s: %+v %+v", event, a, a.Error)
		}
	}
}

// TestReleaseMinutes is a release of a minute, with a statement of twelve seconds, under a limit of five, by arrival to dev and
// by promotion to qa, on two servers; each event comes twice.
func TestReleaseMinutes(t *testing.T) {
	if os.Getenv(runsVariable) != "all" {
		t.Skip("make lambda-runs runs it")
	}
	t.Parallel()
	s3, dev, qa := bucketFor(t), pgtest.New(t), pgtest.On(t, pgtest.Server(t, nil))
	files := slow(48, time.Second)
	files["sql/V24__slow.sql"] = "insert into ran select 24 from pg_sleep(12);"
	f := shop(t, s3, "db", dev.URL, qa.URL, files, lambdatest.Options{Timeout: 5 * time.Second})
	f.release(s3, "r1")
	for _, event := range []string{arrived("db", "r1"), scheduled("promote", "qa")} {
		f.Send(event)
		f.Send(event)
		f.Wait(5 * time.Minute)
	}
	once(t, f, dev, 48)
	once(t, f, qa, 48)
	t.Logf("invocations by run: %v", f.runs())
	if late := f.late("V24__slow.sql", 12000); len(f.runs()) != 2 || len(f.DeadLetters()) != 0 || late != 2 {
		t.Errorf("runs %v, dead letters %q, late %d\n%s", f.runs(), f.DeadLetters(), late, f.story())
	}
}

// TestReleaseKills is TestKills through a release and the deployment of it: fifty moments.
func TestReleaseKills(t *testing.T) {
	if os.Getenv(runsVariable) != "all" {
		t.Skip("make lambda-runs runs it")
	}
	t.Parallel()
	const seed, moments, atOnce = 7, 50, 10
	random := rand.New(rand.NewPCG(seed, seed))
	s3 := bucketFor(t)
	for begun := 0; begun < moments; begun += atOnce {
		var batch []func()
		for i := range atOnce {
			prefix := fmt.Sprintf("kill%d", begun+i)
			batch = append(batch, killedRun(t, random.IntN(2), time.Duration(1+random.IntN(1300))*time.Millisecond, func(files map[string]string, o lambdatest.Options) (*pgtest.DB, *function) {
				dev := pgtest.New(t)
				f := shop(t, s3, prefix, dev.URL, dev.URL, files, o)
				f.release(s3, "r1")
				f.Send(arrived(prefix, "r1"))
				return dev, f
			}))
		}
		for _, end := range batch {
			end()
		}
	}
}
