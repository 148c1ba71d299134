package migration

import "slices"

// Events lists every event a callback file can be named after (flyway.md §8.2), in the order in which a run that
// uses them all would fire them.
var Events = []string{
	"beforeConnect", "afterConnect",
	"beforeValidate", "afterValidate", "afterValidateError",
	"createSchema", "beforeCreateSchema",
	"beforeMigrate", "beforeEachMigrate", "beforeEachMigrateStatement", "afterEachMigrateStatement",
	"afterEachMigrateStatementError", "afterEachMigrate", "afterEachMigrateError",
	"afterVersioned", "beforeRepeatables", "afterMigrateApplied", "afterMigrate", "afterMigrateError",
	"afterMigrateOperationFinish",
	"beforeUndo", "beforeEachUndo", "beforeEachUndoStatement", "afterEachUndoStatement",
	"afterEachUndoStatementError", "afterEachUndo", "afterEachUndoError", "afterUndo", "afterUndoError",
	"afterUndoOperationFinish",
	"beforeClean", "afterClean", "afterCleanError",
	"beforeInfo", "afterInfo", "afterInfoError", "afterInfoOperationFinish",
	"beforeBaseline", "afterBaseline", "afterBaselineError",
	"beforeRepair", "afterRepair", "afterRepairError",
	"beforeDeploy", "afterDeploy", "afterDeployError",
}

// eventsLongestFirst is the order in which a file name is tried: "afterMigrateApplied" before "afterMigrate".
var eventsLongestFirst = func() []string {
	events := slices.Clone(Events)
	slices.SortStableFunc(events, func(a, b string) int { return len(b) - len(a) })
	return events
}()
