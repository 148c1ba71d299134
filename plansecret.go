package skein

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skein-db/skein/internal/postgres"
)

// secretValue is what a file must not hold, and the psql variable that stands for it there.
type secretValue struct {
	what, variable, value string
	quotes                string // the variable whose value this is with its quotes doubled, as in a literal; "": none
}

type secretValues []secretValue

// Shorter values occur by chance: those are not looked for at all, these only where no letter or digit touches them, as
// everywhere in Skein's output.
const (
	secretRunes     = 3
	secretWordBelow = 12 // bytes
)

// secretValues looks the secrets up. The longest value comes first: it may hold another.
func (r *run) secretValues() secretValues {
	var all secretValues
	for _, name := range r.cfg.SecretPlaceholders {
		for key, value := range r.cfg.Placeholders.Values {
			if strings.EqualFold(key, name) {
				all.add(name, "the placeholder "+name, value)
			}
		}
	}
	// A password that is the name of the user hides nothing, and names have to be in the file.
	open := func(value string) bool {
		return r.login != nil && (value == r.login.User || value == r.login.Database)
	}
	for _, name := range slices.Sorted(maps.Keys(r.cfg.Secrets)) {
		if value := r.cfg.Secrets[name]; !open(value) {
			all.add(name, "the secret "+name, value)
		}
	}
	if r.login != nil && !open(r.login.Password) {
		all.add("password", "the password of the connection", r.login.Password)
	}
	slices.SortStableFunc(all, func(a, b secretValue) int { return len(b.value) - len(a.value) })
	return all
}

func (all *secretValues) add(name, what, value string) {
	if utf8.RuneCountInString(value) < secretRunes || slices.ContainsFunc(*all, func(s secretValue) bool { return s.value == value }) {
		return
	}
	variable := strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '_'
	}, name)
	for slices.ContainsFunc(*all, func(s secretValue) bool { return s.variable == variable }) {
		variable += "_"
	}
	*all = append(*all, secretValue{what: what, variable: variable, value: value})
	if strings.Contains(value, "'") {
		*all = append(*all, secretValue{what, variable + "_quoted", strings.ReplaceAll(value, "'", "''"), variable})
	}
}

// escaped finds a secret that stands in a text with its backslashes doubled, where no variable can take its place.
func (all secretValues) escaped(text string) (what string, found bool) {
	for _, s := range all {
		if strings.Contains(s.value, `\`) && strings.Contains(text, strings.ReplaceAll(s.value, `\`, `\\`)) {
			return s.what, true
		}
	}
	return "", false
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
	for _, s := range all {
		if s.quotes != "" && used[s.variable] {
			used[s.quotes] = true
		}
	}
	b.WriteString("-- These values are secrets and not in this file. Give each one to psql: -v name=value\n")
	for _, s := range all {
		if s.quotes == "" && used[s.variable] {
			fmt.Fprintf(b, "--   %s: %s\n", s.variable, comment(s.what))
		}
	}
	for _, s := range all {
		if s.quotes == "" && used[s.variable] {
			why := "the psql variable " + s.variable + " is not set: give psql -v " + s.variable + "=<" + s.what + ">"
			fmt.Fprintf(b, "\\if :{?%s}\n\\else\ndo %s language plpgsql;\n\\endif\n", s.variable,
				postgres.Literal("begin raise exception using message = "+postgres.Literal(comment(why))+"; end"))
		}
	}
	for _, s := range all {
		if s.quotes != "" && used[s.variable] {
			fmt.Fprintf(b, "select pg_catalog.replace(:'%s', $$'$$, $$''$$) as %s \\gset\n", s.quotes, s.variable)
		}
	}
}
