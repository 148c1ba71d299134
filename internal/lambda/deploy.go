package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

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
	order := deploy.Order{Environment: r.Environment, Promote: r.Command == "promote", Until: s.begin, Factor: 1}
	if order.Release = r.Release; order.Promote {
		order.Release = ""
	}
	var outcome *deploy.Outcome
	_, err = s.run(ctx, func(ctx context.Context) error {
		return s.awake(ctx, func() (err error) {
			outcome, err = project.Deploy(ctx, order)
			return err
		})
	})
	answer, state := s.sum()
	if outcome == nil {
		if e, ok := errors.AsType[*skein.Error](err); errors.Is(err, errLetGo) || ok && e.Kind == skein.KindInterrupted {
			return s.goOn(ctx, answer, state)
		}
		return answer, infrastructure(err)
	}
	answer.Release, answer.Reasons = outcome.Release.Name, reasonsOf(append(outcome.Decision.Reasons, outcome.Result.Reasons...))
	answer.Left = outcome.Result.Left
	switch {
	case outcome.Decision.Blocked():
		answer.Status = StatusBlocked
	case fleet.Stopped(err) || errors.Is(err, errLetGo):
		return s.goOn(ctx, answer, state)
	case err != nil:
		return answer, infrastructure(err)
	case len(outcome.Result.Failed) > 0 || outcome.Result.State == pipeline.Stopped || len(outcome.Decision.Rollout.Held) > 0:
		answer.Status, answer.Error = StatusFailed, s.failure(outcome)
	case !outcome.Ran && r.Run.Applied == 0:
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

// arranging guards the records: targets begin side by side.
var arranging sync.Mutex

func (s *Slice) arrangeTarget(target string, cfg skein.Config) (skein.Config, error) {
	arranging.Lock()
	defer arranging.Unlock()
	cfg, err := s.Arrange(cfg, true)
	if err == nil {
		rec := s.records[len(s.records)-1]
		rec.mu.Lock()
		rec.about.target = target
		rec.mu.Unlock()
	}
	return cfg, err
}

// told puts what happens beside the runs into the log.
func (s *Slice) told(event fleet.Event) {
	log := s.log.logger
	switch e := event.(type) {
	case fleet.Decided:
		for _, r := range e.Decision.Reasons {
			log.Warn("blocked", "gate", string(r.Gate), "target", r.Target, "why", r.Text, "next", r.Next)
		}
	case fleet.WaveStarted:
		log.Info("wave", "wave", e.Wave+1, "waves", e.Waves, "targets", len(e.Targets))
	case fleet.HealthAsked:
		log.Info("health", "wave", e.Wave+1, "well", e.Answer.Yes, "answer", e.Answer.Text)
	case fleet.TargetDone:
		if e.Err != nil && !fleet.Stopped(e.Err) {
			log.Error("target failed", "target", e.Target, "error", e.Err.Error())
		}
	case fleet.Warned:
		log.Warn(e.Text)
	}
}

// sum adds up what the runs on all targets did.
func (s *Slice) sum() (Answer, slice) {
	answer := Answer{Status: StatusSucceeded}
	var all slice
	for _, rec := range s.records {
		state, applied, version, _ := rec.state()
		answer.Applied, answer.Version = append(answer.Applied, applied...), version
		answer.Pending += max(state.left, 0)
		all.applied += state.applied
		all.begun = append(all.begun, state.begun...)
		all.waiting = all.waiting || state.waiting
		all.left += max(state.left, 0)
		if all.attached == "" {
			all.attached = state.attached
		}
	}
	return answer, all
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
