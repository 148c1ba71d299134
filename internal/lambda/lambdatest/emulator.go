// Package lambdatest runs a Lambda function as AWS does, for tests: the real program in sandboxes, each with a runtime API
// of its own, frozen between events, killed at the time limit, and an Invoke API with asynchronous events that are tried
// again. Beside it is Systems Manager, whose commands really run.
package lambdatest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say which function it is.
type Options struct {
	Binary  string        // the bootstrap
	Dir     string        // the folder of the zip
	Env     []string      // "NAME=value", beside those that Lambda sets
	Timeout time.Duration // the function's limit; 0 means 3 s, as there
	// NoToken says that the credentials are a user's, who has no session token: imitations of S3 refuse one.
	NoToken bool
	// Concurrency is how many invocations there may be at a time (ReservedConcurrentExecutions); 0 means 10.
	Concurrency int
	// Kill says after what time of its work the n-th invocation (from 0) is killed, as when the machine under it breaks;
	// 0 lets it be. Nil kills none. After the first that was killed nobody is asked any more.
	Kill func(n int) time.Duration
}

// Name is the function's, and ARN what it is invoked as.
const (
	Name = "skein"
	ARN  = "arn:aws:lambda:eu-central-1:123456789012:function:" + Name
)

const (
	retries    = 2                     // of an asynchronous event that failed
	retryAfter = 50 * time.Millisecond // AWS waits for a minute, and for two
)

// How an invocation ended.
const (
	Answered = "answered"
	Failed   = "function error"
	TimedOut = "timed out"
	Killed   = "killed"
)

// Invocation is one attempt at an event.
type Invocation struct {
	RequestID string // the same for all attempts
	Attempt   int    // from 0
	Payload   string
	End       string
	Answer    string // or the error's text
	Took      time.Duration
}

// Emulator is a function with its APIs.
type Emulator struct {
	t       testing.TB
	options Options
	api     *httptest.Server
	slots   chan struct{} // one for each invocation that may be
	logs    *os.File      // all sandboxes append to it, a line in one write

	mu      sync.Mutex
	busy    int // events that are not at their end
	quiet   *sync.Cond
	number  int // of invocations so far
	events  int
	idle    []*sandbox
	all     []*sandbox
	done    []Invocation
	dead    []string
	stopped bool
}

// Start makes a function ready for events. It ends with the test.
func Start(t testing.TB, o Options) *Emulator {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Concurrency == 0 {
		o.Concurrency = 10
	}
	logs, err := os.OpenFile(filepath.Join(t.TempDir(), "logs"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	e := &Emulator{t: t, options: o, logs: logs, slots: make(chan struct{}, o.Concurrency)}
	e.quiet = sync.NewCond(&e.mu)
	e.api = httptest.NewServer(http.HandlerFunc(e.invokeAPI))
	t.Cleanup(e.stop)
	return e
}

func (e *Emulator) stop() {
	e.mu.Lock()
	e.stopped = true
	all := e.all
	e.mu.Unlock()
	for _, s := range all {
		s.end()
	}
	e.api.Close()
	_ = e.logs.Close() // it was only appended to, by others
}

// URL is where its Invoke API is, for AWS_ENDPOINT_URL_LAMBDA; the function itself has it.
func (e *Emulator) URL() string { return e.api.URL }

// invokeAPI is the one operation of Lambda's API that functions use on themselves.
func (e *Emulator) invokeAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if err := verify(r, body, "lambda", e.token()); err != nil {
		w.Header().Set("X-Amzn-Errortype", "InvalidSignatureException")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"message":%q}`, err)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/2015-03-31/functions/")
	name, isInvoke := strings.CutSuffix(name, "/invocations")
	switch {
	case !ok || !isInvoke || name != Name && name != ARN:
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, `{"Message":"Function not found: %s"}`, name)
	case r.Header.Get("X-Amz-Invocation-Type") == "DryRun":
		w.WriteHeader(http.StatusNoContent)
	case r.Header.Get("X-Amz-Invocation-Type") == "Event":
		e.Send(string(body))
		w.WriteHeader(http.StatusAccepted)
	default:
		answer, ok := e.Invoke(string(body))
		if !ok {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		_, _ = io.WriteString(w, answer) // the caller may be gone
	}
}

// Invoke is a synchronous invocation (RequestResponse): it is tried once, and gives what the function answered, or false
// and the text of its error.
func (e *Emulator) Invoke(payload string) (answer string, ok bool) {
	id := e.begin()
	defer e.finish()
	i := e.attempt(id, 0, payload)
	return i.Answer, i.End == Answered
}

// Send is an asynchronous invocation (Event): it is tried three times at most, and gives the request's id.
func (e *Emulator) Send(payload string) string {
	id := e.begin()
	go func() {
		defer e.finish()
		for n := 0; ; n++ {
			if i := e.attempt(id, n, payload); i.End == Answered {
				return
			}
			if n == retries {
				e.mu.Lock()
				defer e.mu.Unlock()
				e.dead = append(e.dead, payload)
				return
			}
			time.Sleep(retryAfter << n)
		}
	}()
	return id
}

// token is what the function's credentials have beside their keys.
func (e *Emulator) token() string {
	if e.options.NoToken {
		return ""
	}
	return SessionToken
}

func (e *Emulator) begin() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.busy++
	e.events++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", e.events)
}

func (e *Emulator) finish() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.busy--
	e.quiet.Broadcast()
}

// Wait returns when no event is on its way any more, and fails the test after a time.
func (e *Emulator) Wait(limit time.Duration) {
	e.t.Helper()
	timer := time.AfterFunc(limit, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.stopped = true
		e.quiet.Broadcast()
	})
	defer timer.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.busy > 0 && !e.stopped {
		e.quiet.Wait()
	}
	if e.busy > 0 {
		e.t.Fatalf("%d events have not come to an end within %s\n%s", e.busy, limit, strings.Join(e.Logs(), "\n"))
	}
}

// attempt runs an event once.
func (e *Emulator) attempt(id string, attempt int, payload string) Invocation {
	e.slots <- struct{}{}
	defer func() { <-e.slots }()
	began := time.Now()
	i := Invocation{RequestID: id, Attempt: attempt, Payload: payload}
	s, err := e.sandbox()
	if err != nil {
		i.End, i.Answer = Failed, err.Error()
	} else {
		e.mu.Lock()
		n := e.number
		e.number++
		e.mu.Unlock()
		kill := time.Duration(0)
		if e.options.Kill != nil && !e.killed() {
			kill = e.options.Kill(n)
		}
		i.End, i.Answer = s.run(id, payload, kill)
	}
	i.Took = time.Since(began)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil && (i.End == Answered || i.End == Failed) {
		e.idle = append(e.idle, s)
	}
	e.done = append(e.done, i)
	return i
}

func (e *Emulator) killed() bool {
	return slices.ContainsFunc(e.Invocations(), func(i Invocation) bool { return i.End == Killed })
}

// sandbox gives a warm one, or a new one.
func (e *Emulator) sandbox() (*sandbox, error) {
	e.mu.Lock()
	if n := len(e.idle); n > 0 {
		s := e.idle[n-1]
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		return s, nil
	}
	e.mu.Unlock()
	s, err := e.launch()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.all = append(e.all, s)
	stopped := e.stopped
	e.mu.Unlock()
	if stopped {
		s.end()
	}
	return s, nil
}

// Invocations are the attempts that have ended, in that order.
func (e *Emulator) Invocations() []Invocation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Invocation(nil), e.done...)
}

// DeadLetters are the events that failed for good.
func (e *Emulator) DeadLetters() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.dead...)
}

// Logs gives the lines that the function wrote, as CloudWatch has them.
func (e *Emulator) Logs() []string {
	text, err := os.ReadFile(e.logs.Name())
	if err != nil {
		e.t.Error(err)
	}
	lines := strings.Split(string(text), "\n")
	return lines[:len(lines)-1] // what follows the last line's end is none yet
}

// Log gives those lines that are JSON objects.
func (e *Emulator) Log() []map[string]any {
	var list []map[string]any
	for _, line := range e.Logs() {
		var object map[string]any
		if json.Unmarshal([]byte(line), &object) == nil {
			list = append(list, object)
		}
	}
	return list
}
