package pgtest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgserver"
)

func TestMain(m *testing.M) { Main(m) }

func TestDatabasePerTest(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := New(t)
			db.Exec(t, "create table t (id int); insert into t values (1), (2), (null)")
			db.Exec(t, "insert into t values ($1)", 40+i)
			if got, want := db.Value(t, "select sum(id) from t"), fmt.Sprint(43+i); got != want {
				t.Errorf("sum = %s, want %s", got, want)
			}
		})
	}
}

func TestRowsAreText(t *testing.T) {
	t.Parallel()
	db := New(t)
	want := [][]string{{"1", "t", Null, "{a,\"b c\"}", ""}, {"2", "f", "2026-01-31", "{}", "x"}}
	plain := `select * from (values (1, true, null::date, array['a','b c'], ''),
		(2, false, '2026-01-31', '{}', 'x')) as v`
	if diff := cmp.Diff(want, db.Rows(t, plain)); diff != "" {
		t.Errorf("without arguments (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:1], db.Rows(t, plain+" where column1 = $1", 1)); diff != "" {
		t.Errorf("with an argument (-want +got):\n%s", diff)
	}
	if got := db.Rows(t, "select 1; create table last (); insert into last default values"); len(got) != 1 {
		t.Errorf("of several statements: %q, want the rows of the only query", got)
	}
}

func TestSessionIsOneConnection(t *testing.T) {
	t.Parallel()
	db := New(t)
	ask := db.Session(t)
	ask("create temp table kept (id int); insert into kept values (1), (2)")
	if diff := cmp.Diff([][]string{{"2"}}, ask("select id from kept where id > $1", 1)); diff != "" {
		t.Errorf("what the session made (-want +got):\n%s", diff)
	}
	if got := db.Value(t, "select to_regclass('pg_temp.kept')"); got != Null {
		t.Errorf("another connection sees %s", got)
	}
}

// A test may end every session of the server, those with which databases are made too. It does so alone.
func TestSessionsMayBeEnded(t *testing.T) { //nolint:paralleltest // see above
	db := New(t)
	ended := db.Value(t, "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'postgres'")
	if ended == "0" {
		t.Error("no connection was kept for the next database")
	}
	New(t).Exec(t, "create table t ()")
}

func TestDroppedAfterTheTest(t *testing.T) { //nolint:tparallel // what follows the subtest looks at what it left
	t.Parallel()
	var dropped *DB
	var role string
	t.Run("owner", func(t *testing.T) {
		dropped = NewOwned(t)
		conn, err := pgx.Connect(t.Context(), dropped.URL) // stays open
		if err != nil {
			t.Fatal(err)
		}
		_ = conn
		role, _ = dropped.Role(t, "")
		dropped.Exec(t, "create table t (); grant select on t to "+role)
	})
	look := New(t)
	sql := "select (select count(*) from pg_database where datname = $1) + (select count(*) from pg_roles where rolname in ($2, $3))"
	if got := look.Value(t, sql, dropped.Name, dropped.Owner, role); got != "0" {
		t.Errorf("%s of database %s and roles %s, %s are still there", got, dropped.Name, dropped.Owner, role)
	}
}

func TestOwnedByAnOrdinaryRole(t *testing.T) {
	t.Parallel()
	db := NewOwned(t)
	db.Exec(t, "create schema mine; create table mine.t (id int)")
	want := [][]string{{db.Owner, "f", "f", "f"}}
	got := db.Rows(t, "select rolname, rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the owner (-want +got):\n%s", diff)
	}
	name, url := db.Role(t, "createrole")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var user, database string
	if err := conn.QueryRow(t.Context(), "select current_user, current_database()").Scan(&user, &database); err != nil {
		t.Fatal(err)
	}
	if user != name || database != db.Name {
		t.Errorf("connected as %s to %s, want %s to %s", user, database, name, db.Name)
	}
	if _, err := conn.Exec(t.Context(), "select * from mine.t"); err == nil {
		t.Error("the second role may read the owner's table")
	}
}

func TestConnIsOpenAndClosed(t *testing.T) { //nolint:tparallel // what follows the subtest looks at what it left
	t.Parallel()
	db := New(t)
	var conn *pgx.Conn
	t.Run("open", func(t *testing.T) {
		conn = db.Conn(t)
		if err := conn.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if !conn.IsClosed() {
		t.Error("the connection outlived its test")
	}
}

func TestOwnServerCrashes(t *testing.T) {
	t.Parallel()
	s := Server(t, map[string]string{"wal_level": "logical"})
	db := On(t, s)
	db.Exec(t, "create table t as select current_setting('wal_level') as level")
	pid := s.PID()
	s.Kill()
	if err := s.Restart(t.Context(), pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select level from t"); got != "logical" || s.PID() == pid {
		t.Errorf("after the crash: level %s, pid %d; want logical and another pid", got, s.PID())
	}
	if shared := New(t); shared.Value(t, "show port") == fmt.Sprint(s.Port) {
		t.Error("the test's own server is the shared one")
	}
}

func TestOwnServerMayBeEndedByTheTest(t *testing.T) {
	t.Parallel()
	s := Server(t, nil)
	On(t, s)
	if err := s.Halt(t.Context(), pgserver.Immediate); err != nil {
		t.Fatal(err)
	}
}

func TestServerLogAndMajor(t *testing.T) {
	t.Parallel()
	db := New(t)
	db.Exec(t, "do $$ begin raise log 'a line of %', current_database(); end $$")
	if log := ServerLog(t); !strings.Contains(log, "a line of "+db.Name) {
		t.Errorf("the log lacks the line:\n%s", log)
	}
	if got, want := db.Value(t, "select current_setting('server_version_num')::int / 10000"), fmt.Sprint(Major(t)); got != want {
		t.Errorf("the server is a %s, Major says %s", got, want)
	}
}

func TestChosenBinDir(t *testing.T) {
	ctx := t.Context()
	t.Setenv(pgserver.EnvBinDir, "")
	t.Setenv(envPostgres, "/some/where/bin")
	if dir, err := chosenBinDir(ctx); dir != "/some/where/bin" || err != nil {
		t.Errorf("a folder: %s, %v", dir, err)
	}
	t.Setenv(envPostgres, "3")
	if dir, err := chosenBinDir(ctx); err == nil || !strings.Contains(err.Error(), "internal/pgtest/fetch 3") {
		t.Errorf("a major that nobody has: %s, %v", dir, err)
	}
	found, err := pgserver.Find(ctx)
	if err != nil || len(found) == 0 {
		t.Skip("no PostgreSQL is installed to choose by its major version")
	}
	t.Setenv(envPostgres, fmt.Sprint(found[0].Major))
	if dir, err := chosenBinDir(ctx); dir != found[0].BinDir || err != nil {
		t.Errorf("%d: %s, %v; want %s", found[0].Major, dir, err, found[0].BinDir)
	}
}

func TestMemoryDirIsUsed(t *testing.T) {
	t.Parallel()
	dir := pgserver.MemoryDir()
	if dir == "" {
		t.Skip("this system has no roomy folder in memory")
	}
	if got := New(t).Value(t, "show data_directory"); !strings.HasPrefix(got, dir+string(os.PathSeparator)) {
		t.Errorf("the data is in %s, want it in %s", got, dir)
	}
}
