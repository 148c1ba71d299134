package postgres

import (
	"context"
	"errors"
)

// Instead takes the place of the server for what a connection is to carry out. What Skein itself asks the server, its
// facts, catalogs and history, still goes there.
type Instead interface {
	// Exec and CopyIn are given what Conn's methods of these names are, and answer as the server would.
	Exec(ctx context.Context, sql string, limit int, each func(Result)) error
	CopyIn(ctx context.Context, statement, data string) (Result, error)
	InTransaction() (open, failed bool)
}

// Divert gives all that is to be carried out from now on to another. What it returns is the same connection without
// the diversion.
func (c *Conn) Divert(to Instead) (direct *Conn) {
	plain := *c
	c.instead = to
	return &plain
}

// oneByOne is Pipeline where another takes the place of the server.
func (c *Conn) oneByOne(ctx context.Context, statements []Sent, limit int, each func(Result)) error {
	for n, s := range statements {
		var res Result
		err := c.instead.Exec(ctx, s.SQL, limit, func(r Result) { res = r })
		if refused, ok := errors.AsType[*StatementError](err); ok {
			return &StatementError{Index: n, Err: refused.Err}
		}
		if err != nil {
			return err
		}
		if res.Index = n; each != nil {
			each(res)
		}
	}
	return nil
}
