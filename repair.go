package skein

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skein-db/skein/migration"
)

// Repair brings the history in line with the scripts: failed rows go, rows without a script are marked as deleted,
// checksums, descriptions and types follow the scripts. Scripts are not run.
func Repair(ctx context.Context, cfg Config) (*RepairResult, error) {
	r, err := open(ctx, cfg)
	if err != nil {
		return &RepairResult{}, err
	}
	defer r.finish(ctx)
	result := &RepairResult{Target: r.target()}
	if err = cmp.Or(r.mustWrite(), r.mustHaveMigrations()); err == nil {
		err = r.asExpected(ctx, nil)
	}
	if err == nil {
		err = r.surrounded(ctx, "Repair", func() error { return r.repair(ctx, result) })
	}
	r.ended(ctx, err, detail{})
	result.Target = r.target()
	return result, r.hidden(err)
}

func (r *run) repair(ctx context.Context, result *RepairResult) error {
	begin := time.Now()
	if r.facts.HasHistory {
		// Flyway repairs without the lock; a migration that runs meanwhile would make the decision stale.
		if err := r.acquire(ctx); err != nil {
			return err
		}
	}
	if err := r.readHistory(ctx); err != nil {
		return err
	}
	if !r.cfg.MarkApplied.IsZero() || !r.cfg.RunAgain.IsZero() {
		return r.decideByHand(ctx, result)
	}
	fix, err := migration.PlanRepair(r.scripts, r.rows, migration.RepairOptions{
		Ignore: r.ignore(false), IgnoreJava: r.cfg.ignoresJava, CherryPick: r.cfg.CherryPick,
	})
	if err != nil {
		return decisionError(err)
	}
	m := &message{}
	m.own("begin")
	for _, row := range fix.Remove {
		m.own(r.history.DeleteFailedSQL(row))
	}
	rank := r.rankWithout(fix.Remove)
	for _, row := range fix.MarkDeleted {
		gone := row.Deletion(rank)
		gone.InstalledBy = r.installedBy()
		m.own(r.history.InsertSQL(gone))
		rank++
	}
	for _, a := range fix.Align {
		m.own(r.history.AlignSQL(a.Row.Rank, a.Description, a.Type, a.Checksum))
	}
	m.own("commit")
	if !fix.Empty() {
		if err := r.audit(ctx, "repair", "", repairDetail(fix)); err != nil {
			return err
		}
		if err := r.change(ctx, m); err != nil {
			return err
		}
	}
	result.Removed, result.Deleted, result.Aligned = fix.Remove, fix.MarkDeleted, fix.Align
	for _, row := range fix.Remove {
		r.report(RepairRemoved{Row: row})
	}
	for _, row := range fix.MarkDeleted {
		r.report(RepairDeleted{Row: row})
	}
	for _, a := range fix.Align {
		r.report(RepairAligned{Row: a.Row, Script: a.Script})
	}
	r.report(Repaired{Schema: r.history.Schema, Table: r.history.Table, Removed: len(fix.Remove), Took: time.Since(begin)})
	return nil
}

// repairDetail names the rows that a repair is about to change.
func repairDetail(fix migration.Repair) detail {
	ranks := func(rows []migration.Row) []int {
		out := []int{}
		for i := range rows {
			out = append(out, rows[i].Rank)
		}
		return out
	}
	aligned := []int{}
	for _, a := range fix.Align {
		aligned = append(aligned, a.Row.Rank)
	}
	return detail{"removed": ranks(fix.Remove), "markedDeleted": ranks(fix.MarkDeleted), "aligned": aligned}
}

// rankWithout is the next free rank once the rows are gone.
func (r *run) rankWithout(removed []migration.Row) int {
	rank := 0
	for i := range r.rows {
		gone := slices.ContainsFunc(removed, func(row migration.Row) bool { return row.Rank == r.rows[i].Rank })
		if !gone {
			rank = max(rank, r.rows[i].Rank)
		}
	}
	return rank + 1
}
