package skein

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skein-db/skein/internal/postgres"
)

// secretValue is a placeholder's value that a file must not hold, and the psql variable that stands for it there.
type secretValue struct{ placeholder, variable, value string }

type secretValues []secretValue

// Shorter values occur by chance: those are not looked for at all, these only where no letter or digit touches them, as
// everywhere in Skein's output.
const (
	secretRunes     = 3
	secretWordBelow = 12 // bytes
)

// secretValues looks the secret placeholders up. The longest value comes first: it may hold another.
func (c *Config) secretValues() secretValues {
	var all secretValues
	for _, name := range c.SecretPlaceholders {
		for key, value := range c.Placeholders.Values {
			if !strings.EqualFold(key, name) || utf8.RuneCountInString(value) < secretRunes {
				continue
			}
			variable := strings.Map(func(r rune) rune {
				if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
					return unicode.ToLower(r)
				}
				return '_'
			}, name)
			for slices.ContainsFunc(all, func(s secretValue) bool { return s.variable == variable }) {
				variable += "_"
			}
			all = append(all, secretValue{name, variable, value})
		}
	}
	slices.SortStableFunc(all, func(a, b secretValue) int { return len(b.value) - len(a.value) })
	return all
}

// secretSpan is where a secret stands in a text.
type secretSpan struct{ start, end, secret int }

// mark finds the secrets in a text.
func (all secretValues) mark(text string) []secretSpan {
	var spans []secretSpan
	for at := 0; at < len(text); {
		i := slices.IndexFunc(all, func(s secretValue) bool { return s.stands(text, at) })
		if i < 0 {
			at++
			continue
		}
		end := at + len(all[i].value)
		spans = append(spans, secretSpan{at, end, i})
		at = end
	}
	return spans
}

func (s secretValue) stands(text string, at int) bool {
	if !strings.HasPrefix(text[at:], s.value) {
		return false
	}
	if len(s.value) >= secretWordBelow {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	after, _ := utf8.DecodeRuneInString(text[at+len(s.value):])
	inWord := func(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
	return !inWord(before) && !inWord(after)
}

// assemble writes a statement so that psql puts it together: psql replaces no variables inside of quotes, but it reads
// what a variable holds as if it stood there, quotes included.
func (all secretValues) assemble(b *strings.Builder, statement string, spans []secretSpan, used map[string]bool) error {
	colons, err := psqlColons(statement)
	if err != nil {
		return err
	}
	b.WriteString("\\set skein_statement")
	from := 0
	quote := func(to int) {
		var part strings.Builder
		for ; from < to; from++ {
			part.WriteByte(statement[from])
			if slices.Contains(colons, from+1) {
				part.WriteByte(' ')
			}
		}
		if part.Len() > 0 {
			b.WriteString(" '" + psqlQuoted.Replace(part.String()) + "'")
		}
	}
	for _, s := range spans {
		quote(s.start)
		b.WriteString(" :" + all[s.secret].variable)
		used[all[s.secret].variable] = true
		from = s.end
	}
	quote(len(statement))
	b.WriteString("\n:skein_statement\n;\n")
	return nil
}

// psqlQuoted writes what stands between the quotes of an argument of a psql command.
var psqlQuoted = strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`)

// list names the variables that the file needs, and has psql stop where one is not given.
func (all secretValues) list(b *strings.Builder, used map[string]bool) {
	if len(used) == 0 {
		return
	}
	b.WriteString("-- These values are secrets and not in this file. Give each one to psql: -v name=value\n")
	for _, s := range all {
		if used[s.variable] {
			fmt.Fprintf(b, "--   %s: the placeholder %s\n", s.variable, comment(s.placeholder))
		}
	}
	for _, s := range all {
		if used[s.variable] {
			why := "the psql variable " + s.variable + " is not set: give psql -v " + s.variable + "=<the placeholder " + s.placeholder + ">"
			fmt.Fprintf(b, "\\if :{?%s}\n\\else\ndo %s language plpgsql;\n\\endif\n", s.variable,
				postgres.Literal("begin raise exception using message = "+postgres.Literal(comment(why))+"; end"))
		}
	}
}
