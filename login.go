package skein

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/postgres"
)

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
