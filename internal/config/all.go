package config

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Environment is one of a pipeline.
type Environment struct {
	Name     string
	Settings *Settings
}

// LoadAll reads every source once and returns the settings of each environment, in the order of the pipeline: that of
// the setting pipeline, else that of the [environments.<name>] tables, else that of the files flyway_<name>.conf that
// -configFiles or its variable names, which are named as Convert names them and lie above all other files. Without any of those there is one,
// the one that Load would select.
//
// Flags and variables that name no environment count for the environment deployed; "" is the one of -environment. If
// that says nothing either, they count for all, except url, user and what else belongs to one database: of several
// environments that would be all the same one.
//
// The error is Mistakes: what is wrong in any of them, told once.
func LoadAll(in Input, deployed string) ([]Environment, []Warning, error) {
	in = in.withDefaults()
	var f findings
	l := read(in, true, &f)
	selected, origin := selectEnvironment(l.all())
	if deployed == "" && origin != (Origin{}) {
		deployed = selected
	} else if deployed != "" {
		origin = Origin{}
	}
	names := l.pipeline(selected, &f)
	checkEnvironment(l.all(), cmp.Or(deployed, names[0]), origin, &f)
	var list []Environment
	for _, name := range names {
		list = append(list, Environment{name, l.settle(name, l.given(name, deployed, len(names), &f), &f)})
	}
	f.once()
	if list[0].Settings.Text("skein.releases") != "" { // scripts come from there
		f.warnings = slices.DeleteFunc(f.warnings, func(w Warning) bool { return w.Text == noLocations })
	}
	f.sort()
	if err := f.mistakes.err(); err != nil {
		return nil, f.warnings, err
	}
	return list, f.warnings, nil
}

const noLocations = "No locations configured and default location 'sql' not found."

// once drops what was found in several environments and is the same.
func (f *findings) once() {
	mistakes, warnings := map[Mistake]bool{}, map[Warning]bool{}
	f.mistakes = slices.DeleteFunc(f.mistakes, func(m Mistake) bool {
		known := mistakes[m]
		mistakes[m] = true
		return known
	})
	f.warnings = slices.DeleteFunc(f.warnings, func(w Warning) bool {
		known := warnings[w]
		warnings[w] = true
		return known
	})
}

// pipeline is the order of the environments. It has at least one.
func (l *loaded) pipeline(selected string, f *findings) []string {
	var defined []string
	for _, layer := range l.files {
		defined = append(defined, slices.SortedFunc(maps.Keys(layer.environments), func(a, b string) int {
			x, y := layer.environments[a], layer.environments[b]
			return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(a, b))
		})...)
	}
	var order assignment
	for _, layer := range l.all() {
		for _, a := range layer.assignments {
			if a.key == "skein.pipeline" && len(a.value.items()) > 0 {
				order = a
			}
		}
	}
	var names []string
	for _, name := range order.value.items() {
		switch {
		case slices.Contains(names, name):
			f.mistake(order.origin, order.key, "", "Environment '%s' stands twice in pipeline", name)
		case !slices.Contains(defined, name):
			hint := didYouMean(name, defined)
			if hint == "" && len(defined) > 0 {
				hint = "there are: " + strings.Join(unique(defined), ", ")
			}
			f.mistake(order.origin, order.key, hint, "Environment '%s' of pipeline is not configured", name)
		default:
			names = append(names, name)
		}
	}
	switch {
	case len(names) > 0:
		return names
	case len(defined) > 0:
		return unique(defined)
	}
	return []string{selected}
}

// unique drops what stands in the list before.
func unique(list []string) []string {
	var out []string
	for _, item := range list {
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out
}

// given are the variables and flags that count for one environment.
func (l *loaded) given(name, deployed string, of int, f *findings) (g givenLayers) {
	counts := func(a assignment) bool {
		k, _ := Lookup(a.key)
		switch {
		case a.env != "" || k.Whole || of == 1 || name == deployed:
			return true
		case deployed != "":
			return false
		case k.Forms&EnvironmentTOML == 0 && !strings.HasPrefix(a.key, "skein.target"):
			return true
		}
		if a.origin.Kind == FromFlag {
			f.mistake(a.origin, a.key, "write -environments."+name+"."+a.key+"=", "it does not say for which of the environments %s is", a.key)
		} else {
			f.warn(a.origin, "is not used: it does not say which of the environments it is about")
		}
		return false
	}
	return givenLayers{variables: filtered(l.variables, counts), args: filtered(l.args, counts)}
}

func filtered(layers []layer, keep func(assignment) bool) []layer {
	out := slices.Clone(layers)
	for i := range out {
		out[i].assignments = slices.DeleteFunc(slices.Clone(out[i].assignments), func(a assignment) bool { return !keep(a) })
	}
	return out
}

// confEnvironment is the environment that a file of several is about: flyway_QA.conf is QA. Files of other names, and
// flyway.conf, are about none.
func confEnvironment(p place) (string, bool) {
	base := filepath.Base(p.path)
	if p.kind != confFile || p.explicit == "" || len(base) < 6 || !strings.EqualFold(base[:6], "flyway") {
		return "", false
	}
	name := environmentOf(base)
	return name, name != "default"
}

// perEnvironment gives each flyway_X.conf its environment, if there are several.
func perEnvironment(places []place, layers []layer, r *reader, f *findings) {
	taken := map[string]string{}
	count := 0
	for _, p := range places {
		if _, ok := confEnvironment(p); ok {
			count++
		}
	}
	if count < 2 {
		return
	}
	for i, p := range places {
		name, ok := confEnvironment(p)
		if !ok {
			continue
		}
		if other := taken[name]; other != "" {
			f.mistake(p.origin, "configFiles", "give each environment one file", "%s would be the environment %s, and so is %s", r.show(p), name, other)
			continue
		}
		taken[name] = r.show(p)
		layers[i].only = name
		layers[i].environments = map[string]Origin{name: {Kind: FromFile, Name: r.show(p), Line: 1}}
	}
}
