package skein_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// cut is a connection that breaks when the server's answers hold the trigger for the n-th time, on whichever of the
// connections that share the count.
type cut struct {
	net.Conn
	trigger []byte
	nth     int32
	seen    *atomic.Int32
}

func (c *cut) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if found := int32(bytes.Count(p[:n], c.trigger)); found > 0 {
		if now := c.seen.Add(found); now >= c.nth && now-found < c.nth {
			return 0, errors.Join(errors.New("cut"), c.Conn.Close())
		}
	}
	return n, err
}

// commitOfRow is the server's answer to the commit after the insert of a history row.
var commitOfRow = []byte("INSERT 0 1\x00" + "1\x00\x00\x00\x04" + "2\x00\x00\x00\x04" + "n\x00\x00\x00\x04" + "C\x00\x00\x00\vCOMMIT\x00")

// After a COMMIT whose answer never came, the history row says what happened.
func TestLostCommitIsDecidedByTheHistory(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "create table b(id int);\ninsert into b values (1);")
	if _, err := migrate(t, db, skein.Config{Source: src, TargetVersion: target("1")}); err != nil {
		t.Fatal(err)
	}
	cfg := skein.Config{Source: src, ReconnectDeadline: -1, Connection: func(context.Context) (*pgx.ConnConfig, error) {
		cc, err := pgx.ParseConfig(db.URL)
		if err != nil {
			return nil, err
		}
		cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return &cut{conn, commitOfRow, 1, new(atomic.Int32)}, err
		}
		return cc, nil
	}}
	_, err := skein.Migrate(context.Background(), cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindConnection || !strings.Contains(e.Kept, "V2 was committed and is recorded as applied") {
		t.Fatalf("error %v", err)
	}
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select count(*) from b"); got != "1" {
		t.Errorf("%s rows", got)
	}
}

func TestLostConnectionInsideAScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src  source.Source
		want string
	}{
		"in a transaction": {scripts("V1__a.sql", "create table a(id int); select pg_terminate_backend(pg_backend_pid());"), "nothing of V1 was kept"},
		"outside": {scripts("V1__a.sql", "create table a(id int); select pg_terminate_backend(pg_backend_pid());", "V1__a.sql.conf", "executeInTransaction=false"),
			"what it did before stays, and the next run goes on from there; it is not recorded as applied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			_, err := migrate(t, db, skein.Config{Source: c.src})
			var e *skein.Error
			if !errors.As(err, &e) || e.Kind != skein.KindConnection || !strings.Contains(e.Kept, c.want) {
				t.Fatalf("error %v", err)
			}
			if history(t, db) != "" {
				t.Error("recorded")
			}
		})
	}
}

func TestLosingTheLockStopsTheRun(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	// The first script ends the lock's backend and takes longer than the lock may go unseen.
	kill := `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database()); select pg_sleep(1.1);`
	_, err := migrate(t, db, skein.Config{ReconnectDeadline: -1, Source: scripts("V1__a.sql", kill, "V2__b.sql", "create table b(id int);")})
	var e *skein.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "the migration lock was lost") {
		t.Fatalf("error %v", err)
	}
	if got := history(t, db); got != "1|1|SQL|V1__a.sql|t\n" {
		t.Errorf("history %s", got)
	}
}

func TestInterruptedRunIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, stop := context.WithCancel(context.Background())
	src := scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "create table b(id int); select pg_sleep(600);")
	cfg := skein.Config{URL: db.URL, Source: src, Report: func(e skein.Event) {
		if s, ok := e.(skein.StepStarted); ok && s.Script.Path == "V2__b.sql" {
			stop()
		}
	}}
	_, err := skein.Migrate(ctx, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindInterrupted {
		t.Fatalf("error %v", err)
	}
	// Nobody waits for a closed connection's backend: its lock goes with it, a moment later.
	soon(t, db, pgtest.Unlocked)
	if got := history(t, db); got != "1|1|SQL|V1__a.sql|t\n" {
		t.Errorf("history %s", got)
	}
}

// soon asks until the answer is true.
func soon(t *testing.T, db *pgtest.DB, question string) {
	t.Helper()
	tick, end := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for db.Value(t, question) != "t" {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after a minute it is still not so: %s", question)
		}
	}
}

func TestServerNoticesAndQueryResultsAreEvents(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var got []string
	report := func(e skein.Event) {
		switch e := e.(type) {
		case skein.Notice:
			got = append(got, e.Severity+" "+e.Text)
		case skein.QueryResult:
			got = append(got, strings.Join(e.Columns, ",")+"="+*e.Rows[0][0])
		case skein.StatementDone:
			got = append(got, e.Tag)
		}
	}
	src := scripts("V1__a.sql", "do $$ begin raise notice 'hello'; raise warning 'careful'; end $$; select 7 as n; create table a as select 1;")
	if _, err := migrate(t, db, skein.Config{Source: src, Report: report}); err != nil {
		t.Fatal(err)
	}
	if want := "NOTICE hello;WARNING careful;DO;n=7;SELECT 1;SELECT 1"; strings.Join(got, ";") != want {
		t.Errorf("events %q", got)
	}
}

func TestIgnoredJavaMigrations(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("V1__a.sql", "select 1;", "V3__c.sql", "select 3;")
	if _, err := migrate(t, db, skein.Config{Source: src, TargetVersion: migration.Target{}}); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "update flyway_schema_history set installed_rank = 3 where version = '3'; insert into flyway_schema_history values (2, '2', 'in java', 'JDBC', 'db.migration.V2__InJava', null, 'x', now(), 1, true)")
	if _, err := migrate(t, db, skein.Config{Source: src}); err == nil || !strings.Contains(err.Error(), "applied migration not resolved locally: 2") {
		t.Fatalf("error %v", err)
	}
	for _, names := range [][]string{{"2"}, {"*"}} {
		if _, err := migrate(t, db, skein.Config{Source: src, IgnoreJavaMigrations: names}); err != nil {
			t.Error(err)
		}
	}
}

// cutting gives connections that break when the text is about to be sent, and nothing of it is.
func cutting(url, text string) (*pgx.ConnConfig, error) {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &silenced{conn, []byte(text)}, err
	}
	return cc, nil
}

type silenced struct {
	net.Conn
	trigger []byte // what a message of the simple protocol begins with
}

func (c *silenced) Write(p []byte) (int, error) {
	if len(p) > 4 && p[0] == 'Q' && bytes.HasPrefix(p[5:], c.trigger) {
		return 0, errors.Join(errors.New("cut"), c.Conn.Close())
	}
	return c.Conn.Write(p)
}
