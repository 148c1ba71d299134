package migration

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Placeholders says what ${name} means in a script. The zero value knows no names but still looks for them, so that
// a forgotten value is an error.
type Placeholders struct {
	Values    map[string]string // by name, built-in ones such as "flyway:user" included; names are found in any letter case
	Prefix    string            // "" means "${"
	Suffix    string            // "" means "}"
	Separator string            // between "flyway" and a built-in name; "" means ":"
	FileName  string            // the script's file name, which ${flyway:filename} stands for; "" when there is none
	Off       bool              // leave the text as it is

	// ScriptPrefix and ScriptSuffix are what Script uses; "" means "FP__" and "__".
	ScriptPrefix, ScriptSuffix string

	exact bool // names are found as they are written only
}

// Script returns the placeholders of a program such as V1__x.sh: environment variables FP__name__, whose names are
// exact and have "_" where the SQL name has the separator or a colon (flyway.md §7.9).
func (p Placeholders) Script() Placeholders {
	values := make(map[string]string, len(p.Values))
	names := strings.NewReplacer(orElse(p.Separator, ":"), "_", ":", "_")
	for name, value := range p.Values {
		values[names.Replace(name)] = value
	}
	p.Values, p.Separator, p.exact = values, "_", true
	p.Prefix, p.Suffix = orElse(p.ScriptPrefix, "FP__"), orElse(p.ScriptSuffix, "__")
	return p
}

// Variables lists the placeholders as environment variables, NAME=value, sorted; none when they are off.
func (p Placeholders) Variables() []string {
	if p.Off {
		return nil
	}
	s := p.Script()
	if p.FileName != "" {
		s.Values[s.builtIn("filename")] = p.FileName
	}
	all := make([]string, 0, len(s.Values))
	for name, value := range s.Values {
		all = append(all, s.Prefix+name+s.Suffix+"="+value)
	}
	slices.Sort(all)
	return all
}

// PlaceholderError says that a script uses a placeholder nobody gave a value for.
type PlaceholderError struct {
	Path   string   // the script's path; "" until Resolve or the caller knows it
	Name   string   // as written between prefix and suffix
	Text   string   // with prefix and suffix
	Offset int      // byte offset in the text
	Line   int      // from 1
	Open   bool     // the suffix is missing up to the end of the text
	Close  []string // known names that look alike, best first

	builtIn bool
}

func (e *PlaceholderError) Error() string {
	var b strings.Builder
	if e.Path != "" {
		fmt.Fprintf(&b, "%s:%d: ", e.Path, e.Line)
	}
	switch {
	case e.Open:
		fmt.Fprintf(&b, "the placeholder that starts here is never closed: %s", firstLine(e.Text))
	case e.builtIn:
		fmt.Fprintf(&b, "Failed to populate value for default placeholder: %s", e.Text)
	default:
		fmt.Fprintf(&b, "No value provided for placeholder: %s.  Check your configuration!", e.Text)
	}
	if len(e.Close) > 0 {
		fmt.Fprintf(&b, " (did you mean %s?)", strings.Join(e.Close, " or "))
	}
	return b.String()
}

// Mapping leads from an offset in replaced text back to the text as its author wrote it. The zero value maps every
// offset to itself.
type Mapping struct{ cuts []cut }

// cut is one replacement: size bytes of value at out stand for length bytes at in.
type cut struct{ in, length, out, size int }

// Original returns where the byte at offset of the replaced text comes from. Bytes of a value come from the start of
// their placeholder.
func (m Mapping) Original(offset int) int {
	i := sort.Search(len(m.cuts), func(i int) bool { return m.cuts[i].out > offset }) - 1
	if i < 0 {
		return offset
	}
	c := m.cuts[i]
	if offset < c.out+c.size {
		return c.in
	}
	return c.in + c.length + offset - c.out - c.size
}

// For returns the placeholders of one script: with its file name, and off or on as its .conf file says.
func (p Placeholders) For(fileName string, config ScriptConfig) Placeholders {
	p.FileName = fileName
	if config.PlaceholderReplacement != nil {
		p.Off = !*config.PlaceholderReplacement
	}
	return p
}

// Replace puts values in place of placeholders. The error is a *PlaceholderError.
func (p Placeholders) Replace(text string) (string, error) {
	out, _, err := p.ReplaceMapped(text)
	return out, err
}

// ReplaceMapped is Replace that also tells where each byte of the result comes from.
//
// Placeholders are replaced everywhere, in comments and quoted text too, and values are not searched again. As with
// Flyway, a repeated first character of the prefix swallows the character behind it: $${x} stays, $$${x} is replaced.
func (p Placeholders) ReplaceMapped(text string) (string, Mapping, error) {
	prefix, suffix := orElse(p.Prefix, "${"), orElse(p.Suffix, "}")
	if p.Off || !strings.Contains(text, prefix) {
		return text, Mapping{}, nil
	}
	var out strings.Builder
	var m Mapping
	copied := 0 // text before this offset is in out
	for at := 0; ; {
		skip := strings.IndexByte(text[at:], prefix[0])
		if skip < 0 {
			break
		}
		at += skip
		if !strings.HasPrefix(text[at:], prefix) {
			at += mismatch(text[at:], prefix)
			continue
		}
		start := at
		end := strings.Index(text[start+len(prefix):], suffix)
		if end < 0 {
			return "", Mapping{}, p.missing(text, start, len(text))
		}
		name := text[start+len(prefix):][:end]
		at = start + len(prefix) + end + len(suffix)
		value, known := p.lookup(name)
		if !known {
			return "", Mapping{}, p.missing(text, start, at)
		}
		out.WriteString(text[copied:start])
		m.cuts = append(m.cuts, cut{in: start, length: at - start, out: out.Len(), size: len(value)})
		out.WriteString(value)
		copied = at
	}
	out.WriteString(text[copied:])
	return out.String(), m, nil
}

// mismatch returns how much of s was read to learn that it does not start with prefix: all that agrees, and the
// first character that does not.
func mismatch(s, prefix string) int {
	i := 0
	for i < len(s) && i < len(prefix) && s[i] == prefix[i] {
		i++
	}
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return i + size
}

func (p Placeholders) builtIn(name string) string { return "flyway" + orElse(p.Separator, ":") + name }

func (p Placeholders) lookup(name string) (string, bool) {
	if p.FileName != "" && (name == p.builtIn("filename") || !p.exact && strings.EqualFold(name, p.builtIn("filename"))) {
		return p.FileName, true
	}
	if v, ok := p.Values[name]; ok || p.exact {
		return v, ok
	}
	if v, ok := p.Values[strings.ToLower(name)]; ok {
		return v, true
	}
	for k, v := range p.Values {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

func (p Placeholders) missing(text string, start, end int) *PlaceholderError {
	prefix, suffix := orElse(p.Prefix, "${"), orElse(p.Suffix, "}")
	e := &PlaceholderError{Text: text[start:end], Offset: start, Line: lineAt(text[:start])}
	name, closed := strings.CutSuffix(e.Text[len(prefix):], suffix)
	if !closed {
		e.Open = true
		return e
	}
	e.Name = name
	e.builtIn = strings.HasPrefix(name, p.builtIn(""))
	e.Close = closeNames(name, p.Values)
	return e
}

// closeNames returns up to three known names that differ from name by few letters.
func closeNames(name string, known map[string]string) []string {
	type candidate struct {
		name string
		cost int
	}
	var found []candidate
	for k := range known {
		if max(len(name), len(k)) > 128 {
			continue
		}
		if cost := editDistance(strings.ToLower(name), strings.ToLower(k)); cost <= max(1, len(name)/3) {
			found = append(found, candidate{k, cost})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.cost != b.cost {
			return a.cost - b.cost
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for _, c := range found[:min(3, len(found))] {
		names = append(names, c.name)
	}
	return names
}
