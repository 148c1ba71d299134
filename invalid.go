package skein

import (
	"context"
	"fmt"
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
