// Package notify tells people and programs how a rollout goes: a webhook of Slack's kind, a signed webhook, and mail.
//
// What is sent is a Message, made by Of from plain facts. Nothing that goes wrong here may change a rollout: Send returns
// what failed, for warnings.
package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what has happened.
type Kind string

// The kinds, as the setting notify.on names them.
const (
	Failed  Kind = "failed"  // a target could not be migrated; the rollout may go on or have stopped
	Blocked Kind = "blocked" // a gate is closed, nothing was touched
	Done    Kind = "done"    // every target has the release
	Wave    Kind = "wave"    // a wave is done, more follow
)

// Run is what is known of a rollout when something has happened. Only what the kind asks for has to be set.
type Run struct {
	Kind        Kind
	Environment string
	Release     string // "" for scripts without one
	ID          string // of the deployment
	Releaser    string
	At          time.Time
	Took        time.Duration
	// Targets of the environment: all, those that have the release now, those not begun.
	Targets, Finished, Left int
	Migrations              int // scripts that this rollout has applied, over all targets
	Wave, Waves             int // which of how many, from 1
	Stopped                 bool
	Failures                []Failure
	Reasons                 []Reason
	Next                    string // what to do; "" for what the kind suggests
}

// Failure is one target that could not be migrated.
type Failure struct {
	Target string
	What   string // with the place in the script
	Kept   string // what of the run was kept
	Next   string
}

// Reason is why a rollout may not begin.
type Reason struct {
	Gate, Target string
	Text, Next   string
	Until        time.Time // when it opens by itself; zero if it does not
}

// Message is what is sent.
type Message struct {
	Kind        Kind      `json:"event"`
	Title       string    `json:"title"` // one line: what, and where
	Lines       []string  `json:"lines"` // what happened, one thing a line
	Kept        string    `json:"kept,omitempty"`
	Next        string    `json:"next,omitempty"` // what to do
	Environment string    `json:"environment"`
	Release     string    `json:"release,omitempty"`
	Deployment  string    `json:"deployment,omitempty"`
	Releaser    string    `json:"releaser,omitempty"`
	At          time.Time `json:"at"`
}

// most is how many failures or reasons a message lists.
const most = 10

// Of makes the message for a run.
func Of(r Run) Message {
	m := Message{Kind: r.Kind, Environment: r.Environment, Release: r.Release, Deployment: r.ID, Releaser: r.Releaser, At: r.At, Next: r.Next}
	what := r.Release
	if what == "" {
		what = "the scripts"
	}
	switch r.Kind {
	case Done:
		m.Title = fmt.Sprintf("%s has %s on %s", r.Environment, what, all(r.Targets))
		m.Lines = append(m.Lines, fmt.Sprintf("%s applied in %s", plural(r.Migrations, "migration"), r.Took.Round(time.Second)))
	case Wave:
		m.Title = fmt.Sprintf("%s: wave %d of %d of %s is done", r.Environment, r.Wave, r.Waves, what)
		m.Lines = append(m.Lines, r.progress())
	case Blocked:
		m.Title = fmt.Sprintf("%s: %s may not go there yet", r.Environment, what)
		m.Kept = "nothing was touched"
		m.reasons(r.Reasons)
	case Failed:
		m.Title = fmt.Sprintf("%s: %s failed on %s", r.Environment, what, some(len(r.Failures), r.Targets))
		m.Lines = append(m.Lines, r.progress())
		m.failures(r.Failures)
		if r.Stopped {
			m.Lines = append(m.Lines, "the rollout has stopped: "+plural(r.Left, "target")+" not begun")
		}
	}
	if r.Releaser != "" {
		m.Lines = append(m.Lines, "by "+r.Releaser)
	}
	return m
}

func (r Run) progress() string {
	return fmt.Sprintf("%d of %s at %s, %d left", r.Finished, plural(r.Targets, "target"), orElse(r.Release, "the latest scripts"), r.Left)
}

func (m *Message) reasons(list []Reason) {
	for i, reason := range list {
		if i == most {
			m.Lines = append(m.Lines, "and "+plural(len(list)-most, "reason")+" more")
			break
		}
		line := reason.Gate + ": " + reason.Text
		if reason.Target != "" {
			line = reason.Target + ": " + line
		}
		if !reason.Until.IsZero() {
			line += ", until " + reason.Until.Format("2006-01-02 15:04 MST")
		}
		m.Lines = append(m.Lines, line)
	}
	if m.Next == "" {
		m.Next = suggestions(list, func(r Reason) string { return r.Next })
	}
}

func (m *Message) failures(list []Failure) {
	for i, failure := range list {
		if i == most {
			m.Lines = append(m.Lines, "and "+plural(len(list)-most, "target")+" more")
			break
		}
		line := failure.Target + ": " + failure.What
		if failure.Kept != "" {
			line += " (" + failure.Kept + ")"
		}
		m.Lines = append(m.Lines, line)
	}
	if m.Next == "" {
		m.Next = suggestions(list, func(f Failure) string { return f.Next })
	}
}

// suggestions joins what each asks for, once.
func suggestions[T any](list []T, next func(T) string) string {
	var all []string
	for _, item := range list {
		if text := next(item); text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) > most {
		all = all[:most]
	}
	return strings.Join(all, "; ")
}

// Text is the message as lines of text, the title first.
func (m Message) Text() string {
	lines := append([]string{m.Title}, m.Lines...)
	if m.Kept != "" {
		lines = append(lines, "kept: "+m.Kept)
	}
	if m.Next != "" {
		lines = append(lines, "next: "+m.Next)
	}
	if m.Deployment != "" {
		lines = append(lines, "deployment: "+m.Deployment)
	}
	return strings.Join(lines, "\n")
}

// masked is the message with every text gone through redact.
func (m Message) masked(redact func(string) string) Message {
	if redact == nil {
		return m
	}
	lines := make([]string, len(m.Lines))
	for i, line := range m.Lines {
		lines[i] = redact(line)
	}
	m.Lines = lines
	for _, text := range []*string{&m.Title, &m.Kept, &m.Next, &m.Environment, &m.Release, &m.Deployment, &m.Releaser} {
		*text = redact(*text)
	}
	return m
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func all(n int) string {
	if n == 1 {
		return "its target"
	}
	return "all of its " + strconv.Itoa(n) + " targets"
}

func some(n, of int) string {
	if of == 1 {
		return "its target"
	}
	return fmt.Sprintf("%d of %s", n, plural(of, "target"))
}
