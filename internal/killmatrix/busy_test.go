package killmatrix

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// sized is the whole size under make kill-matrix, else one that a plain test can afford.
func sized(whole, small int) int {
	if every > 0 {
		return whole
	}
	return small
}

// ways to the server: straight, and through a pooler.
var roads = map[string]func(testing.TB, *pgtest.DB) string{
	"direct":            func(_ testing.TB, db *pgtest.DB) string { return db.URL },
	"through PgBouncer": func(t testing.TB, db *pgtest.DB) string { return bouncer(t, db) },
}

// AT-1a: three processes at once, one concurrent index build on a large table that is being written to, no setting.
func TestCrowdBuildsAnIndex(t *testing.T) {
	t.Parallel()
	for road, to := range roads {
		t.Run(road, func(t *testing.T) {
			t.Parallel()
			server := pgtest.Server(t, nil)
			db := pgtest.On(t, server)
			rows := sized(1_000_000, 20_000)
			db.Exec(t, fmt.Sprintf("create table big(id int primary key, name text, n int); insert into big select i, 'name ' || i, 0 from generate_series(1, %d) i", rows))
			ctx, stop := context.WithCancel(t.Context())
			var load sync.WaitGroup
			defer load.Wait()
			defer stop()
			writes := make([]int, 4)
			for i := range writes {
				conn := db.Conn(t)
				load.Go(func() { writes[i] = write(ctx, conn, i, rows) })
			}
			dir := folder(t, "V1__i.sql", "create index concurrently big_name on big(name);", "V2__u.sql", "create unique index concurrently on big(name, id);")
			url, began := to(t, db), time.Now()
			var all []*client
			for range 3 {
				all = append(all, command(t, url, dir, "-baselineOnMigrate=true", "-baselineVersion=0", "migrate"))
			}
			for i, c := range all {
				if code := c.wait(); code != 0 {
					t.Errorf("process %d: exit code %d\n%s", i, code, c.output.String())
				}
			}
			took := time.Since(began)
			stop()
			load.Wait()
			if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != "0 1 2" {
				t.Errorf("history %s", got)
			}
			if got := db.Value(t, "select count(*) || ' ' || bool_and(indisvalid) from pg_index where indrelid = 'big'::regclass"); got != "3 true" {
				t.Errorf("indexes %s", got)
			}
			log, err := server.Log()
			if err != nil {
				t.Fatal(err)
			}
			if bad := regexp.MustCompile(`(?m)^.*(ERROR|FATAL|PANIC|deadlock).*$`).FindAllString(log, 5); bad != nil {
				t.Errorf("the server's log: %q", bad)
			}
			written := 0
			for _, n := range writes {
				written += n
			}
			if written == 0 {
				t.Error("nothing was written meanwhile")
			}
			t.Logf("%s: %d rows, %d written meanwhile, %s for 3 processes", road, rows, written, took.Round(100*time.Millisecond))
		})
	}
}

// write changes and adds rows until it is stopped, and tells how many.
func write(ctx context.Context, conn *pgx.Conn, lane, rows int) int {
	n := 0
	for id := lane; ctx.Err() == nil; id = (id + 7919) % rows {
		// Stopped in the middle of a statement it would be an error in the server's log.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "with u as (update big set n = n + 1 where id = $1) insert into big select max(id) + 1 + $2, 'new', 0 from (select max(id) / 4 * 4 + 4 as id from big) m on conflict do nothing", id+1, lane); err != nil {
			return n
		}
		n++
	}
	return n
}

// AT-1d: many runs through PgBouncer, each with something to do, leave no lock behind.
func TestManyRunsThroughPgBouncer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url := bouncer(t, db)
	runs := sized(1000, 24)
	var files []string
	for i := 1; i <= runs; i++ {
		files = append(files, fmt.Sprintf("V%d__x.sql", i), fmt.Sprintf("create table t%d(id int);", i))
	}
	dir := folder(t, files...)
	var workers sync.WaitGroup
	next := make(chan int)
	for range 4 {
		workers.Go(func() {
			for i := range next {
				if c := command(t, url, dir, fmt.Sprintf("-target=%d", i), "migrate"); c.wait() != 0 {
					t.Errorf("run %d: %s", i, c.output.String())
				}
			}
		})
	}
	for i := 1; i <= runs; i++ {
		next <- i
	}
	close(next)
	workers.Wait()
	soon(t, db, pgtest.Unlocked)
	if got := db.Value(t, "select count(*) || ' ' || count(distinct version) from flyway_schema_history"); got != fmt.Sprintf("%d %[1]d", runs) {
		t.Errorf("history %s", got)
	}
	t.Logf("%d runs", runs)
}

// AT-1f: the holder of the lock is killed, and whoever waits goes on without a command, within 15 seconds.
func TestWaiterGoesOnAfterTheHolderIsKilled(t *testing.T) {
	t.Parallel()
	for road, to := range roads {
		t.Run(road, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			url := to(t, db)
			s := survivals["transaction"]
			dir := folder(t, "V1__a.sql", rowsAndGate, "V2__b.sql", s.script, "V3__c.sql", "create table last();")
			if c := command(t, url, dir, "migrate", "-target=1"); c.wait() != 0 {
				t.Fatal(c.output.String())
			}
			first := command(t, url, dir, "migrate")
			soon(t, db, "select exists (select from pg_stat_activity where datname = current_database() and "+s.working+")")
			second := command(t, url, dir, "migrate")
			soon(t, db, "select count(*) > 2 from pg_stat_activity where datname = current_database() and application_name like 'skein%'")
			first.kill()
			killed := time.Now()
			db.Exec(t, s.gate)
			if code := second.wait(); code != 0 {
				t.Fatalf("exit code %d\n%s", code, second.output.String())
			}
			if took := time.Since(killed); took > 15*time.Second {
				t.Errorf("it took %s", took)
			}
			onceEach(t, db, s.effect)
		})
	}
}

// Skein and a real Flyway at once on an empty database: FLYWAY names its launcher.
func TestCrowdWithFlyway(t *testing.T) {
	t.Parallel()
	flyway := os.Getenv("FLYWAY")
	if flyway == "" {
		t.Skip("set FLYWAY to the launcher of a real Flyway")
	}
	db := pgtest.New(t)
	files := []string{"V1__a.sql", "create table a(id int primary key); insert into a values (0);"}
	for i := range 40 {
		files = append(files, fmt.Sprintf("V2.%d__more.sql", i), "insert into a select max(id) + 1 from a; select pg_sleep(0.2);")
	}
	dir := folder(t, files...)
	user, host, _ := strings.Cut(strings.TrimPrefix(db.URL, "postgres://"), "@")
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			out, err := exec.CommandContext(t.Context(), flyway, "-url=jdbc:postgresql://"+host, "-user="+user, "-locations=filesystem:"+dir, "migrate").CombinedOutput()
			if err != nil {
				t.Errorf("Flyway: %v\n%s", err, out)
			}
		})
	}
	// Skein is up much sooner: it comes when a Flyway has begun, and while there is enough left to do for both.
	soon(t, db, "select exists (select from pg_stat_activity where datname = current_database() and application_name ilike any ('{%flyway%,%jdbc%}'))")
	for i := range 4 {
		all.Go(func() {
			if c := command(t, db.URL, dir, "migrate"); c.wait() != 0 {
				t.Errorf("process %d: %s", i, c.output.String())
			}
		})
	}
	all.Wait()
	if got := db.Value(t, "select count(*) || ' ' || max(id) from a"); got != "41 40" {
		t.Errorf("rows %s", got)
	}
	if got := db.Value(t, "select count(*) || ' ' || count(distinct version) || ' ' || bool_and(success) from flyway_schema_history"); got != "41 41 true" {
		t.Errorf("history %s", got)
	}
}
