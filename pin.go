package skein

import (
	"cmp"
	"context"
	"time"

	"github.com/skein-db/skein/migration"
)

// PinOptions says what Pin may do.
type PinOptions struct {
	// Look makes it look only.
	Look bool
	// Replace lets it write over another pin, and over what Config.Identity and Config.OtherIdentities say: the database has moved, or
	// is a copy that is to be another environment from now on.
	Replace bool
}

// PinResult is what Pin found and did.
type PinResult struct {
	Target
	// Identity is what was found, and what the pin says from now on.
	Identity Identity
	Before   *Pinned // nil: it was not pinned
	Written  bool    // false: it was pinned so already, or Look was set
}

// Pin records in the database that it is the one of Config.Environment. From then on every command that is meant for
// another environment, and every command on a copy of the database, is refused before it writes anything. A pin that says
// the same already is left as it is.
func Pin(ctx context.Context, cfg Config, opt PinOptions) (*PinResult, error) {
	result := &PinResult{}
	if err := cfg.check(); err != nil {
		return result, err
	}
	r := &run{cfg: cfg, began: time.Now()}
	r.cfg.anywhere, r.cfg.InitSQL, r.cfg.Deployment = true, "", nil
	r.learn(nil)
	defer r.close()
	err := r.pin(ctx, opt, result)
	result.Target = r.target()
	return result, r.hidden(r.wrap(err))
}

func (r *run) pin(ctx context.Context, opt PinOptions, result *PinResult) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	if err := r.survey(ctx); err != nil {
		return err
	}
	if err := r.identify(ctx, r.conn); err != nil {
		return err
	}
	r.place.read = !r.facts.HasSide
	misplaced := r.locate(ctx, r.conn)
	result.Identity, result.Before = r.place.identity, r.place.side.Pin
	r.report(r.connected())
	if misplaced != nil && (!opt.Replace || !isMisplaced(misplaced)) || opt.Look {
		return misplaced
	}
	if err := r.mustWrite(); err != nil {
		return err
	}
	if b := result.Before; b != nil && misplaced == nil && b.System == result.Identity.System && b.Host == result.Identity.Host {
		return nil
	}
	if err := r.conn.EnsureSide(ctx, r.journal()); err != nil {
		return r.sideError(err)
	}
	r.place.side.Layout = 2
	by := cmp.Or(r.cfg.Releaser, r.installedBy())
	before := detail{"identity": result.Identity.String()}
	if b := result.Before; b != nil {
		before["before"] = "environment " + b.Environment + ", " + b.String()
	}
	sql := auditing + r.journal().PinSQL(migration.Pin{Identity: result.Identity, By: by}) + ";" + r.journal().AuditSQL(r.entry("pin", "", before)) + "; commit"
	if err := r.conn.Exec(ctx, sql, nil); err != nil {
		_ = r.conn.Rollback(ctx) // the first error is the one to tell
		return r.sideError(err)
	}
	result.Written = true
	r.place.side.Pin = &migration.Pin{Identity: result.Identity, By: by}
	return nil
}
