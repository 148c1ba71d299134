package skein

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/postgres"
)

// stillInvalid is the error of a CREATE INDEX CONCURRENTLY that the server took for done because of IF NOT EXISTS, while
// the index of that name is invalid: what another build left behind serves no query.
func (j *journaling) stillInvalid(ctx context.Context, before string, p *piece) error {
	if j.run.cfg.instead != nil {
		return nil
	}
	index, definition, err := j.run.conn.InvalidIndex(ctx, before)
	if err != nil || index == "" {
		return err
	}
	return &Error{
		Kind: KindRefused, Code: "ERROR", At: (&failure{piece: p, offset: -1}).location(),
		Message: fmt.Sprintf("the index %s was there before and is invalid, so that this statement did nothing; it is: %s", index, definition),
		Hint:    "see that nobody is building it, drop it (drop index concurrently " + index + "), then run the same command again",
	}
}

// finishDetach finishes what somebody else has begun: a partition that is half detached, because a DETACH CONCURRENTLY was
// cancelled, refuses to be detached once more.
func (j *journaling) finishDetach(ctx context.Context, p *piece, before string) (bool, error) {
	r := j.run
	if !strings.HasSuffix(p.verdict.What, "DETACH CONCURRENTLY") || r.cfg.instead != nil {
		return false, nil
	}
	outcome, finish, err := r.conn.Outcome(ctx, before)
	if err != nil || outcome != postgres.Done || len(finish) == 0 {
		return false, err
	}
	r.report(Note{Text: "the partition is half detached already: " + strings.Join(finish, "; ")})
	m, begin := &message{}, time.Now()
	for _, sql := range finish {
		m.add(p, sql)
	}
	return true, m.send(ctx, r.conn, 0, func(p *piece, res postgres.Result) { j.answered(p, res, time.Since(begin)) })
}
