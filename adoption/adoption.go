// Package adoption decides what the first run of Skein on a database would do: which tool's history is there, whether
// Skein goes on from it, what stands in the way, and the commands to type, in order. It only decides; package skein reads
// the facts in a read-only transaction (skein.Adopt).
package adoption

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

// Tool is whose history a table holds.
type Tool string

// The tools whose tables are known.
const (
	Flyway        Tool = "Flyway"
	GolangMigrate Tool = "golang-migrate"
	Goose         Tool = "goose"
	Liquibase     Tool = "Liquibase"
	Unknown       Tool = "unknown" // schema_migrations in a shape that is not golang-migrate's: Rails, dbmate, Ecto
)

// Table is a table that looks like a history, whatever its name, and its rows.
type Table struct {
	Tool         Tool
	Schema, Name string
	Grants       []string // what the role lacks to read it, as statements; then there are no rows
	Fault        string   // why its rows cannot be read as a history; "" when they can
	Unread       bool     // it was not looked into: one of many, in a schema that is not managed
	Ranked       bool     // it has the column version_rank, which Flyway dropped with version 4

	Rows       []migration.Row // Flyway's
	Marks      []Mark          // golang-migrate's and goose's: the newest word on each version, by version
	Changesets []Changeset     // Liquibase's, in the order of their execution
	LockedBy   string          // who holds Liquibase's lock; "" for nobody
}

// Mark is what golang-migrate or goose say of one version.
type Mark struct {
	Version int64
	Applied bool
	Dirty   bool // golang-migrate: it failed, or still runs
}

// Changeset is one row of Liquibase's table.
type Changeset struct {
	ID, Author, File string
	Type             string // EXECUTED, RERAN, MARK_RAN, SKIPPED, FAILED
}

// Facts is what there is.
type Facts struct {
	Schema, Table string           // where the settings put Skein's history
	Chosen        bool             // the settings name the schema; otherwise it is the search path's
	Managed       []string         // the schemas that Skein works on, Schema among them
	Missing       []string         // those of them that do not exist
	Filled        []string         // those of them that hold something
	Tables        []Table          // everything that looks like a history, in any schema
	Occupied      bool             // there is a relation of the history's name
	Grants        []string         // what the role lacks to see the schemas at all, as statements
	Files         []migration.File // what the locations hold
	Scripts       []migration.Script

	Naming            migration.Naming
	Reconcile         migration.ReconcileOptions
	Ignore            []migration.IgnorePattern // of validate, without what migrate adds
	SkipValidate      bool
	NoCreateSchemas   bool
	RequireScripts    bool // migrate refuses to run without any
	BaselineOnMigrate bool
	BaselineVersion   migration.Version // as set; zero: not set
}

// Standing says in a word how things are.
type Standing string

// The standings; those marked * leave the first run nothing to stumble over.
const (
	Empty      Standing = "empty"      // * no history and nothing in the schemas
	Recorded   Standing = "recorded"   // * the history is one that Skein goes on from, and the scripts agree with it
	Disagrees  Standing = "disagrees"  // the history is one that Skein reads, and scripts and history disagree
	Unrecorded Standing = "unrecorded" // no history, and the schemas hold something; * with baselineOnMigrate
	Elsewhere  Standing = "elsewhere"  // Flyway's history is not where the settings look for it
	Foreign    Standing = "foreign"    // another tool's history: to be taken over by a baseline
	Several    Standing = "several"    // more than one history could be the one
	Outdated   Standing = "outdated"   // the table has the columns of Flyway 3 or older
	Broken     Standing = "broken"     // what stands in the history's place is not one, or holds rows of no known kind
	Unreadable Standing = "unreadable" // the role may not read what it would have to
)

// Report is the answer.
type Report struct {
	Standing Standing
	Ready    bool     // nothing stands in the way of the first run
	Summary  string   // what is there and what Skein makes of it; may be several sentences
	Found    []Found  // every table that looks like a history
	Problems []string // what validate says; each may be several lines
	Changes  []Change // what the first run does; where it is not ready, what the steps in Next do
	Next     []Step   // what to do, in order
	Notes    []string // what to know besides
}

// Found is one table that looks like a history.
type Found struct {
	Tool          Tool
	Schema, Table string
	Rows          int
	Version       string // the highest applied version, as the tool writes it; "" for none or none of that kind
	Matches       int    // Flyway: how many of its rows have a script here with their checksum
	Remark        string // what Skein makes of it
}

// Change is one thing that a run does to the database or a person to the files.
type Change struct {
	Do     string // "create", "baseline", "apply", "align", "remove", "delete", "rename", "split", "keep"
	What   string // the file, row or table
	Detail string
}

// Step is one thing to do next.
type Step struct {
	Kind StepKind
	Text string // the command or statement itself, or what to do in words
	Why  string
}

// StepKind says where a step is done.
type StepKind string

// The kinds of steps.
const (
	Command StepKind = "skein" // a command of Skein's, to be given the settings of this run as well
	Shell   StepKind = "shell" // in the folder of the scripts
	SQL     StepKind = "sql"   // in the database
	ByHand  StepKind = "hand"  // Text says what
)

// decision is one Decide on its way.
type decision struct {
	facts  Facts
	report Report
}

// Decide says what the first run would do. The error is the one that migrate would end with before it looks at the
// history.
func Decide(f Facts) (Report, error) {
	d := &decision{facts: f}
	views := make([]view, 0, len(f.Tables))
	for i := range f.Tables {
		if f.Tables[i].Unread {
			continue
		}
		v, err := d.look(&f.Tables[i])
		if err != nil {
			return Report{}, err
		}
		views = append(views, v)
	}
	d.decide(views)
	if unread := len(f.Tables) - len(views); unread > 0 {
		d.note("%s in schemas that are not managed look like histories too, and were not looked into.", count(unread, "table"))
	}
	for i := range views {
		d.report.Found = append(d.report.Found, views[i].found)
	}
	if len(f.Scripts) == 0 && d.report.Standing != Foreign {
		d.note("No scripts were found; the setting locations says where they are.")
		if d.report.Ready && f.RequireScripts {
			d.report.Ready = false
			d.report.Next = []Step{{Command, "adopt -locations=filesystem:<the folder of the scripts>", "migrate refuses to run without any"}}
		}
	}
	return d.report, nil
}

func (d *decision) decide(views []view) {
	f := &d.facts
	var own *view
	var rivals, others []*view
	for i := range views {
		v := &views[i]
		switch {
		case v.table.Schema == f.Schema && v.table.Name == f.Table:
			own = v
		case d.concerns(v):
			rivals = append(rivals, v)
		default:
			others = append(others, v)
		}
	}
	switch {
	case len(f.Grants) > 0:
		d.unreadable(f.Grants)
	case own != nil && len(own.table.Grants) > 0:
		d.unreadable(own.table.Grants)
	case own == nil && f.Occupied || own != nil && (own.table.Tool != Flyway || own.table.Fault != "" && !own.table.Ranked):
		d.broken(own)
	case own != nil:
		d.own(own, rivals)
	default:
		d.elsewhere(rivals)
	}
	for _, v := range others {
		v.found.Remark = orElse(v.found.Remark, "left alone")
	}
}

// concerns reports whether a table that is not in the history's place may be the history of these scripts.
func (d *decision) concerns(v *view) bool {
	f := &d.facts
	managed := slices.Contains(f.Managed, v.table.Schema)
	switch v.table.Tool {
	case Unknown:
		v.found.Remark = "not a history that Skein can read (Rails, dbmate or Ecto?)"
		return false
	case Flyway:
		switch {
		case !managed && f.Chosen:
			v.found.Remark = "in a schema that is not managed: left alone"
			return false
		case managed, v.found.Matches > 0, v.table.Ranked && d.named(v), len(f.Scripts) == 0 && v.table.Fault == "" && len(v.table.Grants) == 0:
			return true
		case len(v.table.Grants) > 0:
			v.found.Remark = "not readable, in a schema that is not managed: left alone"
		default:
			v.found.Remark = "none of its rows has a script here: left alone"
		}
		return false
	}
	if !managed && len(d.filesOf(v.table.Tool)) == 0 {
		v.found.Remark = "in a schema that is not managed: left alone"
		return false
	}
	return true
}

func (d *decision) unreadable(grants []string) {
	d.report.Standing = Unreadable
	d.report.Summary = "The role may not read what adopt has to look at."
	for _, g := range grants {
		d.next(SQL, g, "")
	}
	d.next(Command, "adopt", "look again; docs/grants.md says what migrate itself needs")
}

func (d *decision) broken(own *view) {
	d.report.Standing = Broken
	name := quoted(d.facts.Schema, d.facts.Table)
	why := "it is no table, or has not the columns of one"
	if own != nil && own.table.Fault != "" {
		why = own.table.Fault
	} else if own != nil && own.table.Tool != Flyway {
		why = "it is " + string(own.table.Tool) + "'s"
		own.found.Remark = "stands where the settings put Skein's history"
	}
	d.report.Summary = name + " is not a schema history that Skein can go on from: " + why + "."
	d.next(Command, "adopt -table=<another name>", "to see how things are with a history of another name")
}

func (d *decision) note(format string, args ...any) {
	d.report.Notes = append(d.report.Notes, fmt.Sprintf(format, args...))
}

func (d *decision) change(do, what, format string, args ...any) {
	d.report.Changes = append(d.report.Changes, Change{do, what, fmt.Sprintf(format, args...)})
}

func (d *decision) next(kind StepKind, text, why string) {
	d.report.Next = append(d.report.Next, Step{kind, text, why})
}

func quoted(schema, name string) string { return ident(schema) + "." + ident(name) }

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// word quotes an argument for a shell, where it needs it.
func word(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-=:,%@+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// applying says what a migrate comes to that has n scripts to run.
func applying(n int) string {
	if n == 0 {
		return "has nothing to do"
	}
	return "applies " + count(n, "script")
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
