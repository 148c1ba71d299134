package skein

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

const (
	waitPoll    = time.Second
	waitLook    = 10 * time.Second // of one look, at least
	defaultWait = 10 * time.Minute
)

// WaitResult is what Wait saw.
type WaitResult struct {
	Target
	Version migration.Version // the current one; zero: none
	Waited  time.Duration
}

// Wait returns when the schema history says that the current version is the given one or a later one: for whoever must not
// start before the migrations are done. It asks once a second, for at most within (0 means ten minutes), and then gives
// KindTimeout. A server that cannot be reached yet, and a history that is not there yet, are waited for as well.
//
// It needs to read the history and nothing else: no lock is taken, nothing is written, and neither Role nor InitSQL nor
// callbacks run. Scripts are not looked at.
func Wait(ctx context.Context, cfg Config, version migration.Version, within time.Duration) (*WaitResult, error) {
	result := &WaitResult{}
	if err := cfg.check(); err != nil {
		return result, err
	}
	if version.IsZero() {
		return result, &Error{Kind: KindConfig, Code: "CONFIGURATION", Message: "wait: no version is given", Hint: "say which one: skein wait --version 7"}
	}
	if within <= 0 {
		within = defaultWait
	}
	cfg.InitSQL, cfg.Role = "", ""
	r := &run{cfg: cfg, began: time.Now()}
	r.learn(nil)
	defer r.close()
	err := r.waitFor(ctx, version, within, result)
	result.Waited = time.Since(r.began)
	return result, r.hidden(err)
}

func (r *run) waitFor(ctx context.Context, version migration.Version, within time.Duration, result *WaitResult) error {
	var told time.Time
	for {
		current, err := r.lookOnce(ctx, within)
		switch {
		case ctx.Err() != nil:
			return r.wrap(ctx.Err())
		case err == nil:
			result.Target, result.Version = r.target(), current
			if !current.IsZero() && current.Compare(version) >= 0 {
				return nil
			}
		case !r.worthWaiting(err):
			return r.wrap(err)
		}
		why := waitText(result.Version, err)
		left := within - time.Since(r.began)
		if left <= 0 {
			return &Error{
				Kind: KindTimeout, Code: "ERROR", Err: err, Message: fmt.Sprintf("version %s was not there within %s: %s", version, within, why),
				Hint: "skein watch says what the run that brings it is doing; to wait longer: --timeout",
			}
		}
		if time.Since(told) >= lockReport {
			told = time.Now()
			r.report(Note{Text: fmt.Sprintf("waiting for version %s, for at most %s more: %s", version, left.Round(time.Second), why)})
		}
		if stopped := sleep(ctx, min(waitPoll, left)); stopped != nil {
			return r.wrap(stopped)
		}
	}
}

// lookOnce reads the current version. A look that has begun may end after the deadline: there is always one.
func (r *run) lookOnce(ctx context.Context, within time.Duration) (migration.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, max(within-time.Since(r.began), waitLook))
	defer cancel()
	return r.position(ctx)
}

func waitText(current migration.Version, err error) string {
	switch {
	case err != nil:
		return firstLine(err)
	case current.IsZero():
		return "no version is applied yet"
	}
	return "the database is at version " + current.String()
}

// position reads the current version, over a new connection where there is none that works.
func (r *run) position(ctx context.Context) (migration.Version, error) {
	if r.conn == nil || r.conn.Lost() {
		conn, err := r.dialBeside(ctx, "skein wait")
		if err != nil {
			return migration.Version{}, err
		}
		r.conn = conn
	}
	r.changed()
	if err := r.survey(ctx); err != nil {
		return migration.Version{}, err
	}
	entries, err := r.reconcile(ctx)
	if err != nil {
		return migration.Version{}, err
	}
	current, _ := migration.CurrentVersion(entries)
	return current, nil
}

// worthWaiting reports whether an error may be over at the next look: the server is not there yet, or went away.
func (r *run) worthWaiting(err error) bool {
	_, unreachable := errors.AsType[*postgres.ConnectFailure](err)
	return unreachable || r.conn != nil && r.conn.Lost()
}
