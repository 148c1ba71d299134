package lambdatest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sandbox is one process with the runtime API that it asks for events.
type sandbox struct {
	emulator *Emulator
	api      *httptest.Server
	process  *exec.Cmd
	started  chan struct{} // process is there
	exited   chan struct{}
	next     chan event  // what is to be worked on
	asked    chan bool   // it has asked for the next event, and is frozen
	results  chan result // what it answered
}

type event struct {
	id, payload string
	deadline    time.Time
}

type result struct{ end, answer string }

// Credentials are the function's, which its calls are signed with.
const (
	AccessKey    = "AKIDLAMBDATEST"
	SecretKey    = "lambdatest/secret"
	SessionToken = "lambdatest-session"
	Region       = "eu-central-1"
)

// launch starts a process, which asks for its first event when it is ready (INIT).
func (e *Emulator) launch() (*sandbox, error) {
	s := &sandbox{emulator: e, started: make(chan struct{}), exited: make(chan struct{}), next: make(chan event), asked: make(chan bool, 1), results: make(chan result, 1)}
	s.api = httptest.NewServer(http.HandlerFunc(s.serve))
	o := e.options
	s.process = exec.Command(o.Binary)
	s.process.Dir = o.Dir
	s.process.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + s.api.Listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + Name, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256", "AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey,
		"AWS_SESSION_TOKEN=" + e.token(), "LAMBDA_TASK_ROOT=" + o.Dir, "AWS_ENDPOINT_URL_LAMBDA=" + e.api.URL, "PATH=/usr/bin:/bin", "TZ=:UTC",
	}, o.Env...)
	// Into the file itself: what is written before an answer is there when the answer is.
	s.process.Stdout, s.process.Stderr = e.logs, e.logs
	if err := s.process.Start(); err != nil {
		s.api.Close()
		return nil, err
	}
	close(s.started)
	go func() {
		_ = s.process.Wait() // however it ended
		close(s.exited)
	}()
	select {
	case <-s.asked:
		return s, nil
	case <-s.exited:
	case <-time.After(10 * time.Second): // as there
	}
	s.end()
	return nil, fmt.Errorf("the function did not start: Runtime.ExitError")
}

func (s *sandbox) signal(sig syscall.Signal) { _ = s.process.Process.Signal(sig) } // it may be gone

func (s *sandbox) end() {
	s.signal(syscall.SIGKILL)
	<-s.exited
	s.api.CloseClientConnections()
	s.api.Close()
}

// run has the process work on an event. The sandbox is of no use after an end other than Answered and Failed.
func (s *sandbox) run(id, payload string, kill time.Duration) (end, answer string) {
	limit, how := s.emulator.options.Timeout, TimedOut
	deadline := time.Now().Add(limit)
	if kill > 0 && kill < limit {
		limit, how = kill, Killed
	}
	s.signal(thaw)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	s.next <- event{id, payload, deadline}
	var got *result
	for {
		select {
		case r := <-s.results:
			got = &r
			continue
		case <-s.asked: // after its answer, else there would be none to ask
			select {
			case r := <-s.results:
				got = &r
			default:
			}
			if got != nil {
				return got.end, got.answer
			}
			end, answer = Failed, "it asked for the next event without an answer to this one"
		case <-s.exited:
			end, answer = TimedOut, "Runtime.ExitError"
		case <-timer.C:
			end, answer = how, fmt.Sprintf("Sandbox.Timedout after %s", limit)
		}
		s.end()
		if end == Failed {
			end = TimedOut
		}
		return end, answer
	}
}

// serve is the runtime API.
func (s *sandbox) serve(w http.ResponseWriter, r *http.Request) {
	const prefix = "/2018-06-01/runtime/"
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	parts := strings.Split(path, "/")
	body, _ := io.ReadAll(r.Body) // a process that is killed in the middle has not answered
	switch {
	case ok && path == "invocation/next":
		s.handOut(w)
	case ok && len(parts) == 3 && parts[0] == "invocation" && parts[2] == "response":
		s.results <- result{Answered, string(body)}
		w.WriteHeader(http.StatusAccepted)
	case ok && len(parts) == 3 && parts[0] == "invocation" && parts[2] == "error":
		s.results <- result{Failed, string(body)}
		w.WriteHeader(http.StatusAccepted)
	case ok && path == "init/error":
		w.WriteHeader(http.StatusAccepted)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// handOut freezes the process until there is an event for it.
func (s *sandbox) handOut(w http.ResponseWriter) {
	<-s.started // it asks sooner than its parent knows of it
	s.signal(freeze)
	s.asked <- true
	select {
	case e := <-s.next:
		h := w.Header()
		h.Set("Lambda-Runtime-Aws-Request-Id", e.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(e.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", ARN)
		h.Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, e.payload) // the process may be gone
	case <-s.exited:
	}
}

// PIDs are those of the processes that live.
func (e *Emulator) PIDs() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []int
	for _, s := range e.all {
		select {
		case <-s.exited:
		default:
			list = append(list, s.process.Process.Pid)
		}
	}
	return slices.Clip(list)
}
