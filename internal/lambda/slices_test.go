package lambda_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

// slow is a plan of n scripts of one statement each, every one of which takes so long and counts itself.
func slow(n int, each time.Duration) map[string]string {
	files := map[string]string{"sql/V0__ran.sql": "create table ran (script int, at timestamptz default clock_timestamp());"}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("sql/V%d__slow.sql", i)] = fmt.Sprintf("insert into ran select %d from pg_sleep(%f);", i, each.Seconds())
	}
	return files
}

// once checks that each of n scripts ran once, in their order.
func once(t *testing.T, f *function, db *pgtest.DB, n int) {
	t.Helper()
	if got := db.Value(t, "select count(*) || '/' || count(distinct script) || '/' || (select count(*) from flyway_schema_history where success) from ran"); got != fmt.Sprintf("%d/%d/%d", n, n, n+1) {
		t.Errorf("statements/scripts/rows: %s\n%s", got, f.story())
	}
	if got := db.Value(t, "select coalesce(sum(case when script < prev then 1 else 0 end), 0) from (select script, lag(script) over (order by at) as prev from ran) x"); got != "0" {
		t.Errorf("not in order\n%s", f.story())
	}
}

// TestManySlices is a plan that is far longer than the function may be.
func TestManySlices(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	f := start(t, map[string]string{"dev": db.URL}, slow(8, 700*time.Millisecond), lambdatest.Options{Timeout: 3 * time.Second})
	f.Send(`{"command": "migrate", "environment": "dev"}`)
	f.Wait(time.Minute)
	once(t, f, db, 8)
	runs := map[string]bool{}
	applied, last := 0, ""
	for i, a := range f.answers() {
		runs[a.Run] = true
		if a.Hop != i || a.AppliedBefore != applied {
			t.Errorf("answer %d: hop %d, %d before", i, a.Hop, a.AppliedBefore)
		}
		applied += len(a.Applied)
		last = a.Status
	}
	if len(runs) != 1 || applied != 9 || last != "succeeded" || len(f.answers()) < 3 {
		t.Errorf("%d run ids, %d applied, last %s\n%s", len(runs), applied, last, f.story())
	}
	if done := f.finished(); len(done) != 1 || done[0]["status"] != "succeeded" || done[0]["applied"] != 9.0 {
		t.Errorf("finished: %v", done)
	}
}

// TestLongStatement is one statement that takes longer than the function may: the server finishes it on its own.
func TestLongStatement(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	files := slow(3, 10*time.Millisecond)
	files["sql/V2__slow.sql"] = "do $$ begin raise notice 'a notice would end it'; end $$; insert into ran select 2 from pg_sleep(4); do $$ begin raise notice 'as would this'; end $$;"
	files["sql/V3__slow.sql"] = "insert into ran select 3 from pg_sleep(2.5);" // begun by the invocation that sees the end of V2
	f := start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{Timeout: 2 * time.Second})
	f.Send(`{"command": "migrate", "environment": "dev"}`)
	f.Wait(time.Minute)
	once(t, f, db, 3)
	waited := false
	for _, a := range f.answers() {
		waited = waited || a.Status == lambda.StatusWaiting
	}
	detached := f.late("V2__slow.sql", 4000) == 1 && f.late("V3__slow.sql", 2500) == 1
	if done := f.finished(); !waited || !detached || len(done) != 1 || done[0]["status"] != "succeeded" || done[0]["applied"] != 4.0 {
		t.Errorf("waited %t, detached %t, finished %v\n%s", waited, detached, done, f.story())
	}
	for _, i := range f.Invocations() {
		if i.End != lambdatest.Answered {
			t.Errorf("an invocation %s: the function is to let go before its deadline\n%s", i.End, f.story())
		}
	}
}

// TestDuplicates are deliveries of the same event, one after the other and at the same time, and another event meanwhile.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	f := start(t, map[string]string{"dev": db.URL}, slow(5, 500*time.Millisecond), lambdatest.Options{Timeout: 3 * time.Second})
	event := `{"command": "migrate", "environment": "dev", "scheduledTime": "2026-11-01T02:00:00Z", "executionId": "%s"}`
	f.Send(fmt.Sprintf(event, "a"))
	f.Send(fmt.Sprintf(event, "b"))
	f.Send(`{"command": "migrate", "environment": "dev"}`)
	f.Wait(time.Minute)
	once(t, f, db, 5)
	runs := map[string]bool{}
	for _, a := range f.answers() {
		runs[a.Run] = true
	}
	if len(runs) != 2 {
		t.Errorf("%d run ids, want 2: one of the event that came twice, one of the other\n%s", len(runs), f.story())
	}
	a := f.ask(fmt.Sprintf(event, "c"))
	if a.Status != lambda.StatusNothing || !runs[a.Run] {
		t.Errorf("delivered again: %+v", a)
	}
	once(t, f, db, 5)
	if dead := f.DeadLetters(); len(dead) != 0 {
		t.Errorf("dead letters: %q\n%s", dead, f.story())
	}
}

// TestKills breaks runs at moments all over their time: one invocation of each is killed as by the machine under it. Six
// moments by default, fifty with SKEIN_LAMBDA_RUNS=all.
func TestKills(t *testing.T) {
	t.Parallel()
	moments := 6
	if os.Getenv(runsVariable) == "all" {
		moments = 50
	}
	const seed, atOnce = 6, 10
	random := rand.New(rand.NewPCG(seed, seed))
	for begun := 0; begun < moments; begun += atOnce {
		// They wait for the server most of their time, so some go on at the same time.
		var batch []func()
		for range min(atOnce, moments-begun) {
			batch = append(batch, killedRun(t, random.IntN(2), time.Duration(1+random.IntN(1300))*time.Millisecond, func(files map[string]string, o lambdatest.Options) (*pgtest.DB, *function) {
				db := pgtest.New(t)
				f := start(t, map[string]string{"dev": db.URL}, files, o)
				f.Send(`{"command": "migrate", "environment": "dev"}`)
				return db, f
			}))
		}
		for _, end := range batch {
			end()
		}
	}
}

// killedRun begins a run whose which-th invocation, or the next that lasts so long, is killed after a time, and gives what waits for its end and judges it.
func killedRun(t *testing.T, which int, after time.Duration, begin func(map[string]string, lambdatest.Options) (*pgtest.DB, *function)) func() {
	files := slow(6, 300*time.Millisecond)
	files["sql/V3.1__outside.sql"] = "create index concurrently ran_script on ran (script);"
	files["sql/V4__slow.sql"] = "insert into ran select 4 from pg_sleep(2.5);"
	db, f := begin(files, lambdatest.Options{Timeout: 2 * time.Second, Kill: func(i int) time.Duration {
		if i >= which {
			return after
		}
		return 0
	}})
	return func() {
		f.Wait(2 * time.Minute)
		if got := db.Value(t, "select string_agg(script::text, ' ' order by at) || ', ' || (select count(*) from flyway_schema_history where success) from ran"); got != "1 2 3 4 5 6, 8" {
			t.Errorf("invocation %d killed after %s: %s\n%s", which, after, got, f.story())
		}
		runs, deaths := f.runs(), f.killed()
		if deaths < 1 || len(runs) != 1 || len(f.finished()) < 1 || len(f.DeadLetters()) > 0 {
			t.Errorf("invocation %d killed after %s: %d run ids, finished %v\n%s", which, after, len(runs), f.finished(), f.story())
		}
		t.Logf("invocation %d, %s: %d killed, %d in all", which, after, deaths, len(f.Invocations()))
	}
}

// runsVariable asks for the runs in their full length: make lambda-runs.
const runsVariable = "SKEIN_LAMBDA_RUNS"

// TestMinutes is the plan of a minute under a limit of five seconds on two servers, and the statement of twelve seconds.
func TestMinutes(t *testing.T) {
	if os.Getenv(runsVariable) != "all" {
		t.Skip("make lambda-runs runs it")
	}
	t.Parallel()
	dev, qa := pgtest.New(t), pgtest.On(t, pgtest.Server(t, nil))
	files := slow(48, time.Second)
	files["sql/V24__slow.sql"] = "insert into ran select 24 from pg_sleep(12);"
	f := start(t, map[string]string{"dev": dev.URL, "qa": qa.URL}, files, lambdatest.Options{Timeout: 5 * time.Second})
	f.Send(`{"command": "migrate", "environment": "dev", "key": "release 1"}`)
	f.Send(`{"command": "migrate", "environment": "qa", "key": "release 1"}`)
	f.Send(`{"command": "migrate", "environment": "qa", "key": "release 1"}`)
	f.Wait(5 * time.Minute)
	once(t, f, dev, 48)
	once(t, f, qa, 48)
	runs := map[string]int{}
	for _, a := range f.answers() {
		runs[a.Environment+" "+a.Run]++
	}
	t.Logf("invocations by run: %v", runs)
	if len(runs) != 2 || len(f.DeadLetters()) != 0 {
		t.Errorf("runs %v, dead letters %q\n%s", runs, f.DeadLetters(), f.story())
	}
}

// TestAttached: a script that ends with the function is refused where it is known to take longer, and given up where it
// turns out to.
func TestAttached(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"sql/V1__nap.sql":  "create procedure nap(s float) language plpgsql as $$ begin perform pg_sleep(s); end $$;",
		"sql/V2__call.sql": "call nap(3);",
	}
	t.Run("known", func(t *testing.T) {
		t.Parallel()
		db := pgtest.New(t)
		f := start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{Timeout: 2 * time.Second})
		a := f.ask(`{"command": "migrate", "environment": "dev", "expected": {"V1__nap.sql": 60, "V2__call.sql": 600}}`)
		if a.Status != lambda.StatusFailed || len(a.Applied) != 1 || a.Error == nil || a.Error.Code != "TOO_LONG" || a.Error.Script != "V2__call.sql" ||
			!strings.Contains(a.Error.Hint, `"via": "ssm"`) || !strings.Contains(a.Error.Message, "expected to take 10m0s") {
			t.Errorf("%+v %+v", a, a.Error)
		}
		if n := len(f.Invocations()); n != 1 {
			t.Errorf("%d invocations", n)
		}
	})
	t.Run("found out", func(t *testing.T) {
		t.Parallel()
		db := pgtest.New(t)
		f := start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{Timeout: 2 * time.Second})
		f.Send(`{"command": "migrate", "environment": "dev"}`)
		f.Wait(time.Minute)
		all := f.answers()
		a := all[len(all)-1]
		if len(all) != 2 || a.Status != lambda.StatusFailed || a.Error == nil || a.Error.Code != "GIVEN_UP" || a.Pending != 1 ||
			!strings.Contains(a.Error.Message, "V2__call.sql had the whole time") || !strings.Contains(a.Error.Hint, `"via": "ssm"`) {
			t.Errorf("%+v\n%s", a.Error, f.story())
		}
		if done := f.finished(); len(done) != 1 || done[0]["status"] != "failed" {
			t.Errorf("finished: %v", done)
		}
	})
}
