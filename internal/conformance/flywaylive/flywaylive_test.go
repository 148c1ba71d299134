package flywaylive

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary plays Flyway in the tests of Run: it tells how it was called and ends as it is told to.
func TestMain(m *testing.M) {
	switch os.Getenv("PLAY") {
	case "":
		os.Exit(m.Run())
	case "hang":
		never := make(chan os.Signal, 1)
		signal.Notify(never, os.Interrupt)
		<-never
	}
	in, _ := io.ReadAll(os.Stdin)
	dir, _ := os.Getwd()
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(strings.ToUpper(name), "FLYWAY") {
			env = append(env, kv)
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen{os.Args[1:], env, dir, string(in), os.Getenv("JAVA_ARGS")})
	fmt.Fprintln(os.Stderr, "on stderr")
	os.Exit(35)
}

type seen struct {
	Args, Env  []string
	Dir, Stdin string
	JavaArgs   string
}

func player(t *testing.T) Flyway {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Flyway{Name: "FLYWAY", Path: self}
}

func TestRunPassesTheCall(t *testing.T) {
	t.Setenv("FLYWAY_URL", "jdbc:postgresql://elsewhere/db")
	t.Setenv("FLYWAY", "x")
	dir := t.TempDir()
	r := player(t).Run(t, Call{
		Dir:   dir,
		URL:   "postgres://me:p%40ss@127.0.0.1:5/db?sslmode=disable",
		Args:  []string{"-configFiles=-", "info"},
		JSON:  true,
		Env:   []string{"PLAY=echo", "FLYWAY_TABLE=mine"},
		Stdin: "flyway.target=1\n",
	})
	if r.Exit != 35 || !r.Ended || r.Stderr != "on stderr\n" {
		t.Errorf("exit %d, ended %v, stderr %q", r.Exit, r.Ended, r.Stderr)
	}
	var got seen
	if err := r.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.JavaArgs, "-Duser.home=") || strings.HasSuffix(got.JavaArgs, "=") {
		t.Errorf("the user's own home folder is not hidden: %q", got.JavaArgs)
	}
	got.JavaArgs = ""
	want := seen{
		Args: []string{"-url=jdbc:postgresql://127.0.0.1:5/db?sslmode=disable", "-user=me", "-password=p@ss",
			"-outputType=json", "-configFiles=-", "info"},
		Env:   []string{"FLYWAY_TABLE=mine"},
		Dir:   dir,
		Stdin: "flyway.target=1\n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRunEndsWhatHangs(t *testing.T) {
	t.Parallel()
	r := player(t).Run(t, Call{Env: []string{"PLAY=hang"}, Limit: 50 * time.Millisecond})
	if r.Ended {
		t.Error("a run that the limit ended is reported as ended by itself")
	}
}

func TestJDBC(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, want, wrong string }{
		{url: "postgres://u@h/d", want: "jdbc:postgresql://h/d u "},
		{url: "postgresql://u:a%3Ab@[::1]:5432/d?options=-c%20x%3D1", want: "jdbc:postgresql://[::1]:5432/d?options=-c%20x%3D1 u a:b"},
		{url: "mysql://h/d", wrong: "want a postgres:// URL"},
		{url: "postgres:///d?host=/tmp", wrong: "cannot use a unix socket"},
	} {
		jdbc, user, password, err := JDBC(c.url)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: error %v, want %q", c.url, err, c.wrong)
			}
			continue
		}
		if got := jdbc + " " + user + " " + password; err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.url, got, err, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	self := player(t).Path
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); selecting.MatchString(name) {
			t.Setenv(name, "")
		}
	}
	t.Setenv("FLYWAY_854", self)
	t.Setenv("FLYWAY", self)
	t.Setenv("FLYWAY_URL", "not a command")
	var names []string
	for _, f := range All(t) {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"FLYWAY", "FLYWAY_854"}) {
		t.Errorf("found %v", names)
	}
	if f := Find(t, "FLYWAY_854"); f.Path != self {
		t.Errorf("FLYWAY_854 is %q, want %q", f.Path, self)
	}
	if t.Run("absent", func(t *testing.T) { Find(t, "FLYWAY_999"); t.Error("an absent Flyway did not skip") }); t.Failed() {
		t.Error("see above")
	}
}

// TestLive is the one test here that needs a real Flyway. Nothing listens at the port it names.
func TestLive(t *testing.T) {
	t.Parallel()
	for _, f := range All(t) {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			r := f.Run(t, Call{Args: []string{"-v"}})
			if r.Exit != 0 || !strings.Contains(r.Stdout, "by Redgate") || Text(r.Stdout, "") == r.Stdout {
				t.Errorf("-v: exit %d, stdout %q, stderr %q", r.Exit, r.Stdout, r.Stderr)
			}
			r = f.Run(t, Call{URL: "postgres://u:p@127.0.0.1:1/d", Args: []string{"info"}, JSON: true})
			var doc struct {
				Error struct{ ErrorCode, Message string }
			}
			if err := r.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			if r.Exit != 1 || !strings.Contains(doc.Error.Message, "Unable to obtain connection from database") {
				t.Errorf("unreachable: exit %d, %+v", r.Exit, doc)
			}
		})
	}
}
