package skein

import (
	"context"
	"fmt"

	"github.com/skein-db/skein/migration"
)

// decideByHand is Repair with MarkApplied or RunAgain: what no catalog tells, a person has found out.
func (r *run) decideByHand(ctx context.Context, result *RepairResult) error {
	version, action := r.cfg.MarkApplied, "mark applied"
	if version.IsZero() {
		version, action = r.cfg.RunAgain, "run again"
	}
	script, err := r.pendingScript(ctx, version)
	if err != nil {
		return err
	}
	journal := r.journal()
	if err := r.conn.EnsureJournal(ctx, journal); err != nil {
		return r.journalError(err)
	}
	entries, err := r.conn.ReadJournal(ctx, journal)
	if err != nil {
		return r.wrap(err)
	}
	if action == "run again" && len(entries[script.Path]) == 0 {
		return &Error{
			Kind: KindRefused, Code: "ERROR", Kept: "nothing was changed",
			Message: fmt.Sprintf("nothing is recorded of %s: the next run begins with its first statement anyway", script.Path), Hint: "run: skein migrate",
		}
	}
	if err := r.audit(ctx, "repair", "", detail{"action": action, "script": script.Path, "reason": r.masks.String(r.cfg.Reason)}); err != nil {
		return err
	}
	m := &message{}
	m.own("begin")
	m.own(r.fence()...)
	if action == "mark applied" {
		m.own(r.record(script, &migration.Row{
			Rank: r.nextRank(), Version: script.Version, Description: script.Description, Type: script.Type, Script: script.Path,
			Checksum: script.Checksum, InstalledBy: r.installedBy(), Success: true,
		})...)
	}
	m.own(journal.ForgetSQL(script.Path), journal.RepairSQL(script.Path, action, r.masks.String(r.cfg.Reason), r.installedBy()), "commit")
	if err := r.change(ctx, m); err != nil {
		return err
	}
	result.Decided = script
	r.report(DecidedByHand{Script: script, Applied: action == "mark applied", Reason: r.cfg.Reason})
	return nil
}

// pendingScript finds the script of a version that is not applied yet.
func (r *run) pendingScript(ctx context.Context, version migration.Version) (*migration.Script, error) {
	refuse := func(format string, args ...any) error {
		return &Error{Kind: KindRefused, Code: "ERROR", Kept: "nothing was changed", Message: fmt.Sprintf(format, args...), Hint: "see skein info"}
	}
	if !r.facts.HasHistory {
		return nil, refuse("there is no schema history table yet")
	}
	entries, err := r.reconcile(ctx)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Script == nil || e.Script.Kind != migration.Versioned || e.Script.Version.Compare(version) != 0:
		case e.Applied != nil:
			return nil, refuse("version %s is recorded already", version)
		default:
			return e.Script, nil
		}
	}
	return nil, refuse("there is no script of version %s", version)
}
