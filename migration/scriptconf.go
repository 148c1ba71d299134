package migration

import (
	"errors"
	"fmt"
	"strings"
)

// parseScriptConfig reads the .conf file beside a script (flyway.md §9). Placeholders are replaced in it first.
func parseScriptConfig(path, text string, p Placeholders) (ScriptConfig, error) {
	var c ScriptConfig
	written := text
	text, err := p.Replace(text)
	if err != nil {
		if missing, ok := errors.AsType[*PlaceholderError](err); ok {
			missing.Path = path
		}
		return c, &Error{Code: CodeError, Message: err.Error(), Err: err}
	}
	for _, set := range properties(text) {
		fail := func(format string, args ...any) error {
			return &Error{Code: CodeConfiguration, Path: path, Line: set.line, Message: fmt.Sprintf(format, args...),
				Hint: "a script's .conf file may set executeInTransaction, encoding, placeholderReplacement and shouldExecute"}
		}
		switch set.key {
		case "executeInTransaction", "placeholderReplacement":
			var value bool
			switch strings.ToLower(set.value) {
			case "true":
				value = true
			case "false":
			default:
				value := set.value
				if text != written {
					value = "(not shown: this file uses placeholders, and their values may be secret)"
				}
				return c, fail("Invalid value for %s (should be either true or false): %s", set.key, value)
			}
			if set.key == "executeInTransaction" {
				c.ExecuteInTransaction = &value
			} else {
				c.PlaceholderReplacement = &value
			}
		case "encoding":
			if _, _, err := decodeStrictly(nil, set.value); err != nil {
				return c, fail("%s", err)
			}
			c.Encoding = set.value
		case "shouldExecute":
			if _, err := evaluate(set.value); err != nil {
				return c, fail("Invalid value for shouldExecute: %s", err)
			}
			c.ShouldExecute = set.value
		default:
			return c, fail("Unknown configuration property: %s. Please check your script config files", set.key)
		}
	}
	return c, nil
}

type property struct {
	key, value string
	line       int // from 1
}

// properties reads Flyway's dialect of Java's properties files: lines are trimmed, backslashes are letters except at
// the end of a line, where they join it with the next.
func properties(text string) []property {
	var all []property
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
	for i := 0; i < len(lines); i++ {
		line, first := strings.TrimSpace(lines[i]), i+1
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) && strings.TrimSpace(lines[i+1]) != "" {
			i++
			line = strings.TrimSuffix(line, `\`) + strings.TrimSpace(lines[i])
		}
		at := strings.IndexAny(line, "=: \t")
		if at < 0 {
			all = append(all, property{key: line, line: first})
			continue
		}
		key, value := line[:at], strings.TrimLeft(line[at:], " \t")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t")
		}
		all = append(all, property{key: key, value: value, line: first})
	}
	return all
}
