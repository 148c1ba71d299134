package skein

import (
	"context"
	"fmt"
	"slices"

	"github.com/skein-db/skein/migration"
)

// Expect is what has to be so for a command to act. It is looked at under the migration lock, before the first write; what
// is not so is a KindRefused error that says what was expected and what was found, with the code CHANGED where somebody was
// quicker. Empty fields ask for nothing.
type Expect struct {
	// Identity is looked at before scripts are read, too. Its Environment is not compared.
	Identity Identity
	// Fingerprint is migration.Plan's: what Migrate or Undo is to do.
	Fingerprint string
	// HistoryHash is migration.HistoryHash's of the rows.
	HistoryHash string
}

// asExpected compares plan and history with Config.Expect under the lock. decide is nil for commands that have no plan.
func (r *run) asExpected(ctx context.Context, decide planner) error {
	want := r.cfg.Expect
	if want == nil || want.Fingerprint == "" && want.HistoryHash == "" {
		return nil
	}
	var plan migration.Plan
	if decide != nil {
		if p, _, err := r.plan(ctx, decide); err == nil { // an error comes again under the lock
			plan = p
		}
	}
	if err := r.acquireFor(ctx, plan, ""); err != nil {
		return err
	}
	if got := migration.HistoryHash(r.rows); want.HistoryHash != "" && got != want.HistoryHash {
		return unexpected("the schema history", want.HistoryHash, got, "somebody has changed the history since: look at skein info")
	}
	if want.Fingerprint == "" || decide == nil {
		return nil
	}
	var err error
	if plan, _, err = r.plan(ctx, decide); err != nil {
		return err
	}
	if plan.Fingerprint != want.Fingerprint {
		return unexpected("the plan", want.Fingerprint, plan.Fingerprint, "the scripts or the history are others now: look at skein plan")
	}
	r.approved = plan.Steps
	return nil
}

// stillApproved compares what is about to run with what was found to be as expected: callbacks have run since, and the
// history table may have been made.
func (r *run) stillApproved(plan migration.Plan) error {
	if r.cfg.Expect == nil || r.cfg.Expect.Fingerprint == "" {
		return nil
	}
	rest := plan.Steps
	done := len(r.approved) - len(rest) // planned anew after a break, the first steps may be done, by this run
	if done >= 0 && done <= r.finished && slices.EqualFunc(r.approved[done:], rest, func(a, b migration.Step) bool { return a.Script == b.Script }) {
		return nil
	}
	return unexpected("what is to run", fmt.Sprintf("%d scripts", len(r.approved)), fmt.Sprintf("%d scripts", len(rest)), "a callback has changed the history: look at skein plan")
}

func unexpected(what, want, got, hint string) error {
	return &Error{
		Kind: KindRefused, Code: "CHANGED", Kept: "nothing was changed",
		Message: fmt.Sprintf("%s is not what was approved: expected %s, found %s", what, want, got), Hint: hint + "; then have it approved anew",
	}
}
