package skein_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgserver"
	"github.com/skein-db/skein/internal/pgtest"
)

// query asks a server that is no pgtest.DB.
func query(t *testing.T, url, sql string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(values...))
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return strings.Join(out, "\n")
}

func eventually(t *testing.T, url, question string) {
	t.Helper()
	tick, end := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for query(t, url, question) != "true" {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("after a minute not yet: " + question)
		}
	}
}

// hundred are migrations of which each would fail the second time; every tenth takes a statement that refuses a
// transaction.
func hundred() []string {
	var files []string
	for i := 1; i <= 100; i++ {
		text := fmt.Sprintf("create table t%d(id int); insert into t%d values (1);", i, i)
		if i%10 == 5 {
			text = fmt.Sprintf("create index concurrently i%d on t%d(id);", i, i-1)
		}
		files = append(files, fmt.Sprintf("V%d__x.sql", i), text)
	}
	return files
}

// pair starts a primary and a standby that has each commit before it is acknowledged, and gives a URL of both, the
// standby first.
func pair(t *testing.T) (primary, standby *pgserver.Server, url string) {
	t.Helper()
	primary = pgtest.Server(t, nil)
	standby = pgtest.Standby(t, primary)
	at := primary.URL("postgres")
	eventually(t, at, "select count(*) = 1 from pg_stat_replication where state = 'streaming'")
	query(t, at, "alter system set synchronous_standby_names = '*'")
	query(t, at, "select pg_reload_conf()")
	eventually(t, at, "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'")
	return primary, standby, fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable", standby.Port, primary.Port)
}

// failOver stops the primary as a crash does and makes the standby one.
func failOver(t *testing.T, primary, standby *pgserver.Server) {
	if err := primary.Halt(context.Background(), pgserver.Immediate); err != nil {
		t.Error(err)
	}
	if got := query(t, standby.URL("postgres"), "select pg_promote()"); got != "true" {
		t.Errorf("promoted: %s", got)
	}
}

// TestFailover is AT-12f: the primary goes in the middle of 100 migrations, the standby takes over, and the run ends
// complete with each of them once. It goes when a script begins, or when one is done, with slices of many scripts and of
// one.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]skein.Config{
		"several hosts":       {},
		"each by itself":      {DurableEach: true},
		"one name that moves": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary, standby, url := pair(t)
			var once sync.Once
			var told []string
			c.Source, c.URL = scripts(hundred()...), url
			if name == "one name that moves" {
				c.Connection = moving(primary, standby)
			}
			c.Report = func(e skein.Event) {
				if s, ok := e.(skein.StepDone); ok {
					told = append(told, s.Script.Version.String())
				}
				if s, ok := e.(skein.StepStarted); ok && s.Script.Version.String() == "42" {
					once.Do(func() { failOver(t, primary, standby) })
				}
			}
			result, err := skein.Migrate(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Applied) != 100 || len(result.Remaining) != 0 {
				t.Errorf("%d applied, %d left", len(result.Applied), len(result.Remaining))
			}
			if len(told) != 100 {
				t.Errorf("told of %d: %v", len(told), told)
			}
			at := standby.URL("postgres")
			if got := query(t, at, "select count(*) || ' ' || count(distinct version) || ' ' || max(installed_rank) from flyway_schema_history where success"); got != "100 100 100" {
				t.Errorf("history %s", got)
			}
			if got := query(t, at, "select count(*) from pg_index where indisvalid and indexrelid::regclass::text ~ '^i[0-9]'"); got != "10" {
				t.Errorf("%s indexes", got)
			}
		})
	}
}

// moving gives connections to one name, which leads to the primary as long as there is one, and then to the standby: at
// first still one, that takes no writes.
func moving(primary, standby *pgserver.Server) func(context.Context) (*pgx.ConnConfig, error) {
	return func(context.Context) (*pgx.ConnConfig, error) {
		cc, err := pgx.ParseConfig("postgres://postgres@127.0.0.1:1/postgres?sslmode=disable")
		if err != nil {
			return nil, err
		}
		cc.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", primary.Port))
			if err != nil {
				return d.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", standby.Port))
			}
			return conn, nil
		}
		return cc, nil
	}
}

// What breaks, and where, in runs that go on by themselves.
func TestBrokenConnectionsAreMadeAnew(t *testing.T) {
	t.Parallel()
	// once ends the session the first time that it runs: a sequence is not rolled back.
	const once = "select case when nextval('aside.once') = 1 then pg_terminate_backend(pg_backend_pid()) end;"
	for name, c := range map[string]struct {
		cfg   skein.Config
		files []string
		value string // of a, in the end
	}{
		"in a transaction": {files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "insert into a values (1);" + once, "V3__c.sql", "insert into a values (1);"}, value: "2"},
		"each by itself":   {cfg: skein.Config{DurableEach: true}, files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "insert into a values (1);" + once}, value: "1"},
		"stepwise":         {files: []string{"V1__a.sql", "create table a(id int);" + strings.Repeat("insert into a values (1);", 60) + once}, value: "60"},
		"outside": {files: []string{"V1__a.sql", "create table a(id int); insert into a values (1);" + once + "insert into a values (1);",
			"V1__a.sql.conf", "executeInTransaction=false"}, value: "2"},
		"a group":    {cfg: skein.Config{Group: true}, files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "insert into a values (1);" + once}, value: "1"},
		"the lock's": {files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", endLock, "V3__c.sql", "insert into a values (1); select pg_sleep(0.01);"}, value: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create schema aside; create sequence aside.once")
			c.cfg.Source = scripts(c.files...)
			warned := 0
			c.cfg.Report = func(e skein.Event) {
				if w, ok := e.(skein.Warning); ok && strings.HasPrefix(w.Text, "the connection was lost") {
					warned++
				}
			}
			result, err := migrate(t, db, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, f := range c.files {
				if strings.HasPrefix(f, "V") && strings.HasSuffix(f, ".sql") {
					n++
				}
			}
			if len(result.Applied) != n || warned != 1 {
				t.Errorf("%d of %d applied, %d breaks", len(result.Applied), n, warned)
			}
			if got := db.Value(t, "select count(*) || ' ' || count(distinct version) from flyway_schema_history where type = 'SQL'"); got != fmt.Sprintf("%d %d", n, n) {
				t.Errorf("history %s", got)
			}
			if got := db.Value(t, "select count(*) from a"); got != c.value {
				t.Errorf("%s rows", got)
			}
		})
	}
}
