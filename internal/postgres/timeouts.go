package postgres

import (
	"context"
	"fmt"
	"time"
)

// SetTimeouts sets the session's lock_timeout, 0 for none, and takes its statement_timeout away. back is the statement that
// brings both back to what they were; "" where nothing was changed.
func (c *Conn) SetTimeouts(ctx context.Context, lock time.Duration) (back string, err error) {
	rows, err := c.query(ctx, "select pg_catalog.current_setting('lock_timeout'), pg_catalog.current_setting('statement_timeout')")
	if err != nil {
		return "", err
	}
	wanted := fmt.Sprintf("%d", lock.Milliseconds())
	if *rows[0][0] == wanted && *rows[0][1] == "0" {
		return "", nil
	}
	set := func(lock, statement string) string {
		return fmt.Sprintf("select pg_catalog.set_config('lock_timeout', %s, false), pg_catalog.set_config('statement_timeout', %s, false)", Literal(lock), Literal(statement))
	}
	return set(*rows[0][0], *rows[0][1]), c.Exec(ctx, set(wanted, "0"), nil)
}
