package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/config"
)

// everyVerb are the settings of each verb that talks to a database.
var everyVerb = []string{"url", "user", "password", "configFiles", "environment", "workingDirectory"}

// help prints the page of the verb named on the line, else the list of verbs and of settings.
func (r *runner) help() int {
	for _, name := range r.line.Verbs {
		if name == "help" {
			continue
		}
		if v, ok := lookupVerb(name); ok {
			r.console.raw(v.page(r.programName()))
			return 0
		}
		return r.fail(&usageError{Message: name + " is not part of this release of Skein", Hint: "its verbs are " + strings.Join(verbNames(), ", ")})
	}
	r.console.raw(usage(r.programName()) + "\nSettings (-key=value, --key value, or in the file and variable named by `" + r.programName() +
		" help <verb>`):\n" + settingsList(allSettings()))
	return 0
}

// usage is what a line without a verb gets.
func usage(program string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Skein applies SQL scripts to PostgreSQL in order, once each, and keeps the record in the database itself.

  %[1]s migrate -url=jdbc:postgresql://localhost/shop -user=app -locations=filesystem:sql
  %[1]s info --url postgres://app@localhost/shop
  %[1]s help migrate

Verbs (several on one line run one after the other):
`, program)
	for _, v := range verbs {
		fmt.Fprintf(&b, "  %-20s%s\n", v.Name, v.Summary)
	}
	fmt.Fprintf(&b, `
Switches:
  -q              only results, warnings and errors
  -X              say everything, the statements too
  -v, --version   the version
  -h, --help      help, with all settings

Settings come from flyway.conf, flyway.toml, skein.toml, variables (FLYWAY_URL, SKEIN_URL) and the command line, the
last one winning; `+"`%s config explain`"+` shows which.
`, program)
	return b.String()
}

// page is the page of one verb.
func (v verb) page(program string) string {
	var b strings.Builder
	for _, e := range v.Example {
		fmt.Fprintf(&b, "  %s %s\n", program, e)
	}
	fmt.Fprintf(&b, "\n%s\n", v.Text)
	if len(v.Flags) > 0 {
		b.WriteString("\nSwitches: -" + strings.Join(v.Flags, ", -") + "\n")
	}
	if len(v.Settings) > 0 {
		b.WriteString("\nSettings of " + v.Name + ":\n" + settingsList(v.Settings))
		b.WriteString("\nand of every verb:\n" + settingsList(everyVerb))
	}
	return b.String()
}

// settingsList describes settings from the table of config, one a line.
func settingsList(names []string) string {
	var b strings.Builder
	for _, name := range names {
		k := keyNamed(name)
		about := []string{k.Kind.String()}
		if len(k.Words) > 0 {
			about[0] = strings.Join(k.Words, " or ")
		}
		if k.Default != "" {
			about = append(about, "default "+k.Default)
		}
		if k.Variable != "" {
			about = append(about, k.Variable)
		} else if k.SkeinVariable != "" {
			about = append(about, k.SkeinVariable)
		}
		if k.Note != "" {
			about = append(about, k.Note)
		}
		fmt.Fprintf(&b, "  %-28s%s\n", strings.TrimPrefix(strings.TrimSuffix(k.Name, ".*"), "skein."), strings.Join(about, "; "))
	}
	return b.String()
}

// keyNamed finds a key of the table by its own name; a name that is not there is a fault of the lists in this package.
func keyNamed(name string) config.Key {
	keys := config.Keys()
	i := slices.IndexFunc(keys, func(k config.Key) bool { return k.Name == name })
	if i < 0 {
		panic("cli: help names a setting that does not exist: " + name)
	}
	return keys[i]
}

func allSettings() []string {
	var names []string
	for _, k := range config.Keys() {
		if k.Standing == config.Honoured {
			names = append(names, k.Name)
		}
	}
	return names
}

// explainText is the text of config explain: a line for each setting, what it overrode indented below.
func explainText(s *config.Settings) string {
	var b strings.Builder
	fmt.Fprintf(&b, "environment %s; files: %s\n\n", s.Environment(), orNone(s.Files()))
	list := s.Explain()
	wide := 0
	for _, e := range list {
		wide = max(wide, units(e.Key))
	}
	for _, e := range list {
		fmt.Fprintf(&b, "%s = %s  (%s)\n", fit(e.Key, wide), shownValue(e), e.From)
		for _, o := range e.Overrode {
			fmt.Fprintf(&b, "%s   overrode %s  (%s)\n", strings.Repeat(" ", wide), o.Value, o.From)
		}
		if e.Note != "" {
			fmt.Fprintf(&b, "%s   %s\n", strings.Repeat(" ", wide), e.Note)
		}
	}
	return b.String()
}

func shownValue(e config.Setting) string {
	switch {
	case e.Value != "":
		return e.Value
	case e.Origin.Kind == config.FromDefault:
		return "unset"
	}
	return `""`
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
