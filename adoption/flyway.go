package adoption

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

// view is a table as the scripts make it look.
type view struct {
	table    *Table
	found    Found
	entries  []migration.Entry
	problems []migration.Problem // as migrate's validation finds them
}

// look compares a table with the scripts.
func (d *decision) look(t *Table) (view, error) {
	v := view{table: t, found: Found{Tool: t.Tool, Schema: t.Schema, Table: t.Name}}
	switch {
	case len(t.Grants) > 0:
		v.found.Remark = "not readable for this role"
	case t.Fault != "":
		v.found.Rows, v.found.Remark = len(t.Rows), t.Fault
	case t.Tool == Flyway:
		return v, d.compare(&v, t.Rows)
	case t.Tool == Liquibase:
		v.found.Rows = len(t.Changesets)
	default:
		v.found.Rows = len(t.Marks)
		if m, ok := highest(t.Marks); ok {
			v.found.Version = fmt.Sprint(m.Version)
		}
	}
	return v, nil
}

// compare sets what a history with these rows comes to.
func (d *decision) compare(v *view, rows []migration.Row) error {
	f := &d.facts
	v.found.Rows, v.found.Matches = len(rows), 0
	entries, err := migration.Reconcile(f.Scripts, rows, f.Reconcile)
	if err != nil {
		return err
	}
	v.entries = entries
	v.problems = migration.Validate(entries, append(append([]migration.IgnorePattern{}, f.Ignore...), migration.IgnorePending))
	current, _ := migration.CurrentVersion(entries)
	v.found.Version = current.String()
	for i := range entries {
		if entries[i].ChecksumMatches() {
			v.found.Matches++
		}
	}
	return nil
}

// own is the case that there is a history where the settings say.
func (d *decision) own(own *view, rivals []*view) {
	own.found.Remark = "the one that Skein uses"
	for _, rival := range rivals {
		beside := own.found.Matches == 0 || rival.table.Schema == own.table.Schema // otherwise a sister's, with the same scripts
		if rival.table.Tool == Flyway && beside && (rival.found.Matches > own.found.Matches || len(rival.table.Grants) > 0) {
			d.several(append([]*view{own}, rivals...))
			return
		}
	}
	for _, rival := range rivals {
		rival.found.Remark = "left alone"
	}
	if own.table.Ranked {
		d.outdated(own)
		return
	}
	d.recorded(own, "")
}

// recorded says what a run does that goes on from v. flags are what the commands need to find it.
func (d *decision) recorded(v *view, flags string) {
	f, r := &d.facts, &d.report
	name := quoted(v.table.Schema, v.table.Name)
	if len(f.Scripts) == 0 && f.RequireScripts && v.found.Rows > 0 {
		r.Standing = Disagrees
		r.Summary = fmt.Sprintf("%s holds %s, and there is no script to compare with.", name, count(v.found.Rows, "row"))
		d.next(Command, "adopt -locations=filesystem:<the folder of the scripts>"+flags, "")
		return
	}
	plan, planErr := migration.PlanMigrate(v.entries, migration.PlanOptions{Target: f.Reconcile.Target, Ignore: f.Ignore, Schema: ident(v.table.Schema)})
	if planErr == nil && (len(v.problems) == 0 || f.SkipValidate) {
		r.Standing, r.Ready = Recorded, true
		r.Summary = fmt.Sprintf("%s is a history that Skein goes on from: %s, %s.", name, versionText(v), agreement(v, f.SkipValidate))
		d.say(v.problems)
		d.steps(plan.Steps)
		for _, w := range plan.Warnings {
			d.note("%s", w.Text)
		}
		d.next(Command, "migrate"+flags, applying(len(plan.Steps)))
		return
	}
	r.Standing = Disagrees
	r.Summary = fmt.Sprintf("%s is a history that Skein reads: %s. Scripts and history disagree, and migrate would refuse to run.", name, versionText(v))
	d.say(v.problems)
	d.mend(v, flags)
}

func versionText(v *view) string {
	text := count(v.found.Rows, "row")
	if v.found.Version != "" {
		text += ", at version " + v.found.Version
	}
	return text
}

func agreement(v *view, skip bool) string {
	if skip && len(v.problems) > 0 {
		return "with " + count(len(v.problems), "problem") + " that validateOnMigrate=false passes over"
	}
	return "and the scripts agree with it"
}

func (d *decision) say(problems []migration.Problem) {
	for _, p := range problems {
		d.report.Problems = append(d.report.Problems, p.Message)
	}
}

// steps says what migrate runs.
func (d *decision) steps(steps []migration.Step) {
	for _, s := range steps {
		detail := "version " + s.Script.Version.String()
		switch {
		case s.Script.Kind == migration.Repeatable:
			detail = "repeatable, new or changed"
		case s.Script.Kind == migration.Baseline:
			detail = "baseline migration: stands for everything up to version " + s.Script.Version.String()
		case s.OutOfOrder:
			detail += ", out of order"
		}
		d.change("apply", s.Script.Path, "%s", detail)
	}
}

// mend lists what repair changes, row by row, and what to do about what it does not change.
func (d *decision) mend(v *view, flags string) {
	f := &d.facts
	fix, err := migration.PlanRepair(f.Scripts, v.table.Rows, migration.RepairOptions{
		Ignore: f.Ignore, IgnoreJava: f.Reconcile.IgnoreJava, CherryPick: f.Reconcile.CherryPick,
	})
	if err != nil {
		d.next(ByHand, err.Error(), "")
		return
	}
	for _, row := range fix.Remove {
		d.change("remove", rowName(row), "it failed; its script is pending again")
		d.next(ByHand, "remove what "+row.Script+" left half done", "it failed on "+row.InstalledOn.Format("2006-01-02")+
			"; invalid indexes: select indexrelid::regclass from pg_index where not indisvalid")
	}
	java := false
	for _, row := range fix.MarkDeleted {
		d.change("delete", rowName(row), "it has no script: a row of type DELETE says so, this one stays")
		java = java || row.Type.Java()
	}
	changed := len(fix.Align)
	for _, a := range fix.Align {
		text := differences(a)
		if d.bytewise(a) {
			changed--
			text += ": the same file, as Flyway 3 counted"
		}
		d.change("align", rowName(a.Row), "%s", text)
	}
	if java {
		d.next(Command, "adopt -ignoreJavaMigrations='*'"+flags, "rows of Java migrations need no file; with this setting, give it to migrate too")
	}
	if len(fix.MarkDeleted) > 0 {
		d.next(ByHand, "put the scripts back that are missing, or let repair mark their rows as deleted",
			"a folder that locations leaves out looks the same")
	}
	if changed > 0 {
		d.next(ByHand, "put the changed scripts back as they were applied, or let repair take over what they say now",
			"repair runs none of them: what they do is not done again")
	}
	if !fix.Empty() {
		d.next(Command, "repair"+flags, "makes the changes listed above, to the history only")
	}
	d.afterRepair(v, fix, flags)
}

// bytewise reports whether a row holds the checksum that Flyway 3 gave this very file: of its bytes, where later ones take
// the lines.
func (d *decision) bytewise(a migration.Alignment) bool {
	for i := range d.facts.Files {
		f := &d.facts.Files[i]
		if f.Path == a.Script.Path && a.Row.Checksum != nil && uint32(*a.Row.Checksum) == byteSum(f) {
			return true
		}
	}
	return false
}

// byteSum is the checksum of a file's bytes; of one that is large and cannot be read any more, of what was read.
func byteSum(f *migration.File) uint32 {
	if f.Open == nil {
		return crc32.ChecksumIEEE(f.Content)
	}
	sum := crc32.NewIEEE()
	if in, err := f.Open(); err == nil {
		_, _ = io.Copy(sum, in) // a part has another sum than the row
		_ = in.Close()          // it was only read
	}
	return sum.Sum32()
}

// named reports whether a row names one of the scripts; the checksums of Flyway 3 say nothing to compare.
func (d *decision) named(v *view) bool {
	return slices.ContainsFunc(v.table.Rows, func(row migration.Row) bool {
		return slices.ContainsFunc(d.facts.Scripts, func(s migration.Script) bool { return s.Path == row.Script })
	})
}

// afterRepair goes on from the history as repair leaves it.
func (d *decision) afterRepair(v *view, fix migration.Repair, flags string) {
	after := *v
	if err := d.compare(&after, repaired(v.table.Rows, fix)); err != nil {
		d.next(ByHand, err.Error(), "")
		return
	}
	for _, p := range after.problems {
		if p.Entry.State == migration.StateIgnored {
			flags += " -outOfOrder=true"
			d.next(ByHand, "give scripts below the current version a higher one, or let migrate run them out of order",
				p.Entry.Path()+" and perhaps others are not applied")
			break
		}
	}
	opt := d.facts.Reconcile
	opt.OutOfOrder = opt.OutOfOrder || strings.Contains(flags, "-outOfOrder=true")
	entries, err := migration.Reconcile(d.facts.Scripts, repaired(v.table.Rows, fix), opt)
	if err != nil {
		d.next(ByHand, err.Error(), "")
		return
	}
	plan, err := migration.PlanMigrate(entries, migration.PlanOptions{Target: opt.Target, Ignore: d.facts.Ignore, Schema: ident(v.table.Schema)})
	if err != nil {
		d.next(ByHand, err.Error(), "")
		return
	}
	d.steps(plan.Steps)
	d.next(Command, "migrate"+flags, applying(len(plan.Steps)))
}

// repaired is the history as repair leaves it.
func repaired(rows []migration.Row, fix migration.Repair) []migration.Row {
	gone := map[int]bool{}
	for _, row := range fix.Remove {
		gone[row.Rank] = true
	}
	aligned := map[int]migration.Alignment{}
	for _, a := range fix.Align {
		aligned[a.Row.Rank] = a
	}
	var out []migration.Row
	rank := 0
	for _, row := range rows {
		if gone[row.Rank] {
			continue
		}
		if a, ok := aligned[row.Rank]; ok {
			row.Description, row.Type, row.Checksum = a.Description, a.Type, a.Checksum
		}
		out = append(out, row)
		rank = max(rank, row.Rank)
	}
	for _, row := range fix.MarkDeleted {
		rank++
		out = append(out, row.Deletion(rank))
	}
	return out
}

func rowName(r migration.Row) string {
	if r.Version.IsZero() {
		return fmt.Sprintf("row %d, repeatable (%s)", r.Rank, r.Description)
	}
	return fmt.Sprintf("row %d, version %s (%s)", r.Rank, r.Version, r.Description)
}

func differences(a migration.Alignment) string {
	var out []string
	if a.Row.Description != a.Description {
		out = append(out, fmt.Sprintf("description %q becomes %q", a.Row.Description, a.Description))
	}
	if a.Row.Type != a.Type {
		out = append(out, fmt.Sprintf("type %s becomes %s", a.Row.Type, a.Type))
	}
	if from, to := sum(a.Row.Checksum), sum(a.Checksum); from != to {
		out = append(out, fmt.Sprintf("checksum %s becomes %s", from, to))
	}
	return strings.Join(out, ", ")
}

func sum(n *int32) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

// outdated is the case of a table with the columns of Flyway 3 and older.
func (d *decision) outdated(v *view) {
	t := quoted(v.table.Schema, v.table.Name)
	d.report.Standing = Outdated
	v.found.Remark = "has the columns of Flyway 3 or older"
	d.report.Summary = t + " has the columns of Flyway 3 or older. Flyway 4 changed the table, and how checksums are counted; " +
		"what it did once, on its first run, can be done by hand."
	index := func(suffix string) string { return quoted(v.table.Schema, v.table.Name+suffix) }
	d.next(SQL, "begin;\n"+
		"drop index if exists "+index("_vr_idx")+", "+index("_ir_idx")+";\n"+
		"alter table "+t+" drop constraint "+ident(v.table.Name+"_pk")+", drop column version_rank, alter column version drop not null,\n"+
		"    add constraint "+ident(v.table.Name+"_pk")+" primary key (installed_rank);\n"+
		"update "+t+" set type = 'BASELINE' where type = 'INIT';\n"+
		"commit;", "the table's new shape; no Flyway older than 4 can use it afterwards")
	flags := d.flags(v.table)
	d.next(Command, "adopt"+flags, "look again: repair replaces the checksums, and adopt says of each whether it is of the same file")
}
