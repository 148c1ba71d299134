package awstest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start makes a function with files in its folder.
func start(t testing.TB, files map[string]string, o lambdatest.Options) *lambdatest.Emulator {
	t.Helper()
	o.Binary, o.Dir = lambdatest.Bootstrap(t), t.TempDir()
	write(t, o.Dir, files)
	return lambdatest.Start(t, o)
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ask invokes a function and expects a piece of text in what it answers.
func ask(t testing.TB, f *lambdatest.Emulator, event, want string) string {
	t.Helper()
	answer, ok := f.Invoke(event)
	if !ok || !strings.Contains(answer, want) {
		t.Fatalf("%s: %v, want %s: %s\n%s", event, ok, want, answer, strings.Join(f.Logs(), "\n"))
	}
	return answer
}

// watched is CloudWatch for a function that is to be made with its URL.
func watched(t testing.TB, r *Recorder, lines func() []string, more ...Point) string {
	t.Helper()
	return r.Before(&CloudWatch{Points: func() []Point {
		points, err := Points(lines())
		if err != nil {
			t.Error(err)
		}
		return append(points, more...)
	}})
}

// answering is a server that always says the same.
func answering(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
}
