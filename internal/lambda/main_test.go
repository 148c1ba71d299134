package lambda_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// function is the program in a sandbox, with scripts of its own.
type function struct {
	*lambdatest.Emulator
	t   testing.TB
	dir string
}

// start makes a function whose zip holds the files: scripts in sql/, and skein.toml with the databases by environment.
func start(t testing.TB, urls map[string]string, files map[string]string, o lambdatest.Options) *function {
	t.Helper()
	f := &function{t: t, dir: t.TempDir()}
	var toml strings.Builder
	for env, url := range urls {
		fmt.Fprintf(&toml, "[environments.%s]\nurl = %q\n", env, url)
	}
	toml.WriteString("[flyway]\nlocations = [\"filesystem:sql\"]\n")
	f.write("skein.toml", toml.String())
	for name, text := range files {
		f.write(name, text)
	}
	o.Binary, o.Dir = lambdatest.Bootstrap(t), f.dir
	f.Emulator = lambdatest.Start(t, o)
	return f
}

func (f *function) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// ask invokes the function and reads its answer.
func (f *function) ask(payload string) lambda.Answer {
	f.t.Helper()
	text, ok := f.Invoke(payload)
	if !ok {
		f.t.Fatalf("the function failed: %s\n%s", text, strings.Join(f.Logs(), "\n"))
	}
	return f.read(text)
}

func (f *function) read(text string) lambda.Answer {
	f.t.Helper()
	var a lambda.Answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		f.t.Fatalf("%v: %s", err, text)
	}
	return a
}

// answers are those of all invocations so far that gave one.
func (f *function) answers() []lambda.Answer {
	f.t.Helper()
	var list []lambda.Answer
	for _, i := range f.Invocations() {
		if i.End == lambdatest.Answered {
			list = append(list, f.read(i.Answer))
		}
	}
	return list
}

// finished gives the lines run_finished.
func (f *function) finished() []map[string]any {
	var list []map[string]any
	for _, line := range f.Log() {
		if line["event"] == lambda.Finished {
			list = append(list, line)
		}
	}
	return list
}

// story is what happened, for a test that failed.
func (f *function) story() string {
	var b strings.Builder
	for _, i := range f.Invocations() {
		fmt.Fprintf(&b, "%s/%d %s after %s\n  %s\n  %s\n", i.RequestID[24:], i.Attempt, i.End, i.Took.Round(time.Millisecond), i.Payload, i.Answer)
	}
	return b.String() + strings.Join(f.Logs(), "\n")
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// relay lets a server be reached under another address.
func relay(t testing.TB, address, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				return
			}
			go copyClose(near, far)
			go copyClose(far, near)
		}
	}()
}

func copyClose(to, from net.Conn) {
	_, _ = io.Copy(to, from) // however it ends
	_ = to.Close()
}
