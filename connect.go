package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// logIn opens a connection. A login that was refused is tried once more with parameters that are asked for anew: the
// password may have been changed a moment ago.
func (r *run) logIn(ctx context.Context, open func(*pgx.ConnConfig) error) error {
	for again := false; ; again = true {
		cfg, err := r.connConfig(ctx)
		if err != nil {
			return err
		}
		err = open(cfg)
		refused, ok := errors.AsType[*postgres.ConnectFailure](err)
		if !ok || again || refused.State != stateWrongPassword && refused.State != stateNoLogin {
			return err
		}
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
