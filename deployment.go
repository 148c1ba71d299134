package skein

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// Deployment says what a run is part of. It is recorded with each step, in the transaction of the step, and in the audit.
type Deployment struct {
	ID       string // of the deployment, the same for all of its targets
	Release  string // the release's name
	Digest   string // the release's digest
	Releaser string // who deploys; "" means Config.Releaser
	// Environment wins over Config.Environment; "" means that.
	Environment string
}

// recording reports whether steps leave their traces in the side tables: there is a deployment, or a pin says that this
// database is one of an environment.
func (r *run) recording() bool {
	return r.cfg.instead == nil && (r.cfg.Deployment != nil || r.place.side.Pin != nil)
}

// auditing reports whether what the command does belongs into the audit.
func (r *run) auditing() bool {
	return r.cfg.instead == nil && (r.cfg.Deployment != nil || r.place.side.Layout >= 2)
}

func (r *run) deployment() Deployment {
	d := Deployment{}
	if r.cfg.Deployment != nil {
		d = *r.cfg.Deployment
	}
	d.Releaser = cmp.Or(d.Releaser, r.cfg.Releaser, r.installedBy())
	d.Environment = r.cfg.environment()
	return d
}

// record lists the statements that record a script: its row of the history and, where that is wanted, the side table's.
func (r *run) record(s *migration.Script, row *migration.Row) []string {
	sql := []string{r.history.InsertSQL(*row)}
	if !r.recording() {
		return sql
	}
	d := r.deployment()
	return append(sql, r.journal().AppliedSQL(postgres.Applied{
		Rank: row.Rank, Script: s.Path, SHA256: s.SHA256(), Releaser: d.Releaser, Release: d.Release, Digest: d.Digest, Deployment: d.ID, Environment: d.Environment,
	}, r.place.free > 0 && row.Rank >= r.place.free))
}

// mayBegin is asked before the first step of a plan.
func (r *run) mayBegin(ctx context.Context, what string, plan migration.Plan, current string) error {
	if err := r.stillApproved(plan); err != nil || len(plan.Steps) == 0 {
		return err
	}
	return r.audit(ctx, what, plan.Fingerprint, detail{"from": current, "scripts": scriptNames(plan.Steps)})
}

// detail is what a row of the audit says beyond its columns.
type detail map[string]any

// audit appends to the audit that the command is about to do something, once. After it the command's end is to be told
// to ended. Nothing is written where there is neither a deployment nor side tables.
func (r *run) audit(ctx context.Context, what, plan string, d detail) error {
	if !r.auditing() {
		return nil
	}
	if r.place.side.Layout < 2 {
		if err := r.conn.EnsureSide(ctx, r.journal()); err != nil {
			return r.sideError(err)
		}
		r.place.side.Layout = 2
	}
	if r.audited != "" {
		return nil
	}
	// The steps' own commits bring it to disk, if there are any; if there are none, nothing has happened.
	if err := r.appendEntry(ctx, "set local synchronous_commit to off;", r.entry(what, plan, d)); err != nil {
		return r.sideError(err)
	}
	r.audited, r.auditedPlan = what, plan
	return nil
}

// auditing begins a transaction in which a row may be appended to the audit.
const auditing = "begin isolation level read committed;"

// chain is the audit's last row, as it was read under a lock of the session: of a short run nearly always the one after
// which its own rows go.
type chain struct {
	migration.AuditHead
	login string    // session_user
	clock time.Time // the server's; zero: nothing is known
	asked time.Time // ours then
}

// chainHolds is for how long the server's clock is told by ours.
const chainHolds = time.Minute

// next completes the entry to be the one after the last; false: it is for the server to do.
func (c *chain) next(e migration.AuditEntry) (migration.AuditEntry, bool) {
	since := time.Since(c.asked)
	if c.clock.IsZero() || since > chainHolds {
		return e, false
	}
	e.Seq, e.Previous, e.DBUser, e.At = c.Seq+1, c.Hash, c.login, c.clock.Add(since).Truncate(time.Microsecond)
	e.Hash = e.Sum()
	return e, true
}

// appendEntry appends the entry to the audit, in a transaction that begins with setting, which may be "".
func (r *run) appendEntry(ctx context.Context, setting string, e migration.AuditEntry) error {
	appended := int64(0)
	do := func(sql string) error {
		err := r.conn.Exec(ctx, auditing+setting+sql+"; commit", func(res postgres.Result) { appended += res.Rows })
		if err != nil {
			_ = r.conn.Rollback(ctx) // the first error is the one to tell
		}
		return err
	}
	if whole, ok := r.place.chain.next(e); ok {
		if err := do(r.journal().AuditAfterSQL(whole)); err != nil {
			return err
		}
		if appended > 0 {
			r.place.chain.AuditHead = migration.AuditHead{Seq: whole.Seq, Hash: whole.Hash}
			return nil
		}
		r.place.chain = chain{} // another row has come in between
	}
	return do(r.journal().AuditSQL(e))
}

// entry is what is to be said in the audit; number, moment, user and hashes are left.
func (r *run) entry(what, plan string, d detail) migration.AuditEntry {
	by := r.deployment()
	if by.ID != "" {
		d["deployment"] = by.ID
	}
	if by.Digest != "" {
		d["digest"] = by.Digest
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(d) // it holds texts, numbers and lists of them, which can all be written
	return migration.AuditEntry{
		Who: by.Releaser, What: what, Environment: by.Environment, Target: r.facts.Database + " " + r.history.Schema + "." + r.history.Table,
		Plan: plan, Release: by.Release, Detail: strings.TrimSuffix(text.String(), "\n"),
	}
}

// ended appends how the command ended, if it was begun in the audit. That this fails is told as a warning: what the command
// did is done, and the row of its beginning is there.
func (r *run) ended(ctx context.Context, err error, d detail) {
	if r.audited == "" || r.conn == nil || r.conn.Lost() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTime)
	defer cancel()
	d["outcome"] = "ok"
	if err != nil {
		d["outcome"] = "failed"
		d["error"] = r.masks.String(firstLine(err))
		if e, ok := errors.AsType[*Error](err); ok {
			d["error"], d["kind"] = r.masks.String(e.Message), e.Kind.String()
		}
	}
	if !r.began.IsZero() {
		d["millis"] = time.Since(r.began).Milliseconds()
	}
	what := r.audited + " ended"
	r.audited = ""
	if err := r.appendEntry(ctx, "", r.entry(what, r.auditedPlan, d)); err != nil {
		r.warn(Warning{Text: "how it ended could not be written into the audit: " + firstLine(err)})
	}
}

// scriptNames are the paths of the steps, for the audit.
func scriptNames(steps []migration.Step) []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Script.Path
	}
	return names
}
