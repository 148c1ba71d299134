package adoption

import (
	"fmt"
	"strings"

	"github.com/skein-db/skein/migration"
)

// flags are the settings that make Skein use a table as its history, each with a blank before it.
func (d *decision) flags(t *Table) string {
	var b strings.Builder
	if t.Name != d.facts.Table {
		b.WriteString(" -table=" + word(t.Name))
	}
	if t.Schema != d.facts.Schema {
		b.WriteString(" -defaultSchema=" + word(t.Schema))
	}
	return b.String()
}

// elsewhere is the case that there is no history where the settings say.
func (d *decision) elsewhere(rivals []*view) {
	switch {
	case len(rivals) == 0:
		d.unrecorded()
	case len(rivals) > 1:
		d.several(rivals)
	case len(rivals[0].table.Grants) > 0:
		d.unreadable(rivals[0].table.Grants)
	case rivals[0].table.Tool == Flyway:
		d.moved(rivals[0])
	default:
		d.foreign(rivals[0])
	}
}

// moved is the case of one history of Flyway's with another name or schema than the settings say.
func (d *decision) moved(v *view) {
	flags := d.flags(v.table)
	if v.table.Ranked {
		d.outdated(v)
		return
	}
	if v.table.Fault != "" {
		d.report.Standing = Broken
		d.report.Summary = quoted(v.table.Schema, v.table.Name) + " is not a schema history that Skein can go on from: " + v.table.Fault + "."
		d.next(ByHand, "mend the table, or leave it to the Flyway that wrote it", "")
		return
	}
	d.recorded(v, flags)
	name := quoted(v.table.Schema, v.table.Name)
	summary := fmt.Sprintf("Flyway's history is %s; the settings say %s, which does not exist. ", name, quoted(d.facts.Schema, d.facts.Table))
	if len(d.facts.Filled) > 0 && !d.facts.BaselineOnMigrate {
		summary += "Without the flags below migrate would refuse to run."
	} else {
		summary += "Without the flags below migrate would begin another history."
	}
	d.report.Summary = summary + " With them it is " + strings.TrimPrefix(d.report.Summary, name+" is ")
	d.report.Standing, d.report.Ready = Elsewhere, false
	v.found.Remark = "the one to use: " + strings.TrimSpace(flags)
	d.report.Next = append([]Step{{Command, "info" + flags, "shows it; the settings belong into the configuration"}}, d.report.Next...)
	if v.table.Name == "schema_version" && v.table.Schema == d.facts.Schema {
		d.note("schema_version is the name that Flyway used before version 5. Where no older one is in use any more, the table can be renamed instead: alter table %s rename to %s", name, ident(d.facts.Table))
	}
}

// several is the case that more than one table may be the history.
func (d *decision) several(views []*view) {
	d.report.Standing = Several
	d.report.Summary = count(len(views), "history table") + " could be the one of these scripts. Which of them is, only a person can say."
	best := 0
	for i, v := range views {
		if v.found.Matches > views[best].found.Matches {
			best = i
		}
	}
	for i, v := range views {
		t := v.table
		name := quoted(t.Schema, t.Name)
		switch {
		case len(t.Grants) > 0:
			for _, g := range t.Grants {
				d.next(SQL, g, "to see what is in "+name)
			}
			continue
		case t.Tool != Flyway:
			d.next(ByHand, "keep "+string(t.Tool)+"'s "+name+": rename or drop the others, and look again", "it is then taken over by a baseline")
			v.found.Remark = "a candidate"
			continue
		}
		why := fmt.Sprintf("%s: %s, %d with a script here and the same checksum", name, versionText(v), v.found.Matches)
		v.found.Remark = "a candidate"
		if i == best && v.found.Matches > 0 {
			v.found.Remark, why = "a candidate, the best match", why+"; the best match"
		}
		flags := d.flags(t)
		if flags == "" {
			d.next(ByHand, "keep the one that the settings name: rename or drop the others, and look again", why)
			continue
		}
		d.next(Command, "info"+flags, why)
	}
	if first := views[best]; first.table.Tool == Flyway && len(first.table.Grants) == 0 && d.flags(first.table) != "" {
		d.next(Command, "adopt"+d.flags(first.table), "look again with the best match; the settings belong into the configuration")
	}
}

// unrecorded is the case that no tool has left a history.
func (d *decision) unrecorded() {
	f, r := &d.facts, &d.report
	name := quoted(f.Schema, f.Table)
	if len(f.Filled) == 0 {
		r.Standing, r.Ready = Empty, true
		r.Summary = "There is no history, and nothing in the " + schemas(f.Managed) + ": migrate begins at the beginning."
		d.create()
		d.fresh(migration.Version{})
		d.next(Command, "migrate", applying(d.applies()))
		if f.NoCreateSchemas && len(f.Missing) > 0 {
			r.Ready = false
			for _, s := range f.Missing {
				r.Next = append([]Step{{SQL, "create schema " + ident(s) + ";", "createSchemas is false"}}, r.Next...)
			}
		}
		return
	}
	r.Standing = Unrecorded
	version, why := d.baselineVersion()
	if f.BaselineOnMigrate {
		r.Ready = true
		version = f.BaselineVersion
		if version.IsZero() {
			version = migration.MustVersion("1")
		}
		r.Summary = fmt.Sprintf("There is no history, and the %s not empty: baselineOnMigrate makes migrate begin with a baseline at version %s.", are(f.Filled), version)
		d.create()
		d.change("baseline", name, "version %s: scripts up to it do not run", version)
		d.fresh(version)
		d.next(Command, "migrate", applying(d.applies()))
		d.note("Version %s has to be what is already there; baselineVersion sets another.", version)
		return
	}
	r.Summary = fmt.Sprintf("There is no history, and the %s not empty: migrate would refuse to run until a baseline says which version is already there.", are(f.Filled))
	d.create()
	d.change("baseline", name, "version %s: scripts up to it do not run", version)
	d.fresh(version)
	d.next(Command, "baseline -baselineVersion="+version.String(), why)
	d.next(Command, "info", "scripts up to the baseline stand as Below Baseline, those above as Pending")
	d.next(Command, "migrate", applying(d.applies()))
}

func schemas(names []string) string {
	if len(names) == 1 {
		return "schema " + ident(names[0])
	}
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = ident(n)
	}
	return "schemas " + strings.Join(list, ", ")
}

func are(names []string) string {
	if len(names) == 1 {
		return schemas(names) + " is"
	}
	return schemas(names) + " are"
}

// baselineVersion proposes the version of the last script: whatever else is there, only a person can know.
func (d *decision) baselineVersion() (version migration.Version, why string) {
	if !d.facts.BaselineVersion.IsZero() {
		return d.facts.BaselineVersion, "the version that the settings give"
	}
	var versions []migration.Version
	for i := range d.facts.Scripts {
		if s := &d.facts.Scripts[i]; s.Kind == migration.Versioned {
			versions = append(versions, s.Version)
		}
	}
	if len(versions) == 0 {
		return migration.MustVersion("1"), "no script has a version yet: number the first one above this"
	}
	last := versions[len(versions)-1]
	return last, fmt.Sprintf("if everything up to the last script, version %s, is already there; otherwise the version of the last one that is, or 0 if none is", last)
}

// create says what is made before any script runs.
func (d *decision) create() {
	f := &d.facts
	if !f.NoCreateSchemas {
		for _, s := range f.Missing {
			d.change("create", "schema "+ident(s), "it does not exist")
		}
	}
	d.change("create", quoted(f.Schema, f.Table), "the history table")
}

// fresh says what migrate applies after a baseline, or without one to an empty database.
func (d *decision) fresh(baseline migration.Version) {
	var rows []migration.Row
	if !baseline.IsZero() {
		rows = []migration.Row{{Rank: 1, Version: baseline, Description: "baseline", Type: migration.TypeBaseline, Script: "baseline", Success: true}}
	}
	entries, err := migration.Reconcile(d.facts.Scripts, rows, d.facts.Reconcile)
	if err != nil {
		d.note("%v", err)
		return
	}
	plan, err := migration.PlanMigrate(entries, migration.PlanOptions{Target: d.facts.Reconcile.Target, Ignore: d.facts.Ignore})
	if err != nil {
		d.note("%v", err)
		return
	}
	d.steps(plan.Steps)
}

// applies counts the scripts in Changes.
func (d *decision) applies() int {
	n := 0
	for _, c := range d.report.Changes {
		if c.Do == "apply" {
			n++
		}
	}
	return n
}
