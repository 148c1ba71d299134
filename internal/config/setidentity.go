package config

import (
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// IdentityField is one value of identity.*.
type IdentityField struct{ Name, Value string }

// SetIdentity writes the pin of an environment into the text of a skein.toml: into the table
// [skein.environments.<name>.identity] if there is one, else behind everything else. All else of the text stays as it is,
// comments too. The error says that this cannot be done in the text as it is written.
func SetIdentity(text, environment string, fields []IdentityField) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		lines[last] += "\n"
	}
	begin, end := identityTable(lines, environment)
	var made []string
	for _, f := range fields {
		if f.Value != "" {
			made = append(made, f.Name+" = "+tomlString(f.Value)+"\n")
		}
	}
	if begin < 0 {
		header := "[skein.environments." + tomlKey(environment) + ".identity] # written by skein pin\n"
		if len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) != "" {
			header = "\n" + header
		}
		lines = append(append(lines, header), made...)
	} else {
		kept := append([]string{}, lines[:begin+1]...)
		kept = append(kept, made...)
		for _, line := range lines[begin+1 : end] {
			if !isField(line, fields) {
				kept = append(kept, line)
			}
		}
		lines = append(kept, lines[end:]...)
	}
	out := strings.Join(lines, "")
	return out, readsBack(out, environment, fields)
}

var (
	tableHeader = lazily(`^\s*\[([^\[\]]+)\]\s*(#.*)?$`)
	anyHeader   = lazily(`^\s*\[`)
	bareKey     = lazily(`^[A-Za-z0-9_-]+$`)
)

// identityTable finds the lines of the table, the header first; begin is -1 when there is none.
func identityTable(lines []string, environment string) (begin, end int) {
	for i, line := range lines {
		m := tableHeader().FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		name := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(m[1], " ", ""), `"`, ""), "'", "")
		if name != "skein.environments."+environment+".identity" {
			continue
		}
		for end = i + 1; end < len(lines) && !anyHeader().MatchString(lines[end]); end++ {
		}
		return i, end
	}
	return -1, -1
}

func isField(line string, fields []IdentityField) bool {
	key, _, found := strings.Cut(line, "=")
	for _, f := range fields {
		if found && strings.Trim(strings.TrimSpace(key), `"'`) == f.Name {
			return true
		}
	}
	return false
}

// readsBack makes sure that the text says what it is to say.
func readsBack(text, environment string, fields []IdentityField) error {
	var whole struct {
		Skein struct {
			Environments map[string]struct {
				Identity map[string]string `toml:"identity"`
			} `toml:"environments"`
		} `toml:"skein"`
	}
	if _, err := toml.Decode(text, &whole); err != nil {
		return fmt.Errorf("the identity stands in the file in another form already: %w", err)
	}
	for _, f := range fields {
		if got := whole.Skein.Environments[environment].Identity[f.Name]; got != f.Value {
			return fmt.Errorf("identity.%s would read as %q", f.Name, got)
		}
	}
	return nil
}

func tomlKey(name string) string {
	if bareKey().MatchString(name) {
		return name
	}
	return tomlString(name)
}
