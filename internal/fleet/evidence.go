package fleet

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/process"
)

// commandLimit is how long a command of the user's may take. A snapshot of a large database takes its time.
const commandLimit = time.Hour

// gather gets the evidence that costs something: it is asked for only when nothing else stands in the way, and only what
// was not asked before.
func (d *Deployment) gather(ctx context.Context, gates pipeline.Gates, facts []pipeline.TargetFacts, reasons []pipeline.Reason, have *pipeline.Evidence) {
	wanted := map[pipeline.Gate]map[string]bool{}
	for _, r := range reasons {
		if r.Ask {
			if wanted[r.Gate] == nil {
				wanted[r.Gate] = map[string]bool{}
			}
			for _, name := range r.Details {
				wanted[r.Gate][name] = true
			}
			if len(r.Details) == 0 {
				wanted[r.Gate][r.Target] = true
			}
		}
	}
	if len(wanted) > 1 {
		delete(wanted, pipeline.GateRestorePoint) // it is dear, and comes when all others have said yes
	}
	if wanted[pipeline.GateCommand] != nil {
		answer := d.command(ctx, gates.Command, nil)
		have.Command = &answer
	}
	if targets := wanted[pipeline.GateQuery]; targets != nil {
		if have.Queries == nil {
			have.Queries = map[string]pipeline.Answer{}
		}
		maps.Copy(have.Queries, d.askAll(ctx, d.among(targets), gates.Query))
	}
	var mu sync.Mutex
	if targets := wanted[pipeline.GateRestorePoint]; targets != nil {
		if have.RestorePoints == nil {
			have.RestorePoints = map[string]pipeline.RestorePoint{}
		}
		clocks := map[string]time.Time{}
		for _, f := range facts {
			clocks[f.Name] = f.Clock
		}
		each(ctx, d.among(targets), d.concurrency(), func(t Target) {
			point := d.restorePoint(ctx, gates.RestorePoint, t, clocks[t.Name])
			mu.Lock()
			defer mu.Unlock()
			have.RestorePoints[t.Name] = point
		})
	}
}

// among are the targets of these names; the name "" stands for all.
func (d *Deployment) among(names map[string]bool) []Target {
	var out []Target
	for _, t := range d.Targets {
		if names[t.Name] || names[""] {
			out = append(out, t)
		}
	}
	return out
}

// askAll puts a query of the user's to targets, and gives their answers by name.
func (d *Deployment) askAll(ctx context.Context, targets []Target, sql string) map[string]pipeline.Answer {
	out := map[string]pipeline.Answer{}
	lanes := newLanes(d.Connections, ofQuestion)
	var mu sync.Mutex
	each(ctx, targets, d.concurrency(), func(t Target) {
		defer lanes.bind(&t.Config)()
		answer := ask(ctx, t, sql)
		mu.Lock()
		defer mu.Unlock()
		out[t.Name] = answer
	})
	return out
}

func ask(ctx context.Context, t Target, sql string) pipeline.Answer {
	cfg, err := t.Config.Connection(ctx)
	if err != nil {
		return pipeline.Answer{Text: "it could not be asked: " + err.Error()}
	}
	table, err := postgres.Ask(ctx, cfg, sql)
	if err != nil {
		return pipeline.Answer{Text: "it could not be asked: " + err.Error()}
	}
	yes, text := table.Says()
	return pipeline.Answer{Yes: yes, Text: text}
}

// restorePoint makes a state of the target that one can come back to, or writes down its moment.
func (d *Deployment) restorePoint(ctx context.Context, how string, t Target, clock time.Time) pipeline.RestorePoint {
	if how == "pitr" {
		if clock.IsZero() {
			return pipeline.RestorePoint{Err: "the server did not tell its time"}
		}
		return pipeline.RestorePoint{At: clock, What: "pitr"}
	}
	begun := time.Now()
	answer := d.command(ctx, how, []string{"SKEIN_TARGET=" + t.Name})
	if !answer.Yes {
		return pipeline.RestorePoint{Err: answer.Text}
	}
	return pipeline.RestorePoint{At: begun, What: answer.Text}
}

// command runs a command line of the user's with the shell. It says yes by ending well; its last line are its words.
func (d *Deployment) command(ctx context.Context, line string, env []string) pipeline.Answer {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	shell := []string{"sh", "-c", line}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", line}
	}
	var last string
	err := process.Run(ctx, process.Command{
		Args: shell, Dir: d.Dir,
		Env: append([]string{"SKEIN_ENVIRONMENT=" + d.Environment, "SKEIN_RELEASE=" + d.Release.Name, "SKEIN_DIGEST=" + d.Release.Digest, "SKEIN_DEPLOYMENT=" + d.ID}, env...),
		Line: func(text string) {
			if text = strings.TrimSpace(text); text != "" {
				last = text
			}
		},
	})
	if exit, ok := errors.AsType[*process.ExitError](err); ok {
		text := exit.Status
		if last != "" {
			text += ": " + last
		}
		return pipeline.Answer{Text: text}
	}
	if err != nil {
		return pipeline.Answer{Text: "it could not be run: " + err.Error()}
	}
	return pipeline.Answer{Yes: true, Text: last}
}
