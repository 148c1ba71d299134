package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skein-db/skein/internal/pgtest"
)

// TestDeployScripts runs testdata/deploy/*.txtar: deployments to real databases, each with what a person sees of it.
func TestDeployScripts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/deploy/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			w := &deployWorld{t: t, held: map[string]*pgx.Conn{}}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits": exits, "database": w.database, "sql": w.sql, "hold": w.hold, "free": w.free, "hook": w.hook, "hooked": w.hooked, "keys": w.keys, "release": w.release,
				},
				Setup: func(env *testscript.Env) error {
					w.dir = env.WorkDir
					bin := filepath.Join(env.WorkDir, ".bin")
					env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
					env.Setenv("SKEIN_RELEASER", "ana")
					return errors.Join(os.Mkdir(bin, 0o755), os.Symlink(self, filepath.Join(bin, "skein")))
				},
			})
		})
	}
}

// deployWorld is what stands around a script.
type deployWorld struct {
	t    *testing.T
	dir  string
	held map[string]*pgx.Conn

	mu     sync.Mutex
	posted strings.Builder
}

// database makes an empty database for each variable that is named; its URL is the value.
func (w *deployWorld) database(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Setenv(name, pgtest.URL(w.t))
	}
}

// sql runs statements: sql URL STATEMENTS.
func (w *deployWorld) sql(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, args[0])
	ts.Check(err)
	_, err = conn.Exec(ctx, args[1])
	ts.Check(errors.Join(err, conn.Close(ctx)))
}

// hold takes an advisory lock until free: hold URL NUMBER.
func (w *deployWorld) hold(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := pgx.Connect(context.Background(), args[0])
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close(context.Background()) }) // again, where free has done it
	_, err = conn.Exec(context.Background(), "select pg_advisory_lock($1::text::bigint)", args[1])
	ts.Check(err)
	w.held[args[1]] = conn
}

// free gives a lock free. With "!" before it, it does not, and waits until somebody waits for it.
func (w *deployWorld) free(ts *testscript.TestScript, neg bool, args []string) {
	conn := w.held[args[0]]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for waiting := false; neg && !waiting; {
		ts.Check(conn.QueryRow(ctx, "select exists (select from pg_locks where not granted and locktype = 'advisory' and objid = $1::text::oid)", args[0]).Scan(&waiting))
	}
	if !neg {
		ts.Check(conn.Close(context.Background()))
	}
}

// hook starts a server that keeps what is posted to it; its URL is the value of the variable.
func (w *deployWorld) hook(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what cannot be read is missing in what is compared
		w.mu.Lock()
		defer w.mu.Unlock()
		fmt.Fprintf(&w.posted, "%s signed=%v %s\n", r.URL.Path, r.Header.Get("Skein-Signature") != "", body)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// hooked writes what was posted since the last time into a file.
func (w *deployWorld) hooked(ts *testscript.TestScript, _ bool, args []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(w.posted.String()), 0o600))
	w.posted.Reset()
}

// keys makes a key for each name, and lists it in skein.toml: name, or name:file for another key of a person.
func (w *deployWorld) keys(ts *testscript.TestScript, _ bool, args []string) {
	var names []string
	public := map[string][]string{}
	for _, arg := range args {
		name, file, other := strings.Cut(arg, ":")
		if !other {
			file = name
		}
		if public[name] == nil {
			names = append(names, name)
		}
		ts.Check(ts.Exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", file, "-f", file))
		public[name] = append(public[name], fmt.Sprintf("%q", strings.TrimSpace(ts.ReadFile(file+".pub"))))
	}
	text := ts.ReadFile("skein.toml") + "\n[skein.people]\n"
	for _, name := range names {
		text += name + " = [" + strings.Join(public[name], ", ") + "]\n"
	}
	ts.Check(os.WriteFile(ts.MkAbs("skein.toml"), []byte(text), 0o600))
}

// release makes and pushes a release: release NAME FOLDER FLAGS...
func (w *deployWorld) release(ts *testscript.TestScript, _ bool, args []string) {
	flags := append([]string{"-locations=filesystem:" + args[1]}, args[2:]...)
	ts.Check(ts.Exec("skein", append([]string{"release", "create", args[0]}, flags...)...))
	ts.Check(ts.Exec("skein", append([]string{"release", "push", args[0]}, flags...)...))
}
