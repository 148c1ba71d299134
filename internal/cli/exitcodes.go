package cli

import (
	"context"
	"errors"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
)

// ExitCode is one way in which the command ends.
type ExitCode struct {
	Code    int
	Name    string // one word, "lock"
	Meaning string // a clause: when it happens
	Next    string // what to do; "" for success
}

// ExitCodes is the whole list under the name skein, by code; docs/exit-codes.md says the same.
var ExitCodes = []ExitCode{
	{0, "ok", "everything was done, or there was nothing to do", ""},
	{1, "internal", "a fault of Skein's own, or one that has no kind", "report it, with the output of the same command and -X"},
	{2, "config", "a setting or the command line is wrong; nothing was touched", "correct what the message names; `skein config explain` shows where each value comes from"},
	{3, "script", "a script's name, bytes or text is wrong; that script was not started", "correct the script and run the command again"},
	{4, "validate", "scripts and schema history disagree", "put the changed scripts back, or run repair when the change is wanted"},
	{5, "sql", "the server refused a statement of a script or callback", "correct the script and run the command again"},
	{6, "lock", "another migration held the lock for longer than lockRetryCount allows, or others a lock that a script needs for longer than lockDeadline", "wait for the holders that the message names, then run the command again"},
	{7, "connection", "the server could not be reached, refused the login, or went away and did not come back in time", "look at address, user and password; running the command again is safe"},
	{8, "refused", "the database is in a state in which the command must not act", "do what the message says; nothing was changed"},
	{9, "interrupted", "the run was stopped from outside, or its timeBudget was used up", "run the command again; it is safe"},
	{exitBlocked, "blocked", "deploy: gates are closed; nothing was changed", "do what each reason says; `skein status --why=ENVIRONMENT` shows the whole chain"},
	{exitPartly, "partly", "deploy: some targets failed, as many as failureBudget allows; the others have everything", "put right what failed, then `skein deploy ENVIRONMENT --resume`"},
	{exitStopped, "stopped", "deploy: the rollout stopped before its end: too many targets failed, a wave was not well, or the window closed", "do what the message says, then `skein deploy ENVIRONMENT --resume`"},
	{exitTimeout, "timeout", "wait: the version was not there within wait.timeout", "see with `skein watch` what the run that brings it is doing, and wait again"},
}

// exitInvalid is the code of a validate that found problems, which is a result and not an error.
const exitInvalid = 4

// codeOf gives the code for a kind of failure: its place in the list above.
func codeOf(k skein.Kind) int {
	if k == skein.KindTimeout {
		return exitTimeout
	}
	return int(k) + 1
}

// exitTimeout comes behind the codes of deployments.
const exitTimeout = 13

// exitCode turns the error of a command into the code that the process ends with. Under the name flyway every failure
// is 1, as there (flyway.md §4.11).
func exitCode(err error, flyway bool) int {
	switch {
	case err == nil:
		return 0
	case flyway:
		return 1
	}
	return codeOf(kindOf(err))
}

// kindOf sorts an error. Errors of the command line and the configuration have types of their own.
func kindOf(err error) skein.Kind {
	if e, ok := errors.AsType[*skein.Error](err); ok {
		return e.Kind
	}
	if _, ok := errors.AsType[config.Mistakes](err); ok {
		return skein.KindConfig
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return skein.KindConfig
	}
	if errors.Is(err, context.Canceled) {
		return skein.KindInterrupted
	}
	return skein.KindInternal
}

// usageError is a command line that cannot be followed.
type usageError struct {
	Message string
	Hint    string
}

func (e *usageError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\nhint: " + e.Hint
}
