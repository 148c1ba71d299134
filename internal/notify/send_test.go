package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/notify"
	"github.com/skein-db/skein/internal/secret"
)

// hook is a webhook that answers with the statuses given, and 200 after them.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []int
	bodies   []string
	received []http.Header
}

func newHook(t *testing.T, answers ...int) *hook {
	t.Helper()
	h := &hook{answers: answers}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bodies, h.received = append(h.bodies, string(body)), append(h.received, r.Header)
		if len(h.bodies) <= len(h.answers) {
			w.Header().Set("Retry-After", "3")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(h.answers[len(h.bodies)-1])
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// pauses notes for how long Send wants to wait, and does not.
func pauses(into *[]time.Duration) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		*into = append(*into, d)
		return ctx.Err()
	}
}

var message = notify.Message{Kind: notify.Failed, Title: "prod: <2026-03> & more failed", Lines: []string{"eu: password is c4n4ry"}, Next: "look at c4n4ry", Environment: "prod", At: at}

func TestSlack(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	s := notify.Settings{On: []notify.Kind{notify.Failed}, Slack: secret.New(h.URL), Redact: redact}
	if failed := s.Send(t.Context(), message); len(failed) > 0 {
		t.Fatal(failed)
	}
	want := `{"text":"*prod: \u0026lt;2026-03\u0026gt; \u0026amp; more failed*\neu: password is ***\nnext: look at ***"}`
	if diff := cmp.Diff([]string{want}, h.bodies); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	other := message
	other.Kind = notify.Wave
	if s.Send(t.Context(), other); len(h.bodies) != 1 {
		t.Error("a kind that notify.on does not name was told")
	}
}

func redact(s string) string { return strings.ReplaceAll(s, "c4n4ry", "***") }

func TestAttempts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		answers []int
		posts   int
		pauses  []time.Duration
		want    string
	}{
		{"at once", nil, 1, nil, ""},
		{"at the third", []int{503, 429}, 3, []time.Duration{3 * time.Second, 3 * time.Second}, ""},
		{"never", []int{500, 500, 500, 500}, 3, []time.Duration{3 * time.Second, 3 * time.Second}, "the webhook was not told (T): HOST answers 500 Internal Server Error, 3 times"},
		{"refused", []int{404}, 1, nil, "the webhook was not told (T): HOST answers 404 Not Found"},
		{"sent elsewhere", []int{307}, 1, nil, "the webhook was not told (T): HOST answers 307 Temporary Redirect"},
	} {
		h := newHook(t, c.answers...)
		var waited []time.Duration
		s := notify.Settings{On: []notify.Kind{notify.Failed}, Webhook: secret.New(h.URL + "/path-c4n4ry"), Pause: pauses(&waited)}
		got := ""
		for _, err := range s.Send(t.Context(), notify.Message{Kind: notify.Failed, Title: "T"}) {
			got += strings.ReplaceAll(err.Error(), strings.TrimPrefix(h.URL, "http://"), "HOST")
		}
		if got != c.want || len(h.bodies) != c.posts || !cmp.Equal(waited, c.pauses) {
			t.Errorf("%s: %q, %d posts, %v; want %q, %d, %v", c.name, got, len(h.bodies), waited, c.want, c.posts, c.pauses)
		}
	}
}

// A server that is not there, and a run that is stopped, hold nothing up, and the error does not show the path.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s := notify.Settings{On: []notify.Kind{notify.Failed}, Webhook: secret.New(h.URL + "/path-c4n4ry"), Slack: secret.New("http://[::1/path-c4n4ry"),
		Pause: func(context.Context, time.Duration) error { cancel(); return errors.New("stopped") }}
	failed := s.Send(ctx, message)
	if len(failed) != 2 || !strings.Contains(failed[1].Error(), "does not answer") || strings.Contains(errors.Join(failed...).Error(), "path-c4n4ry") {
		t.Errorf("got %v", failed)
	}
}

// The signature is what docs/notifications.md says, and the program there can tell a false one.
func TestSignature(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	s := notify.Settings{On: []notify.Kind{notify.Failed}, Webhook: secret.New(h.URL), WebhookSecret: secret.New("the key"), Redact: redact}
	if failed := s.Send(t.Context(), message); len(failed) > 0 {
		t.Fatal(failed)
	}
	header, body := h.received[0].Get(notify.SignatureHeader), h.bodies[0]
	m := regexp.MustCompile(`^t=(\d+),v1=([0-9a-f]{64})$`).FindStringSubmatch(header)
	if m == nil {
		t.Fatalf("the header is %q", header)
	}
	mac := hmac.New(sha256.New, []byte("the key"))
	mac.Write([]byte(m[1] + "." + body))
	if hex.EncodeToString(mac.Sum(nil)) != m[2] {
		t.Error("the signature is wrong")
	}
	seconds, _ := strconv.ParseInt(m[1], 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); age < -time.Minute || age > time.Hour {
		t.Errorf("it was signed %v ago", age)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || got["event"] != "failed" || got["environment"] != "prod" || strings.Contains(body, "c4n4ry") {
		t.Errorf("%v: %s", err, body)
	}
	verifyWithPython(t, header, body)
	unsigned := newHook(t)
	s.Webhook, s.WebhookSecret = secret.New(unsigned.URL), secret.Text{}
	if s.Send(t.Context(), message); unsigned.received[0].Get(notify.SignatureHeader) != "" {
		t.Error("a post without a key is signed")
	}
}

// verifyWithPython runs the program of the page.
func verifyWithPython(t *testing.T, header, body string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Log("no python3: the program of docs/notifications.md was not run")
		return
	}
	page, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("docs/notifications.md has no program")
	}
	file := filepath.Join(t.TempDir(), "verify.py")
	text := string(program[1]) + "\nimport sys\nprint(genuine(sys.argv[1].encode(), sys.argv[2], sys.stdin.buffer.read()))\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, header, body, want string }{
		{"the key", header, body, "True"}, {"another", header, body, "False"}, {"the key", header, body + " ", "False"}, {"the key", "", body, "False"},
		{"the key", "t=1700000000," + header[strings.Index(header, "v1="):], body, "False"},
	} {
		cmd := exec.CommandContext(t.Context(), python, file, c.key, c.header)
		cmd.Stdin = strings.NewReader(c.body)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || strings.TrimSpace(out.String()) != c.want {
			t.Errorf("%q: %v, %s, %s; want %s", c.header, err, out.String(), errs.String(), c.want)
		}
	}
}
