package cli

import (
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

func migrateCases() []recordedCase {
	all := &skein.MigrateResult{Target: shop, Applied: applied(first, second, third, view), Version: third.Version}
	nothing := &skein.MigrateResult{Target: shop, Initial: third.Version}
	late := script("sql", "2", "late", "V2__late.sql")
	x := script("cbs", "1", "x", "V1__x.sql")
	talk := script("notice", "1", "talk", "V1__talk.sql")
	said := &migration.Callback{Event: "afterMigrate", Description: "said", Path: "afterMigrate__said.sql"}
	before := &migration.Callback{Event: "beforeMigrate", Path: "beforeMigrate.sql"}
	cells := func(texts ...string) (row []*string) {
		for _, s := range texts {
			row = append(row, &s)
		}
		return row
	}
	return []recordedCase{
		{
			file: "migrate", dir: "sql",
			events: tell(connected, missing, skein.Validated{Count: 4, Took: ms}, created, planned("<< Empty Schema >>"),
				steps(first, second, third, view), skein.Migrated{Schema: "public", Applied: 4, Version: third.Version, Took: ms}),
			document: func(failureText) object { return migrateDocument(all, moment) },
		},
		{
			file: "migrate-again", dir: "sql",
			events:   tell(connected, skein.Validated{Count: 4, Took: ms}, planned("3"), skein.Migrated{Schema: "public"}),
			document: func(failureText) object { return migrateDocument(nothing, moment) },
		},
		{
			file: "migrate-ooo", dir: "sql",
			events: tell(connected, skein.Validated{Count: 5, Took: ms}, planned("3"),
				skein.Note{Text: `outOfOrder mode is active. Migration of schema "public" may not be reproducible.`},
				skein.StepStarted{Schema: "public", Script: late, Total: 1, Transactional: true, OutOfOrder: true}, skein.StepDone{Script: late},
				skein.Migrated{Schema: "public", Applied: 1, Version: late.Version, Took: ms}),
		},
		{
			file: "empty-migrate", dir: "empty",
			events: tell(connected, missing, skein.Validated{Took: ms}, created, planned("<< Empty Schema >>"), skein.Migrated{Schema: "public"}),
		},
		{
			file: "notice", dir: "notice",
			events: tell(connected, missing, skein.Validated{Count: 1, Took: ms}, created, planned("<< Empty Schema >>"),
				skein.StepStarted{Schema: "public", Script: talk, Total: 1, Transactional: true},
				skein.Notice{Severity: "NOTICE", Code: "00000", Text: "hello there"}, skein.Notice{Severity: "WARNING", Code: "01000", Text: "careful"},
				skein.QueryResult{Columns: []string{"id", "t"}, Rows: [][]*string{cells("1", "one"), {cells("2")[0], nil}}, Total: 2},
				skein.QueryResult{Columns: []string{"id", "t"}}, skein.QueryResult{Columns: []string{"id"}},
				skein.StepDone{Script: talk}, skein.Migrated{Schema: "public", Applied: 1, Version: talk.Version, Took: ms}),
		},
		{
			file: "callbacks", dir: "cbs",
			events: tell(connected, missing, skein.Validated{Count: 1, Took: ms}, created, skein.CallbackStarted{Callback: before, Transactional: true},
				skein.QueryResult{Columns: []string{"before_it"}, Rows: [][]*string{cells("1")}, Total: 1}, planned("<< Empty Schema >>"), steps(x),
				skein.Migrated{Schema: "public", Applied: 1, Version: x.Version, Took: ms}, skein.CallbackStarted{Callback: said, Transactional: true},
				skein.QueryResult{Columns: []string{"?column?"}, Rows: [][]*string{cells("2")}, Total: 1}),
		},
		{
			file: "schemas", dir: "cbs",
			events: tell(skein.Connected{ServerVersion: "15.18", Schema: "s1", Table: "flyway_schema_history"},
				skein.SchemaCreated{Schema: "s1"}, skein.SchemaCreated{Schema: "s2"}, skein.HistoryCreated{Schema: "s1", Table: "flyway_schema_history"},
				skein.CallbackStarted{Callback: before, Transactional: true},
				skein.QueryResult{Columns: []string{"before_it"}, Rows: [][]*string{cells("1")}, Total: 1},
				skein.Planned{Schema: "s1", Current: "null"},
				skein.StepStarted{Schema: "s1", Script: x, Total: 1, Transactional: true}, skein.StepDone{Script: x},
				skein.Migrated{Schema: "s1", Applied: 1, Version: x.Version, Took: ms}, skein.CallbackStarted{Callback: said, Transactional: true},
				skein.QueryResult{Columns: []string{"?column?"}, Rows: [][]*string{cells("2")}, Total: 1}),
			document: func(failureText) object { return infoDocument(schemasInfo(), schemasInfo().Entries, moment) },
		},
	}
}

func failedCases() []recordedCase {
	bad := script("bad", "1", "bad", "V1__bad.sql")
	badError := scriptError(bad, "FAILED_VERSIONED_MIGRATION", "22012", "division by zero", "", 3, "select 1/0")
	ok, dup := script("half", "1.1", "ok", "V1_1__ok.sql"), script("half", "2", "dup", "V2__dup.sql")
	dupError := scriptError(dup, "FAILED_VERSIONED_MIGRATION", "23505", `duplicate key value violates unique constraint "h1_pkey"`,
		"Key (id)=(1) already exists.", 4, "insert into h1\nvalues (1)")
	apart := script("ntbad", "1", "nt", "V1__nt.sql")
	return []recordedCase{
		{
			file: "bad", dir: "bad",
			events: tell(connected, missing, skein.Validated{Count: 2, Took: ms}, created, planned("<< Empty Schema >>"),
				skein.StepStarted{Schema: "public", Script: bad, Total: 2, Transactional: true}),
			err: badError,
			document: func(f failureText) object {
				return f.failedMigrate(&skein.MigrateResult{Target: shop, Failed: bad}, badError, moment)
			},
		},
		{
			file: "half", dir: "half",
			events: tell(connected, skein.Validated{Count: 2, Took: ms}, planned("1.1"), skein.StepStarted{Schema: "public", Script: dup, Total: 1, Transactional: true}),
			err:    dupError,
			document: func(f failureText) object {
				return f.failedMigrate(&skein.MigrateResult{Target: shop, Applied: applied(ok), Failed: dup}, dupError, moment)
			},
		},
		{
			file: "ntbad", dir: "ntbad",
			events: tell(connected, missing, skein.Validated{Count: 1, Took: ms}, created, planned("<< Empty Schema >>"),
				skein.StepStarted{Schema: "public", Script: apart, Total: 1}),
			err: scriptError(apart, "FAILED_VERSIONED_MIGRATION", "42P01", `relation "nosuch" does not exist`, "", 1, "create index"),
		},
	}
}

func applied(scripts ...*migration.Script) (list []skein.AppliedMigration) {
	for _, s := range scripts {
		list = append(list, skein.AppliedMigration{Script: s, Took: ms})
	}
	return list
}

// schemasInfo is the info recorded behind the case schemas, with the scripts of another location.
func schemasInfo() *skein.InfoResult {
	marker := &migration.Row{Description: "<< Flyway Schema Creation >>", Type: migration.TypeSchema, InstalledBy: "postgres",
		InstalledOn: row(first).InstalledOn, Success: true}
	x := row(first)
	x.Description = "x"
	target := shop
	target.Schemas = []string{"s1", "s2"}
	return &skein.InfoResult{Target: target, Version: first.Version, Entries: []migration.Entry{
		{Applied: marker, State: migration.StateSuccess}, {Script: first, Applied: x, State: migration.StateSuccess},
		{Script: second, State: migration.StatePending}, {Script: third, State: migration.StatePending},
	}}
}

func infoCases() []recordedCase {
	pending := func(s *migration.Script) migration.Entry {
		return migration.Entry{Script: s, State: migration.StatePending}
	}
	success := func(s *migration.Script) migration.Entry {
		return migration.Entry{Script: s, Applied: row(s), State: migration.StateSuccess}
	}
	gone := func(s *migration.Script, state migration.State) migration.Entry {
		return migration.Entry{Applied: row(s), State: state}
	}
	late := script("sql", "2", "late", "V2__late.sql")
	deleted := *row(view)
	deleted.Type = migration.TypeDelete
	mark := migration.Row{Version: migration.MustVersion("1"), Description: "<< Flyway Baseline >>", Type: migration.TypeBaseline, InstalledOn: row(first).InstalledOn, Success: true}
	empty := &skein.InfoResult{Target: shop, SchemasEmpty: true, Entries: []migration.Entry{pending(first), pending(second), pending(third), pending(view)}}
	none := &skein.InfoResult{Target: shop, SchemasEmpty: true}
	full := &skein.InfoResult{Target: shop, Version: third.Version, Entries: []migration.Entry{success(first), success(second), success(third), success(view)}}
	return []recordedCase{
		{file: "info-empty", dir: "sql", events: tell(connected, missing), info: empty,
			document: func(failureText) object { return infoDocument(empty, empty.Entries, moment) }},
		{file: "info-nothing", dir: "empty", events: tell(connected, missing), info: none,
			document: func(failureText) object { return infoDocument(none, nil, moment) }},
		{file: "info", dir: "sql", events: tell(connected), info: full,
			document: func(failureText) object { return infoDocument(full, full.Entries, moment) }},
		{file: "info-deleted", dir: "sql", events: tell(connected), info: &skein.InfoResult{Entries: []migration.Entry{
			success(first), success(second), success(third), gone(view, migration.StateDeleted), gone(late, migration.StateDeleted),
			{Applied: &deleted, State: migration.StateSuccess}}}},
		{file: "info-baseline", dir: "sql", events: tell(connected), info: &skein.InfoResult{Entries: []migration.Entry{
			{Script: first, State: migration.StateBaselineIgnored}, {Applied: &mark, State: migration.StateBaseline}, pending(second), pending(third)}}},
	}
}

func otherCases() []recordedCase {
	late := script("sql", "2", "late", "V2__late.sql")
	one := migration.MustVersion("1")

	problems := []migration.Problem{
		{Code: migration.CodeChecksumMismatch, Version: second.Version, Description: "second", Path: second.Physical,
			Message: "Migration checksum mismatch for migration version 1.1\n-> Applied to database : 1398915466\n-> Resolved locally    : -464337734\n" +
				"Either revert the changes to the migration, or run repair to update the schema history."},
		{Code: migration.CodeVersionedNotApplied, Version: late.Version, Description: "late", Path: late.Physical,
			Message: "Detected resolved migration not applied to database: 2.\nTo ignore this migration, set -ignoreMigrationPatterns='*:ignored'." +
				" To allow executing this migration, set -outOfOrder=true."},
	}
	changed := *second
	sum := int32(-464337734)
	changed.Checksum = &sum
	callback := &migration.Script{Path: "afterInfo.sql", Physical: "/app/cbs/afterInfo.sql"}
	callbackError := scriptError(callback, "ERROR", "22012", "division by zero", "", 1, "select 1/0")
	refused := func(message string) *skein.Error {
		return &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: message, Hint: "h", Kept: "k"}
	}
	disabled := refused("Unable to execute clean as it has been disabled with the 'flyway.cleanDisabled' property.")
	other := refused(`Unable to baseline schema history table "public"."flyway_schema_history" with (2,<< Flyway Baseline >>) as it has already been baselined with (1,<< Flyway Baseline >>)`)
	noDatabase := &skein.Error{
		Kind: skein.KindConnection, Code: "DB_CONNECTION", Hint: "h",
		Message: `Unable to obtain connection from database at db:5432 for user 'postgres': database "nosuchdb" does not exist`,
		SQL:     &skein.SQLError{State: "3D000", Severity: "FATAL", Message: `database "nosuchdb" does not exist`},
	}
	repaired := skein.Repaired{Schema: "public", Table: "flyway_schema_history", Took: ms}
	cleaned := func(s string) skein.Event { return skein.Cleaned{Schema: s, Took: ms} }
	return []recordedCase{
		{file: "validate", dir: "sql", events: tell(connected, skein.Validated{Count: 4, Took: ms}),
			document: func(failureText) object { return validateDocument(&skein.ValidateResult{Target: shop, Count: 4}) }},
		{file: "validate-bad", dir: "sql", events: tell(connected), err: problemsError(problems),
			document: func(failureText) object {
				return validateDocument(&skein.ValidateResult{Target: shop, Problems: problems, Count: 5})
			}},
		{file: "repair", dir: "sql", events: tell(connected, skein.RepairAligned{Row: *row(second), Script: &changed}, repaired),
			document: func(failureText) object {
				return repairDocument(&skein.RepairResult{Target: shop, Aligned: []migration.Alignment{{Row: *row(second), Script: &changed}}})
			}},
		{file: "repair2", dir: "sql", events: tell(connected, skein.RepairDeleted{Row: *row(view)}, skein.RepairDeleted{Row: *row(late)}, repaired)},
		{file: "baseline", dir: "sql", events: tell(connected, skein.HistoryCreated{Schema: "public", Table: "flyway_schema_history", Baseline: true},
			skein.BaselineWritten{Schema: "public", Version: one, Text: "Successfully baselined schema with version: 1"}),
			document: func(failureText) object {
				return baselineDocument(&skein.BaselineResult{Target: shop, Version: one})
			}},
		{file: "baseline-again", dir: "sql", events: tell(connected, skein.BaselineWritten{Schema: "public", Version: one,
			Text: `Schema history table "public"."flyway_schema_history" already initialized with (1,<< Flyway Baseline >>). Skipping.`})},
		{file: "baseline-other", dir: "sql", events: tell(connected), err: other,
			document: func(f failureText) object { return f.failureDocument(other) }},
		{file: "clean", dir: "sql", events: tell(connected, cleaned("public"), cleaned("public")),
			document: func(failureText) object {
				return cleanDocument(&skein.CleanResult{Target: shop, Cleaned: []string{"public"}})
			}},
		{file: "clean-disabled", dir: "sql", events: tell(connected), err: disabled,
			document: func(f failureText) object { return f.failureDocument(disabled) }},
		{file: "schemas-clean", dir: "sql", events: tell(connected, cleaned("s1"), cleaned("s2"), cleaned("s2"), cleaned("s1"),
			skein.Dropped{Schema: "s1", Took: ms}, skein.Dropped{Schema: "s2", Took: time.Millisecond})},
		{file: "callback-bad", dir: "cbs", err: callbackError, document: func(f failureText) object { return f.failureDocument(callbackError) },
			events: tell(connected, skein.CallbackStarted{Callback: &migration.Callback{Event: "afterInfo", Path: "afterInfo.sql"}, Transactional: true})},
		{file: "nodb", dir: "sql", err: noDatabase, document: func(f failureText) object { return f.failureDocument(noDatabase) }},
	}
}
