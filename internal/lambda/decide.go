package lambda

import (
	"fmt"
	"time"

	"github.com/skein-db/skein"
)

// Limits bound a run over all its invocations.
type Limits struct {
	// Margin is how long before the function's deadline no more scripts are begun; 0 means a tenth of the function's limit,
	// at least one second and at most thirty.
	Margin time.Duration
	// Hops is how often a run may go on, MaxTime how long it may take from its first invocation on.
	Hops    int
	MaxTime time.Duration
	// Idle is how many invocations in a row may begin a script and finish none.
	Idle int
}

// window says, of an invocation that has so much time from now on, for how long it begins scripts, and when it lets go of
// what runs.
func (l Limits) window(left time.Duration) (begin, letGo time.Duration) {
	margin := l.Margin
	if margin == 0 {
		margin = min(max(left/10, time.Second), 30*time.Second)
	}
	return max(left-margin, 0), max(left-margin/2, 0)
}

// slice is what one invocation came to.
type slice struct {
	applied int
	begun   []string // the scripts that were left behind while the server worked on them
	// attached says why the script that the slice began with, and did not see the end of, ends with the function; "" when it
	// does not, or when it was not the first.
	attached string
	waiting  bool // for a lock, when the time was up
	left     int  // scripts still to do; -1: nothing was planned
}

// move is what happens after a slice.
type move struct {
	status string
	next   *Run   // nil: the run has ended
	words  string // with StatusFailed for a run that is given up: why
	hint   string
}

// decide says what happens after a slice that the time has ended.
func decide(run Run, s slice, l Limits, now time.Time) move {
	next := run
	next.Hop++
	next.Applied += s.applied
	if next.Begun = s.begun; s.left < 0 && len(s.begun) == 0 {
		next.Begun = run.Begun // what became of them is not known yet
	}
	switch {
	case s.applied > 0:
		next.Idle = 0
	case len(s.begun) > 0:
		next.Idle++
	}
	status := StatusContinued
	if s.waiting {
		status = StatusWaiting
	}
	give := func(hint, format string, args ...any) move {
		return move{status: StatusFailed, words: fmt.Sprintf(format, args...), hint: hint}
	}
	age := now.Sub(run.Started)
	switch {
	case s.attached != "" && !s.waiting:
		return give(ssmHint, "%s had the whole time of an invocation and did not end, and it cannot go on without the function: %s", s.begun[0], s.attached)
	case next.Idle >= l.Idle:
		return give(ssmHint, "%d invocations in a row have begun %s and not seen its end: it takes longer than the function may and does not go on without the function",
			next.Idle, s.begun[0])
	case next.Hop > l.Hops:
		return give("raise lambda.hops, or the function's timeout", "the run has gone on %d times, which is as often as lambda.hops allows", run.Hop)
	case age >= l.MaxTime:
		what := "has not ended"
		if s.waiting {
			what = "waits for a lock"
		}
		return give("skein watch shows who works and who waits; raise lambda.maxTime if it may take longer",
			"the run began %s ago, which is more than lambda.maxTime (%s) allows, and %s", age.Round(time.Second), l.MaxTime, what)
	}
	return move{status: status, next: &next}
}

// tooLong says of a script that is about to start that no function can run it: it ends with its client, for the reason given
// in attached, and is expected to take longer than a whole slice. Nil means that it may start.
func tooLong(script, attached string, expected, whole time.Duration) error {
	if attached == "" || expected <= whole {
		return nil
	}
	return &skein.Error{
		Kind: skein.KindRefused, Code: "TOO_LONG", At: &skein.Location{Path: script}, Kept: "nothing of it ran", Hint: ssmHint,
		Message: fmt.Sprintf("it is expected to take %s, the function has %s, and it cannot go on without the function: %s",
			expected.Round(time.Second), whole.Round(time.Second), attached),
	}
}

// ssmHint is what to do with a script that no function can run.
const ssmHint = `run it on a host, which has no such limit: send the same event with "via": "ssm" (docs/lambda.md)`
