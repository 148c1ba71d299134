package config

import (
	"slices"
	"strings"
)

// value is what a source gave for a key.
type value struct {
	text   string
	list   []string // of a TOML array
	isList bool
}

func textValue(s string) value { return value{text: s} }

// items is the value read as a list.
func (v value) items() []string {
	if v.isList {
		return v.list
	}
	return splitList(v.text)
}

// String is the value on one line, lists comma separated.
func (v value) String() string {
	if v.isList {
		return strings.Join(v.list, ",")
	}
	return v.text
}

// assignment is one key given by one source.
type assignment struct {
	// env is the environment it belongs to: [environments.<env>]; "" is the
	// selected one for a connection key, and none for any other.
	env string
	// override: it stands in [environments.<env>.flyway].
	override bool
	key      string // a name that Lookup knows
	value    value
	origin   Origin
}

// layer is everything that one source gave; later layers win.
type layer struct {
	kind        OriginKind
	assignments []assignment
	// environments are the names of the [environments.X] tables, with the place
	// of each.
	environments map[string]Origin
	// only is the environment that a whole .conf file is about, "" for all.
	only string
	// mentions are the names of the [skein.environments.X] tables.
	mentions []mention
}

// mention is the name of an environment that has to be defined elsewhere.
type mention struct {
	environment string
	origin      Origin
}

// confAssignments turns a .conf file's properties into assignments.
func confAssignments(properties []property, origin func(line int) Origin, f *findings) layer {
	l := layer{kind: origin(1).Kind}
	for _, p := range properties {
		o := origin(p.line)
		prefix, name, _ := strings.Cut(p.key, ".")
		switch {
		case prefix == "flyway" && name != "":
			if k, ok := Lookup(name); ok && k.Forms&Conf != 0 && !k.own() {
				l.assignments = append(l.assignments, assignment{key: name, value: textValue(p.value), origin: o})
			} else {
				unknownConf(p.key, name, o, f)
			}
		case prefix == "skein" && name != "":
			if k, ok := Lookup("skein." + name); ok && k.Forms&Conf != 0 {
				l.assignments = append(l.assignments, assignment{key: k.Name, value: textValue(p.value), origin: o})
			} else if ok {
				f.mistake(o, p.key, "it is given on the command line: -"+name+"=", "Unknown configuration property: %s", p.key)
			} else {
				f.mistake(o, p.key, didYouMean(p.key, ownNames("skein.")), "Unknown configuration property: %s", p.key)
			}
		case nearest(prefix, 2, []string{"flyway", "skein"}) != "" && name != "":
			f.warn(o, "%s is ignored: did you mean %s.%s?", p.key, nearest(prefix, 2, []string{"flyway", "skein"}), name)
		}
	}
	return l
}

func unknownConf(written, name string, o Origin, f *findings) {
	hint := didYouMean(name, names(Conf))
	if k, ok := Lookup(name); ok {
		hint = "it is given on the command line: -" + k.Name + "="
		if k.Forms&TOML != 0 {
			hint = "it is given on the command line or in TOML"
		}
	} else if near, ok := strings.CutPrefix(hint, "did you mean "); ok {
		hint = "did you mean flyway." + near
	}
	f.mistake(o, written, hint, "Unknown configuration property: %s. Please check your conf files or commandline parameters", written)
}

// ownNames lists Skein's own settings, each with prefix.
func ownNames(prefix string) []string {
	var list []string
	for _, k := range table {
		if k.own() {
			list = append(list, prefix+strings.TrimPrefix(k.Name, "skein."))
		}
	}
	return list
}

// environmentNames are the keys of [environments.X].
func environmentNames() []string {
	list := append(names(EnvironmentTOML), "flyway")
	slices.Sort(list)
	return slices.Compact(list)
}
