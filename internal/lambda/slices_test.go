package lambda_test

import (
	"fmt"
	"testing"
	"time"

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
