package skein

import (
	"context"
	"errors"
	"time"

	"github.com/skein-db/skein/migration"
)

// AuditEntry is one row of the audit; see migration.AuditEntry.
type AuditEntry = migration.AuditEntry

// AuditResult is the audit of one database.
type AuditResult struct {
	Target
	Entries []AuditEntry // all, in the order in which they were written
	// Fault is the first place at which the chain does not hold; nil: it holds.
	Fault *migration.AuditFault
	// Last is the number of the row that was written last, and Hash its hash. Who keeps the two elsewhere sees later whether
	// the audit was written anew from an earlier row on.
	Last int64
	Hash string
}

// Audit reads who has changed what in the database, and reads the chain through. It changes nothing, and needs SELECT on
// audit and audit_head. A database without the tables gives no entries. InitSQL does not run.
func Audit(ctx context.Context, cfg Config) (*AuditResult, error) {
	result := &AuditResult{}
	if err := cfg.check(); err != nil {
		return result, err
	}
	r := &run{cfg: cfg, began: time.Now()}
	r.cfg.anywhere, r.cfg.InitSQL, r.cfg.Deployment = true, "", nil
	r.learn(nil)
	defer r.close()
	err := r.readAudit(ctx, result)
	result.Target = r.target()
	return result, r.hidden(r.wrap(err))
}

func (r *run) readAudit(ctx context.Context, result *AuditResult) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	if err := r.conn.BeginReadOnly(ctx); err != nil {
		return err
	}
	if err := r.survey(ctx); err != nil {
		return err
	}
	r.place.read = !r.facts.HasSide
	if err := r.locate(ctx, r.conn); err != nil && !isMisplaced(err) {
		return err
	}
	if r.place.side.Pin != nil {
		if err := r.identify(ctx, r.conn); err != nil {
			return err
		}
	}
	r.report(r.connected())
	if r.place.side.Layout < 2 {
		return nil
	}
	entries, head, err := r.conn.ReadAudit(ctx, r.journal())
	if err != nil {
		return r.sideError(err)
	}
	result.Entries, result.Last, result.Hash = entries, head.Seq, head.Hash
	result.Fault = migration.VerifyAudit(entries, head)
	return nil
}

func isMisplaced(err error) bool { return errors.Is(err, errMisplaced) }
