package migration

import "fmt"

// BaselineOptions says what baseline was asked for.
type BaselineOptions struct {
	Version     Version // zero means 1
	Description string  // "" means "<< Flyway Baseline >>"
	Table       string  // how messages name the history table, quoted: `"public"."flyway_schema_history"`
	Exists      bool    // the history table exists
}

// BaselineDecision is what baseline does.
type BaselineDecision struct {
	Insert  *Row   // the row to write into a table that is yet to be created; nil when nothing is to be done
	Message string // what to say once it is done
}

// PlanBaseline decides whether a database can be marked as standing at a version (flyway.md §4.5). The error is an *Error.
func PlanBaseline(history []Row, opt BaselineOptions) (BaselineDecision, error) {
	if opt.Version.IsZero() {
		opt.Version = MustVersion("1")
	}
	opt.Description = orElse(opt.Description, "<< Flyway Baseline >>")
	if !opt.Exists {
		row := Row{Rank: 1, Version: opt.Version, Description: AbbreviateDescription(opt.Description), Type: TypeBaseline,
			Script: AbbreviateScript(opt.Description), Success: true}
		return BaselineDecision{Insert: &row, Message: fmt.Sprintf("Successfully baselined schema with version: %s", opt.Version)}, nil
	}
	var schemas, migrations bool
	for i, row := range history {
		if row.Type == TypeBaseline && i < 2 {
			return baselinedAlready(row, opt)
		}
		schemas = schemas || row.Type == TypeSchema
		migrations = migrations || !row.Type.Synthetic() && !row.Type.IsUndo()
	}
	refuse := func(why, hint string) (BaselineDecision, error) {
		return BaselineDecision{}, &Error{Code: CodeError, Message: "Unable to baseline schema history table " + opt.Table + why, Hint: hint}
	}
	switch {
	case schemas && opt.Version.Compare(MustVersion("0")) == 0:
		return refuse(" with version 0 as this version was used for schema creation", "choose a version above 0")
	case migrations:
		return refuse(" as it already contains migrations", "a database whose migrations are recorded needs no baseline")
	case len(history) == 0:
		return refuse(" as it already exists, and is empty.\nDelete the schema history table, and run baseline again.", "")
	}
	return refuse(" as it already contains migrations.\nDelete the schema history table, and run baseline again.", "")
}

func baselinedAlready(row Row, opt BaselineOptions) (BaselineDecision, error) {
	if row.Version.Compare(opt.Version) == 0 && row.Description == AbbreviateDescription(opt.Description) {
		return BaselineDecision{Message: fmt.Sprintf("Schema history table %s already initialized with (%s,%s). Skipping.",
			opt.Table, opt.Version, opt.Description)}, nil
	}
	return BaselineDecision{}, &Error{Code: CodeError, Message: fmt.Sprintf("Unable to baseline schema history table %s with (%s,%s) as it has already been baselined with (%s,%s)",
		opt.Table, opt.Version, opt.Description, row.Version, row.Description),
		Hint: "the recorded baseline stays; run migrate to go on from it"}
}
