package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/migration"
)

// Done is what a target of a rollout came to.
type Done struct {
	Target  string
	Applied []string // paths, in order
	Took    time.Duration
	Err     error // nil: it has everything
}

// Result is what a deployment came to.
type Result struct {
	State   pipeline.State // Finished or Stopped
	Reasons []pipeline.Reason
	Done    []Done   // in the order in which they ended
	Failed  []string // targets that failed or were held back
	Left    []string // what a deployment of the same release has still to do
	Took    time.Duration
}

// Run migrates the targets of a rollout, wave by wave, and asks the pipeline after each target how it goes on. The error is
// the context's when it was stopped from outside: the result tells how far it came.
func (d *Deployment) Run(ctx context.Context, rollout pipeline.Rollout) (Result, error) {
	began := time.Now()
	var result Result
	var outcomes []pipeline.Outcome
	var health []pipeline.Health
	work := map[string]pipeline.Work{}
	for _, wave := range rollout.Waves {
		for _, w := range wave {
			work[w.Target] = w
		}
	}
	over := make(chan Done)
	lanes := newLanes(d.Connections, ofRun)
	running := map[string]bool{}
	cut := false // a run was stopped from outside, or by the time: nothing more is begun
	waves := 0
	for {
		p := pipeline.Proceed(d.environment(), rollout, keys(running), outcomes, health, time.Now())
		if (cut || ctx.Err() != nil || d.outOfTime() && p.State != pipeline.Stopped) && p.State != pipeline.Finished {
			p.State = pipeline.Wait
			if len(running) == 0 {
				result.State, result.Left, result.Failed = pipeline.Stopped, p.Left, failed(rollout, result.Done)
				result.Took = time.Since(began)
				return result, interrupted(ctx.Err())
			}
		}
		switch p.State {
		case pipeline.Run:
			if p.Wave >= waves {
				waves = p.Wave + 1
				d.report(WaveStarted{Wave: p.Wave, Waves: len(rollout.Waves), Targets: targetsOf(rollout.Waves[p.Wave])})
			}
			for _, name := range p.Targets {
				if len(running) >= d.concurrency() {
					break
				}
				running[name] = true
				go func() { over <- d.migrate(ctx, lanes, work[name]) }()
			}
			fallthrough
		case pipeline.Wait:
			done := <-over
			delete(running, done.Target)
			result.Done = append(result.Done, done)
			if Stopped(done.Err) {
				cut = true // it is as if it had not been begun: what it has done stays
			} else {
				outcomes = append(outcomes, outcome(done))
			}
			d.report(TargetDone{Target: done.Target, Applied: len(done.Applied), Took: done.Took, Err: done.Err})
		case pipeline.Ask:
			answer := d.health(ctx, rollout.Waves[p.Wave])
			if ctx.Err() != nil {
				continue
			}
			d.report(HealthAsked{Wave: p.Wave, Answer: answer})
			health = append(health, pipeline.Health{Wave: p.Wave, Answer: answer})
		default:
			result.State, result.Reasons, result.Failed, result.Left = p.State, p.Reasons, p.Failed, p.Left
			result.Took = time.Since(began)
			return result, nil
		}
	}
}

func (d *Deployment) outOfTime() bool { return !d.Until.IsZero() && !time.Now().Before(d.Until) }

// failed are the targets of a rollout that was stopped from outside which failed or were held back, and not those that
// were stopped with it.
func failed(rollout pipeline.Rollout, done []Done) []string {
	var out []string
	for _, h := range rollout.Held {
		if !slices.Contains(out, h.Target) {
			out = append(out, h.Target)
		}
	}
	for _, d := range done {
		if d.Err != nil && !Stopped(d.Err) {
			out = append(out, d.Target)
		}
	}
	return out
}

func keys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func targetsOf(wave []pipeline.Work) []string {
	out := make([]string, len(wave))
	for i, w := range wave {
		out[i] = w.Target
	}
	return out
}

func outcome(d Done) pipeline.Outcome {
	o := pipeline.Outcome{Target: d.Target, Failed: d.Err != nil}
	if d.Err != nil {
		o.Text = firstLine(d.Err)
	}
	return o
}

func (d *Deployment) environment() pipeline.Environment {
	for _, e := range d.Pipeline.Environments {
		if e.Name == d.Environment {
			return e
		}
	}
	return pipeline.Environment{Name: d.Environment}
}

// migrate brings one target to the release. It runs what was judged, or nothing: plan, history and identity are compared
// under the target's lock.
func (d *Deployment) migrate(ctx context.Context, lanes *lanes, w pipeline.Work) Done {
	began := time.Now()
	done := Done{Target: w.Target}
	target, ok := d.target(w.Target)
	if !ok {
		done.Err = fmt.Errorf("target %s is not among the environment's targets", w.Target)
		return done
	}
	leave, err := lanes.enter(ctx, w.Identity.Host)
	if err != nil {
		done.Err = interrupted(err)
		return done
	}
	defer leave()
	d.report(TargetStarted{Target: w.Target, Scripts: len(w.Steps)})
	cfg := target.Config
	cfg.Prepared, cfg.NoProgress = d.Scripts, true
	cfg.Expect = &skein.Expect{
		Identity:    skein.Identity{System: w.Identity.System, Cluster: w.Identity.Cluster, Database: w.Identity.Database},
		Fingerprint: w.Fingerprint, HistoryHash: w.History,
	}
	release := d.Release
	if d.To != nil {
		release = *d.To
	}
	cfg.Deployment = &skein.Deployment{ID: d.ID, Release: release.Name, Digest: release.Digest, Releaser: d.Releaser, Environment: d.Environment}
	cfg.Report = func(e skein.Event) { d.report(TargetTold{Target: w.Target, Event: e}) }
	if d.Arrange != nil {
		told := cfg.Report
		if cfg, done.Err = d.Arrange(w.Target, cfg); done.Err != nil {
			return done
		}
		arranged := cfg.Report
		cfg.Report = func(e skein.Event) {
			arranged(e)
			told(e)
		}
	}
	if d.To != nil {
		done.Applied, done.Err = undo(ctx, cfg, w)
	} else {
		var result *skein.MigrateResult
		result, done.Err = skein.Migrate(ctx, cfg)
		if result != nil {
			for _, a := range result.Applied {
				done.Applied = append(done.Applied, a.Script.Path)
			}
		}
	}
	done.Took = time.Since(began)
	return done
}

// undo takes back what the rollout says, the last first.
func undo(ctx context.Context, cfg skein.Config, w pipeline.Work) ([]string, error) {
	versions := make([]migration.Version, len(w.Steps))
	for i, s := range w.Steps {
		versions[i] = s.Version
	}
	cfg.CherryPick = picks(versions)
	result, err := skein.Undo(ctx, cfg)
	var out []string
	if result != nil {
		for _, u := range result.Undone {
			out = append(out, u.Script.Path)
		}
	}
	return out, err
}

func (d *Deployment) target(name string) (Target, bool) {
	for _, t := range d.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return Target{}, false
}

// healthPause is how long a wave is left alone between two questions.
const healthPause = 2 * time.Second

// health asks the health query on each target of a wave, again and again until all say yes or the wait is over.
func (d *Deployment) health(ctx context.Context, wave []pipeline.Work) pipeline.Answer {
	deadline := time.Now().Add(d.environment().HealthWait)
	names := map[string]bool{}
	for _, w := range wave {
		names[w.Target] = true
	}
	for {
		answer := d.healthOnce(ctx, names)
		if answer.Yes || ctx.Err() != nil || !time.Now().Add(healthPause).Before(deadline) {
			return answer
		}
		timer := time.NewTimer(healthPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

func (d *Deployment) healthOnce(ctx context.Context, names map[string]bool) pipeline.Answer {
	targets := d.among(names)
	answers := d.askAll(ctx, targets, d.HealthQuery)
	for _, t := range targets {
		if a := answers[t.Name]; !a.Yes {
			return pipeline.Answer{Text: t.Name + ": " + a.Text}
		}
	}
	return pipeline.Answer{Yes: true, Text: fmt.Sprintf("%d targets are well", len(targets))}
}

// Stopped reports whether an error says that a run was stopped from outside, and not that something is wrong.
func Stopped(err error) bool {
	e, ok := errors.AsType[*skein.Error](err)
	return ok && e.Kind == skein.KindInterrupted
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }
