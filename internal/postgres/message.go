package postgres

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Result is what one statement of a message answered.
type Result struct {
	Index   int // which statement of the message, from 0
	Tag     string
	Rows    int64 // affected or returned
	Columns []string
	Values  [][]*string // the first rows, at most Limit of the call
}

// StatementError says which statement of a message failed. The statements before it had been carried out, the ones
// after it were not looked at; what stays of them depends on the transaction around.
type StatementError struct {
	Index int
	Err   *pgconn.PgError
}

func (e *StatementError) Error() string { return e.Err.Error() }
func (e *StatementError) Unwrap() error { return e.Err }

// Exec sends sql, one or more statements, as one message and hands each statement's result to each, which may be nil.
// At most limit rows are kept of each result (see ExecRows); Exec keeps none.
// A failing statement gives a *StatementError; a broken connection any other error.
func (c *Conn) Exec(ctx context.Context, sql string, each func(Result)) error {
	return c.ExecRows(ctx, sql, 0, each)
}

// ExecRows is Exec that keeps the first limit rows of each result.
func (c *Conn) ExecRows(ctx context.Context, sql string, limit int, each func(Result)) error {
	if c.instead != nil {
		return c.instead.Exec(ctx, sql, limit, each)
	}
	return c.send(ctx, sql, limit, each)
}

func (c *Conn) send(ctx context.Context, sql string, limit int, each func(Result)) error {
	mrr := c.pg.Exec(ctx, sql)
	n := 0
	for mrr.NextResult() {
		res, err := readResult(mrr.ResultReader(), limit)
		if err != nil {
			break // Close of the whole tells the same error
		}
		res.Index = n
		if each != nil {
			each(res)
		}
		n++
	}
	err := mrr.Close()
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &StatementError{Index: n, Err: pe}
	}
	return err
}

func texts(values [][]byte) []*string {
	row := make([]*string, len(values))
	for i, v := range values {
		if v != nil {
			s := string(v)
			row[i] = &s
		}
	}
	return row
}

// CopyIn runs one COPY … FROM STDIN with its data and tells the rows that went in.
func (c *Conn) CopyIn(ctx context.Context, statement, data string) (Result, error) {
	if c.instead != nil {
		return c.instead.CopyIn(ctx, statement, data)
	}
	tag, err := c.pg.CopyFrom(ctx, strings.NewReader(data), statement)
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return Result{}, &StatementError{Err: pe}
	}
	return Result{Tag: tag.String(), Rows: tag.RowsAffected()}, err
}

// query runs one statement of Skein's own and returns all its rows as text.
func (c *Conn) query(ctx context.Context, sql string) ([][]*string, error) {
	var rows [][]*string
	err := c.send(ctx, sql, math.MaxInt, func(r Result) { rows = append(rows, r.Values...) })
	return rows, err
}

// Rollback ends an open transaction; on a lost connection there is none.
func (c *Conn) Rollback(ctx context.Context) error {
	if open, _ := c.InTransaction(); !open || c.Lost() {
		return nil
	}
	return c.Exec(ctx, "rollback", nil)
}
