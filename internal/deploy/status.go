package deploy

import (
	"context"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
)

// shown is how many releases the board has, from the newest on.
const shown = 8

// Status is where releases stand in all environments, from the databases' own histories. The error says that releases
// could not be read; a database that does not answer is part of the board.
func (p *Project) Status(ctx context.Context) (pipeline.Board, error) {
	releases, all, err := p.newest(ctx, shown)
	if err != nil {
		return pipeline.Board{}, told(err)
	}
	var with *loaded
	if len(all) > 0 {
		with = &all[0]
	}
	facts, err := p.survey(ctx, with)
	return pipeline.Standing(p.Pipeline, releases, facts), err
}

// newest are the newest releases with their scripts, the newest first.
func (p *Project) newest(ctx context.Context, limit int) ([]pipeline.Release, []loaded, error) {
	manifests, err := p.manifests(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []pipeline.Release
	var all []loaded
	for n := len(manifests) - 1; n >= 0 && len(out) < limit; n-- {
		l, err := p.load(ctx, p.stations[0], manifests[n])
		if err != nil {
			return nil, nil, err
		}
		out, all = append(out, l.Release), append(all, l)
	}
	return out, all, nil
}

// survey asks all targets of all environments, with the scripts of a release if there is one.
func (p *Project) survey(ctx context.Context, with *loaded) ([]pipeline.TargetFacts, error) {
	var facts []pipeline.TargetFacts
	for _, st := range p.stations {
		targets, err := st.listing.Targets(ctx)
		if err != nil {
			facts = append(facts, pipeline.TargetFacts{Name: st.name, Environment: st.name, Unreachable: err.Error()})
			continue
		}
		var scripts *skein.Prepared
		if with != nil {
			scripts = with.scripts
		}
		facts = append(facts, fleet.Survey(ctx, st.name, targets, scripts, st.settings.Int("skein.concurrency"), st.settings.Int("skein.maxConnections"), p.surveyed)...)
	}
	return facts, ctx.Err()
}

func (p *Project) surveyed(s fleet.Surveyed) { p.report(s) }

// Why gives the whole chain of reasons why a release is not applied to a target; "" is every target, or the newest release.
func (p *Project) Why(ctx context.Context, environment, target, name string) (pipeline.Release, []pipeline.Link, error) {
	rel, links, err := p.why(ctx, environment, target, name)
	return rel, links, told(err)
}

func (p *Project) why(ctx context.Context, environment, target, name string) (pipeline.Release, []pipeline.Link, error) {
	if _, err := p.find(environment); err != nil {
		return pipeline.Release{}, nil, err
	}
	var of loaded
	if name == "" && p.store != nil {
		_, all, err := p.newest(ctx, 1)
		if err != nil {
			return pipeline.Release{}, nil, err
		}
		if len(all) > 0 {
			of = all[0]
		}
	}
	var err error
	switch {
	case name != "":
		m, found := p.named(ctx, name)
		if err = found; err == nil {
			of, err = p.load(ctx, p.stations[0], m)
		}
	case of.scripts == nil:
		err = p.prepare(ctx, p.stations[0].engine, &of)
		of.Name = "the files of locations"
	}
	if err != nil {
		return pipeline.Release{}, nil, err
	}
	facts, err := p.survey(ctx, &of)
	if err != nil {
		return of.Release, nil, err
	}
	evidence := map[string]pipeline.Evidence{}
	for _, st := range p.stations {
		var e pipeline.Evidence
		if p.store != nil && of.Digest != "" {
			if e.Approvals, err = p.approvals(ctx, of.Name, p.opt.Now()); err != nil {
				return of.Release, nil, err
			}
		}
		evidence[st.name] = e
	}
	return of.Release, pipeline.Why(p.Pipeline, environment, target, of.Release, facts, evidence, p.opt.Now()), nil
}
