package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/secret"
)

// Order is what somebody wants deployed.
type Order struct {
	Environment string
	// Release by name; "" is the newest for the first environment, and what the environment before has proved for the others.
	Release string
	BackTo  string // undo what this release has not
	Resume  bool   // the release that the last deployment here brought; Release is ""
	Promote bool   // only what the environment before has proved
	DryRun  bool   // decide, and change nothing
	// Override passes gates that are closed, on a person's word.
	Override *pipeline.Override
	Factor   float64 // how much longer scripts take here than in the environment before; 0: 1
	// Until is when nothing more is begun; what is left is for another deployment of the same release. Zero: never.
	Until time.Time
	// Again is asked when all that stands in the way may be over in a moment, and has waited when it says to look again.
	// Who sets it goes on later with what is left, so people are told of the end alone. Nil: never.
	Again func(context.Context, []pipeline.Reason) bool
}

func (o *Order) again(ctx context.Context, passing []pipeline.Reason) bool {
	return o.Again != nil && len(passing) > 0 && o.Again(ctx, passing)
}

// Outcome is what became of it.
type Outcome struct {
	ID          string
	Environment string
	After       string // the environment that comes next, "" after the last
	Releaser    string
	Release     pipeline.Release // where the targets were to be brought
	Decision    pipeline.Decision
	Facts       []pipeline.TargetFacts // as they were before
	Targets     int                    // of the environment
	Ran         bool                   // something was run
	Result      fleet.Result
}

// Ready reports whether all targets have everything now.
func (o *Outcome) Ready() bool {
	return !o.Decision.Blocked() && len(o.Decision.Rollout.Held) == 0 && (!o.Ran || o.Result.State == pipeline.Finished && len(o.Result.Failed) == 0)
}

// Passing are the reasons for which not everything was done, where all of them may be over in a moment; else there are none.
func (o *Outcome) Passing() []pipeline.Reason {
	if o.Decision.Passing() {
		return o.Decision.Reasons
	}
	if o.Decision.Blocked() || slices.ContainsFunc(o.Result.Reasons, func(r pipeline.Reason) bool { return r.Gate == pipeline.GateHealth }) {
		return nil
	}
	var out []pipeline.Reason
	for _, d := range o.Result.Done {
		if d.Err == nil || fleet.Stopped(d.Err) {
			continue
		}
		r := pipeline.Reason{Gate: pipeline.GateReachable, Environment: o.Environment, Target: d.Target, Next: "run the same command again", Passing: Passes(d.Err)}
		switch r.Passing {
		case "":
			return nil
		case pipeline.AtWork:
			r.Gate = pipeline.GateDeployment
		}
		r.Text, _, _ = strings.Cut(d.Target+": "+d.Err.Error(), "\n")
		out = append(out, r)
	}
	return out
}

// Passes says why what a target failed with may be over in a moment; "": it will not be.
func Passes(err error) pipeline.Passing {
	switch e, _ := errors.AsType[*skein.Error](err); {
	case e != nil && e.Kind == skein.KindConnection, errors.Is(err, secret.ErrSilent):
		return pipeline.Silent
	case e != nil && e.Code == "CHANGED": // somebody was quicker
		return pipeline.AtWork
	}
	return ""
}

// Deploy does it. That gates are closed, or that targets failed, is in the outcome and not in the error.
func (p *Project) Deploy(ctx context.Context, order Order) (*Outcome, error) {
	outcome, err := p.deploy(ctx, order)
	return outcome, told(err)
}

func (p *Project) deploy(ctx context.Context, order Order) (*Outcome, error) {
	i, err := p.find(order.Environment)
	if err != nil {
		return nil, err
	}
	st := p.stations[i]
	d := p.deployment(st, order)
	if d.Targets, err = st.listing.Targets(ctx); err != nil {
		return nil, err
	}
	if i > 0 {
		d.BeforeName = p.stations[i-1].name
		if d.Before, err = p.stations[i-1].listing.Targets(ctx); err != nil {
			return nil, err
		}
	}
	outcome := &Outcome{ID: d.ID, Environment: st.name, Releaser: d.Releaser, Targets: len(d.Targets)}
	if i+1 < len(p.stations) {
		outcome.After = p.stations[i+1].name
	}
	told, err := p.herald(ctx, st, order, outcome)
	if err != nil {
		return nil, err
	}
	d.Report = func(e fleet.Event) {
		told.hear(ctx, e)
		p.report(e)
	}
	err = p.carryOut(ctx, st, i, order, d, outcome)
	told.end(ctx, err)
	return outcome, err
}

// deployment is what the settings of the environment make of an order, its targets and release aside.
func (p *Project) deployment(st station, order Order) *fleet.Deployment {
	return &fleet.Deployment{
		ID: newID(p.opt.Now()), Releaser: st.engine.Releaser, Environment: st.name, Pipeline: p.Pipeline,
		Concurrency: st.settings.Int("skein.concurrency"), Connections: st.settings.Int("skein.maxConnections"),
		HealthQuery: st.settings.Text("skein.healthQuery"), Dir: p.opt.World.Dir, Report: p.opt.Report,
		Evidence: pipeline.Evidence{Factor: order.Factor, Override: order.Override}, Until: order.Until, Arrange: p.opt.Arrange,
	}
}

// carryOut chooses the release, decides, and runs the rollout.
func (p *Project) carryOut(ctx context.Context, st station, i int, order Order, d *fleet.Deployment, outcome *Outcome) error {
	var chosen loaded
	var err error
	for {
		chosen, outcome.Decision.Reasons, err = p.choose(ctx, st, i, order, d)
		if err == nil && !outcome.Decision.Blocked() {
			break
		}
		if err != nil || !order.again(ctx, outcome.Passing()) {
			return err
		}
	}
	d.Release, d.Scripts, outcome.Release = chosen.Release, chosen.scripts, chosen.Release
	if order.BackTo != "" {
		if err := p.wayBack(ctx, st, order, d); err != nil {
			return err
		}
		outcome.Release = *d.To
	}
	if d.Evidence.Approvals, err = p.approvals(ctx, outcome.Release.Name, p.opt.Now()); err != nil && !chosen.bare {
		return err
	}
	evidence := d.Evidence
	for {
		d.Evidence = evidence // what else was gathered is of before
		if err := p.roll(ctx, order, d, outcome); err != nil || !order.again(ctx, outcome.Passing()) {
			return err
		}
	}
}

// roll decides, and runs the rollout. What targets came to that were done before stays in the outcome.
func (p *Project) roll(ctx context.Context, order Order, d *fleet.Deployment, outcome *Outcome) (err error) {
	done := slices.DeleteFunc(outcome.Result.Done, func(d fleet.Done) bool { return d.Err != nil })
	outcome.Ran, outcome.Result = len(done) > 0, fleet.Result{State: pipeline.Finished, Done: done}
	if outcome.Decision, outcome.Facts, err = d.Decide(ctx, p.opt.Now); err != nil {
		return err
	}
	if outcome.Decision.Blocked() || order.DryRun || len(outcome.Decision.Rollout.Waves) == 0 {
		return nil
	}
	outcome.Ran = true
	outcome.Result, err = d.Run(ctx, outcome.Decision.Rollout)
	outcome.Result.Done = append(done, outcome.Result.Done...)
	return err
}

// choose finds the release, and loads it.
func (p *Project) choose(ctx context.Context, st station, i int, order Order, d *fleet.Deployment) (loaded, []pipeline.Reason, error) {
	manifests, err := p.manifests(ctx)
	if err != nil {
		return loaded{}, nil, err
	}
	switch {
	case order.Release != "":
		m, err := p.named(ctx, order.Release)
		if err != nil {
			return loaded{}, nil, err
		}
		l, err := p.load(ctx, st, m)
		return l, nil, err
	case p.store == nil:
		l, err := p.loadBare(ctx, st)
		return l, nil, err
	case len(manifests) == 0:
		return loaded{}, nil, &skein.Error{Kind: skein.KindConfig, Code: "ERROR", Message: "there is no release in " + p.store.String(),
			Hint: "make one: skein release create NAME, then skein release push NAME"}
	case order.Resume, order.BackTo != "":
		return p.present(ctx, st, manifests, d)
	case i == 0 && !order.Promote:
		l, err := p.load(ctx, st, manifests[len(manifests)-1])
		return l, nil, err
	}
	newest, err := p.load(ctx, st, manifests[len(manifests)-1])
	if err != nil {
		return loaded{}, nil, err
	}
	// With its scripts the survey tells how they read for each target, and so does it for older ones with the same bytes.
	facts := fleet.Survey(ctx, d.BeforeName, d.Before, newest.scripts, d.Concurrency, d.Connections, nil)
	if err := ctx.Err(); err != nil {
		return loaded{}, nil, err
	}
	return p.proved(ctx, st, manifests, newest, facts)
}

// proved is the release that the environment before has as a whole; newest is the last of the manifests, loaded.
func (p *Project) proved(ctx context.Context, st station, manifests []release.Manifest, newest loaded, facts []pipeline.TargetFacts) (loaded, []pipeline.Reason, error) {
	var releases []pipeline.Release
	known := map[string]loaded{}
	for i, m := range slices.Backward(manifests) {
		l := newest
		if i < len(manifests)-1 {
			var err error
			if l, err = p.load(ctx, st, m); err != nil {
				return loaded{}, nil, err
			}
		}
		releases = append(releases, l.Release)
		known[m.Name] = l
		// The newest that they have: older ones cannot be more.
		if found, reasons := pipeline.Promote(p.Pipeline, st.name, releases, facts); len(reasons) == 0 {
			return known[found.Name], nil, nil
		}
		if len(releases) == looked {
			break
		}
	}
	_, reasons := pipeline.Promote(p.Pipeline, st.name, releases, facts)
	return loaded{}, reasons, nil
}

// looked is how many releases, from the newest on, are compared with what an environment has.
const looked = 12

// present is the release that the last deployment to the environment brought, whole or in part.
func (p *Project) present(ctx context.Context, st station, manifests []release.Manifest, d *fleet.Deployment) (loaded, []pipeline.Reason, error) {
	facts := fleet.Survey(ctx, st.name, d.Targets, nil, d.Concurrency, d.Connections, nil)
	var newest pipeline.Applied
	for _, t := range facts {
		for _, a := range t.Applied {
			if a.Digest != "" && a.At.After(newest.At) {
				newest = a
			}
		}
	}
	at := slices.IndexFunc(manifests, func(m release.Manifest) bool { return m.Digest == newest.Digest && m.Name == newest.Release })
	if at < 0 {
		at = slices.IndexFunc(manifests, func(m release.Manifest) bool { return newest.Digest != "" && m.Digest == newest.Digest })
	}
	if at < 0 {
		return loaded{}, nil, &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Kept: "nothing was changed",
			Message: "no release of " + p.store.String() + " has been deployed to " + st.name + ", as far as its databases say",
			Hint:    "name the release: skein deploy " + st.name + " --release NAME"}
	}
	l, err := p.load(ctx, st, manifests[at])
	return l, nil, err
}

// wayBack gives the deployment its destination.
func (p *Project) wayBack(ctx context.Context, st station, order Order, d *fleet.Deployment) error {
	m, err := p.named(ctx, order.BackTo)
	if err != nil {
		return err
	}
	to, err := p.load(ctx, st, m)
	if err != nil {
		return err
	}
	d.To = &to.Release
	return nil
}

// newID names a deployment: its second and a few random digits.
func newID(now time.Time) string {
	random := make([]byte, 3)
	_, _ = rand.Read(random) // it never fails
	return fmt.Sprintf("%s-%s", now.UTC().Format("20060102T150405Z"), hex.EncodeToString(random))
}
