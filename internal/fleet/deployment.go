// Package fleet brings a release to the targets of an environment: it asks all of them how they stand, lets the pipeline
// decide, gathers what evidence that asks for, and migrates wave by wave. It decides nothing itself and prints nothing.
package fleet

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/migration"
)

// Deployment is one execution of a rollout: which release goes where, with which evidence. It is used once.
type Deployment struct {
	ID          string
	Releaser    string
	Environment string
	Pipeline    pipeline.Pipeline
	Release     pipeline.Release
	Scripts     *skein.Prepared // of Release; on the way back, of the release that is there
	// To is where the way back leads, nil for the way forth. Release is then the one that is there, whose undo scripts run.
	To *pipeline.Release

	Targets []Target // of Environment
	// Before are the targets of the environment before it, BeforeName; none for the first.
	Before     []Target
	BeforeName string

	Concurrency int // targets worked on at once; 0: 10
	Connections int // to one server at once, 0: no bound; a run on a target needs two
	HealthQuery string
	Dir         string // where commands of the user's run
	Evidence    pipeline.Evidence
	// Until is when no more targets and scripts are begun; zero: never. Arrange gives the Config of each run its last
	// touch; nil: none.
	Until   time.Time
	Arrange func(target string, cfg skein.Config) (skein.Config, error)
	Report  func(Event) // hears one event at a time; nil: nobody does

	mu sync.Mutex
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
// for, and returns its decision with the facts that it was made from. It changes nothing in any target; commands of the
// user's may.
func (d *Deployment) Decide(ctx context.Context, now func() time.Time) (pipeline.Decision, []pipeline.TargetFacts, error) {
	facts := append(d.survey(ctx, d.BeforeName, d.Before), d.Facts(ctx)...)
	if err := ctx.Err(); err != nil {
		return pipeline.Decision{}, nil, interrupted(err)
	}
	decision := d.judge(facts, now())
	// Answers may call for other questions, but not for the same ones again.
	for range 4 {
		if !decision.OnlyAsks() {
			break
		}
		d.gather(ctx, d.environment().Gates, facts, decision.Reasons, &d.Evidence)
		if err := ctx.Err(); err != nil {
			return decision, facts, interrupted(err)
		}
		decision = d.judge(facts, now())
	}
	d.report(Decided{Environment: d.Environment, Release: d.Release, Decision: decision})
	return decision, facts, nil
}

// Facts surveys the targets of the environment, with the plan of the way that the deployment goes.
func (d *Deployment) Facts(ctx context.Context) []pipeline.TargetFacts {
	facts := d.survey(ctx, d.Environment, d.Targets)
	if d.To != nil {
		facts = d.surveyBack(ctx, facts)
	}
	return facts
}

func (d *Deployment) judge(facts []pipeline.TargetFacts, now time.Time) pipeline.Decision {
	if d.To != nil {
		return pipeline.Back(d.Pipeline, d.Environment, d.Release, *d.To, facts, d.Evidence, now)
	}
	return pipeline.Next(d.Pipeline, d.Environment, d.Release, facts, d.Evidence, now)
}

// surveyBack asks again, for the plan that undoes what the release has not.
func (d *Deployment) surveyBack(ctx context.Context, facts []pipeline.TargetFacts) []pipeline.TargetFacts {
	back := make([]Target, len(d.Targets))
	for i, t := range d.Targets {
		back[i] = t
		back[i].Config.CherryPick = picks(pipeline.Undo(*d.To, facts[i]))
		back[i].undo = true
	}
	return d.survey(ctx, d.Environment, back)
}

// picks are versions in the order in which cherryPick wants them: the last is undone first.
func picks(versions []migration.Version) []string {
	var out []string
	for _, v := range versions {
		out = append(out, v.String())
	}
	slices.Reverse(out)
	return out
}

func interrupted(err error) error {
	return &skein.Error{Kind: skein.KindInterrupted, Code: "ERROR", Message: "the deployment was stopped", Err: err, Hint: "run the command again; what is done is not done twice"}
}
