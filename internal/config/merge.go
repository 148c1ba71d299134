package config

import (
	"maps"
	"slices"
	"strings"
)

// entry is the effective value of one key.
type entry struct {
	name     string // as the strongest source spells it
	value    value
	origin   Origin
	overrode []given
	// withstood are those that said false of what is Lasting.
	withstood []Origin
	secret    bool     // the whole value is one, because secretPlaceholders says so or it came out of a vault
	settled   bool     // Resolved has put the text in: it is no reference, whatever it looks like
	hidden    []string // secrets inside the value, which a resolver gave
}

type given struct {
	value  value
	origin Origin
}

// merge holds the effective values while layers are laid over each other.
type merge struct {
	entries map[string]*entry
}

// slot is the index of a key: placeholders are looked up without regard to
// letter case, so two spellings are one.
func slot(key string) string {
	if strings.HasPrefix(key, "placeholders.") {
		return strings.ToLower(key)
	}
	return key
}

func (m *merge) set(a assignment) {
	k, _ := Lookup(a.key)
	if k.Kind == List && len(a.value.items()) == 0 && (a.value.isList || k.Name != "ignoreMigrationPatterns") {
		return // an empty list does not override; an empty ignoreMigrationPatterns, though, means "no patterns"
	}
	if a.origin.Kind == FromEnvironment && a.value.text == "" && !a.value.isList && (k.Kind == Boolean || k.Kind == Integer) {
		return // a variable that a shell or a container left empty
	}
	e, ok := m.entries[slot(a.key)]
	if ok && k.Lasting && strings.EqualFold(e.value.text, "true") && !strings.EqualFold(a.value.text, "true") {
		e.withstood = append(e.withstood, a.origin)
		return
	}
	if !ok {
		e = &entry{}
		m.entries[slot(a.key)] = e
	} else {
		e.overrode = append([]given{{e.value, e.origin}}, e.overrode...)
	}
	e.name, e.value, e.origin = a.key, a.value, a.origin
}

// drop removes every entry of a map.
func (m *merge) drop(family string) {
	maps.DeleteFunc(m.entries, func(name string, _ *entry) bool {
		return strings.HasPrefix(name, strings.ToLower(family)) || strings.HasPrefix(name, family)
	})
}

// mergeLayers lays files, then environment, then command line over each other
// for the environment env. Overrides of [environments.<env>.flyway] and
// [skein.environments.<env>] stand above [flyway] and [skein] of every file and
// below the environment variables.
func mergeLayers(files, variables, args []layer, env string) map[string]*entry {
	m := merge{entries: map[string]*entry{}}
	m.plain(files, env)
	m.overrides(files, env)
	for _, group := range [][]layer{variables, args} {
		for _, l := range group {
			m.overrides([]layer{l}, env)
			m.plain([]layer{l}, env)
		}
	}
	return m.entries
}

func (m *merge) plain(layers []layer, env string) {
	for _, l := range layers {
		for _, a := range l.assignments {
			if !a.override && (a.env == "" || a.env == env) {
				m.set(a)
			}
		}
	}
}

// overrides applies [environments.<env>.flyway] and [skein.environments.<env>]: a
// map given there replaces the whole map of [flyway].
func (m *merge) overrides(layers []layer, env string) {
	dropped := map[string]bool{}
	for _, l := range layers {
		for _, a := range l.assignments {
			if !a.override || a.env != env {
				continue
			}
			if k, _ := Lookup(a.key); k.Kind == Map && l.kind == FromFile && !dropped[k.Name] {
				dropped[k.Name] = true
				m.drop(k.family())
			}
			m.set(a)
		}
	}
}

// selectEnvironment returns the name of the environment in use.
func selectEnvironment(layers []layer) (name string, origin Origin) {
	name = "default"
	for _, l := range layers {
		for _, a := range l.assignments {
			if a.key == "environment" && a.env == "" {
				name, origin = a.value.String(), a.origin
			}
		}
	}
	return name, origin
}

// checkEnvironment reports an environment that nothing defines. What [skein.environments.X] says must not be lost to a
// misspelt name: it may be that X is production.
func checkEnvironment(layers []layer, env string, o Origin, f *findings) {
	known := map[string]bool{"default": true, env: true}
	for _, l := range layers {
		for name := range l.environments {
			known[name] = true
		}
	}
	for _, l := range layers {
		for _, m := range l.mentions {
			if known[m.environment] {
				continue
			}
			hint := didYouMean(m.environment, slices.Sorted(maps.Keys(known)))
			known[m.environment] = true // told once
			f.mistake(m.origin, "skein.environments."+m.environment, hint, "Environment '%s' is not configured", m.environment)
		}
	}
	if o == (Origin{}) {
		return // "default", not asked for by name
	}
	var tables []string
	defined := false
	for _, l := range layers {
		tables = slices.AppendSeq(tables, maps.Keys(l.environments))
		for _, a := range l.assignments {
			k, _ := Lookup(a.key)
			defined = defined || a.env == env || a.env == "" && k.Forms&EnvironmentTOML != 0
		}
	}
	slices.Sort(tables)
	tables = slices.Compact(tables)
	if slices.Contains(tables, env) || len(tables) == 0 && defined {
		return
	}
	hint := ""
	if near := nearest(env, suggestLimit(env), tables); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(tables) > 0 {
		hint = "there are: " + strings.Join(tables, ", ")
	}
	f.mistake(o, "environment", hint, "Environment '%s' is not configured", env)
}
