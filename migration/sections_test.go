package migration_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

func (c *facts) reconcile() ([]migration.Entry, error) {
	resolved, err := c.resolve()
	if err != nil {
		return nil, err
	}
	rows, err := c.rows(resolved.Scripts)
	if err != nil {
		return nil, err
	}
	target, err := migration.ParseTarget(c.options["target"])
	if err != nil {
		return nil, err
	}
	return migration.Reconcile(resolved.Scripts, rows, migration.ReconcileOptions{Target: target,
		OutOfOrder: c.options["outOfOrder"] == "true", CherryPick: c.cherryPick(), IgnoreJava: c.ignoreJava()})
}

func (c *facts) ignoreJava() func(migration.Row) bool {
	versions := strings.Split(c.options["ignoreJava"], ",")
	return func(row migration.Row) bool { return slices.Contains(versions, row.Version.String()) }
}

func (c *facts) ignore() ([]migration.IgnorePattern, error) {
	v, ok := c.options["ignore"]
	if !ok {
		return migration.ParseIgnorePatterns(nil)
	}
	return migration.ParseIgnorePatterns(strings.Split(v, ","))
}

func (c *facts) infoSection(string) (string, error) {
	entries, err := c.reconcile()
	if err != nil {
		return "", err
	}
	table := [][]string{{"Category", "Version", "Description", "Type", "State", "Undoable"}}
	for i := range entries {
		e := &entries[i]
		state := string(e.State)
		if e.Tolerated {
			state += ", tolerated"
		}
		table = append(table, []string{e.Category(), e.Version().String(), e.Description(), string(e.Type()), state, e.Undoable()})
	}
	return align(table), nil
}

func align(table [][]string) string {
	width := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range table {
		line := ""
		for i, cell := range row {
			line += "| " + cell + strings.Repeat(" ", width[i]-len([]rune(cell))+1)
		}
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

func (c *facts) validateSection(string) (string, error) {
	entries, err := c.reconcile()
	if err != nil {
		return "", err
	}
	ignore, err := c.ignore()
	if err != nil {
		return "", err
	}
	out := ""
	for _, p := range migration.Validate(entries, ignore) {
		out += fmt.Sprintf("%s %s\n    %s\n", p.Code, orDash(p.Path), strings.ReplaceAll(p.Message, "\n", "\n    "))
	}
	return orElse(out, "fine\n"), nil
}

func (c *facts) planSection(string) (string, error) {
	entries, err := c.reconcile()
	if err != nil {
		return "", err
	}
	ignore, err := c.ignore()
	if err != nil {
		return "", err
	}
	target, err := migration.ParseTarget(c.options["target"])
	if err != nil {
		return "", err
	}
	plan, err := migration.PlanMigrate(entries, migration.PlanOptions{Target: target, Ignore: ignore})
	if err != nil {
		return "", err
	}
	out := ""
	for _, step := range plan.Steps {
		out += step.Script.Path
		if step.OutOfOrder {
			out += " [out of order]"
		}
		out += "\n"
	}
	out = orElse(out, "nothing\n")
	for _, w := range plan.Warnings {
		out += "warning: " + w.String() + "\n"
	}
	return out, nil
}

func (c *facts) undoSection(string) (string, error) {
	entries, err := c.reconcile()
	if err != nil {
		return "", err
	}
	target, err := migration.ParseTarget(c.options["target"])
	if err != nil {
		return "", err
	}
	plan, err := migration.PlanUndo(entries, migration.PlanOptions{Target: target})
	if err != nil {
		return "", err
	}
	out := ""
	for _, step := range plan.Steps {
		out += fmt.Sprintf("%s undoes %d %s\n", step.Script.Path, step.Undoes.Rank, step.Undoes.Script)
	}
	out = orElse(out, "nothing\n")
	for _, w := range plan.Warnings {
		out += "warning: " + w.String() + "\n"
	}
	return out, nil
}

func (c *facts) cherryPick() []string {
	if c.options["cherryPick"] == "" {
		return nil
	}
	return strings.Split(c.options["cherryPick"], ",")
}

func (c *facts) repairSection(string) (string, error) {
	resolved, err := c.resolve()
	if err != nil {
		return "", err
	}
	rows, err := c.rows(resolved.Scripts)
	if err != nil {
		return "", err
	}
	ignore, err := c.ignore()
	if err != nil {
		return "", err
	}
	repair, err := migration.PlanRepair(resolved.Scripts, rows, migration.RepairOptions{Ignore: ignore, IgnoreJava: c.ignoreJava(),
		CherryPick: c.cherryPick()})
	if err != nil {
		return "", err
	}
	out := ""
	for _, row := range repair.Remove {
		out += fmt.Sprintf("remove %d %s\n", row.Rank, row.Script)
	}
	for i, row := range repair.MarkDeleted {
		d := row.Deletion(len(rows) + 1 + i)
		out += fmt.Sprintf("mark %d deleted: %d|%s|%s|%s|%s|%s|%t\n", row.Rank, d.Rank, d.Version, d.Description, d.Type, d.Script, sum(d.Checksum), d.Success)
	}
	for _, a := range repair.Align {
		out += fmt.Sprintf("align %d %s: %q %s %s\n", a.Row.Rank, a.Row.Script, a.Description, a.Type, sum(a.Checksum))
	}
	if (out == "") != repair.Empty() {
		return "", errors.New("Empty does not agree with what there is to do")
	}
	return orElse(out, "nothing\n"), nil
}

func (c *facts) currentSection(string) (string, error) {
	entries, err := c.reconcile()
	if err != nil {
		return "", err
	}
	v, ok := migration.CurrentVersion(entries)
	return fmt.Sprintf("version %q %t\ninfo:    %s\nmigrate: %s\n", v, ok, migration.SchemaVersionText(entries), migration.CurrentVersionText(entries)), nil
}

func (c *facts) baselineSection(string) (string, error) {
	rows, err := c.rows(nil)
	if err != nil {
		return "", err
	}
	opt := migration.BaselineOptions{Description: c.options["baselineDescription"], Table: `"public"."flyway_schema_history"`,
		Exists: c.options["tableExists"] != "false"}
	if v := c.options["baselineVersion"]; v != "" {
		opt.Version = migration.MustVersion(v)
	}
	d, err := migration.PlanBaseline(rows, opt)
	if err != nil {
		return "", err
	}
	out := d.Message + "\n"
	if r := d.Insert; r != nil {
		out += fmt.Sprintf("insert %d|%s|%s|%s|%s|%s|%t\n", r.Rank, r.Version, r.Description, r.Type, r.Script, sum(r.Checksum), r.Success)
	}
	return out, nil
}

func (c *facts) resolveSection(string) (string, error) {
	resolved, err := c.resolve()
	if err != nil {
		return "", err
	}
	kinds := map[migration.Kind]string{migration.Versioned: "versioned", migration.Repeatable: "repeatable", migration.Undo: "undo", migration.Baseline: "baseline"}
	out := ""
	for _, s := range resolved.Scripts {
		out += fmt.Sprintf("%s %s %q %s %s %s", kinds[s.Kind], orDash(s.Version.String()), s.Description, s.Type, s.Physical, sum(s.Checksum))
		if s.Checksum != nil && *s.Checksum != s.RawChecksum {
			out += fmt.Sprintf(" raw %d", s.RawChecksum)
		}
		if x := s.Config.ExecuteInTransaction; x != nil {
			out += fmt.Sprintf(" executeInTransaction=%t", *x)
		}
		out += "\n"
	}
	for _, cb := range resolved.Callbacks {
		out += fmt.Sprintf("callback %s %q %s\n", cb.Event, cb.Description, cb.Physical)
	}
	for _, w := range resolved.Warnings {
		out += "warning: " + w.String() + "\n"
	}
	for _, path := range resolved.Java {
		out += "java " + path + "\n"
	}
	return out + fmt.Sprintf("ignored %d\n", resolved.Ignored), nil
}

// answers rewrites each line "question => answer".
func answers(body string, answer func(question string) string) string {
	out := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\n"), "\n") {
		question, _, ok := strings.Cut(line, " => ")
		if !ok {
			question = strings.TrimSuffix(strings.TrimSpace(line), " =>")
		}
		if question = strings.TrimRight(question, " "); question == "" {
			out += "\n"
			continue
		}
		out += question + " => " + answer(question) + "\n"
	}
	return out
}

func (c *facts) namesSection(body string) (string, error) {
	kinds := map[migration.Kind]string{migration.Versioned: "versioned", migration.Repeatable: "repeatable", migration.Undo: "undo", migration.Baseline: "baseline"}
	return answers(body, func(file string) string {
		name, err := c.naming().Parse(file)
		if bad, ok := errors.AsType[*migration.NameError](err); ok {
			switch {
			case bad.Fix != "":
				return "misnamed: " + bad.Hint + ": " + bad.Fix
			case bad.Misnamed():
				return "misnamed: " + bad.Hint
			}
			return "no migration"
		}
		if name.Event != "" {
			return fmt.Sprintf("callback %s %q", name.Event, name.Description)
		}
		return strings.TrimSpace(fmt.Sprintf("%s %s", kinds[name.Kind], name.Version)) + fmt.Sprintf(" %q", name.Description)
	}), nil
}

func (c *facts) versionsSection(body string) (string, error) {
	return answers(body, func(question string) string {
		a, b, ok := strings.Cut(question, " ? ")
		x, err := migration.ParseVersion(a)
		if err != nil {
			return err.Error()
		}
		if !ok {
			return x.String()
		}
		y, err := migration.ParseVersion(b)
		if err != nil {
			return err.Error()
		}
		return []string{"lower", "equal", "higher"}[x.Compare(y)+1]
	}), nil
}

func (c *facts) replaceSection(body string) (string, error) {
	return answers(body, func(text string) string {
		out, err := c.placeholders().For("V1__a.sql", migration.ScriptConfig{}).Replace(text)
		if err != nil {
			return "error: " + err.Error()
		}
		return out
	}), nil
}

func sum(checksum *int32) string {
	if checksum == nil {
		return "null"
	}
	return fmt.Sprint(*checksum)
}

func orDash(s string) string { return orElse(s, "-") }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
