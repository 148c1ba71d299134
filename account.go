package skein

import (
	"context"

	"github.com/skein-db/skein/migration"
)

// finish ends a command: with Account it tells how things stand now, as the database says and not as the run believes.
func (r *run) finish(ctx context.Context) {
	defer r.close()
	if !r.cfg.Account || r.conn.Lost() {
		return
	}
	// The command may have been stopped from outside, and what it left is asked for all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	r.changed()
	if r.survey(ctx) == nil {
		r.account(ctx, true)
	}
}

// account tells how things stand, with Account. What cannot be read is not told: the command itself meets the same error
// and says so.
func (r *run) account(ctx context.Context, after bool) {
	if !r.cfg.Account {
		return
	}
	entries, err := r.reconcile(ctx)
	if err != nil {
		return
	}
	version, _ := migration.CurrentVersion(entries)
	unfinished, err := r.unfinished(ctx, entries)
	if err != nil {
		return
	}
	r.report(Standing{After: after, Version: version, Entries: entries, Unfinished: unfinished})
}
