package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Sent is one statement of a pipeline.
type Sent struct {
	SQL string
	// Live asks for the answers up to this one as soon as there are any; else the server may keep them until its
	// buffer is full or the pipeline ends.
	Live bool
}

// Pipeline sends statements one after another without waiting for an answer in between, and hands each one's result to
// each. Unlike the statements of one message each is read by the server only when its turn has come, is seen by itself
// in pg_stat_activity and in the log, and starts a transaction with a time of its own.
//
// The first that is refused gives a *StatementError and ends the pipeline: those after it are not looked at. COPY from
// or to the client is not possible here. At most limit rows are kept of each result.
func (c *Conn) Pipeline(ctx context.Context, statements []Sent, limit int, each func(Result)) error {
	if c.instead != nil {
		return c.oneByOne(ctx, statements, limit, each)
	}
	p := c.pg.StartPipeline(ctx)
	for _, s := range statements {
		p.SendQueryParams(s.SQL, nil, nil, nil, nil)
		if s.Live {
			p.SendFlushRequest()
		}
	}
	err := p.Sync()
	for n := 0; err == nil && n < len(statements); n++ {
		var res Result
		if res, err = nextResult(p, limit); err == nil && each != nil {
			res.Index = n
			each(res)
		}
		if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
			err = &StatementError{Index: n, Err: pe}
		}
	}
	if closing := p.Close(); err == nil {
		err = closing
	}
	return err
}

func nextResult(p *pgconn.Pipeline, limit int) (Result, error) {
	got, err := p.GetResults()
	if err != nil {
		return Result{}, err
	}
	rr, ok := got.(*pgconn.ResultReader)
	if !ok {
		return Result{}, fmt.Errorf("the server answered %T where a result was due", got)
	}
	return readResult(rr, limit)
}

// readResult reads one statement's rows and tag.
func readResult(rr *pgconn.ResultReader, limit int) (Result, error) {
	var res Result
	if limit > 0 {
		for _, f := range rr.FieldDescriptions() {
			res.Columns = append(res.Columns, f.Name)
		}
	}
	for rr.NextRow() {
		if len(res.Values) < limit {
			res.Values = append(res.Values, texts(rr.Values()))
		}
	}
	tag, err := rr.Close()
	res.Tag, res.Rows = tag.String(), tag.RowsAffected()
	return res, err
}
