package lambda

import (
	"encoding/json"
	"errors"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/doctor"
	"github.com/skein-db/skein/migration"
)

// The statuses of an answer.
const (
	StatusSucceeded = "succeeded"    // all that was asked for is done
	StatusNothing   = "nothing"      // there was nothing to do
	StatusFailed    = "failed"       // see error; running it again without a change fails again
	StatusContinued = "continued"    // the time was up; the run goes on in another invocation
	StatusBlocked   = "blocked"      // gates are closed, see reasons; nothing was changed
	StatusWaiting   = "waiting_lock" // as continued, and what it waits for is a lock that another holds
)

// Answer is what the function returns for one request.
type Answer struct {
	Status      string `json:"status"`
	Command     string `json:"command,omitempty"`
	Environment string `json:"environment,omitempty"`
	Target      string `json:"target,omitempty"` // the database
	Run         string `json:"run,omitempty"`
	Hop         int    `json:"hop"`
	Via         string `json:"via,omitempty"`
	Version     string `json:"version,omitempty"` // of the last versioned migration of this invocation
	// Applied are the scripts of this invocation; AppliedBefore counts those of the run's invocations before it.
	Applied       []Applied `json:"applied"`
	AppliedBefore int       `json:"appliedBefore,omitempty"`
	Pending       int       `json:"pending"` // scripts that are left
	Error         *Fault    `json:"error,omitempty"`
	Warnings      []string  `json:"warnings,omitempty"`
	// Migrations is what info found, Problems what validate found.
	Migrations []Migration `json:"migrations,omitempty"`
	Problems   []Problem   `json:"problems,omitempty"`
	// Release is what was deployed, Reasons why not, and Left the targets that have not got it; of deploy and promote.
	Release string   `json:"release,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
	Left    []string `json:"left,omitempty"`
	// Targets are what status found.
	Targets []Standing `json:"targets,omitempty"`
	// Checks are what doctor found.
	Checks []doctor.Finding `json:"checks,omitempty"`
	// Next is the request that goes on; with "continue": "answer" it is to be sent by whoever reads it.
	Next *Request `json:"next,omitempty"`
}

// Applied is one script that ran.
type Applied struct {
	Script       string `json:"script"`
	Version      string `json:"version,omitempty"`
	Milliseconds int64  `json:"milliseconds"`
	// Detached says that it ended after the invocation that had begun it.
	Detached bool `json:"detached,omitempty"`
}

// Migration is a line of info.
type Migration struct {
	Script  string `json:"script"`
	Version string `json:"version,omitempty"`
	State   string `json:"state"`
}

// Problem is a finding of validate.
type Problem struct {
	Code    string `json:"code"`
	Script  string `json:"script,omitempty"`
	Version string `json:"version,omitempty"`
	Message string `json:"message"`
}

// Reason is why a deployment does not happen, or has stopped.
type Reason struct {
	Gate   string `json:"gate"`
	Target string `json:"target,omitempty"`
	Text   string `json:"text"`
	Next   string `json:"next,omitempty"`
}

// Standing is what one target has.
type Standing struct {
	Environment string `json:"environment"`
	Target      string `json:"target"`
	Version     string `json:"version,omitempty"`
	Release     string `json:"release,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
}

// Fault is an error for programs.
type Fault struct {
	Kind     string `json:"kind"` // as in docs/exit-codes.md
	Code     string `json:"code,omitempty"`
	Target   string `json:"target,omitempty"` // of a deployment
	Script   string `json:"script,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	SQLState string `json:"sqlstate,omitempty"`
	Message  string `json:"message"`
	Kept     string `json:"kept,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// faultOf words an error for the answer. mask takes secrets out of a text.
func faultOf(err error, mask func(string) string) *Fault {
	if e, ok := errors.AsType[*skein.Error](err); ok {
		f := &Fault{Kind: e.Kind.String(), Code: e.Code, Message: mask(e.Message), Kept: mask(e.Kept), Hint: mask(e.Hint)}
		if e.At != nil {
			f.Script, f.Line, f.Column = e.At.Path, e.At.Line, e.At.Column
		}
		if e.SQL != nil {
			f.SQLState = e.SQL.State
		}
		return f
	}
	f := &Fault{Kind: skein.KindInternal.String(), Message: mask(err.Error())}
	if _, ok := errors.AsType[config.Mistakes](err); ok {
		f.Kind, f.Code = skein.KindConfig.String(), "CONFIGURATION"
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		f.Kind, f.Hint = skein.KindRefused.String(), r.hint
	}
	return f
}

// refusal is an error of this package's own: what was asked for is not done.
type refusal struct{ message, hint string }

func (r *refusal) Error() string { return r.message }

// outage is an error that has nothing to do with the scripts: what the function needs did not answer. It becomes an error
// of the function, which Lambda tries again.
type outage struct{ err error }

func (o *outage) Error() string { return o.err.Error() }
func (o *outage) Unwrap() error { return o.err }

func entriesOf(entries []migration.Entry) (list []Migration, pending int) {
	for i := range entries {
		e := &entries[i]
		if e.State == migration.StatePending || e.State == migration.StateOutdated {
			pending++
		}
		if e.State != migration.StateAvailable {
			list = append(list, Migration{Script: e.Path(), Version: e.Version().String(), State: string(e.State)})
		}
	}
	return list, pending
}

// response is an answer as a function URL gives it.
func response(a Answer) (json.RawMessage, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	status := 200
	switch {
	case a.Next != nil:
		status = 202
	case a.Status == StatusFailed && a.Error != nil && a.Error.Kind == skein.KindConfig.String():
		status = 400
	case a.Status == StatusFailed:
		status = 422
	}
	return json.Marshal(map[string]any{
		"statusCode": status, "headers": map[string]string{"content-type": "application/json"}, "body": string(body),
	})
}
