// Package fleet brings a release to the targets of an environment: it asks all of them how they stand, lets the pipeline
// decide, gathers what evidence that asks for, and migrates wave by wave. It decides nothing itself and prints nothing.
package fleet

import (
	"context"
	"sync"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pipeline"
)

// Deployment is one execution of a rollout: which release goes where, with which evidence. It is used once.
type Deployment struct {
	ID          string
	Releaser    string
	Environment string
	Pipeline    pipeline.Pipeline
	Release     pipeline.Release
	Scripts     *skein.Prepared // of the release

	Targets []Target // of Environment
	// Before are the targets of the environment before it; none for the first.
	Before       []Target
	BeforeName   string
	BackTo       bool // undo what the release has not
	Concurrency  int  // targets worked on at once; 0: 10
	Connections  int  // to one server at once; 0: no bound
	HealthQuery  string
	Dir          string // where commands of the user's run
	Evidence     pipeline.Evidence
	Report       func(Event)
	DefaultRelay bool // tell the events of the runs too

	mu    sync.Mutex
	facts []pipeline.TargetFacts
	lanes *lanes
}

func (d *Deployment) report(e Event) {
	if d.Report == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Report(e)
}

func (d *Deployment) concurrency() int {
	if d.Concurrency <= 0 {
		return 10
	}
	return d.Concurrency
}

// Decide surveys the targets of the environment and of the one before it, gathers the evidence that the pipeline asks
// for, and returns its decision. It changes nothing in any target; commands of the user's may.
func (d *Deployment) Decide(ctx context.Context, now func() time.Time) (pipeline.Decision, error) {
	d.lanes = newLanes(d.Connections)
	facts := d.survey(ctx, d.BeforeName, d.Before)
	facts = append(facts, d.survey(ctx, d.Environment, d.Targets)...)
	if err := ctx.Err(); err != nil {
		return pipeline.Decision{}, interrupted(err)
	}
	d.facts = facts
	decide := pipeline.Next
	if d.BackTo {
		decide = pipeline.Back
	}
	decision := decide(d.Pipeline, d.Environment, d.Release, facts, d.Evidence, now())
	// Answers may call for other questions, but not for the same ones again.
	for range 4 {
		if !asks(decision.Reasons) {
			break
		}
		d.gather(ctx, d.gates(), facts, decision.Reasons, &d.Evidence)
		if err := ctx.Err(); err != nil {
			return decision, interrupted(err)
		}
		decision = decide(d.Pipeline, d.Environment, d.Release, facts, d.Evidence, now())
	}
	d.report(Decided{Environment: d.Environment, Release: d.Release, Decision: decision})
	return decision, nil
}

// asks reports whether nothing is wrong so far, and evidence is wanted.
func asks(reasons []pipeline.Reason) bool {
	for _, r := range reasons {
		if !r.Ask {
			return false
		}
	}
	return len(reasons) > 0
}

func (d *Deployment) gates() pipeline.Gates {
	for _, e := range d.Pipeline.Environments {
		if e.Name == d.Environment {
			return e.Gates
		}
	}
	return pipeline.Gates{}
}

func interrupted(err error) error {
	return &skein.Error{Kind: skein.KindInterrupted, Code: "ERROR", Message: "the deployment was stopped", Err: err, Hint: "run the command again; what is done is not done twice"}
}
