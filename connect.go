package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/postgres"
)

// connect opens the working connection, trying again as often as ConnectRetries says.
func (r *run) connect(ctx context.Context) error {
	longest := time.Duration(cmp.Or(r.cfg.ConnectRetriesInterval, 120)) * time.Second
	for attempt, wait := 0, time.Second; ; attempt, wait = attempt+1, min(2*wait, longest) {
		conn, err := r.dial(ctx)
		if err == nil {
			r.conn = conn
			return nil
		}
		if refused, ok := errors.AsType[*Error](err); ok && refused.Kind == KindRefused {
			return refused
		}
		if attempt >= r.cfg.ConnectRetries || ctx.Err() != nil {
			return r.writes(err, "initSql")
		}
		r.warn(Warning{Text: fmt.Sprintf("Connection error: %v\nRetrying in %d sec...", err, int(wait.Seconds()))})
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return r.wrap(ctx.Err())
		}
	}
}

func (r *run) dial(ctx context.Context) (*postgres.Conn, error) {
	opt, err := r.connOptions("skein")
	if err != nil {
		return nil, err
	}
	opt.First = r.first()
	var conn *postgres.Conn
	err = r.logIn(ctx, func(cfg *pgx.ConnConfig) (err error) {
		conn, err = r.openConn(ctx, cfg, opt)
		return err
	})
	return conn, err
}

// refusals is the key of Refusals in a context.
type refusals struct{}

// Refusals tells Config.Connection how often the server has refused the login for which it is asked now: 0 at first, then 1,
// where a new password may have been set a moment ago, and 2, where a store of secrets may be ahead of the server. ctx is
// the context that Connection was called with.
func Refusals(ctx context.Context) int {
	n, _ := ctx.Value(refusals{}).(int)
	return n
}

// logIn opens a connection. A login that was refused is tried with parameters that are asked for anew, once as they are now
// and once, where they differ from both, as Connection makes them after two refusals.
func (r *run) logIn(ctx context.Context, open func(*pgx.ConnConfig) error) error {
	type login struct{ user, password string }
	var tried []login
	var refusal error
	for n := 0; ; n++ {
		cfg, err := r.connConfig(context.WithValue(ctx, refusals{}, n))
		if n == 2 && (err != nil || slices.Contains(tried, login{cfg.User, cfg.Password})) {
			return refusal // there is no third way in
		}
		if err != nil {
			return err
		}
		tried = append(tried, login{cfg.User, cfg.Password})
		err = open(cfg)
		refused, ok := errors.AsType[*postgres.ConnectFailure](err)
		if !ok || n == 2 || refused.State != stateWrongPassword && refused.State != stateNoLogin {
			return err
		}
		refusal = err
	}
}

func (r *run) connOptions(name string) (postgres.Options, error) {
	initSQL, err := r.cfg.Placeholders.Replace(r.cfg.InitSQL)
	if err != nil {
		return postgres.Options{}, &Error{Kind: KindConfig, Code: "ERROR", Message: "initSql: " + err.Error(), Err: err}
	}
	return postgres.Options{
		ApplicationName: name, Role: r.cfg.Role, InitSQL: initSQL, OnNotice: r.notice, Pgx: len(r.cfg.Migrations) > 0, ReadOnly: r.cfg.instead != nil || r.cfg.anywhere && initSQL != "",
	}, nil
}

func (r *run) notice(severity, code, message string) {
	if r.heed(severity, code, message) {
		return
	}
	r.report(Notice{Severity: severity, Code: code, Text: message})
}

func (r *run) connConfig(ctx context.Context) (*pgx.ConnConfig, error) {
	if r.cfg.Connection != nil {
		cfg, err := r.cfg.Connection(ctx)
		r.learn(cfg)
		return cfg, err
	}
	cfg, err := pgx.ParseConfig(r.cfg.URL)
	if err != nil {
		return nil, &Error{Kind: KindConfig, Code: "CONFIGURATION", Message: "the URL cannot be read: " + err.Error(), Err: err}
	}
	r.learn(cfg)
	return cfg, nil
}
