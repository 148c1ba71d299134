package deploy

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/notify"
	"github.com/skein-db/skein/internal/pipeline"
)

// herald tells people how a deployment goes, beside it: what fails there is a warning and stops nothing.
type herald struct {
	to      notify.Settings
	project *Project
	order   Order
	outcome *Outcome
	waiting sync.WaitGroup
}

// herald reads who is to be told. That a reference cannot be answered is told at once: it is a mistake of the settings.
func (p *Project) herald(ctx context.Context, st station, order Order, outcome *Outcome) (*herald, error) {
	to, err := p.opt.World.Notifications(ctx, st.settings, p.opt.Secrets)
	return &herald{to: to, project: p, order: order, outcome: outcome}, err
}

// hear listens to a deployment for waves that are done.
func (h *herald) hear(ctx context.Context, e fleet.Event) {
	w, ok := e.(fleet.WaveStarted)
	if !ok || w.Wave == 0 {
		return
	}
	run := h.run(notify.Wave)
	run.Wave, run.Waves = w.Wave, w.Waves
	for i := w.Wave; i < len(h.outcome.Decision.Rollout.Waves); i++ {
		run.Left += len(h.outcome.Decision.Rollout.Waves[i])
	}
	run.Finished = run.Targets - run.Left - len(h.outcome.Decision.Rollout.Held)
	h.waiting.Go(func() { h.send(ctx, run) })
}

// end tells how the deployment ended, and waits until everybody was told.
func (h *herald) end(ctx context.Context, err error) {
	defer h.waiting.Wait()
	o := h.outcome
	if h.order.DryRun || errors.Is(err, context.Canceled) && !o.Ran {
		return
	}
	if h.order.Again != nil && (fleet.Stopped(err) || len(o.Passing()) > 0) { // it goes on
		return
	}
	ctx = context.WithoutCancel(ctx)
	switch {
	case o.Decision.Blocked():
		run := h.run(notify.Blocked)
		run.Reasons = reasonsOf(o.Decision.Reasons)
		h.send(ctx, run)
	case !o.Ran:
	case o.Ready():
		run := h.run(notify.Done)
		h.send(ctx, run)
	default:
		run := h.run(notify.Failed)
		run.Stopped, run.Left = err != nil || o.Result.State == pipeline.Stopped, len(o.Result.Left)
		for _, d := range o.Result.Done {
			if d.Err != nil {
				run.Failures = append(run.Failures, failureOf(d))
			}
		}
		for _, r := range o.Result.Reasons {
			run.Next = r.Next
		}
		h.send(ctx, run)
	}
}

func (h *herald) run(kind notify.Kind) notify.Run {
	o := h.outcome
	run := notify.Run{
		Kind: kind, Environment: o.Environment, Release: o.Release.Name, ID: o.ID, Releaser: o.Releaser, At: h.project.opt.Now(), Took: o.Result.Took, Targets: o.Targets,
	}
	run.Finished = len(o.Decision.Rollout.Done)
	for _, d := range o.Result.Done {
		run.Migrations += len(d.Applied)
		if d.Err == nil {
			run.Finished++
		}
	}
	return run
}

func (h *herald) send(ctx context.Context, run notify.Run) {
	for _, err := range h.to.Send(ctx, notify.Of(run)) {
		h.project.report(fleet.Warned{Text: "nobody was told by " + err.Error()})
	}
}

func reasonsOf(reasons []pipeline.Reason) []notify.Reason {
	var out []notify.Reason
	for _, r := range reasons {
		out = append(out, notify.Reason{Gate: string(r.Gate), Target: r.Target, Text: r.Text, Next: r.Next, Until: r.Until})
	}
	return out
}

func failureOf(d fleet.Done) notify.Failure {
	f := notify.Failure{Target: d.Target, What: d.Err.Error()}
	if e, ok := errors.AsType[*skein.Error](d.Err); ok {
		f.What, f.Kept, f.Next = strings.SplitN(e.Error(), "\n", 2)[0], e.Kept, e.Hint
	}
	return f
}
