package killmatrix

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// bouncer starts PgBouncer in transaction mode, with nothing set for Skein's sake, and gives the database's URL through
// it.
func bouncer(t testing.TB, db *pgtest.DB) string {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
		if _, err := os.Stat(path); err != nil {
			t.Skip("there is no pgbouncer here: .ci/install brings it")
		}
	}
	dir := t.TempDir()
	host, port, err := net.SplitHostPort(address(db))
	if err != nil {
		t.Fatal(err)
	}
	listen := pgtest.FreeAddress(t)
	_, listenPort, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\nauth_type = trust\nauth_file = %s/users\npool_mode = transaction\n", host, port, listenPort, dir)
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{ini: text, filepath.Join(dir, "users"): fmt.Sprintf("%q \"\"\n", u.User.Username())} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for at := dir; at != "/" && at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil { // it gives up being root before it reads the users
			break
		}
	}
	args := []string{ini}
	if os.Geteuid() == 0 {
		args = []string{"-u", "postgres", ini}
	}
	cmd := exec.Command(path, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	u.Host = listen
	if err := eventually("PgBouncer", func() (bool, error) {
		c, err := net.Dial("tcp4", u.Host)
		if err == nil {
			_ = c.Close()
		}
		return err == nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	return u.String()
}

// Through PgBouncer in transaction mode, with no setting: many scripts, index builds, several processes at once, and
// no lock is left behind.
func TestThroughPgBouncer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	through := bouncer(t, db)
	files := []string{
		"V1__a.sql", "create table a(id int primary key, name text);\ninsert into a select n, 'x' from generate_series(1, 1000) n;",
		"V2__b.sql", "create index concurrently a_name on a(name);\ncreate unique index concurrently on a(name, id);\nvacuum a;",
		"V3__c.sql", "begin; insert into a select max(id) + 1 from a; commit;\ninsert into a select max(id) + 1 from a;",
	}
	for i := range 120 {
		files = append(files, fmt.Sprintf("V4.%d__more.sql", i), "set search_path = pg_catalog;\nset work_mem = '9MB';\ninsert into public.a select max(id) + 1 from public.a;")
	}
	dir := folder(t, files...)
	var all []*client
	for range 3 {
		all = append(all, command(t, through, dir, "-mixed=true", "migrate"))
	}
	for i, c := range all {
		if code := c.wait(); code != 0 {
			t.Errorf("process %d: exit code %d\n%s", i, code, c.output.String())
		}
	}
	if got := db.Value(t, "select max(id) || ' ' || count(*) from a"); got != "1122 1122" {
		t.Errorf("rows %s", got)
	}
	if got := db.Value(t, "select count(*) || ' ' || count(distinct version) || ' ' || bool_and(success) from flyway_schema_history"); got != "123 123 true" {
		t.Errorf("history %s", got)
	}
	if got := db.Value(t, "select count(*) from pg_index where indrelid = 'a'::regclass and indisvalid"); got != "3" {
		t.Errorf("%s indexes", got)
	}
	soon(t, db, pgtest.Unlocked)
}

// Lock and fence hold through it: a client is killed while the server works, and the next waits.
func TestKilledBehindPgBouncer(t *testing.T) {
	t.Parallel()
	for name, s := range survivals {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			files := []string{"V1__a.sql", rowsAndGate, "V2__b.sql", s.script, "V3__c.sql", "create table last();"}
			if s.conf != "" {
				files = append(files, "V2__b.sql.conf", s.conf)
			}
			survive(t, db, bouncer(t, db), folder(t, files...), s.gate, s.working)
			onceEach(t, db, s.effect)
		})
	}
}
