package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// watch --once says with its exit code what to make of the run.
func TestWatchOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	once := func(program string, more ...string) (string, int) {
		var out, err bytes.Buffer
		code := Main(t.Context(), Process{
			Args: append([]string{program, "-url=" + db.URL, "watch", "-once", "-watch.stalledAfter=1"}, more...), Dir: t.TempDir(), Stdout: &out, Stderr: &err,
		})
		return out.String() + err.String(), code
	}
	check := func(code int, wants []string, program string, more ...string) {
		t.Helper()
		got, ended := once(program, more...)
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s %v: no %q in\n%s", program, more, want, got)
			}
		}
		if ended != code {
			t.Errorf("%s %v ended with %d, not %d", program, more, ended, code)
		}
	}
	check(0, []string{"nothing running: nobody holds the migration lock\n", `"public"."flyway_schema_history": version none, 0 applied` + "\n"}, "skein")
	check(0, []string{`"verdict" : "nothing running"`, `"worker" : null`, `"pending" : null`}, "skein", "-outputType=json")

	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "set application_name = 'Flyway'; begin; select pg_try_advisory_xact_lock(77433833903597)"); err != nil {
		t.Fatal(err)
	}
	for db.Value(t, "select (clock_timestamp() - state_change > interval '1 s')::text from pg_stat_activity where application_name = 'Flyway' and datname = current_database()") != "true" {
	} // the lock is to be as old as stalledAfter says
	check(22, []string{"stalled: pid ", " has been idle in transaction for ", "held by pid "}, "skein")
	check(22, []string{`"verdict" : "stalled"`, `"application" : "Flyway"`}, "skein", "-outputType=json")
	check(1, []string{"stalled: pid "}, "flyway")

	_, url := db.Role(t, "")
	db.URL = url
	check(24, []string{"unseen: ", "pg_read_all_stats"}, "skein")
}
