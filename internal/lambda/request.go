package lambda

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/aws"
)

// Commands are those that an event may name.
var Commands = aws.Commands

// Request is what one event asks for. Its JSON is both what people and schedules write and what the function sends itself.
type Request struct {
	Command     string `json:"command,omitempty"`
	Environment string `json:"environment,omitempty"`
	// Target is the target version, as the setting target has it.
	Target string `json:"target,omitempty"`
	// Release names the release whose scripts are meant; "" means the locations of the settings.
	Release string `json:"release,omitempty"`
	// Via is "ssm" for a run on a host, else "".
	Via string `json:"via,omitempty"`
	// Continue is "answer" for whoever calls again by themselves with the answer's next (Step Functions); otherwise the
	// function calls itself.
	Continue string `json:"continue,omitempty"`
	// Expected is how long scripts are expected to take, in seconds by their names, as another environment's history knows.
	Expected map[string]float64 `json:"expected,omitempty"`
	// Key is the same for deliveries of the same event; "" means Lambda's request id.
	Key string `json:"key,omitempty"`
	// ScheduledTime and ExecutionID are for schedules: <aws.scheduler.scheduled-time> and <aws.scheduler.execution-id>.
	ScheduledTime string `json:"scheduledTime,omitempty"`
	ExecutionID   string `json:"executionId,omitempty"`
	// Run is what the function tells itself when it goes on; nil in the first invocation.
	Run *Run `json:"run,omitempty"`

	// Arrived says that a release's arrival makes the request: the settings say what to do.
	Arrived bool `json:"arrived,omitempty"`
}

// Run is what one invocation of a run tells the next. The truth about what was applied is in the target's history; this is
// for caps, logs and metrics.
type Run struct {
	ID      string    `json:"id"`
	Hop     int       `json:"hop"` // invocations before this one
	Started time.Time `json:"started"`
	// Applied is how many scripts the run has applied so far.
	Applied int `json:"applied,omitempty"`
	// Idle is how many invocations in a row began a script and finished none.
	Idle int `json:"idle,omitempty"`
	// Release is what a deployment has chosen: it stays with it, whatever arrives meanwhile.
	Release string `json:"release,omitempty"`
	// Begun are the scripts that the invocation before left behind while the server worked on them; of a deployment each with
	// its target, "north/V2__fill.sql".
	Begun []string `json:"begun,omitempty"`
	// Command is the id of the command that SSM runs; with Via.
	Command string `json:"command,omitempty"`
	// Host is the instance that runs it.
	Host string `json:"host,omitempty"`
}

// example is what the messages about wrong requests show.
const example = `{"command": "migrate", "environment": "dev"}`

// decodeRequest reads a request itself.
func decodeRequest(text []byte) (Request, error) {
	var r Request
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("the request cannot be read: %s (a request is like %s)", strings.TrimPrefix(err.Error(), "json: "), example)
	}
	if d.More() {
		return r, errors.New("something follows the request's JSON object")
	}
	r.Command = strings.ToLower(r.Command)
	switch {
	case r.Command == "" && !r.Arrived:
		return r, fmt.Errorf("the request names no command (a request is like %s)", example)
	case r.Command != "" && !slices.Contains(Commands, r.Command):
		return r, fmt.Errorf("%q is no command for an event: %s are", r.Command, strings.Join(Commands, ", "))
	case r.Via != "" && r.Via != "ssm":
		return r, fmt.Errorf(`via is %q: "ssm" is the only other way`, r.Via)
	case r.Via != "" && r.Command == "doctor":
		return r, errors.New("doctor looks from where the function is: on the host run skein aws doctor")
	case r.Continue != "" && r.Continue != "invoke" && r.Continue != "answer":
		return r, fmt.Errorf(`continue is %q: "invoke" or "answer"`, r.Continue)
	}
	if r.Command == "promote" && r.Release != "" && !r.Arrived {
		return r, errors.New("promote takes the release that the environment before has proved, and no other: deploy takes one by name")
	}
	if strings.ContainsAny(r.Release, ",/\\\n") {
		return r, fmt.Errorf("%q is no name of a release", r.Release)
	}
	// An execution id is new with each attempt of the scheduler, the time is not.
	if r.Key == "" && (r.ScheduledTime != "" || r.ExecutionID != "") {
		key := r.ScheduledTime
		if key == "" {
			key = r.ExecutionID
		}
		r.Key = strings.Join([]string{"schedule", r.Command, r.Environment, key}, ":")
	}
	return r, nil
}

// releaseLocation is the location of a release's scripts.
func releaseLocation(name string) string { return "release:" + name }

func (r Request) String() string {
	words := []string{r.Command, r.Environment, r.Release}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// asksTheSame reports whether following one of the two is enough.
func (r Request) asksTheSame(s Request) bool {
	return r.Run == nil && s.Run == nil && r.Command == s.Command && r.Environment == s.Environment && r.Target == s.Target &&
		r.Release == s.Release && r.Via == s.Via && r.Continue == s.Continue
}

// begin gives a request that begins a run the run's id, which is the same for each delivery of the same event. fallback is
// Lambda's request id, which its own retries keep.
func (r Request) begin(fallback string, now time.Time) Request {
	if r.Run != nil {
		return r
	}
	key := r.Key
	if key == "" {
		key = "request:" + fallback
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{key, r.Command, r.Environment, r.Release, r.Target}, "\x00")))
	r.Key = key
	r.Run = &Run{ID: hex.EncodeToString(sum[:8]), Started: now.UTC().Truncate(time.Millisecond)}
	return r
}
