package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgserver"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

func TestOpenPreparesTheSession(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role := "app_" + db.Name
	db.Exec(t, "create role "+role)
	t.Cleanup(func() { db.Exec(t, "drop role "+role) })
	var notices []string
	c := open(t, db.URL, postgres.Options{
		Role: role, InitSQL: "set lock_timeout = '3s'; do $$ begin raise notice 'as %', current_user; raise warning using message = 'w', errcode = 'X0001'; end $$",
		ApplicationName: "skein", OnNotice: func(severity, code, message string) { notices = append(notices, severity+" "+code+" "+message) },
	})
	if want := []string{"NOTICE 00000 as " + role, "WARNING X0001 w"}; !slices.Equal(notices, want) {
		t.Errorf("notices %q, want %q", notices, want)
	}
	for query, want := range map[string]string{
		"select current_user": role, "show lock_timeout": "3s", "show application_name": "skein", "show client_encoding": "UTF8",
		"select pg_backend_pid()": fmt.Sprint(c.PID()),
	} {
		if got := ask(t, c, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	if c.Host() != u.Host {
		t.Errorf("host %s, want %s", c.Host(), u.Host)
	}
	own := open(t, db.URL+"&application_name=mine&TimeZone=Asia/Kolkata", postgres.Options{ApplicationName: "skein"})
	if name, zone := ask(t, own, "show application_name"), ask(t, own, "show timezone"); name != "mine" || zone != "Asia/Kolkata" {
		t.Errorf("the URL's application name and time zone became %s, %s", name, zone)
	}
}

// A session takes the client's time zone; a zone that the server does not know by name, by its offset.
func TestOpenTakesTheClientsZone(t *testing.T) {
	db := pgtest.New(t)
	cases := []struct {
		name       string
		zone       *time.Location
		tz, ending string // TZ, and how "show timezone" ends
	}{
		{"east by name", mustZone(t, "Asia/Kolkata"), "Asia/Kolkata", "Asia/Kolkata"},
		{"as a file", mustZone(t, "America/St_Johns"), ":America/St_Johns", "America/St_Johns"},
		{"unknown to the server, east", time.FixedZone("Nowhere", 5*3600+45*60), "Nowhere/East", "-05:45"},
		{"unknown to the server, west", time.FixedZone("Nowhere", -(9*3600 + 30*60)), "Nowhere/West", "+09:30"},
	}
	before := time.Local
	t.Cleanup(func() { time.Local = before })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("TZ", c.tz)
			time.Local = c.zone
			conn := open(t, db.URL, postgres.Options{})
			if got := ask(t, conn, "show timezone"); !strings.HasSuffix(got, c.ending) {
				t.Errorf("the session's time zone is %s, want …%s", got, c.ending)
			}
			_, offset := time.Now().Zone()
			if got := ask(t, conn, "select extract(timezone from now())::int"); got != fmt.Sprint(offset) {
				t.Errorf("the session is %s s east of UTC, the client %d", got, offset)
			}
		})
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Skip("no time zone database on this machine: ", err)
	}
	return zone
}

func TestConnectFailures(t *testing.T) {
	t.Parallel()
	s, err := pgserver.Start(t.Context(), pgserver.Options{BinDir: pgtest.BinDir(t), Dir: pgserver.MemoryDir(), Password: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	nobody := pgtest.FreeAddress(t)
	there := fmt.Sprintf("127.0.0.1:%d", s.Port)
	for name, c := range map[string]struct{ url, where, state string }{
		"wrong password":  {"postgres://postgres:canary@" + there + "/postgres", there, "28P01"},
		"unknown role":    {"postgres://stranger:canary@" + there + "/postgres", there, "28P01"},
		"unknown base":    {"postgres://postgres:" + s.Password + "@" + there + "/gone", there, "3D000"},
		"nobody listens":  {"postgres://postgres:canary@" + nobody + "/postgres", nobody, ""},
		"one of two":      {"postgres://postgres:canary@" + nobody + "," + there + "/postgres", nobody + ", " + there, "28P01"},
		"encryption only": {"postgres://postgres:" + s.Password + "@" + there + "/postgres?sslmode=require", there, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := postgres.Open(t.Context(), config(t, c.url), postgres.Options{})
			if err == nil {
				conn.Close()
			}
			f, ok := errors.AsType[*postgres.ConnectFailure](err)
			if !ok || f.Where != c.where || f.State != c.state || f.User == "" {
				t.Fatalf("%#v (%v), want where %s, state %q", f, err, c.where, c.state)
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), s.Password) {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
	if got := ask(t, open(t, s.URL("postgres"), postgres.Options{}), "select 1"); got != "1" {
		t.Errorf("with the right password: %s", got)
	}
}

func TestInitSQLFails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, err := postgres.Open(t.Context(), config(t, db.URL), postgres.Options{ApplicationName: "refused", InitSQL: "select 1; select nonsense"})
	if bad, ok := errors.AsType[*postgres.StatementError](err); !ok || bad.Index != 1 || bad.Err.Code != "42703" {
		t.Errorf("got %v", err)
	}
	if _, err := postgres.Open(t.Context(), config(t, db.URL), postgres.Options{Role: `no "such`}); err == nil || !strings.Contains(err.Error(), `no "such`) {
		t.Errorf("an unknown role: %v", err)
	}
}

func TestExecTellsEachStatement(t *testing.T) {
	t.Parallel()
	c := open(t, pgtest.New(t).URL, postgres.Options{})
	var got []string
	err := c.ExecRows(t.Context(), "create table t(a int, b text); insert into t values (1, null), (2, 'x'), (3, ''); ; select b, a from t order by a; nonsense()", 2, func(r postgres.Result) {
		got = append(got, fmt.Sprint(r.Index, " ", r.Tag, " ", r.Rows, " ", r.Columns, " ", len(r.Values)))
	})
	if err == nil || got != nil {
		t.Errorf("a message with a syntax error: %q, %v; want nothing done", got, err)
	}
	err = c.ExecRows(t.Context(), "create table t(a int, b text); insert into t values (1, null), (2, 'x'), (3, ''); ; select b, a from t order by a; select 1/0; select 2", 2, func(r postgres.Result) {
		got = append(got, fmt.Sprint(r.Index, " ", r.Tag, " ", r.Rows, " ", r.Columns, " ", len(r.Values)))
	})
	if bad, ok := errors.AsType[*postgres.StatementError](err); !ok || bad.Index != 3 || bad.Err.Code != "22012" {
		t.Errorf("error %v, want division by zero in statement 3", err)
	}
	if want := []string{"0 CREATE TABLE 0 [] 0", "1 INSERT 0 3 3 [] 0", "2 SELECT 3 3 [b a] 2"}; !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}
}

func TestCopyInAndTransactions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	c := open(t, db.URL, postgres.Options{})
	run(t, c, "create table t(a int, b text)")
	if r, err := c.CopyIn(t.Context(), "copy t from stdin", "1\té\n2\t\\N\n"); err != nil || r.Rows != 2 || r.Tag != "COPY 2" {
		t.Errorf("copy: %+v, %v", r, err)
	}
	if state := transaction(c); state != "none" {
		t.Errorf("transaction: %s", state)
	}
	run(t, c, "begin")
	if state := transaction(c); state != "open" {
		t.Errorf("after begin the transaction is %s", state)
	}
	_, err := c.CopyIn(t.Context(), "copy t from stdin", "x\ty\n")
	if bad, ok := errors.AsType[*postgres.StatementError](err); !ok || bad.Err.Code != "22P02" {
		t.Errorf("a bad row: %v", err)
	}
	if state := transaction(c); state != "failed" {
		t.Errorf("after an error the transaction is %s", state)
	}
	if err := c.Rollback(t.Context()); err != nil || transaction(c) != "none" {
		t.Errorf("after Rollback the transaction is %s, %v", transaction(c), err)
	}
	if n := ask(t, c, "select count(*) from t"); n != "2" {
		t.Errorf("%s rows", n)
	}
	db.Exec(t, "select pg_terminate_backend($1)", int(c.PID()))
	if err := c.Exec(t.Context(), "select 1", nil); err == nil || !c.Lost() {
		t.Errorf("the lost connection: %v, lost %v", err, c.Lost())
	}
	if err := c.Rollback(t.Context()); err != nil {
		t.Errorf("Rollback on a lost connection: %v", err)
	}
}

func transaction(c *postgres.Conn) string {
	switch open, failed := c.InTransaction(); {
	case failed:
		return "failed"
	case open:
		return "open"
	}
	return "none"
}

// A context that ends cancels the statement, and the connection stays of use.
func TestCancelledStatement(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	c := open(t, db.URL, postgres.Options{OnNotice: func(string, string, string) {}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watcher := db.Conn(t)
	go cancelOnce(ctx, watcher, c.PID(), cancel)
	err := c.Exec(ctx, "select pg_sleep(600)", nil)
	if bad, ok := errors.AsType[*postgres.StatementError](err); !ok || bad.Err.Code != "57014" {
		t.Errorf("error %v, want query_canceled", err)
	}
	if got := ask(t, c, "select 7"); got != "7" {
		t.Errorf("afterwards: %s", got)
	}
}

// cancelOnce cancels when the backend is seen to sleep.
func cancelOnce(ctx context.Context, watcher *pgx.Conn, pid uint32, cancel func()) {
	for asleep := false; !asleep; {
		err := watcher.QueryRow(ctx, "select coalesce(wait_event = 'PgSleep', false) from pg_stat_activity where pid = $1", int(pid)).Scan(&asleep)
		if err != nil {
			break
		}
	}
	cancel()
}
