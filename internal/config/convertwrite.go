package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// section is one table of the file to be written.
type section struct {
	name     string // as it stands in brackets
	settings []*converted
	trailing []string
}

// write renders the file.
func (c *conversion) write() (string, error) {
	var shown []string
	for _, f := range c.files {
		shown = append(shown, f.shown)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by skein init from %s.\n", strings.Join(shown, ", "))
	base := c.base()
	whole, own := &section{name: "flyway"}, &section{name: "skein"}
	if len(c.files) == 1 && c.files[0].env != "default" {
		env, _ := Lookup("environment")
		whole.settings = append(whole.settings, &converted{key: env, name: "environment", value: c.files[0].env})
	}
	sections := []*section{whole, own}
	for i := range c.files {
		f := &c.files[i]
		connect := &section{name: "environments." + f.env, trailing: f.trailing}
		override := &section{name: connect.name + ".flyway"}
		for _, v := range f.settings {
			switch {
			case v.key.own() && (len(c.files) == 1 || f == base):
				own.settings = append(own.settings, v)
			case v.key.own():
				return "", Mistakes{{Origin: Origin{Kind: FromFile, Name: f.shown}, Key: v.name, Text: v.name + ": " + errOwnOverride.Error(), Hint: "give it on the command line"}}
			case v.key.Forms&EnvironmentTOML != 0:
				connect.settings = append(connect.settings, v)
			case len(c.files) == 1 || f == base:
				whole.settings = append(whole.settings, v)
			default:
				override.settings = append(override.settings, v)
			}
		}
		if base != nil && f != base {
			inherit(connect, base, func(k Key) bool { return k.Forms&EnvironmentTOML != 0 })
			// A map in an environment replaces the whole one of [flyway].
			inherit(override, base, func(k Key) bool { return k.Kind == Map && k.Forms&EnvironmentTOML == 0 && override.has(k) })
		}
		sections = append(sections, connect, override)
	}
	for _, s := range sections {
		if len(s.settings) > 0 || strings.Count(s.name, ".") == 1 {
			c.section(&b, s)
		}
	}
	return b.String(), nil
}

// base is the file that lies below all others, if it is among them.
func (c *conversion) base() *confSource {
	for i := range c.files {
		if c.files[i].env == "default" {
			return &c.files[i]
		}
	}
	return nil
}

func (s *section) has(k Key) bool {
	for _, v := range s.settings {
		if v.key.Name == k.Name {
			return true
		}
	}
	return false
}

// inherit adds the base's settings that the environment does not have itself.
func inherit(s *section, base *confSource, which func(Key) bool) {
	taken := map[string]bool{}
	for _, v := range s.settings {
		taken[slot(v.name)] = true
	}
	for _, v := range base.settings {
		if which(v.key) && !taken[slot(v.name)] {
			plain := *v
			plain.comments = nil
			s.settings = append(s.settings, &plain)
		}
	}
}

// section writes a table and, after its plain settings, those below it.
func (c *conversion) section(b *strings.Builder, s *section) {
	fmt.Fprintf(b, "\n[%s]\n", s.name)
	var families []string
	below := map[string][]*converted{}
	for _, v := range s.settings {
		if v.key.Kind != Map {
			c.setting(b, strings.TrimPrefix(v.name, "skein."), v)
			continue
		}
		family := strings.TrimSuffix(v.key.Name, ".*")
		if below[family] == nil {
			families = append(families, family)
		}
		below[family] = append(below[family], v)
	}
	c.comments(b, s.trailing)
	for _, family := range families {
		fmt.Fprintf(b, "\n[%s.%s]\n", s.name, family)
		for _, v := range below[family] {
			c.setting(b, tomlString(strings.TrimPrefix(v.name, family+".")), v)
		}
	}
}

func (c *conversion) setting(b *strings.Builder, name string, v *converted) {
	c.comments(b, v.comments)
	fmt.Fprintf(b, "%s = %s\n", name, c.value(v))
}

// secretComment is a setting in a comment whose value must not be copied.
var secretComment = lazily(`(?i)^(\s*flyway\.[^=:\s]*?)\s*[=:]`)

func (c *conversion) comments(b *strings.Builder, lines []string) {
	for _, line := range lines {
		if c.tells(line) {
			c.notes = append(c.notes, "a comment that held a password was left out")
			continue
		}
		if m := secretComment().FindStringSubmatch(line); m != nil {
			name := strings.TrimPrefix(strings.TrimSpace(m[1]), "flyway.")
			if k, ok := Lookup(name); ok && k.isSecret(name) || strings.Contains(line, "@") || secretInURL().MatchString(line) {
				line = strings.TrimSpace(m[1]) + " (its value was left out)"
			}
		}
		b.WriteString(strings.TrimRight("# "+strings.Map(printable, line), " ") + "\n")
	}
}

// printable drops what a TOML comment may not hold.
func printable(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return -1
	}
	return r
}

var (
	marked      = lazily(markBegin + `([^` + markEnd + `]*)` + markEnd)
	secretInURL = lazily(`(?i)([?&](?:password|sslpassword)=)([^&]+)`)
	userInfo    = lazily(`(//[^/@:?]*:)([^/@]+)(@)`)
)

// value writes a value as TOML. A password becomes a reference to an environment variable, wherever it stands.
func (c *conversion) value(v *converted) string {
	text := v.value
	switch {
	case v.key.isSecret(v.name) && marked().ReplaceAllString(text, "") != "":
		what := v.name[strings.LastIndexByte(v.name, '.')+1:]
		text = c.moved(v, what, text)
	case v.key.Name == "url":
		text = secretInURL().ReplaceAllStringFunc(text, func(m string) string {
			parts := secretInURL().FindStringSubmatch(m)
			return parts[1] + c.moved(v, "url password", parts[2])
		})
		text = userInfo().ReplaceAllStringFunc(text, func(m string) string {
			parts := userInfo().FindStringSubmatch(m)
			return parts[1] + c.moved(v, "url password", parts[2]) + parts[3]
		})
	}
	switch {
	case v.key.Kind == Boolean || v.key.Kind == Integer:
		if plain := strings.ToLower(text); isBool(plain) || v.key.Kind == Integer && wholeNumber().MatchString(plain) {
			return plain
		}
	case v.key.Kind == List && text != "" && !marked().MatchString(text):
		var items []string
		for _, item := range splitList(text) {
			items = append(items, tomlString(c.references(item, v.key)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return tomlString(c.references(text, v.key))
}

var wholeNumber = lazily(`^-?(0|[1-9][0-9]*)$`)

// tells reports whether a line holds one of the secrets. A very short one counts only as a word of its own.
func (c *conversion) tells(line string) bool {
	for _, f := range c.files {
		for _, v := range f.settings {
			secrets := []string{v.value}
			if v.key.Name == "url" {
				secrets = urlSecrets(v.value)
			} else if !v.key.isSecret(v.name) {
				continue
			}
			for _, s := range secrets {
				if len(s) > 3 && strings.Contains(line, s) || s != "" && slices.Contains(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t=:,'\"", r) }), s) {
					return true
				}
			}
		}
	}
	return false
}

// moved gives a mark in a secret's place. A reference that is there already stays.
func (c *conversion) moved(v *converted, what, value string) string {
	if marked().ReplaceAllString(value, "") == "" {
		return value
	}
	name := snake(what)
	if strings.HasSuffix(what, "password") {
		name = "db_" + name
	}
	if v.env != "default" {
		name = snake(v.env) + "_" + name
	}
	name = strings.ToUpper(name)
	stands := marked().ReplaceAllStringFunc(value, func(m string) string { return c.sample(marked().FindStringSubmatch(m)[1], v.key) })
	for other, taken := c.variables[name]; taken && other != stands; other, taken = c.variables[name] {
		name += "_2"
	}
	c.variables[name] = stands
	c.notes = append(c.notes, fmt.Sprintf("%s of environment %s was not copied: set the environment variable %s", what, v.env, name))
	return markBegin + name + markEnd
}

// sample is a value with which a reference to an environment variable is tried out.
func (c *conversion) sample(name string, k Key) string {
	value, set := environ(c.in.Env).lookup(name)
	switch {
	case set && value != "":
	case k.Kind == Integer:
		value = "1"
	case k.Kind == Boolean:
		value = "true"
	default:
		value = "value-of-" + name
	}
	c.variables[name] = value
	return value
}

func snake(s string) string { return regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(s, "_") }

// references turns marks into references, and keeps what only looks like a reference from being one.
func (c *conversion) references(text string, k Key) string {
	text = resolverReference().ReplaceAllStringFunc(text, func(r string) string { return "$" + r })
	return marked().ReplaceAllStringFunc(text, func(m string) string {
		name := marked().FindStringSubmatch(m)[1]
		if _, known := c.variables[name]; !known {
			c.sample(name, k)
			c.notes = append(c.notes, fmt.Sprintf("the environment variable %s has to be set: .conf takes nothing in its place, here it is an error", name))
		}
		return "${env." + name + "}"
	})
}

// tomlString quotes a basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}
