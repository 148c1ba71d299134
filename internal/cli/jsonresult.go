package cli

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/migration"
)

// Dialect is the version of Flyway whose documents and texts these are. Every document carries it as flywayVersion,
// because clients branch on it; Skein's own version is what the verb version tells.
const Dialect = "13.0.0"

// now is the moment of a document's timestamp, as Java prints a local time.
func timestamp(now time.Time) string { return now.Format("2006-01-02T15:04:05.000000000") }

// head are the fields that most documents share.
func head(operation string, t skein.Target) object {
	return object{"database": t.Database, "flywayVersion": Dialect, "operation": operation, "warnings": strs(t.Warnings)}
}

func infoDocument(r *skein.InfoResult, entries []migration.Entry, now time.Time) object {
	list := list{}
	for i := range entries {
		if entries[i].State != migration.StateAvailable {
			list = append(list, infoEntry(&entries[i]))
		}
	}
	return object{
		"allSchemasEmpty": r.SchemasEmpty, "database": r.Database, "exception": nil, "flywayVersion": Dialect,
		"licenseFailed": false, "migrations": list, "operation": "info", "schemaName": strings.Join(r.Schemas, ", "),
		"schemaVersion": versionOrNil(r.Version), "timestamp": timestamp(now),
	}
}

func infoEntry(e *migration.Entry) object {
	o := object{
		"category": e.Category(), "description": e.Description(), "executionTime": 0, "filepath": e.Physical(),
		"installedBy": "", "installedOnUTC": "", "rawVersion": e.Version().String(), "shouldExecuteExpression": nil,
		"state": string(e.State), "type": string(e.Type()), "undoFilepath": "", "undoable": e.UndoableInJSON(),
		"version": e.Version().String(),
	}
	if e.Undo != nil {
		o["undoFilepath"] = e.Undo.Physical
	}
	if e.Script != nil && e.Script.Config.ShouldExecute != "" {
		o["shouldExecuteExpression"] = e.Script.Config.ShouldExecute
	}
	if e.Applied != nil {
		o["executionTime"] = e.Applied.ExecutionTime
		o["installedBy"] = e.Applied.InstalledBy
		o["installedOnUTC"] = instant(e.Applied.InstalledOn)
	}
	return o
}

// instant prints a moment as Java's ISO_INSTANT does: no, three, six or nine digits of a second.
func instant(t time.Time) string {
	layout := "2006-01-02T15:04:05Z"
	switch ns := t.Nanosecond(); {
	case ns%1e9 == 0:
	case ns%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case ns%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	default:
		layout = "2006-01-02T15:04:05.000000000Z"
	}
	return t.UTC().Format(layout)
}

func versionOrNil(v migration.Version) any {
	if v.IsZero() {
		return nil
	}
	return v.String()
}

func migrateDocument(r *skein.MigrateResult, now time.Time) object {
	o := head("migrate", r.Target)
	applied := list{}
	var total int64
	for _, a := range r.Applied {
		applied = append(applied, object{
			"category": category(a.Script), "description": a.Script.Description, "executionTime": a.Took.Milliseconds(),
			"filepath": a.Script.Physical, "type": string(a.Script.Type), "version": a.Script.Version.String(),
		})
		total += a.Took.Milliseconds()
	}
	o["databaseType"] = "PostgreSQL"
	o["exception"] = nil
	o["initialSchemaVersion"] = versionOrNil(r.Initial)
	o["licenseFailed"] = false
	o["migrations"] = applied
	o["migrationsExecuted"] = len(applied)
	o["schemaName"] = strings.Join(r.Schemas, ", ")
	o["success"] = true
	o["targetSchemaVersion"] = versionOrNil(r.Version)
	o["timestamp"] = timestamp(now)
	o["totalMigrationTime"] = total
	return o
}

// undoDocument has the fields that Flyway's own library has for it; migrate's are named alike.
func undoDocument(r *skein.UndoResult, now time.Time) object {
	o := head("undo", r.Target)
	undone := list{}
	var total int64
	for _, u := range r.Undone {
		undone = append(undone, object{
			"description": u.Row.Description, "executionTime": u.Took.Milliseconds(), "filepath": u.Script.Physical,
			"version": u.Row.Version.String(),
		})
		total += u.Took.Milliseconds()
	}
	o["databaseType"] = "PostgreSQL"
	o["exception"] = nil
	o["initialSchemaVersion"] = versionOrNil(r.Initial)
	o["licenseFailed"] = false
	o["migrationsUndone"] = len(undone)
	o["schemaName"] = strings.Join(r.Schemas, ", ")
	o["success"] = true
	o["targetSchemaVersion"] = versionOrNil(r.Version)
	o["timestamp"] = timestamp(now)
	o["totalMigrationTime"] = total
	o["undoneMigrations"] = undone
	return o
}

func category(s *migration.Script) string {
	e := migration.Entry{Script: s}
	return e.Category()
}

func validateDocument(r *skein.ValidateResult) object {
	o := head("validate", r.Target)
	invalid, messages := list{}, []string{}
	for _, p := range r.Problems {
		messages = append(messages, p.Message)
		if p.Code == migration.CodeSchemaDoesNotExist {
			continue
		}
		invalid = append(invalid, object{
			"description": p.Description, "filepath": p.Path, "version": p.Version.String(),
			"errorDetails": object{"errorCode": string(p.Code), "errorMessage": p.Message},
		})
	}
	o["allErrorMessages"] = strings.Join(messages, "\n")
	o["errorDetails"] = nil
	o["invalidMigrations"] = invalid
	o["validateCount"] = r.Count
	o["validationSuccessful"] = len(r.Problems) == 0
	if len(r.Problems) > 0 {
		o["validateCount"] = 0
		o["errorDetails"] = object{"errorCode": string(migration.CodeValidate), "errorMessage": "Migrations have failed validation"}
		if r.Problems[0].Code == migration.CodeSchemaDoesNotExist {
			o["errorDetails"] = object{"errorCode": string(r.Problems[0].Code), "errorMessage": r.Problems[0].Message}
		}
	}
	return o
}

func baselineDocument(r *skein.BaselineResult) object {
	o := head("baseline", r.Target)
	o["baselineVersion"] = versionOrNil(r.Version)
	o["successfullyBaselined"] = true
	return o
}

func repairDocument(r *skein.RepairResult) object {
	o := head("repair", r.Target)
	actions := list{}
	rows := func(action string, rows []migration.Row) list {
		out := list{}
		for _, row := range rows {
			out = append(out, object{"version": row.Version.String(), "description": row.Description, "filepath": ""})
		}
		if len(out) > 0 {
			actions = append(actions, action)
		}
		return out
	}
	o["migrationsRemoved"] = rows("Removed failed migrations", r.Removed)
	o["migrationsDeleted"] = rows("Marked missing migrations as deleted", r.Deleted)
	aligned := list{}
	for _, a := range r.Aligned {
		aligned = append(aligned, object{"version": a.Row.Version.String(), "description": a.Row.Description, "filepath": a.Script.Physical})
	}
	if len(aligned) > 0 {
		actions = append(actions, "Aligned applied migration checksums")
	}
	o["migrationsAligned"] = aligned
	o["repairActions"] = actions
	return o
}

func cleanDocument(r *skein.CleanResult) object {
	o := head("clean", r.Target)
	cleaned := slices.DeleteFunc(slices.Clone(r.Cleaned), func(s string) bool { return slices.Contains(r.Dropped, s) })
	o["schemasCleaned"], o["schemasDropped"] = strs(cleaned), strs(r.Dropped)
	return o
}

// failureDocument is the document of a command that failed.
func (f failureText) failureDocument(err error) object {
	e, ok := errors.AsType[*skein.Error](err)
	if !ok {
		if mistakes, ok := errors.AsType[config.Mistakes](err); ok {
			return object{"error": f.mistakesObject(mistakes)}
		}
		code := "FAULT"
		if _, usage := errors.AsType[*usageError](err); usage {
			code = "ERROR"
		}
		return object{"error": ordered{{"errorCode", code}, {"message", err.Error()}, {"cause", nil}}}
	}
	return object{"error": f.errorObject(e)}
}

// mistakesObject tells mistakes in settings. Under the name flyway the code is the one that Flyway gives the first of
// them.
func (f failureText) mistakesObject(mistakes config.Mistakes) ordered {
	code := "CONFIGURATION"
	if f.flyway {
		code = cmp.Or(mistakes[0].Code, code)
	}
	o := ordered{{"errorCode", code}, {"message", mistakes.Error()}, {"cause", nil}}
	if code != config.Recoverable {
		return o
	}
	obsolete := list{}
	for _, m := range mistakes {
		if m.Code == config.Recoverable {
			obsolete = append(obsolete, ordered{{"kind", "Removed"}, {"rawKey", "flyway." + m.Key}, {"replacement", nil}})
		}
	}
	return append(o, field{"obsoleteParameters", obsolete})
}

// failedMigrate is the document of a migrate that stopped in a script: what was done before, and the error.
func (f failureText) failedMigrate(r *skein.MigrateResult, e *skein.Error, now time.Time) object {
	o := migrateDocument(r, now)
	o["error"], o["exception"] = f.errorObject(e), f.chain(e)[0]
	o["success"], o["targetSchemaVersion"] = false, nil
	return o
}

// failedUndo is the same for undo.
func (f failureText) failedUndo(r *skein.UndoResult, e *skein.Error, now time.Time) object {
	o := undoDocument(r, now)
	o["error"], o["exception"] = f.errorObject(e), f.chain(e)[0]
	o["success"], o["targetSchemaVersion"] = false, nil
	return o
}

// inScript reports whether a migration failed, or was refused in its turn, which has a document of its own.
func inScript(e *skein.Error) bool { return strings.HasPrefix(e.Code, "FAILED_") }

func (f failureText) errorObject(e *skein.Error) ordered {
	messages := f.chain(e)
	code := e.Code
	if inCallback(e) {
		code = "DB_CONNECTION"
	}
	o := ordered{{"errorCode", code}}
	if e.Kind == skein.KindConnection && isConnect(e) {
		o = append(o, field{"subErrorCode", "CONNECTION_FAILURE"})
	} else if e.Code == "DB_CONNECTION" && e.SQL != nil && !inCallback(e) {
		o = append(o, field{"subErrorCode", nil})
	}
	switch {
	case inCallback(e):
	case e.SQL != nil:
		o = append(o, field{"sqlState", e.SQL.State}, field{"sqlErrorCode", 0})
	case isProgram(e) && inScript(e):
		o = append(o, field{"sqlState", nil}, field{"sqlErrorCode", 0})
	case isConnect(e):
		o = append(o, field{"sqlState", noConnection}, field{"sqlErrorCode", 0})
	case inScript(e) && e.At == nil:
		o = append(o, field{"sqlState", nil}, field{"sqlErrorCode", 0})
	}
	o = append(o, field{"message", messages[0]})
	if inScript(e) && e.At == nil {
		o = append(o, field{"lineNumber", nil}, field{"path", nil})
	} else if inScript(e) {
		line, where := e.At.Line, e.At.Physical
		switch {
		case e.SQL != nil:
			line = statementLine(e)
		case isProgram(e):
			line, where = -1, e.At.Path
		}
		o = append(o, field{"lineNumber", line}, field{"path", where})
	}
	return append(o, field{"cause", causes(messages[1:])})
}

// causes nests messages as Flyway nests Java's exceptions; there is no stack trace to give.
func causes(messages []string) any {
	if len(messages) == 0 {
		return nil
	}
	return ordered{{"message", strings.TrimPrefix(messages[0], driverClass)}, {"stackTrace", nil}, {"cause", causes(messages[1:])}}
}

// explainDocument is what `config explain` prints as JSON.
func explainDocument(s *config.Settings) object {
	settings := list{}
	for _, e := range s.Explain() {
		shadows := list{}
		for _, o := range e.Overrode {
			shadows = append(shadows, object{"value": o.Value, "from": o.From})
		}
		settings = append(settings, object{"key": e.Key, "value": e.Value, "from": e.From, "overrode": shadows, "note": e.Note})
	}
	return object{"operation": "config explain", "environment": s.Environment(), "files": strs(s.Files()), "settings": settings}
}
