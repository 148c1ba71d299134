package lambdatest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Host is the instance that Systems Manager knows.
const Host = "i-0123456789abcdef0"

// What the real one keeps of a command's output, in characters.
const (
	keptOut = 24000
	keptErr = 8000
)

// SSM is Systems Manager with one host, which is this machine: a command runs in its shell.
type SSM struct {
	t   testing.TB
	api *httptest.Server

	mu       sync.Mutex
	commands map[string]*remoteCommand
	running  sync.WaitGroup
	sent     []string
}

type remoteCommand struct {
	Status, StatusDetails                       string
	ResponseCode                                int
	StandardOutputContent, StandardErrorContent string
}

// StartSSM starts it; it ends with the test. Env are the variables that commands find.
func StartSSM(t testing.TB, env ...string) *SSM {
	s := &SSM{t: t, commands: map[string]*remoteCommand{}}
	s.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, env) }))
	t.Cleanup(func() {
		s.running.Wait()
		s.api.Close()
	})
	return s
}

// URL is for AWS_ENDPOINT_URL_SSM.
func (s *SSM) URL() string { return s.api.URL }

// Sent are the scripts of the commands so far.
func (s *SSM) Sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.sent...)
}

func (s *SSM) serve(w http.ResponseWriter, r *http.Request, env []string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	refuse := func(kind, format string, args ...any) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": fmt.Sprintf(format, args...)})
	}
	if err := VerifySignature(r, body, "ssm"); err != nil {
		refuse("InvalidSignatureException", "%v", err)
		return
	}
	var in struct {
		DocumentName, CommandID, InstanceID string // of CommandId and so on: names are matched without regard to case
		InstanceIDs                         []string
		Parameters                          map[string][]string
	}
	if err := json.Unmarshal(body, &in); err != nil {
		refuse("SerializationException", "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSSM.SendCommand":
		if len(in.InstanceIDs) != 1 || in.InstanceIDs[0] != Host {
			refuse("InvalidInstanceId", "Instances %v not in a valid state for account 123456789012", in.InstanceIDs)
			return
		}
		if in.DocumentName != "AWS-RunShellScript" || len(in.Parameters["executionTimeout"]) != 1 {
			refuse("InvalidDocument", "%s", in.DocumentName)
			return
		}
		script := strings.Join(in.Parameters["commands"], "\n")
		id := fmt.Sprintf("00000000-0000-4000-9000-%012d", len(s.commands)+1)
		s.commands[id] = &remoteCommand{Status: "InProgress", StatusDetails: "InProgress", ResponseCode: -1}
		s.sent = append(s.sent, script)
		s.running.Go(func() { s.run(id, script, strings.Join(in.Parameters["workingDirectory"], ""), env) })
		_ = json.NewEncoder(w).Encode(map[string]any{"Command": map[string]string{"CommandId": id, "Status": "Pending"}})
	case "AmazonSSM.GetCommandInvocation":
		c, ok := s.commands[in.CommandID]
		if !ok || in.InstanceID != Host {
			refuse("InvocationDoesNotExist", "")
			return
		}
		_ = json.NewEncoder(w).Encode(c)
	default:
		refuse("UnknownOperationException", "%s", r.Header.Get("X-Amz-Target"))
	}
}

func (s *SSM) run(id, script, dir string, env []string) {
	command := exec.Command("/bin/sh", "-c", script)
	command.Dir, command.Env = dir, append([]string{"PATH=/usr/bin:/bin"}, env...)
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	end := remoteCommand{Status: "Success", StatusDetails: "Success", StandardOutputContent: cut(out.String(), keptOut), StandardErrorContent: cut(errs.String(), keptErr)}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		end.Status, end.StatusDetails, end.ResponseCode = "Failed", "Failed", exit.ExitCode()
	} else if err != nil {
		end.Status, end.StatusDetails, end.ResponseCode = "Failed", "Undeliverable", -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.commands[id] = end
}

func cut(text string, most int) string { return text[:min(len(text), most)] }
