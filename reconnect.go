package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// A connection that breaks in the middle of a run is made anew: the server was restarted, or another one has taken its
// place. Nothing is sent again before the history has been read there under both locks: it alone says what was kept.

const (
	defaultReconnect = time.Minute
	hostPatience     = 5 * time.Second // for one host that does not answer
	maxBreaks        = 3               // in a row without a step that was recorded: a script may be what breaks the server
	ownLockPatience  = 10              // seconds: the server may notice late that our former connection is gone
)

// brokenOff says that the connection or the lock was lost, and which steps were on their way. It never leaves runSteps.
type brokenOff struct {
	cause error
	steps []*step
	give  func() error // the error of the run if there is no going on
}

// end is the error of the run that does not go on.
func (b *brokenOff) end() error {
	err := b.give()
	if again, ok := errors.AsType[*brokenOff](err); ok {
		return again.end()
	}
	return err
}

func (b *brokenOff) Error() string { return b.cause.Error() }

// canGoOn reports whether the error is one after which a new connection may be tried.
func (r *run) canGoOn(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || r.cfg.ReconnectDeadline < 0 || r.cfg.instead != nil || r.breaks >= maxBreaks {
		return false
	}
	pe, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && pe.Code == stateReadOnly:
		_ = r.conn.Rollback(ctx) // a connection that does not even do that does not answer the question either
		demoted, asked := r.conn.InRecovery(ctx)
		return asked == nil && demoted // else it is the script's or the database's own setting
	case r.conn.Lost() || r.lock != nil && r.lock.Lost():
		return !answered || passing(pe.Code)
	}
	return false
}

// passing reports whether a server that ends or refuses a connection with that state may take one later, or another
// server in its place.
func passing(state string) bool {
	switch state {
	case "57P01", "57P02", stateStartingUp, "57P05", stateTooManyClients, stateReadOnly:
		return true
	}
	return strings.HasPrefix(state, "08")
}

// reconnect makes new connections to a server that takes writes, the lock's too if it was held, and reads the history.
func (r *run) reconnect(ctx context.Context, cause error) error {
	r.breaks++
	within := cmp.Or(r.cfg.ReconnectDeadline, defaultReconnect)
	if left, bounded := r.timeLeft(); bounded {
		within = min(within, max(left, 0))
	}
	r.warn(Warning{Text: fmt.Sprintf("the connection was lost (%s); connecting again, for up to %s", firstLine(cause), within)})
	begin, held := time.Now(), r.lock != nil || r.inSession
	deadline := begin.Add(within)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 3*time.Second) {
		err := r.comeBack(ctx, deadline, held)
		if err == nil {
			r.report(Note{Text: fmt.Sprintf("connected again to %s after %s; the schema history says what was kept", r.conn.Host(), time.Since(begin).Round(time.Millisecond))})
			return nil
		}
		if ctx.Err() != nil || !r.mayPass(err) || time.Until(deadline) < wait {
			return r.wrap(err)
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return interrupted(ctx.Err())
		}
	}
}

// comeBack is one attempt.
func (r *run) comeBack(ctx context.Context, deadline time.Time, held bool) error {
	r.drop()
	r.insist = true
	defer func() { r.insist = false }()
	connecting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := r.dial(connecting)
	if err != nil {
		return err
	}
	r.conn = conn
	if err := r.survey(connecting); err != nil {
		return err
	}
	r.place = locality{}
	if err := r.located(connecting); err != nil {
		return err
	}
	if err := r.settleSession(ctx); err != nil {
		return err
	}
	if held {
		given := r.cfg.LockRetryCount
		defer func() { r.cfg.LockRetryCount = given }()
		if given != nil && *given >= 0 {
			r.cfg.LockRetryCount = new(max(*given, ownLockPatience))
		}
		if err := r.acquire(ctx); err != nil {
			return err
		}
	}
	r.changed()
	return r.readHistory(ctx)
}

// mayPass reports whether an attempt that failed so may succeed later.
func (r *run) mayPass(err error) bool {
	if errors.Is(err, errMisplaced) {
		return false
	}
	if pe, answered := errors.AsType[*pgconn.PgError](err); answered {
		return passing(pe.Code)
	}
	if _, unreachable := errors.AsType[*postgres.ConnectFailure](err); unreachable {
		return true
	}
	return r.conn.Lost() || r.lock != nil && r.lock.Lost()
}

// drop gives up both connections.
func (r *run) drop() {
	if r.lock != nil {
		r.lock.Close()
		r.lock = nil
	}
	r.conn.Close()
	r.lockSeen, r.inSession = time.Time{}, false
}

// surviving repeats do, which may be repeated whatever became of it, over new connections when one breaks.
func (r *run) surviving(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !r.canGoOn(ctx, err) {
			return err
		}
		if again := r.reconnect(ctx, err); again != nil {
			return again
		}
	}
}

// broken turns an error that came before the i-th step had begun into one to go on after, if it is such.
func (r *run) broken(ctx context.Context, err error) error {
	if !r.canGoOn(ctx, err) {
		return err
	}
	return &brokenOff{cause: err, give: func() error { return err }}
}

// goOn connects again and finds out which of the steps that were on their way are recorded. Without an error the plan
// still holds. errMoved is in the error when the history is not what this run has made of it, errRestart when the group
// has to begin anew.
func (r *run) goOn(ctx context.Context, b *brokenOff, g *group) error {
	known := slices.Clone(r.rows)
	if err := r.reconnect(ctx, b.cause); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Kind != KindConnection {
			return err // stopped meanwhile, or another run has the lock
		}
		return b.end()
	}
	if g != nil && g.mode == stepwise {
		switch {
		case sameRows(g.known, r.rows):
			return errRestart
		case sameRows(known, r.rows):
			return nil // it was the answer to the commit that did not come
		}
		return errors.Join(errMoved, b.end())
	}
	found, n := r.rows, 0
	for n < len(b.steps) && recorded(found, b.steps[n].row) {
		n++
	}
	if n > 0 {
		if err := r.conn.Durable(ctx, r.history); err != nil {
			return r.wrap(err)
		}
	}
	r.rows = known
	for _, s := range b.steps[:n] {
		s.done(0)
	}
	known, r.rows = r.rows, found
	if !sameRows(known, found) {
		return errors.Join(errMoved, b.end())
	}
	return nil
}

// errRestart says that nothing of the group was kept.
var errRestart = errors.New("the group begins anew")

// sameRows reports whether the history found is the one that was known.
func sameRows(known, found []migration.Row) bool {
	return slices.EqualFunc(known, found, func(a, b migration.Row) bool {
		return a.Rank == b.Rank && migration.AbbreviateScript(a.Script) == migration.AbbreviateScript(b.Script) && a.Success == b.Success
	})
}

// settleSession brings the session to where scripts begin: what initSql and afterConnect set is meant to stay.
func (r *run) settleSession(ctx context.Context) error {
	if !r.has("afterConnect") && r.cfg.InitSQL == "" {
		if err := r.keepQuiet(ctx); err != nil {
			return err
		}
		r.session = postgres.CleanSession(r.cfg.Role, r.quiet)
		return nil
	}
	if err := r.fire(ctx, "afterConnect"); err != nil {
		return r.writes(err, "afterConnect")
	}
	if err := r.keepQuiet(ctx); err != nil {
		return err
	}
	texts := []string{r.cfg.InitSQL}
	for _, c := range r.callbacks {
		if c.Event == "afterConnect" && c.Type == migration.TypeSQL {
			texts = append(texts, c.Text)
		}
	}
	var err error
	if r.session, err = r.conn.CaptureSession(ctx, r.quiet, texts...); err != nil {
		return r.wrap(err)
	}
	return r.survey(ctx) // the search path may be another now
}

// aim chooses among servers: of several hosts the one that takes writes, and after a break no other.
func (r *run) aim(cfg *pgx.ConnConfig) (*pgx.ConnConfig, bool) {
	several := slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.Host != cfg.Host || f.Port != cfg.Port })
	if !several && !r.insist {
		return cfg, false
	}
	cfg = cfg.Copy()
	chosen := cfg.ValidateConnect == nil
	if chosen {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = hostPatience
	}
	return cfg, chosen && !r.insist
}

// openConn connects; where no host takes writes, and reading may be all that is wanted, to one that does not.
func (r *run) openConn(ctx context.Context, given *pgx.ConnConfig, opt postgres.Options) (*postgres.Conn, error) {
	cfg, yielding := r.aim(given)
	conn, err := postgres.Open(ctx, cfg, opt)
	if yielding && errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return postgres.Open(ctx, given, opt)
	}
	return conn, err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
