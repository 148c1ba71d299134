package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source"
)

// deployment is the command deploy, and promote: a release for all targets of an environment, as far as the slice's time
// allows. What is left is done by the next invocation, which asks all targets again how they stand.
func deployment(ctx context.Context, s *Slice) (Answer, error) {
	project, err := s.project(ctx)
	if err != nil {
		return Answer{}, err
	}
	r := s.Request
	wait := &waiter{slice: s, pause: 250 * time.Millisecond}
	order := deploy.Order{Environment: r.Environment, Promote: r.Command == "promote", Release: r.Run.Release, Until: s.begin, Factor: 1, Again: wait.again}
	if order.Release == "" && !order.Promote {
		order.Release = r.Release
	}
	var made atomic.Pointer[deploy.Outcome]
	ended, err := s.run(ctx, func(ctx context.Context) error {
		return s.awake(ctx, func() error {
			outcome, err := project.Deploy(ctx, order)
			made.Store(outcome)
			return err
		})
	})
	outcome := made.Load()
	wait.end()
	answer, state := s.sum(outcome)
	stopped := fleet.Stopped(err) || errors.Is(err, errLetGo) || !ended && errors.Is(err, context.Canceled)
	chosen := s.chosen.Load()
	if chosen != nil && project.HasReleases() {
		r.Run.Release = *chosen // r.Run is the request's own
	}
	switch {
	case chosen == nil && stopped && !ended:
		return answer, &outage{fmt.Errorf("the function's time was up before it was known what is to run, since the bucket or a database did not answer in time: %w", err)}
	case outcome == nil && stopped:
		return s.goOn(ctx, answer, state)
	case outcome == nil:
		return answer, infrastructure(err)
	}
	answer.Release, answer.Reasons = outcome.Release.Name, reasonsOf(append(outcome.Decision.Reasons, outcome.Result.Reasons...))
	answer.Left = outcome.Result.Left
	passing := outcome.Passing()
	silent := slices.ContainsFunc(passing, func(r pipeline.Reason) bool { return r.Passing == pipeline.Silent })
	switch {
	case err != nil && !stopped:
		return answer, infrastructure(err)
	case stopped, len(passing) > 0 && (!silent || !ended):
		state.waiting = state.waiting || len(passing) > 0 && !silent
		answer.Reasons = reasonsOf(passing) // what else there is has the next invocation to say
		return s.goOn(ctx, answer, state)
	case silent:
		return answer, &outage{errors.New(passing[0].Text)}
	case outcome.Decision.Blocked():
		answer.Status = StatusBlocked
	case len(outcome.Result.Failed) > 0 || outcome.Result.State == pipeline.Stopped || len(outcome.Decision.Rollout.Held) > 0:
		answer.Status, answer.Error = StatusFailed, s.failure(outcome)
	case len(answer.Applied)+r.Run.Applied == 0:
		answer.Status = StatusNothing
	}
	return answer, nil
}

// first is the environment of a request over a pipeline that names none.
func (s *Slice) first(ctx context.Context) error {
	if s.Request.Environment != "" || !s.Request.Arrived && !slices.Contains([]string{"deploy", "promote", "status"}, s.Request.Command) {
		return nil
	}
	line, err := config.Parse([]string{"migrate"}, config.Grammar{})
	if err != nil {
		return err
	}
	environments, _, err := s.function.World.LoadAll(ctx, line, "", &secret.Redactor{})
	// Where no pipeline is written down, an arrival is for the environment default, as all requests are that name none.
	if err == nil && (!s.Request.Arrived || environments[0].Settings.IsSet("skein.pipeline")) {
		s.Request.Environment = environments[0].Name
	}
	return err
}

// project is the pipeline that the settings describe.
func (s *Slice) project(ctx context.Context) (*deploy.Project, error) {
	line, err := config.Parse([]string{"migrate"}, config.Grammar{})
	if err != nil {
		return nil, err
	}
	w, secrets := s.function.World, s.Opened.Redactor
	environments, warnings, err := w.LoadAll(ctx, line, "", secrets)
	s.warn(warnings)
	if err != nil {
		return nil, err
	}
	for _, e := range environments {
		secrets.AddText(e.Settings.Secrets()...)
	}
	s.say(secrets)
	return deploy.Open(deploy.Options{
		World: w, Environments: environments, Secrets: secrets, Now: s.function.now, Report: s.told,
		Warn:    func(w config.Warning) { s.warn([]config.Warning{w}) },
		Store:   func(c *config.Settings) (*source.Store, error) { return wire.Releases(c, w) },
		Arrange: s.arrangeTarget,
	})
}

// arrangeTarget is Arrange for a target of several.
func (s *Slice) arrangeTarget(target string, cfg skein.Config) (skein.Config, error) {
	cfg, rec, err := s.arrange(cfg, true)
	if err == nil {
		rec.mu.Lock()
		rec.name, rec.about.target, rec.behind = target, target, nil
		rec.mu.Unlock()
	}
	return cfg, err
}

// told puts what happens beside the runs into the log.
func (s *Slice) told(event fleet.Event) {
	log := s.log.logger
	switch e := event.(type) {
	case fleet.Decided:
		s.chosen.Store(&e.Release.Name)
		if e.Decision.Passing() {
			return // whoever waits for it tells
		}
		for _, r := range e.Decision.Reasons {
			log.Warn("blocked", "gate", string(r.Gate), "target", r.Target, "why", r.Text, "next", r.Next)
		}
	case fleet.WaveStarted:
		log.Info("wave", "wave", e.Wave+1, "waves", e.Waves, "targets", len(e.Targets))
	case fleet.HealthAsked:
		log.Info("health", "wave", e.Wave+1, "well", e.Answer.Yes, "answer", e.Answer.Text)
	case fleet.TargetDone:
		if e.Err != nil && !fleet.Stopped(e.Err) && deploy.Passes(e.Err) == "" {
			log.Error("target failed", "target", e.Target, "error", e.Err.Error())
		}
	case fleet.Warned:
		log.Warn(e.Text)
	}
}

// failure words the first target that failed, and says how many did.
func (s *Slice) failure(o *deploy.Outcome) *Fault {
	for _, d := range o.Result.Done {
		if d.Err != nil && !fleet.Stopped(d.Err) {
			f := faultOf(d.Err, s.log.mask)
			f.Target = d.Target
			if n := len(o.Result.Failed); n > 1 {
				f.Message += fmt.Sprintf(" (and %d more targets failed)", n-1)
			}
			return f
		}
	}
	var words []string
	for _, r := range append(o.Decision.Rollout.Held, o.Result.Reasons...) {
		words = append(words, r.Text)
	}
	return &Fault{Kind: skein.KindRefused.String(), Code: "STOPPED", Message: s.log.mask(strings.Join(words, "; "))}
}

func reasonsOf(reasons []pipeline.Reason) []Reason {
	var out []Reason
	for _, r := range reasons {
		out = append(out, Reason{Gate: string(r.Gate), Target: r.Target, Text: r.Text, Next: r.Next})
	}
	return out
}

// status is the command of that name: where releases stand in all environments.
func status(ctx context.Context, s *Slice) (Answer, error) {
	project, err := s.project(ctx)
	if err != nil {
		return Answer{}, err
	}
	var board pipeline.Board
	_, err = s.run(ctx, func(ctx context.Context) (err error) {
		board, err = project.Status(ctx)
		return err
	})
	if err != nil {
		return Answer{}, infrastructure(err)
	}
	answer := Answer{Status: StatusSucceeded}
	for _, e := range board.Environments {
		for _, t := range e.Targets {
			answer.Targets = append(answer.Targets, Standing{Environment: e.Name, Target: t.Name, Version: t.Version, Release: t.Release, Unreachable: t.Unreachable})
		}
	}
	return answer, nil
}
