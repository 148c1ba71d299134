package fleet

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/migration"
)

// Survey asks targets how they stand, at most concurrency at a time and with at most connections (0: no bound) to one
// server, and returns their facts in the targets' order. With scripts nil only histories are read. report may be nil; it is
// called one at a time.
func Survey(ctx context.Context, environment string, targets []Target, scripts *skein.Prepared, concurrency, connections int, report func(Surveyed)) []pipeline.TargetFacts {
	if scripts == nil {
		scripts = &skein.Prepared{} // histories only: what the targets' own locations have is not asked for
	}
	out := make([]pipeline.TargetFacts, len(targets))
	places := make([]int, len(targets))
	for i := range targets {
		places[i] = i
		out[i] = pipeline.TargetFacts{Name: targets[i].Name, Environment: environment, Unreachable: "it was not asked"}
	}
	lanes := newLanes(connections, ofQuestion)
	var mu sync.Mutex
	done := 0
	each(ctx, places, concurrency, func(i int) {
		cfg := targets[i].Config
		cfg.Prepared, cfg.Report = scripts, nil
		defer lanes.bind(&cfg)()
		survey := skein.Survey
		if targets[i].undo && len(cfg.CherryPick) > 0 {
			survey = skein.SurveyUndo
		}
		result, err := survey(ctx, cfg)
		out[i] = factsOf(environment, targets[i], result, err)
		if targets[i].undo && len(cfg.CherryPick) == 0 {
			out[i].Pending, out[i].Fingerprint = nil, ""
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		if report != nil {
			report(Surveyed{Environment: environment, Facts: out[i], Done: done, Total: len(targets)})
		}
	})
	return out
}

func (d *Deployment) survey(ctx context.Context, environment string, targets []Target) []pipeline.TargetFacts {
	return Survey(ctx, environment, targets, d.Scripts, d.concurrency(), d.Connections, func(s Surveyed) { d.report(s) })
}

// factsOf turns what a survey found into what the pipeline decides on.
func factsOf(environment string, target Target, s *skein.SurveyResult, err error) pipeline.TargetFacts {
	f := pipeline.TargetFacts{Name: target.Name, Environment: environment}
	if err != nil {
		f.Unreachable = firstLine(err)
		e, ok := errors.AsType[*skein.Error](err)
		f.Silent = ok && e.Kind == skein.KindConnection || errors.Is(err, secret.ErrSilent)
		return f
	}
	f.Identity, f.Key = identity(s.Identity), s.Identity.Key()
	if s.Pin != nil {
		pinned := identity(s.Pin.Identity)
		pinned.Host = "" // people reach one database by several names
		f.Pinned = &pinned
	}
	// Whether it is the one that was meant the engine knows best: it has compared with the pin and with what is expected.
	for to, wrong := range map[*string]error{&f.Misplaced: s.Misplaced, &f.ReadOnly: s.ReadOnly, &f.NoPlan: s.Blocked} {
		if wrong != nil {
			*to = firstLine(wrong)
		}
	}
	f.Clock, f.Fingerprint, f.History = s.Clock, s.Fingerprint, s.HistoryHash
	if s.Holder != nil {
		f.Busy = holder(*s.Holder)
	}
	f.Applied = appliedOf(s)
	for _, e := range s.Entries {
		if e.Script != nil && e.Script.Kind != migration.Undo {
			f.Scripts = append(f.Scripts, ScriptOf(e.Script))
		}
	}
	for _, step := range s.Steps {
		f.Pending = append(f.Pending, pipeline.Step{Kind: step.Script.Kind, Version: step.Script.Version, Path: step.Script.Path, SHA256: step.Script.SHA256()})
	}
	for _, p := range s.Problems {
		f.Problems = append(f.Problems, oneLine(p.Message))
	}
	f.Skipped = skipped(s)
	return f
}

// skipped are scripts that are neither applied nor planned, with their state.
func skipped(s *skein.SurveyResult) map[string]string {
	planned := map[*migration.Script]bool{}
	for _, step := range s.Steps {
		planned[step.Script] = true
	}
	out := map[string]string{}
	for _, e := range s.Entries {
		if e.Script != nil && e.Applied == nil && e.Script.Kind != migration.Undo && !planned[e.Script] && s.Blocked == nil {
			out[e.Script.Path] = string(e.State)
		}
	}
	return out
}

func identity(i skein.Identity) pipeline.Identity {
	return pipeline.Identity{Environment: i.Environment, System: i.System, Cluster: i.Cluster, Database: i.Database, Host: i.Host}
}

// appliedOf are the rows of the history, with what the side table knows of them.
func appliedOf(s *skein.SurveyResult) []pipeline.Applied {
	recorded := map[int]skein.AppliedFact{}
	for _, a := range s.Applied {
		recorded[a.Rank] = a
	}
	var out []pipeline.Applied
	for i := range s.Entries {
		row := s.Entries[i].Applied
		if row == nil {
			continue
		}
		a := pipeline.Applied{
			Rank: row.Rank, Version: row.Version, Description: row.Description, Script: row.Script, Type: row.Type, Checksum: row.Checksum,
			Success: row.Success, At: row.InstalledOn, Duration: milliseconds(row.ExecutionTime), MissingOK: missingOK(s, &s.Entries[i]),
		}
		if r, ok := recorded[row.Rank]; ok {
			a.At, a.Zoned, a.SHA256, a.Release, a.Digest, a.Releaser = r.At, true, r.SHA256, r.Release, r.Digest, r.Releaser
		}
		out = append(out, a)
	}
	return out
}

// missingOK reports whether the settings let a row be without its script.
func missingOK(s *skein.SurveyResult, e *migration.Entry) bool {
	return e.Tolerated || e.State == migration.StateMissing && !slices.ContainsFunc(s.Problems, func(p migration.Problem) bool { return p.Entry == e })
}

// ScriptOf is a script as the pipeline sees it.
func ScriptOf(s *migration.Script) pipeline.Script {
	raw := s.RawChecksum
	return pipeline.Script{
		Kind: s.Kind, Version: s.Version, Description: s.Description, Path: s.Path, Checksum: s.Checksum, RawChecksum: &raw, SHA256: s.SHA256(),
	}
}

func holder(h skein.Holder) string {
	text := "user " + h.User
	if h.Application != "" {
		text += ", application " + h.Application
	}
	if h.Host != "" {
		text += ", from " + h.Host
	}
	return text
}

func firstLine(err error) string {
	if e, ok := errors.AsType[*skein.Error](err); ok {
		text := oneLine(e.Message)
		if e.At != nil && e.At.Path != "" {
			text = e.At.Path + ": " + text
		}
		return text
	}
	return oneLine(err.Error())
}

func oneLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
