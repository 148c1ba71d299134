package skein

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// createSchemas makes the managed schemas that are missing and notes them in the history, which it makes as well.
// With a baseline the note follows the baseline's row.
func (r *run) createSchemas(ctx context.Context, baseline bool) error {
	if r.cfg.NoCreateSchemas {
		if !r.exists(r.history.Schema) {
			r.warn(Warning{
				Text: fmt.Sprintf("The configuration option 'createSchemas' is false.\nHowever, the schema history table still needs a schema to reside in.\nYou must manually create a schema for the schema history table to reside in: %q does not exist", r.history.Schema),
			})
		}
		return nil
	}
	for _, event := range []string{"createSchema", "beforeCreateSchema"} {
		if err := r.fire(ctx, event); err != nil {
			return err
		}
	}
	if len(r.missing()) == 0 {
		return nil
	}
	if err := r.acquire(ctx); err != nil {
		return err
	}
	if missing := r.missing(); len(missing) > 0 { // whoever held the lock may have made some
		return r.makeSchemas(ctx, missing, baseline)
	}
	return nil
}

// makeSchemas makes them, the history where there is none, and the note, under the lock.
func (r *run) makeSchemas(ctx context.Context, missing []string, baseline bool) error {
	m := &message{}
	m.own("begin")
	quoted := make([]string, len(missing))
	for i, schema := range missing {
		quoted[i] = postgres.Ident(schema)
		m.own("create schema " + quoted[i])
	}
	note := migration.Row{
		Rank: 0, Description: "<< Flyway Schema Creation >>", Type: migration.TypeSchema, Script: strings.Join(quoted, ","),
		InstalledBy: r.installedBy(), Success: true,
	}
	if err := r.readHistory(ctx); err != nil {
		return err
	}
	if len(r.rows) > 0 {
		note.Rank = r.nextRank()
	}
	var first []migration.Row
	if !r.facts.HasHistory {
		m.own(r.history.CreateSQL()...)
		if baseline {
			row, err := r.firstBaseline(ctx)
			if err != nil {
				return err
			}
			m.own(r.history.InsertSQL(row))
			first = append(first, row)
			note.Rank = row.Rank + 1
		}
	}
	m.own(r.history.InsertSQL(note), "commit")
	if r.baselined {
		if err := r.audit(ctx, "baseline", "", detail{"version": first[0].Version.String()}); err != nil {
			return err
		}
	}
	if err := r.change(ctx, m, append(first, note)...); err != nil {
		return err
	}
	for _, schema := range missing {
		r.report(SchemaCreated{Schema: schema})
	}
	if !r.facts.HasHistory {
		r.report(HistoryCreated{Schema: r.history.Schema, Table: r.history.Table, Baseline: baseline})
	}
	return r.survey(ctx)
}

// firstBaseline is the row that goes in together with the table, which is about to be made.
func (r *run) firstBaseline(ctx context.Context) (migration.Row, error) {
	decision, err := r.baselineDecision()
	if err != nil {
		return migration.Row{}, err
	}
	r.baselined = true
	return *decision.Insert, r.audit(ctx, "baseline", "", detail{"version": decision.Insert.Version.String()})
}

func (r *run) missing() []string {
	return slices.DeleteFunc(slices.Clone(r.managed), r.exists)
}

// createHistory makes the history table, with a first row if one is given.
func (r *run) createHistory(ctx context.Context, first *migration.Row) error {
	m := &message{}
	m.own("begin")
	m.own(r.history.CreateSQL()...)
	var rows []migration.Row
	if first != nil {
		m.own(r.history.InsertSQL(*first))
		rows = append(rows, *first)
	}
	m.own("commit")
	if err := r.change(ctx, m, rows...); err != nil {
		return err
	}
	r.report(HistoryCreated{Schema: r.history.Schema, Table: r.history.Table, Baseline: first != nil})
	if first == nil && r.tape() == nil { // under the lock nobody else writes to it
		r.facts.HasHistory, r.rows, r.prefetched = true, nil, true
		return nil
	}
	return r.survey(ctx)
}

// change carries out statements of Skein's own in one transaction; the rows are those that they write.
func (r *run) change(ctx context.Context, m *message, rows ...migration.Row) error {
	r.changed()
	err := m.send(ctx, r.conn, 0, nil)
	if err == nil {
		r.tape().wrote(rows)
		return nil
	}
	if rollback := r.conn.Rollback(context.WithoutCancel(ctx)); rollback != nil {
		err = errors.Join(err, rollback)
	}
	e := r.wrapped(err)
	e.Kept = "nothing was changed"
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pe.Code {
		case stateDuplicateSchema, stateDuplicateTable, stateUnique:
			e.Hint = "somebody else made it at the same moment; run the same command again"
		}
	}
	return e
}
