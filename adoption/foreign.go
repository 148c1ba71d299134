package adoption

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skein-db/skein/migration"
)

// foreign is the case of one history of another tool's, which ends in a baseline.
func (d *decision) foreign(v *view) {
	d.report.Standing = Foreign
	v.found.Remark = "to be taken over by a baseline; Skein leaves the table alone"
	if d.facts.BaselineOnMigrate {
		d.note("baselineOnMigrate is set: without the steps above migrate would begin with a baseline of its own and run what is above it.")
	}
	switch v.table.Tool {
	case GolangMigrate:
		d.golangMigrate(v)
	case Goose:
		d.goose(v)
	case Liquibase:
		d.liquibase(v)
	}
}

// highest gives the highest version that is applied whole.
func highest(marks []Mark) (Mark, bool) {
	var best Mark
	found := false
	for _, m := range marks {
		if m.Applied && !m.Dirty && m.Version > 0 && m.Version >= best.Version {
			best, found = m, true
		}
	}
	return best, found
}

func (d *decision) golangMigrate(v *view) {
	files := d.filesOf(GolangMigrate)
	name := quoted(v.table.Schema, v.table.Name)
	for _, m := range v.table.Marks {
		if m.Dirty {
			d.dirty(v, m.Version, files)
			return
		}
	}
	at, applied := highest(v.table.Marks)
	d.report.Summary = fmt.Sprintf("golang-migrate's %s says version %d. It keeps no list, so everything up to that version counts as applied.", name, at.Version)
	if !applied {
		d.report.Summary = fmt.Sprintf("golang-migrate's %s names no version: nothing is applied.", name)
	}
	d.takeOver(at.Version, files)
}

// dirty is the case that the last file failed. Its predecessor, where the baseline belongs, is only known from the files.
func (d *decision) dirty(v *view, version int64, files []foreignFile) {
	v.found.Version = fmt.Sprintf("%d, dirty", version)
	d.report.Summary = fmt.Sprintf("golang-migrate's %s says version %d, dirty: that file failed, or another run is at it.", quoted(v.table.Schema, v.table.Name), version)
	below, known := int64(0), false
	for _, f := range files {
		known = known || f.version == version
		if !f.down && f.version < version {
			below = max(below, f.version)
		}
	}
	for i := range d.facts.Scripts {
		n, err := strconv.ParseInt(d.facts.Scripts[i].Version.String(), 10, 64)
		known = known || err == nil && n == version
		if err == nil && n < version {
			below = max(below, n)
		}
	}
	if !known {
		d.next(Command, "adopt -locations=filesystem:<the folder of its files>", "the version below the dirty one is only known from the files")
		return
	}
	d.next(ByHand, fmt.Sprintf("see what version %d left behind, and take it back or finish it", version),
		fmt.Sprintf("golang-migrate sends a file as one message, so that usually nothing of it stays; what commits by itself does. "+
			"If you finish it, the baseline is %d", version))
	d.takeOver(below, files)
}

func (d *decision) goose(v *view) {
	files := d.filesOf(Goose)
	at, _ := highest(v.table.Marks)
	applied := map[int64]bool{}
	n := 0
	for _, m := range v.table.Marks {
		applied[m.Version] = m.Applied
		if m.Applied && m.Version > 0 {
			n++
		}
	}
	d.report.Summary = fmt.Sprintf("goose's %s says version %d, %s applied.", quoted(v.table.Schema, v.table.Name), at.Version, count(n, "migration"))
	for _, f := range files {
		if f.version < at.Version && !applied[f.version] {
			d.next(Shell, "goose -allow-missing up-to "+strconv.FormatInt(at.Version, 10),
				fmt.Sprintf("%s is below version %d and not applied; a baseline would pass over it. Or give it a higher version", f.file.Path, at.Version))
			break
		}
	}
	d.takeOver(at.Version, files)
}

// takeOver renames the files of golang-migrate or goose and begins with a baseline.
func (d *decision) takeOver(version int64, files []foreignFile) {
	d.create()
	text := strconv.FormatInt(version, 10)
	d.change("baseline", quoted(d.facts.Schema, d.facts.Table), "version %s: scripts up to it do not run", text)
	d.note("The other tool's table stays as it is. Nothing writes it any more; drop it when nobody wants to go back.")
	pending, renamed := 0, map[string]bool{}
	for _, f := range files {
		number := strconv.FormatInt(f.version, 10)
		up, down := beside(f.file, d.versioned(number, f.title)), beside(f.file, d.undo(number, f.title))
		switch {
		case f.code:
			d.change("keep", f.file.Path, "written in Go: give it to the library (Config.Migrations) as version %s", number)
			continue
		case f.down && d.exists(down), !f.down && d.exists(up):
			continue
		case f.down:
			d.rename(f.file, down)
			continue
		case f.split:
			d.split(f, up, down)
		default:
			d.rename(f.file, up)
		}
		renamed[number] = true
		if f.special != "" {
			d.note("%s: %s.", f.file.Path, f.special)
		}
		if f.version > version {
			pending++
			d.change("apply", up, "version %s", number)
		}
	}
	d.pendingScripts(version, renamed, &pending)
	if len(files) == 0 && len(d.facts.Scripts) == 0 {
		d.note("No files of its naming were found: give their folder as locations, and adopt says their new names.")
	}
	if len(renamed) > 0 {
		d.note("Versions up to the baseline cannot be undone by Skein: it has not applied them. A new database runs all of them.")
	}
	d.next(Command, "baseline -baselineVersion="+text, "")
	d.next(Command, "info", "what is above the baseline is Pending")
	d.next(Command, "migrate", applying(pending))
}

// pendingScripts adds the scripts above the baseline that have Skein's names already.
func (d *decision) pendingScripts(version int64, renamed map[string]bool, pending *int) {
	baseline := migration.MustVersion(strconv.FormatInt(version, 10))
	for i := range d.facts.Scripts {
		s := &d.facts.Scripts[i]
		above := s.Kind == migration.Versioned && s.Version.Compare(baseline) > 0 && !renamed[s.Version.String()]
		if above || s.Kind == migration.Repeatable {
			*pending++
			detail := "repeatable, new"
			if above {
				detail = "version " + s.Version.String()
			}
			d.change("apply", s.Path, "%s", detail)
		}
	}
}

func (d *decision) rename(f *migration.File, to string) {
	d.change("rename", f.Path, "to %s", to)
	d.next(Shell, "mv "+word(f.Path)+" "+word(to), d.where())
}

// split cuts a file of goose's in two. Its marks are comments to SQL and stay.
func (d *decision) split(f foreignFile, up, down string) {
	d.change("split", f.file.Path, "into %s and %s", up, down)
	from := word(f.file.Path)
	const mark = `^[[:space:]]*--[[:space:]]*\+goose[[:space:]]+[Dd][Oo][Ww][Nn]`
	d.next(Shell, "sed -E '/"+mark+"/,$d' "+from+" > "+word(up)+" && sed -E -n '/"+mark+"/,$p' "+from+" > "+word(down)+" && rm "+from, d.where())
}

// where is said once, with the first of the commands that are for the scripts.
func (d *decision) where() string {
	for _, s := range d.report.Next {
		if s.Kind == Shell && strings.Contains(s.Why, belowLocations) {
			return ""
		}
	}
	return belowLocations
}

const belowLocations = "in the folder that locations names"

func (d *decision) liquibase(v *view) {
	done := 0
	for _, c := range v.table.Changesets {
		if c.Type != "FAILED" && c.Type != "SKIPPED" {
			done++
		}
	}
	name := quoted(v.table.Schema, v.table.Name)
	d.report.Summary = fmt.Sprintf("Liquibase's %s names %s. Changesets have no versions: everything done so far becomes version %d.",
		name, count(len(v.table.Changesets), "changeset"), max(done, 1))
	version := strconv.Itoa(max(done, 1))
	d.create()
	d.change("baseline", quoted(d.facts.Schema, d.facts.Table), "version %s: all that Liquibase has done", version)
	waiting := d.changesets(v.table.Changesets)
	if by := v.table.LockedBy; by != "" {
		d.next(ByHand, "wait until Liquibase has given back its lock", by+" holds it; if that run is dead: liquibase release-locks")
	}
	base := d.name(d.facts.Naming.Baseline, "B", version, "from_liquibase")
	if waiting > 0 {
		d.next(Shell, "liquibase update", "not in the table yet: "+count(waiting, "changeset")+" of the files; look again afterwards, or write them as scripts above the baseline")
	}
	if !d.exists(base) {
		// Skein makes its schemas itself, and the dumps of some releases hold commands of psql's own.
		only := ""
		for _, s := range d.facts.Managed {
			only += " --schema=" + word(s)
		}
		d.next(Shell, `pg_dump "$DATABASE_URL" --schema-only --no-owner`+only+` --exclude-table='*.databasechangelog*' | grep -v -E '^(\\|CREATE SCHEMA )' > `+word(base),
			belowLocations+"; it gives new databases what Liquibase has made here. Rows that changesets have inserted are not in it: add them")
	}
	d.next(Command, "baseline -baselineVersion="+version, "")
	d.next(Command, "info", "nothing up to the baseline is Pending")
	d.next(ByHand, "write new scripts from "+d.versioned(strconv.Itoa(max(done, 1)+1), "…")+" on", "and take the changelogs out of locations")
	d.note("The other tool's tables stay as they are. Nothing writes them any more; drop them when nobody wants to go back.")
}

// changesets says for each changeset whether it could become a script; it returns how many of the files' are not done.
func (d *decision) changesets(rows []Changeset) (waiting int) {
	type key struct{ id, author, file string }
	known := map[key]bool{}
	files := map[string]*migration.File{}
	for _, c := range rows {
		known[key{c.ID, c.Author, c.File}] = true
		what := c.File + "::" + c.ID + "::" + c.Author
		f := d.changelog(c.File)
		files[c.File] = f
		switch {
		case c.Type == "FAILED" || c.Type == "SKIPPED":
			d.change("keep", what, "%s: not done", strings.ToLower(c.Type))
		case !strings.HasSuffix(strings.ToLower(c.File), ".sql"):
			d.change("keep", what, "no SQL in the file: `liquibase update-sql` against an empty database prints it")
		case f == nil:
			d.change("keep", what, "the file was not found in the locations")
		default:
			d.change("keep", what, "%s", d.mapped(f, c))
		}
	}
	for name, f := range files {
		if f == nil {
			continue
		}
		for _, c := range changesetsOf(f) {
			if !known[key{c.id, c.author, name}] {
				waiting++
			}
		}
	}
	return waiting
}

// mapped says what kind of script a changeset of a formatted SQL file would be.
func (d *decision) mapped(f *migration.File, row Changeset) string {
	for _, c := range changesetsOf(f) {
		if c.id != row.ID || c.author != row.Author {
			continue
		}
		attributes := strings.ToLower(c.attributes)
		text := "formatted SQL: could be a versioned script"
		switch {
		case strings.Contains(attributes, "runalways:true"):
			text = "formatted SQL, runAlways: could be a callback, afterMigrate" + orElse(d.facts.Naming.Separator, "__") + c.id + ".sql"
		case strings.Contains(attributes, "runonchange:true"):
			text = "formatted SQL, runOnChange: could be " + d.name(d.facts.Naming.Repeatable, "R", "", c.id)
		}
		if c.rollback {
			text += ", its rollback lines an undo script"
		}
		if strings.Contains(attributes, "context") || strings.Contains(attributes, "labels") {
			text += "; contexts and labels become shouldExecute"
		}
		return text
	}
	return "the file no longer has it"
}

// changelog finds the file that the table calls name, which Liquibase writes as its search path had it.
func (d *decision) changelog(name string) *migration.File {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "classpath:"), "./")
	for i := range d.facts.Files {
		f := &d.facts.Files[i]
		if f.Path == name || strings.HasSuffix(name, "/"+f.Path) || strings.HasSuffix(f.Path, "/"+name) {
			return f
		}
	}
	return nil
}
