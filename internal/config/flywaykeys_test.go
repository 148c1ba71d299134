package config_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/config"
)

var alternatives = regexp.MustCompile(`^([A-Za-z]*?)([A-Z][a-z]+) / ([A-Z][a-zA-Z]+)(?: / ([A-Z][a-zA-Z]+))?$`)

// flywayKeys reads the keys of the settings table of flyway.md §10.8, with the variable of each row that has one key.
func flywayKeys(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../../../shared/flyway.md")
	if os.IsNotExist(err) {
		t.Skip("../shared/flyway.md is not beside this checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(raw), "### 10.8 ")
	text, _, _ = strings.Cut(text, "### 10.9 ")
	keys := map[string]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || strings.Contains(cells[1], "---") || strings.TrimSpace(cells[1]) == "key" {
			continue
		}
		names := expandKeys(strings.TrimSpace(strings.ReplaceAll(cells[1], "(E)", "")))
		for _, name := range names {
			keys[name] = ""
		}
		if variable := strings.TrimSpace(cells[2]); len(names) == 1 && strings.HasPrefix(variable, "FLYWAY_") {
			keys[names[0]] = variable
		}
	}
	if len(keys) < 110 || keys["table"] != "FLYWAY_TABLE" {
		t.Fatalf("only %d keys were understood: %v", len(keys), keys)
	}
	return keys
}

// expandKeys takes apart "placeholderPrefix / Suffix", "resolvers / migrationResolvers", "dapr.{url,secrets}",
// "ignoreMissing/IgnoredMigrations" and lists of these.
func expandKeys(cell string) []string {
	if words, ok := strings.CutPrefix(cell, "ignoreMissing/"); ok {
		all := strings.Split("Missing/"+strings.TrimSuffix(words, "Migrations"), "/")
		for i := range all {
			all[i] = "ignore" + all[i] + "Migrations"
		}
		return all
	}
	if m := alternatives.FindStringSubmatch(cell); m != nil {
		found := []string{m[1] + m[2], m[1] + m[3]}
		if m[4] != "" {
			found = append(found, m[1]+m[4])
		}
		return found
	}
	var found []string
	depth, begin := 0, 0
	cell += ","
	for i, r := range cell {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		case ',', '/':
			if depth > 0 {
				continue
			}
			item := strings.TrimSpace(cell[begin:i])
			begin = i + 1
			prefix, inner, braces := strings.Cut(item, "{")
			for part := range strings.SplitSeq(strings.TrimSuffix(inner, "}"), ",") {
				if braces {
					found = append(found, prefix+strings.TrimSpace(part))
				}
			}
			if !braces && item != "" {
				found = append(found, item)
			}
		}
	}
	return found
}

// TestFlywayKeys: every key of Flyway's is honoured, or is told with a reason that it is not: as an error where it would
// have changed something, in a note of config explain where there is nothing that it could change.
func TestFlywayKeys(t *testing.T) {
	t.Parallel()
	counts := map[config.Standing]int{}
	for name, variable := range flywayKeys(t) {
		one := strings.ReplaceAll(name, "*", "x")
		k, known := config.Lookup(one)
		if family, whole := strings.CutSuffix(name, ".*"); whole && !known && (family == "add" || family == "init") {
			continue // Skein has the verb, and takes its keys one by one
		}
		if !known {
			t.Errorf("%s is unknown", name)
			continue
		}
		counts[k.Standing]++
		if variable != "" && k.Variable != variable && !strings.HasSuffix(variable, "…") {
			t.Errorf("%s: the variable is %q, want %q", name, k.Variable, variable)
		}
		if k.Standing == config.Honoured {
			continue
		}
		if k.Note == "" {
			t.Errorf("%s is %s, and the reason is not told", name, k.Standing)
		}
		told := tellsOf(t, k, one)
		if !strings.Contains(told, k.Note) || !strings.Contains(told, one) {
			t.Errorf("%s is %s: what is told of it lacks its name or the reason %q:\n%s", name, k.Standing, k.Note, told)
		}
	}
	t.Logf("%v", counts)
	if counts[config.Honoured] < 60 {
		t.Errorf("only %d keys are honoured", counts[config.Honoured])
	}
}

// tellsOf gives a setting a value that is not the default, in a file, and returns all that is said of it.
func tellsOf(t *testing.T, k config.Key, name string) string {
	t.Helper()
	text := map[config.Kind]string{config.Boolean: "true", config.Integer: "7"}[k.Kind]
	if text == "" {
		text = "other"
	}
	if k.Default == "true" {
		text = "false"
	}
	file, content := "/w/flyway.conf", "flyway."+name+"="+text+"\n"
	if k.Forms&config.Conf == 0 {
		file, content = "/w/flyway.toml", "flyway."+name+" = '"+text+"'\n"
		if k.Forms&config.EnvironmentTOML != 0 {
			content = "environments.default." + name + " = '" + text + "'\n"
		}
		if k.Kind == config.Boolean {
			content = strings.ReplaceAll(content, "'", "")
		}
	}
	s, warnings, err := config.Load(config.Input{WorkDir: "/w", IsDir: func(string) bool { return true }, ReadFile: func(path string) ([]byte, error) {
		if path == file {
			return []byte(content), nil
		}
		return noFiles(path)
	}})
	if err != nil {
		return err.Error()
	}
	said := ""
	for _, w := range warnings {
		said += w.String() + "\n"
	}
	for _, e := range s.Explain() {
		if e.Key == name {
			said += e.Key + ": " + e.Note
		}
	}
	return said
}

func TestExpandKeys(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string][]string{
		"placeholderPrefix / Suffix / Separator":              {"placeholderPrefix", "placeholderSuffix", "placeholderSeparator"},
		"resolvers / migrationResolvers":                      {"resolvers", "migrationResolvers"},
		"vault.{url,token}, dapr.{url}":                       {"vault.url", "vault.token", "dapr.url"},
		"ignoreMissing/Ignored/Pending/FutureMigrations":      {"ignoreMissingMigrations", "ignoreIgnoredMigrations", "ignorePendingMigrations", "ignoreFutureMigrations"},
		"provisioner, resolvers.*":                            {"provisioner", "resolvers.*"},
		"outputType, outputProgress, outputLogsInJson, color": {"outputType", "outputProgress", "outputLogsInJson", "color"},
		"add.*, migrate.saveSnapshot":                         {"add.*", "migrate.saveSnapshot"},
		"sqlMigrationPrefix":                                  {"sqlMigrationPrefix"},
		"email, token, offlinePermitPath":                     {"email", "token", "offlinePermitPath"},
		"scriptPlaceholderPrefix / Suffix":                    {"scriptPlaceholderPrefix", "scriptPlaceholderSuffix"},
	} {
		if got := expandKeys(cell); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", cell, got, want)
		}
	}
}
