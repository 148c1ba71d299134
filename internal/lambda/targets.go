package lambda

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/pipeline"
)

// waiter is what a deployment waits with for targets that somebody is at work in, as long as the slice lasts, and for those
// that do not answer, for wakeTime.
type waiter struct {
	slice         *Slice
	pause         time.Duration
	silence, work time.Time // since when; zero: not
}

// again is for deploy.Order.
func (w *waiter) again(ctx context.Context, reasons []pipeline.Reason) bool {
	s := w.slice
	now, until := s.function.now(), s.begin
	r := reasons[0]
	if at := slices.IndexFunc(reasons, func(r pipeline.Reason) bool { return r.Passing == pipeline.Silent }); at < 0 {
		w.silence = time.Time{}
	} else if r = reasons[at]; w.silence.IsZero() {
		w.silence = now
	}
	if awake := w.silence.Add(s.wakeTime); !w.silence.IsZero() && awake.Before(until) {
		until = awake
	}
	if r.Passing == pipeline.AtWork && w.work.IsZero() {
		w.work = now
	}
	pause := min(w.pause/2+rand.N(w.pause), until.Sub(now))
	if ctx.Err() != nil || pause < 10*time.Millisecond {
		return false
	}
	if r.Passing == pipeline.AtWork {
		s.log.logger.Info("waiting for a lock", "target", r.Target, "holder", r.Text, "waitedMs", now.Sub(w.work).Milliseconds())
	} else {
		s.log.logger.Warn("a target does not answer; trying again", "target", r.Target, "error", r.Text, "milliseconds", pause.Milliseconds())
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return false
	}
	for _, rec := range s.heard() {
		rec.over()
	}
	w.pause = min(2*w.pause, 5*time.Second)
	return true
}

// end writes how long others were at work.
func (w *waiter) end() {
	if s := w.slice; !w.work.IsZero() {
		s.log.metrics(about{environment: s.Request.Environment, run: s.Request.Run.ID}, map[string]float64{"LockWait": float64(s.function.now().Sub(w.work).Milliseconds())})
	}
}

// sum adds up what the runs on all targets did, and what the server has finished since the invocation before. outcome may be
// nil.
func (s *Slice) sum(outcome *deploy.Outcome) (Answer, slice) {
	answer, all := Answer{Status: StatusSucceeded}, slice{left: -1}
	left := map[string]int{}
	if outcome != nil {
		for _, t := range outcome.Facts {
			if t.Environment == outcome.Environment {
				left[t.Name] = len(t.Pending)
			}
		}
	}
	for _, rec := range s.heard() {
		state, applied, version, _ := rec.state()
		if answer.Applied = append(answer.Applied, applied...); version != "" {
			answer.Version = version
		}
		all.applied += state.applied
		for _, path := range state.begun {
			all.begun = append(all.begun, rec.name+"/"+path)
		}
		all.waiting = all.waiting || state.waiting
		if all.attached == "" {
			all.attached = state.attached
		}
		if state.left >= 0 { // its run is the last on its target
			left[rec.name], all.left = state.left, max(all.left, 0)+state.left
		}
	}
	for _, n := range left {
		answer.Pending += n
	}
	if outcome != nil {
		late := s.late(outcome, left)
		for _, a := range late {
			if len(answer.Applied) == 0 && a.Version != "" {
				answer.Version = a.Version
			}
		}
		answer.Applied, all.applied = append(late, answer.Applied...), all.applied+len(late)
	}
	return answer, all
}

// late are the scripts that the invocation before had left to the server and that were there when this one asked. It takes them
// out of the run's list: they are told once.
func (s *Slice) late(outcome *deploy.Outcome, left map[string]int) []Applied {
	var out []Applied
	run := s.Request.Run
	for _, t := range outcome.Facts {
		if t.Environment != outcome.Environment {
			continue
		}
		rec := newRecord(s.log.with("target", t.Identity.Database), about{s.Request.Environment, t.Identity.Database, run.ID}, nil, s)
		rec.left = left[t.Name]
		for _, row := range t.Applied {
			if at := slices.Index(run.Begun, t.Name+"/"+row.Script); at >= 0 && row.Success {
				run.Begun = slices.Delete(run.Begun, at, at+1)
				rec.add(Applied{Script: row.Script, Version: row.Version.String(), Milliseconds: row.Duration.Milliseconds(), Detached: true})
			}
		}
		out = append(out, rec.applied...)
	}
	return out
}
