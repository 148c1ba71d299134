// Package deploy is what the verbs deploy, promote, status and approve do, for whichever front asks: it knows how the
// settings of several environments become a pipeline, its targets and its releases. What may happen is decided by
// internal/pipeline, what happens is done by internal/fleet; nothing is printed here.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/schedule"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source"
)

// Options are what a front gives.
type Options struct {
	World        wire.World
	Environments []config.Environment // in the pipeline's order
	Secrets      *secret.Redactor
	Report       func(fleet.Event) // hears one event at a time; nil: nobody does
	Warn         func(config.Warning)
	Now          func() time.Time
	// Arrange gives the Config of each run on a target its last touch; nil: none.
	Arrange func(target string, cfg skein.Config) (skein.Config, error)
	// Store opens the place that the setting releases names; nil: none is set.
	Store func(*config.Settings) (*source.Store, error)
}

// Project is a pipeline with all that belongs to it.
type Project struct {
	Pipeline pipeline.Pipeline

	opt      Options
	stations []station
	people   release.People
	store    *source.Store // nil: no place for releases is set

	reporting sync.Mutex
}

// station is one environment.
type station struct {
	name     string
	settings *config.Settings
	engine   skein.Config
	listing  fleet.Listing
}

// Open turns settings into a project. It connects to nothing. Its error is config.Mistakes: everything that is wrong.
func Open(opt Options) (*Project, error) {
	p := &Project{opt: opt}
	if p.opt.Now == nil {
		p.opt.Now = time.Now
	}
	var mistakes config.Mistakes
	for _, e := range opt.Environments {
		s, environment, wrong := p.station(e)
		if mistakes = append(mistakes, wrong...); len(wrong) > 0 {
			continue
		}
		p.stations = append(p.stations, s)
		p.Pipeline.Environments = append(p.Pipeline.Environments, environment)
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	first := p.stations[0].settings
	p.Pipeline.SignReleases = first.Bool("skein.signReleases")
	p.people = release.People(first.Lists("skein.people"))
	if err := p.people.Check(); err != nil {
		return nil, mistake(first, "skein.people", err)
	}
	p.Pipeline.People = map[string][]string{}
	for name, keys := range p.people {
		for _, text := range keys {
			key, _ := release.ParsePublicKey(text) // Check has read it
			p.Pipeline.People[name] = append(p.Pipeline.People[name], key.Fingerprint())
		}
	}
	for _, text := range p.Pipeline.Check() {
		mistakes = append(mistakes, config.Mistake{Origin: first.Origin("skein.pipeline"), Key: "pipeline", Text: text})
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	if first.Text("skein.releases") == "" {
		return p, nil
	}
	var err error
	if p.store, err = opt.Store(first); err != nil {
		return nil, mistake(first, "skein.releases", err)
	}
	return p, nil
}

func mistake(s *config.Settings, key string, err error) config.Mistakes {
	return config.Mistakes{{Origin: s.Origin(key), Key: key, Text: err.Error()}}
}

// station reads what the settings of one environment say.
func (p *Project) station(e config.Environment) (station, pipeline.Environment, config.Mistakes) {
	s := e.Settings
	var mistakes config.Mistakes
	add := func(key string, err error) {
		if err != nil {
			mistakes = append(mistakes, mistake(s, key, err)...)
		}
	}
	engine, warnings, err := wire.Engine(s, p.opt.World, false, p.opt.Secrets)
	for _, w := range warnings {
		if p.opt.Warn != nil {
			p.opt.Warn(w)
		}
	}
	if err != nil {
		wrong, ok := err.(config.Mistakes) //nolint:errorlint // Engine returns nothing else
		if !ok {
			add("url", err)
		}
		mistakes = append(mistakes, wrong...)
	}
	out := pipeline.Environment{
		Name: e.Name, Production: s.Bool("skein.production"), Health: s.Text("skein.healthQuery") != "", HealthWait: s.Duration("skein.healthWait"),
		Concurrent: s.Int("skein.concurrency"),
		Gates: pipeline.Gates{
			Previous: s.Bool("skein.gates.previous"), Soak: s.Duration("skein.gates.soak"), Validate: s.Bool("skein.gates.validate"),
			Approvals: s.Int("skein.gates.approvals"), ApprovalExpiry: s.Duration("skein.gates.approvalExpiry"),
			RestorePoint: s.Text("skein.gates.restorePoint"), Command: s.Text("skein.gates.command"), Query: s.Text("skein.gates.query"),
		},
	}
	zone, err := time.LoadLocation(s.Text("skein.gates.timeZone"))
	add("skein.gates.timeZone", err)
	if err == nil {
		out.Gates.Windows, err = schedule.ParseWindows(s.List("skein.gates.windows"), s.List("skein.gates.freezes"), zone)
		add("skein.gates.windows", err)
	}
	for _, text := range s.List("skein.waves") {
		wave, err := pipeline.ParseWave(text)
		add("skein.waves", err)
		out.Waves = append(out.Waves, wave)
	}
	out.Budget, err = pipeline.ParseBudget(s.Text("skein.failureBudget"))
	add("skein.failureBudget", err)
	engine.Environment = e.Name
	st := station{name: e.Name, settings: s, engine: engine}
	st.listing = p.listing(e.Name, s, engine)
	return st, out, mistakes
}

func (p *Project) listing(name string, s *config.Settings, engine skein.Config) fleet.Listing {
	l := fleet.Listing{
		Environment: name, Base: engine, URLs: s.List("skein.targets"), Query: s.Text("skein.targetsQuery"), Schemas: s.List("skein.targetSchemas"),
		Connect: func(url string) (func(context.Context) (*pgx.ConnConfig, error), error) {
			return wire.Connect(s, p.opt.World, "skein.targets", url, p.opt.Secrets)
		},
	}
	if len(l.URLs) > 0 || l.Query != "" {
		l.Base.Identity = skein.Identity{} // it is of one database: each of several has its pin in itself
	}
	if from := s.Text("skein.targetsFrom"); from != "" {
		l.From = func(ctx context.Context) (*pgx.ConnConfig, error) {
			connect, err := wire.Connect(s, p.opt.World, "skein.targetsFrom", from, p.opt.Secrets)
			if err != nil {
				return nil, err
			}
			return connect(ctx)
		}
	}
	return l
}

// HasReleases reports whether a place for releases is set: else files are deployed as they lie there, and no name leads back
// to them.
func (p *Project) HasReleases() bool { return p.store != nil }

func (p *Project) find(environment string) (int, error) {
	i := slices.IndexFunc(p.stations, func(s station) bool { return s.name == environment })
	if i < 0 {
		var names []string
		for _, s := range p.stations {
			names = append(names, s.name)
		}
		return 0, &skein.Error{
			Kind: skein.KindConfig, Code: "CONFIGURATION", Message: fmt.Sprintf("there is no environment %q in the pipeline", environment),
			Hint: "the environments are, in order: " + strings.Join(names, ", ") + "; the setting pipeline lists them",
		}
	}
	return i, nil
}

// report hands events on, one at a time: some come from whoever tells people, beside the rollout.
func (p *Project) report(e fleet.Event) {
	if p.opt.Report != nil {
		p.reporting.Lock()
		defer p.reporting.Unlock()
		p.opt.Report(e)
	}
}

// kinds are what a failure of a source or store means.
var kinds = map[source.Reason]skein.Kind{source.Wrong: skein.KindConfig, source.Unreachable: skein.KindConnection, source.Refused: skein.KindRefused}

// told gives the errors of stores the form of all others.
func told(err error) error {
	if e, ok := errors.AsType[*source.Error](err); ok {
		return &skein.Error{Kind: kinds[e.Reason], Code: "ERROR", Message: e.Message, Hint: e.Hint, Err: err}
	}
	return err
}
