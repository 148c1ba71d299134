package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// tomlLeaf is one value of a TOML file. Tables that hold nothing are leaves too.
type tomlLeaf struct {
	path   []string
	value  any
	raw    string // the value's text in the file, where it is known
	origin Origin
}

// probe takes any value and fails, because the error is the only place where
// the library tells the position of a value.
type probe struct{ value any }

var errProbe = errors.New("probe")

func (p *probe) UnmarshalTOML(v any) error {
	p.value = v
	return errProbe
}

// readTOML returns the leaves of a TOML text in the order of the file, or the
// one syntax error with its place.
func readTOML(text, file string) ([]tomlLeaf, *Mistake) {
	text = strings.TrimPrefix(text, "\ufeff")
	var root map[string]toml.Primitive
	md, err := toml.Decode(text, &root)
	if err != nil {
		m := Mistake{Origin: Origin{Kind: FromFile, Name: file}, Text: err.Error(), Code: Plain}
		var parse toml.ParseError
		if errors.As(err, &parse) {
			_, m.Origin.Column = position(text, parse.Position.Start)
			m.Origin.Line = parse.Position.Line
			m.Text = parse.Message
		}
		return nil, &m
	}
	var leaves []tomlLeaf
	tomlLeaves(&md, root, nil, text, file, &leaves)
	slices.SortStableFunc(leaves, func(a, b tomlLeaf) int {
		if d := a.origin.Line - b.origin.Line; d != 0 {
			return d
		}
		return a.origin.Column - b.origin.Column
	})
	return leaves, nil
}

func tomlLeaves(md *toml.MetaData, tbl map[string]toml.Primitive, path []string, text, file string, leaves *[]tomlLeaf) {
	for key, primitive := range tbl {
		here := append(slices.Clone(path), key)
		var p probe
		var at toml.ParseError
		errors.As(md.PrimitiveDecode(primitive, &p), &at)
		if sub, ok := p.value.(map[string]any); ok && len(sub) > 0 {
			var inner map[string]toml.Primitive
			if md.PrimitiveDecode(primitive, &inner) == nil {
				tomlLeaves(md, inner, here, text, file, leaves)
				continue
			}
		}
		line, column := position(text, begin(text, at.Position.Start, p.value))
		leaf := tomlLeaf{path: here, value: p.value, origin: Origin{FromFile, file, line, column}}
		if end := at.Position.Start + at.Position.Len; end <= len(text) {
			leaf.raw = text[at.Position.Start:end]
		}
		*leaves = append(*leaves, leaf)
	}
}

// begin is where a value begins: the library says where what is inside its quotes or brackets does.
func begin(text string, at int, v any) int {
	at = min(at, len(text))
	switch v.(type) {
	case string:
		for n := 0; n < 3 && at > 0 && (text[at-1] == '"' || text[at-1] == '\''); n++ {
			at--
		}
	case []any:
		if at > 0 && text[at-1] == '[' {
			at--
		}
	}
	return at
}

// position turns an offset into a line and a column, which counts characters.
func position(text string, at int) (line, column int) {
	before := text[:min(at, len(text))]
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// tomlAssignments sorts the leaves into settings. strict is for Skein's own
// files, where nothing unknown is let pass.
func tomlAssignments(leaves []tomlLeaf, strict bool, f *findings) layer {
	l := layer{kind: FromFile, environments: map[string]Origin{}}
	for _, leaf := range leaves {
		switch root := leaf.path[0]; {
		case len(leaf.path) == 1 && isEmptyTable(leaf.value):
			// [flyway] with nothing in it.
		case len(leaf.path) == 1 && slices.Contains([]string{"flyway", "skein", "environments"}, root):
			f.mistake(leaf.origin, root, "", "%s must be a table", root)
		case root == "flyway":
			l.addFlyway(leaf, f)
		case root == "skein":
			l.addOwn(leaf, f)
		case root == "environments":
			l.addEnvironment(leaf, strict, f)
		default:
			unknownRoot(leaf, strict, f)
		}
	}
	return l
}

func isEmptyTable(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

func (l *layer) add(leaf tomlLeaf, a assignment, f *findings) {
	v, err := tomlValue(leaf)
	if err != nil {
		f.mistake(leaf.origin, strings.Join(leaf.path, "."), "", "%s: %v", strings.Join(leaf.path, "."), err)
		return
	}
	a.value, a.origin = v, leaf.origin
	l.assignments = append(l.assignments, a)
}

func (l *layer) addFlyway(leaf tomlLeaf, f *findings) {
	name := strings.Join(leaf.path[1:], ".")
	k, ok := Lookup(name)
	switch {
	case isEmptyTable(leaf.value):
		if _, known := Lookup(name + ".x"); known {
			return
		}
	case ok && k.Forms&TOML != 0 && !k.own():
		l.add(leaf, assignment{key: name}, f)
		return
	}
	l.unknownFlyway(leaf, name, k, ok, f)
}

func (l *layer) unknownFlyway(leaf tomlLeaf, name string, k Key, known bool, f *findings) {
	hint := ""
	switch {
	case name == "resolvers":
		hint = "in TOML it is called migrationResolvers"
	case known && k.Forms&EnvironmentTOML != 0:
		hint = "it belongs in [environments.<name>]"
	case known:
		hint = "it is given on the command line: -" + name + "="
	default:
		if near := nearest(name, suggestLimit(name), names(TOML)); near != "" {
			hint = "Possible values: 'flyway." + near + "'?"
		}
	}
	f.mistake(leaf.origin, "flyway."+name, hint, "Failed to configure parameters: Unknown: 'flyway.%s'", name)
}

func (l *layer) addOwn(leaf tomlLeaf, f *findings) {
	full, before := strings.Join(leaf.path, "."), "skein."
	a := assignment{key: full}
	if len(leaf.path) > 2 && leaf.path[1] == "environments" {
		a = assignment{env: leaf.path[2], override: true, key: "skein." + strings.Join(leaf.path[3:], ".")}
		before = strings.Join(leaf.path[:3], ".") + "."
		l.mentions = append(l.mentions, mention{leaf.path[2], leaf.origin})
		if len(leaf.path) == 3 {
			if !isEmptyTable(leaf.value) {
				f.mistake(leaf.origin, full, "", "%s must be a table", full)
			}
			return
		}
	}
	if holdsKeys(a.key) {
		if !isEmptyTable(leaf.value) {
			f.mistake(leaf.origin, full, "", "%s must be a table", full)
		}
		return
	}
	switch k, ok := Lookup(a.key); {
	case ok && k.Whole && a.override:
		f.mistake(leaf.origin, full, "it belongs in [skein]", "%s holds for all environments together", strings.TrimPrefix(k.Name, "skein."))
	case ok && k.Forms&TOML != 0:
		l.add(leaf, a, f)
	case ok:
		f.mistake(leaf.origin, full, "it is given on the command line: -"+strings.TrimPrefix(k.Name, "skein.")+"=", "Unknown: '%s'", full)
	default:
		f.mistake(leaf.origin, full, didYouMean(full, ownNames(before)), "Unknown: '%s'", full)
	}
}

// holdsKeys reports whether name is a table of settings of Skein's own, such as skein.gates.
func holdsKeys(name string) bool {
	return slices.ContainsFunc(table, func(k Key) bool { return strings.HasPrefix(k.Name, name+".") })
}

func (l *layer) addEnvironment(leaf tomlLeaf, strict bool, f *findings) {
	env := leaf.path[1]
	if _, ok := l.environments[env]; !ok {
		l.environments[env] = leaf.origin
	}
	if len(leaf.path) == 2 {
		if !isEmptyTable(leaf.value) {
			f.mistake(leaf.origin, "environments."+env, "", "environments.%s must be a table", env)
		}
		return
	}
	if leaf.path[2] == "flyway" {
		l.addOverride(leaf, env, f)
		return
	}
	name := strings.Join(leaf.path[2:], ".")
	if isEmptyTable(leaf.value) {
		if _, ok := Lookup(name + ".x"); ok {
			return
		}
	} else if k, ok := Lookup(name); ok && k.Forms&EnvironmentTOML != 0 {
		l.add(leaf, assignment{env: env, key: name}, f)
		return
	}
	full := strings.Join(leaf.path, ".")
	hint := didYouMean(name, environmentNames())
	if k, ok := Lookup(name); ok && k.Forms&TOML != 0 {
		hint = "it belongs in [flyway] or [environments." + env + ".flyway]"
	}
	if strict {
		f.mistake(leaf.origin, full, hint, "Unknown: '%s'", full)
	} else {
		f.warn(leaf.origin, "%s", withHint("unknown environment key "+full+" is ignored", hint))
	}
}

func (l *layer) addOverride(leaf tomlLeaf, env string, f *findings) {
	if len(leaf.path) == 3 {
		if !isEmptyTable(leaf.value) {
			f.mistake(leaf.origin, strings.Join(leaf.path, "."), "", "%s must be a table", strings.Join(leaf.path, "."))
		}
		return
	}
	name := strings.Join(leaf.path[3:], ".")
	if k, ok := Lookup(name); ok && k.Forms&TOML != 0 && !k.own() && name != "environment" {
		l.add(leaf, assignment{env: env, override: true, key: name}, f)
		return
	}
	full := strings.Join(leaf.path, ".")
	f.mistake(leaf.origin, full, didYouMean(name, names(TOML)), "Failed to configure parameters: Unknown: '%s'", full)
}

// otherRoots are root keys and tables of flyway.toml that belong to Redgate's
// other programs.
var otherRoots = []string{"id", "name", "databaseType", "flywayDesktop", "redgateCompare"}

func unknownRoot(leaf tomlLeaf, strict bool, f *findings) {
	root := leaf.path[0]
	full := strings.Join(leaf.path, ".")
	if !strict && slices.Contains(otherRoots, root) {
		return
	}
	hint := didYouMean(root, []string{"flyway", "environments", "skein"})
	if k, ok := Lookup(full); ok && hint == "" {
		hint = "it belongs in [flyway]"
		if k.Forms&EnvironmentTOML != 0 {
			hint = "it belongs in [environments.<name>]"
		}
	}
	switch {
	case strict:
		f.mistake(leaf.origin, full, hint, "Unknown: '%s'", full)
	case hint != "":
		f.warn(leaf.origin, "%s", withHint(full+" is ignored", hint))
	}
}

func withHint(s, hint string) string {
	if hint == "" {
		return s
	}
	return s + " (" + hint + ")"
}

// tomlValue turns a leaf into a value. Numbers keep the digits of the file: a
// version written 2.10 is not 2.1.
func tomlValue(leaf tomlLeaf) (value, error) {
	if array, ok := leaf.value.([]any); ok {
		v := value{isList: true}
		for _, item := range array {
			s, err := tomlScalar(item, "")
			if err != nil {
				return value{}, err
			}
			v.list = append(v.list, s)
		}
		return v, nil
	}
	s, err := tomlScalar(leaf.value, leaf.raw)
	return textValue(s), err
}

func tomlScalar(v any, raw string) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		if f, err := strconv.ParseFloat(raw, 64); err == nil && f == v {
			return raw, nil
		}
		return "", fmt.Errorf("put the number in quotes: 2.10 and 2.1 are the same number, not the same version")
	case time.Time:
		return "", fmt.Errorf("a date is not expected here: put it in quotes")
	}
	return "", fmt.Errorf("a text, number, true, false or a list of those is expected")
}
