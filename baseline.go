package skein

import (
	"context"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// Baseline marks a database that already has what the scripts up to BaselineVersion make.
func Baseline(ctx context.Context, cfg Config) (*BaselineResult, error) {
	r, err := open(ctx, cfg)
	if err != nil {
		return &BaselineResult{}, err
	}
	defer r.finish(ctx)
	result := &BaselineResult{Target: r.target()}
	if err = r.mustWrite(); err == nil {
		err = r.asExpected(ctx, nil)
	}
	if err == nil {
		err = r.createSchemas(ctx, true)
	}
	if err == nil {
		err = r.baseline(ctx, result)
	}
	r.ended(ctx, err, detail{})
	result.Target = r.target()
	return result, r.hidden(err)
}

func (r *run) baseline(ctx context.Context, result *BaselineResult) error {
	return r.surrounded(ctx, "Baseline", func() error { return r.writeBaseline(ctx, result) })
}

func (r *run) writeBaseline(ctx context.Context, result *BaselineResult) error {
	if err := r.acquire(ctx); err != nil {
		return err
	}
	if err := r.readHistory(ctx); err != nil {
		return err
	}
	decision, err := r.baselineDecision()
	if err != nil {
		return err
	}
	if decision.Insert != nil {
		if err := r.audit(ctx, "baseline", "", detail{"version": decision.Insert.Version.String()}); err != nil {
			return err
		}
		if err := r.createHistory(ctx, decision.Insert); err != nil {
			return err
		}
	}
	if result.Version = r.cfg.BaselineVersion; result.Version.IsZero() {
		result.Version = migration.MustVersion("1")
	}
	result.Already = decision.Insert == nil && !r.baselined
	r.report(BaselineWritten{Schema: r.history.Schema, Version: result.Version, Text: decision.Message})
	return nil
}

func (r *run) baselineDecision() (migration.BaselineDecision, error) {
	decision, err := migration.PlanBaseline(r.rows, migration.BaselineOptions{
		Version: r.cfg.BaselineVersion, Description: r.cfg.BaselineDescription, Exists: r.facts.HasHistory,
		Table: postgres.Qualified(r.history.Schema, r.history.Table),
	})
	if err != nil {
		e := decisionError(err)
		e.Kind = KindRefused
		return decision, e
	}
	if decision.Insert != nil {
		decision.Insert.InstalledBy = r.installedBy()
	}
	return decision, nil
}
