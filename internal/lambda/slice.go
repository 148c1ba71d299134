package lambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aurora"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
)

// Slice is one invocation's share of a run.
type Slice struct {
	Request  Request // with its Run
	Opened   *Opened
	function *Function
	call     call
	log      *log
	limits   Limits
	wakeTime time.Duration
	begin    time.Time     // no script is begun after it
	letGo    time.Time     // what runs then is left to the server
	whole    time.Duration // that a slice has for a script, if it begins with it
	leash    leash
	records  []*record
	keeping  sync.Mutex // of records: targets begin side by side
	once     sync.Once
	proxy    atomic.Bool            // the target is behind RDS Proxy
	chosen   atomic.Pointer[string] // the release of a deployment; nil: not yet
}

// open reads the settings of the request's environment.
func (s *Slice) open(ctx context.Context) (*Opened, error) {
	command := s.Request.Command
	if command != "info" && command != "validate" {
		command = "migrate" // whose settings the others have too
	}
	args := []string{command}
	if err := s.first(ctx); err != nil {
		return nil, err
	}
	if s.Request.Environment != "" {
		args = append(args, "-environment="+s.Request.Environment)
	}
	if r := s.Request; r.Release != "" && !r.Arrived {
		args = append(args, "-locations="+releaseLocation(r.Release))
	}
	if s.Request.Target != "" {
		args = append(args, "-target="+s.Request.Target)
	}
	line, err := config.Parse(args, config.Grammar{})
	if err != nil {
		return nil, err
	}
	world, o := s.function.World, &Opened{Redactor: &secret.Redactor{}}
	settings, warnings, err := world.Load(ctx, line, o.Redactor)
	s.say(o.Redactor)
	s.warn(warnings)
	if err != nil {
		return nil, err
	}
	o.Settings = settings
	o.Redactor.AddText(settings.Secrets()...)
	o.Engine, warnings, err = wire.Engine(settings, world, false, o.Redactor)
	s.warn(warnings)
	return o, err
}

func (s *Slice) warn(list []config.Warning) {
	for _, w := range list {
		s.log.logger.Warn(w.String())
	}
}

// say begins the log anew, with what is known of the request and its secrets.
func (s *Slice) say(secrets *secret.Redactor) {
	r := s.Request
	s.log = s.log.masked(secrets.String).with("run", r.Run.ID, "environment", r.Environment, "command", r.Command, "hop", r.Run.Hop, "requestId", s.call.requestID)
}

// settle takes over what the settings say of the function itself.
func (s *Slice) settle(o *Opened) {
	s.Opened = o
	r := &s.Request
	if r.Arrived && r.Command == "" {
		r.Command = strings.ToLower(o.Settings.Text("skein.lambda.onRelease"))
	}
	r.Environment = o.Settings.Environment()
	s.say(o.Redactor)
	s.limits = Limits{Hops: o.Settings.Int("skein.lambda.hops"), Idle: o.Settings.Int("skein.lambda.idleHops")}
	s.limits.Margin = o.Settings.Duration("skein.lambda.margin")
	s.limits.MaxTime = o.Settings.Duration("skein.lambda.maxTime")
	s.wakeTime = o.Settings.Duration("skein.lambda.wakeTime")
	now := s.function.now()
	begin, letGo := s.limits.window(s.call.deadline.Sub(now))
	s.begin, s.letGo, s.whole = now.Add(begin), now.Add(letGo), letGo
}

// Arrange gives the configuration of a run on one target as it has to be in a function: it stops with the slice's time, its
// statements outlive the function where they can, and its events become logs and metrics. writes says that it changes the
// target.
func (s *Slice) Arrange(cfg skein.Config, writes bool) (skein.Config, error) {
	cfg, _, err := s.arrange(cfg, writes)
	return cfg, err
}

func (s *Slice) arrange(cfg skein.Config, writes bool) (skein.Config, *record, error) {
	connection := cfg.Connection
	if connection == nil {
		return cfg, nil, errors.New("the target has no address")
	}
	rec := newRecord(s.log, about{environment: s.Request.Environment, run: s.Request.Run.ID}, s.Request.Run.Begun, s)
	s.keeping.Lock()
	s.records = append(s.records, rec)
	s.keeping.Unlock()
	cfg.Report, cfg.NoProgress, cfg.Detach = rec.hear, true, true
	cfg.Admit = func(u skein.Upcoming) error {
		seconds := s.Request.Expected[u.Script.Path]
		return tooLong(u.Script.Path, s.attached(u.Attached), time.Duration(seconds*float64(time.Second)), s.whole)
	}
	cfg.LockRetryCount = new(-1) // as long as the slice lasts
	cfg.TimeBudget = max(s.begin.Sub(s.function.now()), time.Millisecond)
	cfg.Connection = func(ctx context.Context) (*pgx.ConnConfig, error) {
		c, err := connection(ctx)
		if err != nil {
			return nil, err
		}
		place := aurora.PlaceOf(c.Host)
		if writes && place == aurora.Reader {
			return nil, &skein.Error{
				Kind: skein.KindRefused, Code: "ERROR", Message: c.Host + " is the reader endpoint of a cluster, which takes no writes",
				Hint: "use the cluster's writer endpoint, which has no -ro- in its name",
			}
		}
		s.leash.hold(c)
		if writes && c.ValidateConnect == nil {
			// A name that still leads to the former writer is a failed connection, and tried again.
			c.ValidateConnect = readWrite
		}
		s.once.Do(func() { s.warnOf(c) })
		return c, nil
	}
	return cfg, rec, nil
}

// heard are the records so far.
func (s *Slice) heard() []*record {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	return slices.Clone(s.records)
}

// attached is why a script ends with the function, as the library says, or because of the address.
func (s *Slice) attached(why string) string {
	if why == "" && s.proxy.Load() {
		return "an RDS Proxy stands between here and the server"
	}
	return why
}

// warnOf says what the address promises ill of.
func (s *Slice) warnOf(c *pgx.ConnConfig) {
	if aurora.PlaceOf(c.Host) == aurora.Proxy {
		s.proxy.Store(true)
		s.log.logger.Warn(c.Host + " is an RDS Proxy: a statement there ends with the function that sent it, so none may take longer than the function; " +
			"the cluster's writer endpoint has no such limit")
	}
	if aurora.Unverified(c) {
		s.log.logger.Warn("the connection to " + c.Host + " does not verify the server: set sslmode=verify-full, the certificates of RDS are built in")
	}
}

// run calls the library until the time to let go has come. ended is false when the call had not come back by then.
func (s *Slice) run(ctx context.Context, do func(context.Context) error) (ended bool, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the deadline's end would cancel what is to go on
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	timer := time.NewTimer(s.letGo.Sub(s.function.now()))
	defer timer.Stop()
	select {
	case err := <-done:
		return true, err
	case <-timer.C:
	}
	if slices.ContainsFunc(s.heard(), (*record).cannotStay) {
		// Left to itself it would work on for nothing, and hold its locks.
		cancel()
		orderly := time.NewTimer(s.call.deadline.Sub(s.letGo) / 3)
		defer orderly.Stop()
		select {
		case err := <-done:
			return false, err
		case <-orderly.C:
		}
	}
	s.leash.letGo()
	cancel()
	// What it has to tell it tells soon, now that all its connections are gone.
	patience := time.NewTimer(s.call.deadline.Sub(s.letGo) / 3)
	defer patience.Stop()
	select {
	case err := <-done:
		return false, err
	case <-patience.C:
		return false, errLetGo
	}
}

// end writes the last lines of a slice and completes its answer.
func (s *Slice) end(a Answer) Answer {
	r := s.Request
	a.Command, a.Environment, a.Via, a.Run, a.Hop = r.Command, r.Environment, r.Via, r.Run.ID, r.Run.Hop
	a.AppliedBefore = r.Run.Applied
	if a.Applied == nil {
		a.Applied = []Applied{}
	}
	where := about{environment: r.Environment, target: a.Target, run: r.Run.ID}
	log := s.log.with("target", a.Target)
	if r.Command == "silence" || r.Command == "doctor" { // they look at what runs do, and are none
		if e := a.Error; e != nil {
			log.logger.Error(r.Command+" failed", "kind", e.Kind, "error", e.Message, "hint", e.Hint)
		}
		return a
	}
	values := map[string]float64{}
	if a.Next != nil {
		values["Continuations"] = 1
		log.logger.Info("run_continues", "status", a.Status, "applied", len(a.Applied), "pending", a.Pending)
	} else {
		failure := 0.0
		if a.Status == StatusFailed {
			failure = 1
		}
		values["RunFailed"], values["RunSucceeded"] = failure, 1-failure
		if a.Status == StatusBlocked { // it neither failed nor did what it is there for
			values["RunSucceeded"], values["RunBlocked"] = 0, 1
		}
		args := []any{"status", a.Status, "applied", len(a.Applied) + a.AppliedBefore, "pending", a.Pending,
			"milliseconds", s.function.now().Sub(r.Run.Started).Milliseconds()}
		if e := a.Error; e != nil {
			args = append(args, "error", e)
			log.logger.Error(fmt.Sprintf("%s failed", r.Command), "kind", e.Kind, "script", e.Script, "line", e.Line, "sqlstate", e.SQLState, "error", e.Message, "hint", e.Hint)
		}
		log.logger.Info(Finished, append(args, "event", Finished)...)
	}
	if r.Command != "info" && r.Command != "validate" && r.Command != "status" {
		values["PendingScripts"] = float64(a.Pending)
		s.log.metrics(where, values)
	}
	return a
}
