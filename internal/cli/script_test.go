package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
	"github.com/skein-db/skein/internal/secret"
)

// TestMain lets the test binary stand in for the program: started under the name skein or flyway it is one.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "skein", "flyway":
		dir, _ := os.Getwd()
		os.Exit(Main(context.Background(), Process{
			Args: os.Args, Env: os.Environ(), Dir: dir, Home: os.Getenv("HOME"), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Demo: func(_ context.Context, d Demo) error {
				if d.Keep {
					return &skein.Error{Kind: skein.KindRefused, Message: "kept"}
				}
				_, err := d.Out.Write([]byte("the demo\n"))
				return err
			},
		}))
	}
	pgtest.Main(m)
}

// TestScripts runs testdata/script/*.txtar. Those whose name begins with db_ get an empty database of their own: $URL is
// its postgres:// URL, $JDBC the same as Java writes it. Those whose name ends with _s3 get an S3 of their own.
func TestScripts(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			commands := map[string]func(*testscript.TestScript, bool, []string){"exits": exits}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Cmds:  commands,
				Setup: func(env *testscript.Env) error {
					bin := filepath.Join(env.WorkDir, ".bin")
					env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
					if strings.HasPrefix(filepath.Base(file), "db_") {
						url := pgtest.URL(t)
						user, rest, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "@")
						env.Setenv("URL", url)
						env.Setenv("JDBC", "jdbc:postgresql://"+rest)
						env.Setenv("USERNAME", user)
					}
					if strings.HasSuffix(file, "_s3.txtar") {
						bucket(t, env, commands)
					}
					return errors.Join(os.Mkdir(bin, 0o755), os.Symlink(self, filepath.Join(bin, "skein")), os.Symlink(self, filepath.Join(bin, "flyway")))
				},
			})
		})
	}
}

// bucket is the S3 of a script: the bucket shop, with versions and two scripts below db, and a user lister, who may list it.
func bucket(t *testing.T, env *testscript.Env, commands map[string]func(*testscript.TestScript, bool, []string)) {
	server := s3test.New(t)
	server.Bucket("shop", true)
	server.Put("shop", "db/V1__a.sql", "create table a(id int);\n")
	server.Put("shop", "db/V2__b.sql", "create table b(id int);\n")
	server.User("lister")
	server.Policy("shop", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["lister"]},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::shop"}]}`)
	for _, v := range server.Env() {
		name, value, _ := strings.Cut(v, "=")
		env.Setenv(name, value)
	}
	commands["s3put"] = func(_ *testscript.TestScript, _ bool, args []string) { server.Put(args[0], args[1], args[2]) }
	commands["s3del"] = func(_ *testscript.TestScript, _ bool, args []string) { server.Delete(args[0], args[1]) }
}

// exits runs a command that has to end with the code given first: exits 4 skein validate.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits code command...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s, not %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// TestNoSecretLeaves is AT-16a for this package: a canary in each place that a password can come from, printed by
// everything that prints, under both faces, at every log level.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	const canary = `c4n4ry/p@ss w'rd`
	const encoded = "c4n4ry%2Fp%40ss%20w%27rd"
	dir := t.TempDir()
	conf := filepath.Join(dir, "secret.conf")
	if err := os.WriteFile(conf, []byte("flyway.password="+canary+"\nflyway.placeholders.apiKey="+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	places := map[string]struct{ args, env []string }{
		"flag":     {args: []string{"-password=" + canary, "-url=jdbc:postgresql://127.0.0.1:1/x"}},
		"gnu":      {args: []string{"--password", canary, "--url", "postgres://127.0.0.1:1/x"}},
		"url":      {args: []string{"-url=postgres://app:" + encoded + "@127.0.0.1:1/x"}},
		"jdbc url": {args: []string{"-url=jdbc:postgresql://127.0.0.1:1/x?user=app&password=" + encoded}},
		"file":     {args: []string{"-configFiles=" + conf, "-url=jdbc:postgresql://127.0.0.1:1/x"}},
		"variable": {args: []string{"-url=jdbc:postgresql://127.0.0.1:1/x"}, env: []string{"FLYWAY_PASSWORD=" + canary}},
		"broken":   {args: []string{"-password=" + canary, "-url=jdbc:postgresql://app:" + encoded + "@:::/x", "-bogus=1"}},
	}
	for name, place := range places {
		for _, program := range []string{"skein", "flyway"} {
			for _, more := range [][]string{{"info"}, {"-X", "migrate"}, {"-outputType=json", "-outputLogsInJson=true", "-X", "info"},
				{"config", "explain"}, {"-outputType=json", "config", "explain"}} {
				var out bytes.Buffer
				file := filepath.Join(t.TempDir(), "out")
				args := append(append([]string{program, "-outputFile=" + file, "-locations=filesystem:" + dir}, place.args...), more...)
				Main(t.Context(), Process{
					Args: args, Env: append(place.env, "FLYWAY_DO_NOT_REDACT_URL=true"), Dir: dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
				})
				copied, _ := os.ReadFile(file) // absent where the settings were refused
				for _, text := range []string{out.String(), string(copied)} {
					if i := strings.Index(text, "c4n4ry"); i >= 0 {
						t.Errorf("%s, %s %v leaks: …%s", name, program, more, text[max(0, i-80):min(len(text), i+40)])
					}
				}
				if out.Len() == 0 {
					t.Errorf("%s, %s %v printed nothing", name, program, more)
				}
			}
		}
	}
}

// TestStoppedFromOutside: a run that is stopped ends with the code that means "run it again" (AT-5d).
func TestStoppedFromOutside(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]int{"skein": 9, "flyway": 1} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "V1__long.sql"), []byte("select pg_sleep(600);"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopper{stop: cancel}
		got := Main(ctx, Process{Args: []string{program, "-url=" + pgtest.URL(t), "-locations=filesystem:" + dir, "migrate"}, Dir: dir, Stdout: out, Stderr: out})
		if got != want || ctx.Err() == nil {
			t.Errorf("%s ended with %d, not %d:\n%s", program, got, want, out.text.String())
		}
	}
}

// stopper stops the run as soon as the script begins.
type stopper struct {
	text strings.Builder
	stop func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("Migrating schema")) {
		s.stop()
	}
	return s.text.Write(p)
}

// TestServerErrorIsRedacted: a server may repeat the password in its message.
func TestServerErrorIsRedacted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &secret.Redactor{}
	r.Add("c4n4ry-password")
	c := &console{stdout: &out, stderr: &out, file: &out, redactor: r}
	n := &narrator{console: c}
	n.report(skein.Notice{Severity: "WARNING", Text: "role has password 'c4n4ry-password'"})
	f := failureText{flyway: true, debug: true}
	e := scriptError(first, "FAILED_VERSIONED_MIGRATION", "42601", "near c4n4ry-password", "c4n4ry-password", 1, "alter role x password 'c4n4ry-password'")
	f.print(c, e, nil)
	c.raw(document(f.failureDocument(e)))
	c.place(e.Error())
	if got := out.String(); strings.Contains(got, "c4n4ry") || strings.Count(got, secret.Mask) < 8 {
		t.Errorf("%s", got)
	}
}
