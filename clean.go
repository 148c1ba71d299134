package skein

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/migration"
)

// Clean drops everything in the managed schemas, and the schemas that a migration run had created. It refuses unless
// AllowClean is set.
func Clean(ctx context.Context, cfg Config) (*CleanResult, error) {
	if cfg.Production {
		return &CleanResult{}, productionError("clean drops everything", "it is for databases that serve nobody; to drop something here, write it as a migration")
	}
	if !cfg.AllowClean {
		return &CleanResult{}, &Error{
			Kind: KindRefused, Code: "ERROR", Kept: "nothing was changed",
			Message: "Unable to execute clean as it has been disabled with the 'flyway.cleanDisabled' property.",
			Hint:    "set cleanDisabled=false where everything may be dropped, never in production",
		}
	}
	r, err := open(ctx, cfg)
	if err != nil {
		return &CleanResult{}, err
	}
	defer r.finish(ctx)
	result := &CleanResult{Target: r.target()}
	if err = r.mustWrite(); err == nil {
		err = r.asExpected(ctx, nil)
	}
	if err == nil {
		err = r.surrounded(ctx, "Clean", func() error { return r.clean(ctx, result) })
	}
	r.ended(ctx, err, detail{"dropped": result.Dropped})
	result.Target = r.target()
	return result, r.hidden(err)
}

// productionError refuses what is never done to a database that serves people.
func productionError(what, hint string) *Error {
	return &Error{
		Kind: KindRefused, Code: "ERROR", Kept: "nothing was changed",
		Message: what + ", and production=true is set: that is refused, whatever else says that it may be done", Hint: hint,
	}
}

func (r *run) clean(ctx context.Context, result *CleanResult) error {
	if r.facts.HasHistory {
		if err := r.acquire(ctx); err != nil {
			return err
		}
	}
	if err := r.readHistory(ctx); err != nil {
		return err
	}
	var order []string
	for _, schema := range r.managed {
		if !r.exists(schema) {
			r.warn(Warning{Text: fmt.Sprintf("Unable to clean unknown schema: %q", schema)})
			continue
		}
		order = append(order, schema)
	}
	if err := r.audit(ctx, "clean", "", detail{"schemas": order}); err != nil {
		return err
	}
	if err := r.forgetJournal(ctx); err != nil {
		return err
	}
	// A second pass the other way round takes what the first could not, because another schema still needed it.
	backwards := slices.Clone(order)
	slices.Reverse(backwards)
	for _, schema := range slices.Concat(order, backwards) {
		begin := time.Now()
		if err := r.conn.CleanSchema(ctx, schema); err != nil {
			return r.wrap(err)
		}
		r.report(Cleaned{Schema: schema, Took: time.Since(begin)})
	}
	result.Cleaned = order
	for _, schema := range r.createdByUs() {
		r.dropSchema(ctx, schema, result)
	}
	return nil
}

// createdByUs lists the managed schemas that the history's SCHEMA rows name.
func (r *run) createdByUs() []string {
	var created []string
	for _, row := range r.rows {
		if row.Type != migration.TypeSchema {
			continue
		}
		for t := range sqlsplit.Tokens(row.Script) {
			for _, schema := range r.managed {
				if t.Text == postgres.Ident(schema) && r.exists(schema) && !slices.Contains(created, schema) {
					created = append(created, schema)
				}
			}
		}
	}
	return created
}

func (r *run) dropSchema(ctx context.Context, schema string, result *CleanResult) {
	begin := time.Now()
	m := &message{}
	m.own("drop schema " + postgres.Ident(schema) + " cascade")
	if err := m.send(ctx, r.conn, 0, nil); err != nil {
		r.warn(Warning{Text: fmt.Sprintf("Unable to drop schema %q: %v", schema, err)})
		return
	}
	result.Dropped = append(result.Dropped, schema)
	r.report(Dropped{Schema: schema, Took: time.Since(begin)})
}
