package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// testLimit is far more than anything here takes; reaching it is a failure.
const testLimit = 2 * time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// baseDir is like t.TempDir, but root's PostgreSQL user can reach it.
func baseDir(t *testing.T) string {
	t.Helper()
	tmp, err := MemoryDir(), error(nil)
	if tmp == "" {
		tmp, err = serverAccount().tempDir()
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(tmp, "pgserver-test-") //nolint:usetesting // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// begin starts a server that is stopped after the test. Unless the options say
// where and how its cluster is made, it is in memory, a copy of one made before.
func begin(t *testing.T, o Options) *Server {
	t.Helper()
	if cache, err := CacheDir(); err != nil {
		t.Fatal(err)
	} else if o.InitCache == "" && o.InitArgs == nil {
		o.InitCache = filepath.Join(cache, "pgtest")
	}
	if o.Dir == "" {
		o.Dir = MemoryDir()
	}
	s, err := Start(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn := connect(t, url)
	var text string
	if err := conn.QueryRow(testContext(t), sql).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if err := conn.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return text
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn := connect(t, url)
	if _, err := conn.Exec(testContext(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if err := conn.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	base := baseDir(t)
	var phases []string
	s := begin(t, Options{
		Dir:      base,
		InitArgs: []string{"--auth=trust"}, // so that initdb runs
		Settings: map[string]string{"work_mem": "7MB", "application_name": `it's a \ test`},
		Progress: func(p string) { phases = append(phases, p) },
	})
	for sql, want := range map[string]string{
		"select current_setting('server_version_num')::int / 10000 || ''": fmt.Sprint(s.Major),
		"show work_mem":         "7MB",
		"show data_directory":   s.DataDir,
		"show listen_addresses": "127.0.0.1",
		"show server_encoding":  "UTF8",
		"show fsync":            "on",
		"select boot_val || reset_val from pg_settings where name = 'application_name'": `it's a \ test`,
	} {
		if got := query(t, s.URL("postgres"), sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if want := []string{"creating a database cluster", "starting PostgreSQL " + s.Version}; !slices.Equal(phases, want) {
		t.Errorf("phases = %q, want %q", phases, want)
	}
	if s.SocketDir != "" {
		socket := fmt.Sprintf("postgres:///postgres?host=%s&port=%d&user=postgres", url.QueryEscape(s.SocketDir), s.Port)
		if got := query(t, socket, "select coalesce(host(inet_client_addr()), 'socket')"); got != "socket" {
			t.Errorf("connected from %s, want the unix socket", got)
		}
	}
	exited := s.Exited()
	if err := s.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	<-exited
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("left in %s: %v, %v", base, left, err)
	}
	if s.PID() != 0 {
		t.Errorf("PID after Stop is %d, want 0", s.PID())
	}
}

func TestPasswordIsDemanded(t *testing.T) {
	t.Parallel()
	s := begin(t, Options{Password: true})
	sql := "select string_agg(distinct auth_method, ',') from pg_hba_file_rules"
	if got := query(t, s.URL("postgres"), sql); got != "scram-sha-256" {
		t.Errorf("methods in pg_hba.conf: %s, want scram-sha-256 alone", got)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "password")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the password file is still there: %v", err)
	}
	conn, err := pgx.Connect(testContext(t), strings.Replace(s.URL("postgres"), s.Password, "wrong", 1))
	if err == nil {
		_ = conn.Close(testContext(t))
		t.Error("a wrong password was accepted")
	}
}

func TestTwoServersShareAFolder(t *testing.T) {
	t.Parallel()
	base := baseDir(t)
	a := begin(t, Options{Dir: base})
	b := begin(t, Options{Dir: base})
	if a.Port == b.Port || a.DataDir == b.DataDir {
		t.Fatalf("two servers share port %d or folder %s", a.Port, a.DataDir)
	}
	execute(t, a.URL("postgres"), "create database only_a")
	sql := "select count(*)::text from pg_database where datname = 'only_a'"
	if got := query(t, a.URL("postgres"), sql) + query(t, b.URL("postgres"), sql); got != "10" {
		t.Errorf("the database is on the servers %s times, want 10", got)
	}
}

// heldPort is a port that something else listens on.
func heldPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	base, taken := baseDir(t), heldPort(t)
	_, err := Start(testContext(t), Options{Dir: base, Port: taken})
	if !errors.Is(err, errPortTaken) || !strings.Contains(err.Error(), fmt.Sprintf("127.0.0.1:%d", taken)) {
		t.Errorf("error %v does not name the taken port %d", err, taken)
	}
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("a failed start left %v, %v", left, err)
	}
}

func TestLostPortRaceIsRetried(t *testing.T) {
	t.Parallel()
	s := begin(t, Options{})
	if err := s.Halt(testContext(t), Fast); err != nil {
		t.Fatal(err)
	}
	taken := []int{heldPort(t), heldPort(t)}
	err := s.launchOn(testContext(t), func() (int, error) {
		if len(taken) == 0 {
			return freePort()
		}
		port := taken[0]
		taken = taken[1:]
		return port, nil
	})
	if err != nil || len(taken) > 0 {
		t.Fatalf("launch: %v; ports not tried: %v", err, taken)
	}
	if got := query(t, s.URL("postgres"), "show port"); got != fmt.Sprint(s.Port) {
		t.Errorf("the server says port %s, we say %d", got, s.Port)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		options Options
		want    string
	}{
		"no binaries":    {options: Options{BinDir: "/nowhere/bin"}, want: "no PostgreSQL server binaries"},
		"no such major":  {options: Options{Major: 7, NoDownload: true}, want: "install it, or set SKEIN_POSTGRES"},
		"bad setting":    {options: Options{Settings: map[string]string{"work_mem": "lots"}}, want: `invalid value for parameter "work_mem"`},
		"bad initdb arg": {options: Options{InitArgs: []string{"--no-such-thing"}}, want: "unrecognized option"},
		"cancelled":      {ctx: cancelled, want: "context canceled"},
	} {
		if c.options.Major != 0 && os.Getenv(EnvBinDir) != "" {
			continue // the variable leaves no choice among majors
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.ctx == nil {
				c.ctx = testContext(t)
			}
			c.options.Dir = baseDir(t)
			s, err := Start(c.ctx, c.options)
			if err == nil {
				_ = s.Stop(c.ctx)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if left, err := os.ReadDir(c.options.Dir); err != nil || len(left) > 0 {
				t.Errorf("a failed start left %v, %v", left, err)
			}
		})
	}
}
