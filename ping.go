package skein

import (
	"context"

	"github.com/skein-db/skein/internal/postgres"
)

// Ping connects as every command does, with Role, InitSQL and ConnectRetries, and tells where that led. It looks at no
// script and no history table; of the Target, Schema and Table stay empty.
func Ping(ctx context.Context, cfg Config) (Target, error) {
	if err := cfg.check(); err != nil {
		return Target{}, err
	}
	r := &run{cfg: cfg}
	defer r.close()
	if err := r.connect(ctx); err != nil {
		return r.target(), err
	}
	facts, err := r.conn.ReadFacts(ctx, postgres.Place{Table: "flyway_schema_history", Side: r.journal().Schema})
	if err != nil {
		return r.target(), r.wrap(err)
	}
	r.facts = facts
	r.report(Connected{Database: facts.Database, User: facts.User, Host: r.conn.Host(), ServerVersion: r.serverVersion()})
	return r.target(), nil
}
