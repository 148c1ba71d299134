package lambda

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/secret"
)

// readWrite is libpq's target_session_attrs=read-write.
var readWrite = pgconn.ValidateConnectTargetSessionAttrsReadWrite

// migrate is the command of that name.
func migrate(ctx context.Context, s *Slice) (Answer, error) {
	cfg, err := s.Arrange(s.Opened.Engine, true)
	if err != nil {
		return Answer{}, err
	}
	rec := s.records[0]
	var result *skein.MigrateResult
	ended, err := s.run(ctx, func(ctx context.Context) error {
		return s.awake(ctx, func() (err error) {
			result, err = skein.Migrate(ctx, cfg)
			return err
		})
	})
	if ended {
		s.lookBehind(ctx, cfg, rec)
	}
	state, applied, version, where := rec.state()
	if !ended {
		state.begun = append(state.begun, rec.unseen()...)
	}
	answer := Answer{Status: StatusSucceeded, Target: where.target, Applied: applied, Version: version, Pending: max(state.left, 0)}
	switch e, _ := errors.AsType[*skein.Error](err); {
	case err == nil:
		answer.Pending = 0
		if answer.Warnings = result.Warnings; len(applied)+s.Request.Run.Applied == 0 {
			answer.Status = StatusNothing
		}
		return answer, nil
	case !ended, e != nil && (e.Kind == skein.KindInterrupted):
		return s.goOn(ctx, answer, state)
	case e != nil && e.Kind == skein.KindConnection, errors.Is(err, secret.ErrSilent):
		return answer, &outage{err}
	}
	answer.Status, answer.Error = StatusFailed, faultOf(err, s.log.mask)
	return answer, nil
}

// lookBehind adds the scripts that the invocation before had left to the server and that have been applied since. How long
// they took is in the history.
func (s *Slice) lookBehind(ctx context.Context, cfg skein.Config, rec *record) {
	rec.mu.Lock()
	ended := rec.ended
	rec.mu.Unlock()
	if len(ended) == 0 {
		return
	}
	cfg.Report = nil
	var result *skein.InfoResult
	_, err := s.run(ctx, func(ctx context.Context) (err error) {
		result, err = skein.Info(ctx, cfg)
		return err
	})
	if err != nil {
		s.log.logger.Warn("how long scripts took that ended after their invocation is not known", "error", err.Error())
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	before := rec.applied
	rec.applied = nil
	for i := range result.Entries {
		e := &result.Entries[i]
		if e.Applied != nil && slices.Contains(ended, e.Path()) {
			rec.add(Applied{Script: e.Path(), Version: e.Version().String(), Milliseconds: int64(e.Applied.ExecutionTime), Detached: true})
		}
	}
	if rec.applied = append(rec.applied, before...); len(before) > 0 {
		rec.version = before[len(before)-1].Version
	}
}

// awake repeats do while the server cannot be reached but may be soon: a Serverless cluster takes half a minute to wake
// up, a failover some seconds. Nothing is done twice: what was applied is in the history.
func (s *Slice) awake(ctx context.Context, do func() error) error {
	until := s.function.now().Add(s.wakeTime)
	if s.begin.Before(until) {
		until = s.begin
	}
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := do()
		if !mayWake(err) || ctx.Err() != nil || s.function.now().Add(wait).After(until) {
			return err
		}
		s.log.logger.Warn("what the run needs does not answer; trying again", "error", err.Error(), "milliseconds", wait.Milliseconds())
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return err
		}
	}
}

// mayWake reports whether a connection that failed so may be made later.
func mayWake(err error) bool {
	e, ok := errors.AsType[*skein.Error](err)
	if !ok || e.Kind != skein.KindConnection {
		return false
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch refused.Code {
		case "57P01", "57P02", "57P03", "57P05", "53300", "25006":
			return true
		}
		return refused.Code[:2] == "08"
	}
	return true
}

// goOn decides what comes after a slice that the time has ended.
func (s *Slice) goOn(ctx context.Context, answer Answer, state slice) (Answer, error) {
	run := *s.Request.Run
	m := decide(run, state, s.limits, s.function.now())
	answer.Status = m.status
	if m.next == nil {
		answer.Error = &Fault{Kind: skein.KindInterrupted.String(), Code: "GIVEN_UP", Message: m.words, Hint: m.hint}
		return answer, nil
	}
	next := s.Request
	next.Run = m.next
	answer.Next = &next
	if s.Request.Continue == "answer" {
		return answer, nil
	}
	if err := s.function.invoke(ctx, s.call, next); err != nil {
		return answer, &outage{err}
	}
	return answer, nil
}

// info is the command of that name.
func info(ctx context.Context, s *Slice) (Answer, error) {
	cfg, err := s.Arrange(s.Opened.Engine, false)
	if err != nil {
		return Answer{}, err
	}
	var result *skein.InfoResult
	_, err = s.run(ctx, func(ctx context.Context) error {
		return s.awake(ctx, func() (err error) {
			result, err = skein.Info(ctx, cfg)
			return err
		})
	})
	if err != nil {
		return Answer{}, infrastructure(err)
	}
	a := Answer{Status: StatusSucceeded, Target: result.Database, Version: result.Version.String(), Warnings: result.Warnings}
	a.Migrations, a.Pending = entriesOf(result.Entries)
	return a, nil
}

// validate is the command of that name.
func validate(ctx context.Context, s *Slice) (Answer, error) {
	cfg, err := s.Arrange(s.Opened.Engine, false)
	if err != nil {
		return Answer{}, err
	}
	var result *skein.ValidateResult
	_, err = s.run(ctx, func(ctx context.Context) error {
		return s.awake(ctx, func() (err error) {
			result, err = skein.Validate(ctx, cfg)
			return err
		})
	})
	if err != nil {
		return Answer{}, infrastructure(err)
	}
	a := Answer{Status: StatusSucceeded, Target: result.Database, Warnings: result.Warnings}
	for _, p := range result.Problems {
		a.Problems = append(a.Problems, Problem{Code: string(p.Code), Script: p.Path, Version: p.Version.String(), Message: p.Message})
	}
	if len(result.Problems) > 0 {
		a.Status, a.Error = StatusFailed, faultOf(skein.ValidationError(result.Problems), s.log.mask)
	}
	return a, nil
}

// infrastructure sets errors apart that have nothing to do with scripts.
func infrastructure(err error) error {
	if e, ok := errors.AsType[*skein.Error](err); errors.Is(err, errLetGo) || errors.Is(err, secret.ErrSilent) || ok && e.Kind == skein.KindConnection {
		return &outage{err}
	}
	return err
}
