package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// outcome is what one verb came to.
type outcome struct {
	document object // for -outputType=json
	err      error
	code     int // of a result that is no error: problems that validate found
	problems []migration.Problem
}

// run runs the verbs one after the other, with one configuration, until one fails (flyway.md §4.1).
func (r *runner) run(ctx context.Context) int {
	err := r.prepare()
	if err == nil {
		err = r.openReport()
	}
	if err != nil {
		return r.fail(err)
	}
	ids := r.line.Has("migrationIds")
	if ids && !r.console.json {
		r.console.bare()
	}
	r.console.info("%s", banner())
	if r.console.flyway {
		r.console.info("") // Flyway's banner is longer; what follows it is where people expect it
	}
	defer context.AfterFunc(ctx, r.stopping)()
	var documents list
	code := 0
	if err := r.checkDryRun(); err != nil {
		return r.fail(err)
	}
	for _, verb := range r.line.Verbs {
		o := r.reported(verb, func() outcome { return r.verb(ctx, verb) })
		if o.err != nil {
			return r.ended(o)
		}
		documents = append(documents, o.document)
		code = o.code
		if code != 0 {
			break
		}
	}
	page, data, err := r.writeReport()
	if r.console.json {
		if len(r.line.Verbs) == 1 {
			r.document(withReport(documents[0].(object), page, data, err))
		} else {
			r.document(withReport(object{"individualResults": documents}, page, data, err))
		}
	}
	if err != nil {
		r.console.error(err.Error())
		return cmp.Or(code, exitCode(err, r.console.flyway))
	}
	return code
}

// stopping tells a person who has pressed ^C that it was heard.
func (r *runner) stopping() {
	if !r.console.flyway {
		r.console.info("stopping: what runs is cancelled, and what is done is recorded; a second signal ends the process at once")
	}
}

// ended prints the failure of a verb. As with Flyway, the document of a line with several verbs is then the one of the
// verb that failed.
func (r *runner) ended(o outcome) int {
	if _, _, err := r.writeReport(); err != nil {
		r.console.error(err.Error())
	}
	if r.console.json {
		r.document(o.document)
	} else {
		r.failures.print(r.console, o.err, r.narrator.running)
	}
	return exitCode(o.err, r.console.flyway)
}

func (r *runner) verb(ctx context.Context, verb string) outcome {
	var o outcome
	if plan := r.dryRun(verb); plan != nil {
		return r.written(ctx, verb, plan)
	}
	own := map[string]func(context.Context) outcome{"plan": r.planned, "watch": r.watch, "pin": r.pin, "audit": r.audit, "wait": r.wait}
	if do := own[verb]; do != nil {
		return do(ctx)
	}
	switch verb {
	case "migrate":
		var result *skein.MigrateResult
		result, o.err = skein.Migrate(ctx, r.engine)
		o.document = r.migrated(result, o.err)
		if !r.console.flyway {
			r.named(o.document)
		}
		return o
	case "undo":
		var result *skein.UndoResult
		result, o.err = skein.Undo(ctx, r.engine)
		o.document = r.undone(result, o.err)
		if !r.console.flyway {
			r.named(o.document)
		}
		return o
	case "info":
		return r.info(ctx)
	case "validate":
		return r.validate(ctx)
	case "adopt":
		return r.adopt(ctx)
	case "testConnection":
		return r.testConnection(ctx)
	case "baseline":
		var result *skein.BaselineResult
		if result, o.err = skein.Baseline(ctx, r.engine); o.err == nil {
			o.document = baselineDocument(result)
		}
	case "repair":
		var result *skein.RepairResult
		if result, o.err = skein.Repair(ctx, r.engine); o.err == nil {
			o.document = repairDocument(result)
		}
	case "clean":
		var result *skein.CleanResult
		if result, o.err = skein.Clean(ctx, r.engine); o.err == nil {
			o.document = cleanDocument(result)
		}
	case "version":
		o.document = versionDocument()
		if !r.console.json {
			printVersion(r.console)
		}
	default:
		o.err = &usageError{Message: verb + " does not go together with other verbs"}
	}
	if o.err == nil && !r.console.flyway {
		r.named(o.document)
	}
	if o.err != nil {
		o.document = r.failures.failureDocument(o.err)
	}
	return o
}

// named puts into the document of a command that changes something which database it was. Flyway's documents have no such
// field.
func (r *runner) named(o object) {
	if id := r.narrator.identity; id.Database != "" && o != nil {
		o["identity"] = identityObject(id)
	}
}

func (r *runner) migrated(result *skein.MigrateResult, err error) object {
	e, failed := errors.AsType[*skein.Error](err)
	switch {
	case err == nil:
		return migrateDocument(result, time.Now())
	case failed && result != nil && (inScript(e) || r.cutShort(e)):
		return r.withRemaining(r.failures.failedMigrate(result, e, time.Now()), e, result.Remaining)
	}
	return r.failures.failureDocument(err)
}

func (r *runner) undone(result *skein.UndoResult, err error) object {
	e, failed := errors.AsType[*skein.Error](err)
	switch {
	case err == nil:
		return undoDocument(result, time.Now())
	case failed && result != nil && (inScript(e) || r.cutShort(e)):
		return r.withRemaining(r.failures.failedUndo(result, e, time.Now()), e, result.Remaining)
	}
	return r.failures.failureDocument(err)
}

// cutShort reports whether the run was stopped, which Flyway has no document for.
func (r *runner) cutShort(e *skein.Error) bool {
	return !r.console.flyway && e.Kind == skein.KindInterrupted
}

// withRemaining adds to the document of a run that was stopped what is left.
func (r *runner) withRemaining(o object, e *skein.Error, left []*migration.Script) object {
	if !r.cutShort(e) {
		return o
	}
	remaining := list{}
	for _, s := range left {
		remaining = append(remaining, object{
			"category": category(s), "description": s.Description, "filepath": s.Physical, "type": string(s.Type), "version": s.Version.String(),
		})
	}
	o["migrationsRemaining"] = remaining
	return o
}

func (r *runner) info(ctx context.Context) outcome {
	result, err := skein.Info(ctx, r.engine)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	entries := r.filter.apply(result.Entries)
	switch {
	case r.line.Has("migrationIds"):
		if !r.console.json {
			r.console.raw(migrationIDs(entries))
		}
	default:
		printInfo(r.console, result, entries, r.settings, r.process.Dir, time.Local)
		if !r.console.flyway {
			printUnfinished(r.console, result.Unfinished)
		}
	}
	return outcome{document: infoDocument(result, entries, time.Now())}
}

// validate has two ways to say that something is wrong. In text it is an error. In JSON it is a result: under the name
// flyway the exit code is then 0 and the line goes on, as with Flyway (flyway.md §12 item 1); under skein the code is the
// one of every failed validation, and the line ends.
func (r *runner) validate(ctx context.Context) outcome {
	result, err := skein.Validate(ctx, r.engine)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	o := outcome{document: validateDocument(result), problems: result.Problems}
	switch {
	case len(result.Problems) == 0:
	case !r.console.json:
		o.err = problemsError(result.Problems)
	case !r.console.flyway:
		o.code = exitInvalid
	}
	return o
}

func problemsError(problems []migration.Problem) error {
	gone := slices.ContainsFunc(problems, func(p migration.Problem) bool { return p.Code == migration.CodeSchemaDoesNotExist })
	e := skein.ValidationError(problems)
	if gone {
		e.Hint = "run migrate, which creates it"
	}
	return e
}
