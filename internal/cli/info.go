package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/migration"
)

// filter is what the settings info… leave in the table. The zero value leaves everything.
type filter struct {
	sinceDate, untilDate       time.Time
	sinceVersion, untilVersion migration.Version
	states                     []migration.State
}

// readFilter reads the five settings; dates are in zone. Its error names all that are wrong.
func readFilter(s *config.Settings, zone *time.Location) (filter, error) {
	var f filter
	var wrong config.Mistakes
	fault := func(code, key, hint, format string, args ...any) {
		wrong = append(wrong, config.Mistake{Origin: s.Origin(key), Key: key, Text: fmt.Sprintf(format, args...), Hint: hint, Code: code})
	}
	for key, to := range map[string]*time.Time{"infoSinceDate": &f.sinceDate, "infoUntilDate": &f.untilDate} {
		if text := s.Text(key); text != "" {
			at, err := time.ParseInLocation("02/01/2006 15:04", text, zone)
			if err != nil {
				fault(config.Plain, key, "", "'%s' is an invalid value for the %s option. The expected format is 'dd/mm/yyyy hh:mm', like '13/10/2020 16:30'.", text, key)
			}
			*to = at
		}
	}
	for key, to := range map[string]*migration.Version{"infoSinceVersion": &f.sinceVersion, "infoUntilVersion": &f.untilVersion} {
		if text := s.Text(key); text != "" {
			v, err := migration.ParseVersion(text)
			if err != nil {
				fault(config.Plain, key, "", "%v", err)
			}
			*to = v
		}
	}
	for _, name := range s.List("infoOfState") {
		state, ok := migration.StateOf(strings.ToUpper(name))
		if !ok {
			fault(config.Fault, "infoOfState", "states are written like ABOVE_TARGET", "there is no state %s", name)
			continue
		}
		f.states = append(f.states, state)
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b config.Mistake) int { return strings.Compare(a.Key, b.Key) })
		return filter{}, wrong
	}
	return f, nil
}

// keeps says whether an entry is shown (flyway.md §4.3). The oddities are Flyway's: what has no date passes the lower
// bound and not the upper, and so it is for versions.
func (f filter) keeps(e *migration.Entry) bool {
	if e.Applied != nil && !f.sinceDate.IsZero() && e.Applied.InstalledOn.Before(f.sinceDate) {
		return false
	}
	if !f.untilDate.IsZero() && (e.Applied == nil || e.Applied.InstalledOn.After(f.untilDate)) {
		return false
	}
	v := e.Version()
	if !f.sinceVersion.IsZero() && !v.IsZero() && v.Compare(f.sinceVersion) < 0 {
		return false
	}
	if !f.untilVersion.IsZero() && (v.IsZero() || v.Compare(f.untilVersion) > 0) {
		return false
	}
	if len(f.states) == 0 {
		return e.State != migration.StateAvailable // an undo script that waits is told beside its migration
	}
	return slices.Contains(f.states, e.State)
}

func (f filter) apply(entries []migration.Entry) []migration.Entry {
	var kept []migration.Entry
	for i := range entries {
		if f.keeps(&entries[i]) {
			kept = append(kept, entries[i])
		}
	}
	return kept
}

// migrationIDs is what -migrationIds prints: versions, and descriptions of repeatables.
func migrationIDs(entries []migration.Entry) string {
	var ids []string
	for i := range entries {
		if v := entries[i].Version(); !v.IsZero() {
			ids = append(ids, v.String())
		} else {
			ids = append(ids, entries[i].Description())
		}
	}
	return strings.Join(ids, ",")
}

// stateColumn is the place of State in a row of the table.
const stateColumn = 5

// infoTable is Flyway's table. Rows of undo types are left out, as there; undo scripts that wait are
// among the entries only when infoOfState asks for them.
func infoTable(entries []migration.Entry, zone *time.Location) table {
	t := table{
		Header: []string{"Category", "Version", "Description", "Type", "Installed On", "State", "Undoable"},
		Empty:  "No migrations found",
	}
	for i := range entries {
		e := &entries[i]
		if e.Type().IsUndo() && e.State != migration.StateAvailable {
			continue
		}
		installed := ""
		if e.Applied != nil {
			installed = e.Applied.InstalledOn.In(zone).Format(time.DateTime)
		}
		t.Rows = append(t.Rows, []string{e.Category(), e.Version().String(), e.Description(), string(e.Type()), installed, string(e.State), e.Undoable()})
	}
	return t
}

// paintState colours the states: what waits yellow, what is wrong red, what is well green.
func paintState(rows [][]string) func(row, column int, cell string) string {
	return func(row, column int, cell string) string {
		if column != stateColumn {
			return cell
		}
		return paint(true, stateColour(migration.State(rows[row][stateColumn])), cell)
	}
}

func stateColour(s migration.State) string {
	switch {
	case s.Failed() || s == migration.StateMissing || s == migration.StateFuture:
		return red
	case s == migration.StatePending || s == migration.StateOutdated || s == migration.StateIgnored || s == migration.StateOutOfOrder:
		return yellow
	case s == migration.StateSuccess || s == migration.StateBaseline:
		return green
	}
	return grey
}

// printInfo prints the result of info, filtered.
func printInfo(c *console, r *skein.InfoResult, entries []migration.Entry, s *config.Settings, dir string, zone *time.Location) {
	c.result("Schema version: "+migration.SchemaVersionText(r.Entries)+"\n", "")
	if !slices.ContainsFunc(entries, func(e migration.Entry) bool { return e.Physical() != "" }) {
		c.result("No migrations found on disk.\nHere are some relevant configuration settings.\n\n"+settingsTable(s, dir), "")
	}
	t := infoTable(entries, zone)
	plain := t.String()
	t.Paint = paintState(t.Rows)
	c.result(plain, t.String())
}

// settingsTable shows what decides where migrations are looked for.
func settingsTable(s *config.Settings, dir string) string {
	working := s.Text("workingDirectory")
	if working == "" {
		working = dir
	}
	rows := [][2]string{
		{"Setting", "Value"},
		{"locations", strings.Join(s.List("locations"), ", ")},
		{"callbackLocations", strings.Join(s.List("callbackLocations"), ", ")},
		{"workingDirectory", working},
	}
	for _, key := range []string{"repeatableSqlMigrationPrefix", "sqlMigrationPrefix", "baselineMigrationPrefix", "sqlMigrationSeparator"} {
		rows = append(rows, [2]string{key, s.Text(key)})
	}
	rows = append(rows, [2]string{"sqlMigrationSuffixes", strings.Join(s.List("sqlMigrationSuffixes"), ", ")})
	// Two blanks more than the widest, and never narrower than this heading: as in Flyway.
	first, second := 0, len("Current value")
	for _, row := range rows {
		first, second = max(first, units(row[0])), max(second, units(row[1]))
	}
	first, second = first+2, second+2
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", fit(row[0], first), fit(row[1], second))
		if i == 0 {
			fmt.Fprintf(&b, "|%s|%s|\n", strings.Repeat("-", first+2), strings.Repeat("-", second+2))
		}
	}
	return b.String()
}

// printUnfinished names the scripts that stopped half-way.
func printUnfinished(c *console, scripts []skein.Unfinished) {
	for _, u := range scripts {
		open := ""
		if u.Open {
			open = ", and how the next one ended is to be found out"
		}
		c.info("%s was begun on %s and not finished: %s carried out%s; the next migrate goes on from there", u.Script.Path, u.Since, plural(u.Done, "statement"), open)
	}
}
