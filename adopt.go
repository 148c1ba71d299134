package skein

import (
	"context"
	"slices"

	"github.com/skein-db/skein/adoption"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// AdoptResult is what Adopt found, and what the first run would do.
type AdoptResult struct {
	Target
	adoption.Report
}

// Adopt looks at a database that Skein may or may not have met before, and at the scripts, and says what the first run would
// do: histories of Flyway, golang-migrate, goose and Liquibase, what stands in the way, and the commands to type. All of
// it happens in one read-only transaction; InitSQL, callbacks and programs do not run. What it finds is in the result, not
// in the error.
func Adopt(ctx context.Context, cfg Config) (*AdoptResult, error) {
	if err := cfg.check(); err != nil {
		return &AdoptResult{}, err
	}
	r := &run{cfg: cfg}
	defer r.close()
	report, err := r.adopt(ctx)
	return &AdoptResult{Target: r.target(), Report: report}, err
}

func (r *run) adopt(ctx context.Context) (adoption.Report, error) {
	files, callbacks, err := r.cfg.load(ctx)
	if err != nil {
		return adoption.Report{}, SourceError(err)
	}
	notes := r.withoutInitSQL()
	if err := r.connect(ctx); err != nil {
		return adoption.Report{}, err
	}
	if err := r.conn.BeginReadOnly(ctx); err != nil {
		return adoption.Report{}, r.wrap(err)
	}
	facts, err := r.adoptionFacts(ctx)
	if err != nil {
		return adoption.Report{}, r.wrap(err)
	}
	for _, text := range slices.Concat(files.Warnings, callbacks.Warnings) {
		r.warn(Warning{Text: text})
	}
	// Names in another tool's style are no mistakes here.
	r.cfg.ValidateNaming = false
	names, err := r.resolveQuietly(files, callbacks)
	if err != nil {
		return adoption.Report{}, err
	}
	facts.Files, facts.Scripts = files.Files, r.scripts
	report, err := adoption.Decide(facts)
	if err != nil {
		return report, decisionError(err)
	}
	if report.Standing != adoption.Foreign {
		for _, w := range names {
			r.warn(w)
		}
	}
	report.Notes = append(report.Notes, notes...)
	return report, r.wrap(r.conn.Rollback(ctx))
}

// resolveQuietly resolves the scripts and gives the warnings instead of telling them: what is odd about the files depends
// on whose files they are.
func (r *run) resolveQuietly(files, callbacks source.Release) (names []Warning, err error) {
	hear, warned := r.cfg.Report, r.warnings
	r.cfg.Report = func(e Event) {
		if w, ok := e.(Warning); ok {
			names = append(names, w)
		}
	}
	r.placeholders = r.builtIns()
	err = r.resolve(files, callbacks)
	r.cfg.Report, r.warnings = hear, warned
	return names, err
}

// withoutInitSQL keeps everything from running that is the user's own and could write.
func (r *run) withoutInitSQL() []string {
	if r.cfg.InitSQL == "" {
		return nil
	}
	r.cfg.InitSQL = ""
	return []string{"initSql did not run, because it could write. If it sets the search_path, name the schema with defaultSchema."}
}

// adoptionFacts reads what there is. Whether the role may look into the schemas is asked first: one refusal, and the
// transaction could not go on.
func (r *run) adoptionFacts(ctx context.Context) (adoption.Facts, error) {
	f := adoption.Facts{
		Chosen: r.cfg.DefaultSchema != "" || len(r.cfg.Schemas) > 0,
		Naming: r.cfg.Naming, Ignore: r.ignore(false), SkipValidate: r.cfg.SkipValidate, NoCreateSchemas: r.cfg.NoCreateSchemas,
		RequireScripts: r.cfg.RequireMigrations, BaselineOnMigrate: r.cfg.BaselineOnMigrate, BaselineVersion: r.cfg.BaselineVersion,
		Reconcile: migration.ReconcileOptions{Target: r.cfg.TargetVersion, OutOfOrder: r.cfg.OutOfOrder, CherryPick: r.cfg.CherryPick,
			IgnoreJava: r.cfg.ignoresJava},
	}
	wanted := slices.Clone(r.cfg.Schemas)
	if r.cfg.DefaultSchema != "" {
		wanted = append(wanted, r.cfg.DefaultSchema)
	}
	var err error
	if f.Grants, err = r.conn.Closed(ctx, wanted); err != nil {
		return f, err
	}
	if f.Tables, err = r.conn.HistoryTables(ctx); err != nil {
		return f, err
	}
	if closed := f.Grants; len(closed) > 0 {
		isClosed := func(grant string) bool { return slices.Contains(closed, grant) }
		for i := range f.Tables {
			t := &f.Tables[i]
			if t.Unread = true; slices.ContainsFunc(t.Grants, isClosed) {
				f.Grants = append(f.Grants, slices.DeleteFunc(t.Grants, isClosed)...)
			}
		}
		return f, nil
	}
	if err := r.survey(ctx); err != nil {
		return f, err
	}
	if err := r.readTables(ctx, f); err != nil {
		return f, err
	}
	r.report(r.connected())
	f.Schema, f.Table, f.Managed, f.Occupied = r.history.Schema, r.history.Table, r.managed, r.facts.HasHistory
	if !r.cfg.NoCreateSchemas || !r.exists(f.Schema) {
		f.Missing = r.missing()
	}
	f.Filled, err = r.nonEmpty(ctx)
	return f, err
}

// strangers is how many tables in schemas that are not managed are looked into: each one locks a table until the end of
// the transaction, and a database may have one for each of thousands of tenants.
const strangers = 100

// readTables reads the rows of the tables that may matter.
func (r *run) readTables(ctx context.Context, f adoption.Facts) error {
	read := 0
	for i := range f.Tables {
		t := &f.Tables[i]
		if !slices.Contains(r.managed, t.Schema) {
			if t.Unread = f.Chosen && t.Tool == adoption.Flyway || read >= strangers; t.Unread {
				continue
			}
			read++
		}
		if len(t.Grants) > 0 {
			continue
		}
		if err := r.conn.ReadRows(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
