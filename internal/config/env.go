package config

import (
	"slices"
	"strings"
)

// environ is the process environment, given as an argument: "NAME=value" each,
// as os.Environ returns it. Of a name given twice the last wins.
type environ []string

func (e environ) lookup(name string) (string, bool) {
	for _, entry := range slices.Backward(e) {
		if n, v, ok := strings.Cut(entry, "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// each calls yield for every name once, sorted.
func (e environ) each(yield func(name, value string)) {
	values := map[string]string{}
	var list []string
	for _, entry := range e {
		n, v, ok := strings.Cut(entry, "=")
		if !ok || n == "" {
			continue
		}
		if _, seen := values[n]; !seen {
			list = append(list, n)
		}
		values[n] = v
	}
	slices.Sort(list)
	for _, n := range list {
		yield(n, values[n])
	}
}

// kubernetesVariable matches what Kubernetes puts into every container for a
// Service whose name is or begins with "skein".
var kubernetesVariable = lazily(`^SKEIN_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// flywayOnly are variables of Flyway and its container that are no settings.
var flywayOnly = []string{"FLYWAY_HOME", "FLYWAY_VERSION", "FLYWAY_EDITION", "FLYWAY_NATIVE_CONNECTORS", "FLYWAY_LOG_DEBUG_CONFIGURATION_MAP"}

// fallbackVariables are older names of three settings, read with the lowest
// precedence of the environment.
var fallbackVariables = map[string]string{
	"BOXFUSE_DATABASE_URL":      "url",
	"BOXFUSE_DATABASE_USER":     "user",
	"BOXFUSE_DATABASE_PASSWORD": "password",
}

// envLayers reads the environment into layers, weakest first: the BOXFUSE
// fallbacks, FLYWAY_*, the lower-case forms of the TOML mode, SKEIN_*. own
// lists the SKEIN_ variables that other parts of the program read.
func envLayers(e environ, modern bool, own []string, f *findings) []layer {
	var fallback, upper, lower, skein layer
	e.each(func(name, text string) {
		o := Origin{Kind: FromEnvironment, Name: name}
		switch {
		case fallbackVariables[name] != "":
			fallback.set(fallbackVariables[name], text, o)
		case strings.HasPrefix(name, "FLYWAY_"):
			if key, k := variableKey(name, func(k Key) string { return k.Variable }); key == "" {
				nearVariable(name, o, f)
			} else if allowedHere(k, o, f) {
				upper.set(key, text, o)
			}
		case strings.HasPrefix(name, "flyway_") || strings.HasPrefix(name, "environments_"):
			lowerVariable(name, text, modern, &lower, upper, f)
		case strings.HasPrefix(name, "SKEIN_"):
			if key, k := variableKey(name, func(k Key) string { return k.SkeinVariable }); key != "" {
				if allowedHere(k, o, f) {
					skein.set(key, text, o)
				}
			} else if !slices.Contains(own, name) && !kubernetesVariable().MatchString(name) {
				hint := didYouMean(name, append(variables(func(k Key) string { return k.SkeinVariable }), own...))
				f.mistake(o, name, hint, "unknown environment variable")
			}
		}
	})
	return []layer{fallback, upper, lower, skein}
}

func (l *layer) set(key, text string, o Origin) {
	l.kind = FromEnvironment
	l.assignments = append(l.assignments, assignment{key: key, value: textValue(text), origin: o})
}

// variableKey finds the setting that a variable gives: "" for none. The name of
// a map's entry is lower-cased, as Flyway does.
func variableKey(name string, of func(Key) string) (string, Key) {
	for _, k := range table {
		variable := of(k)
		if stem, ok := strings.CutSuffix(variable, "*"); ok {
			if rest, ok := strings.CutPrefix(name, stem); ok && rest != "" {
				entry := strings.ToLower(rest)
				if k.Name == "jdbcProperties.*" && entry == "accesstoken" {
					entry = "accessToken"
				}
				return k.family() + entry, k
			}
		} else if variable == name {
			return k.Name, k
		}
	}
	return "", Key{}
}

// allowedHere refuses what makes sense in a shared file only.
func allowedHere(k Key, o Origin, f *findings) bool {
	if k.Standing == OtherVerb {
		f.mistake(o, k.Name, "", "%s, which Skein does not have", k.Note)
		return false
	}
	return true
}

func variables(of func(Key) string) []string {
	var list []string
	for _, k := range table {
		if v := of(k); v != "" && !strings.HasSuffix(v, "*") {
			list = append(list, v)
		}
	}
	return list
}

func nearVariable(name string, o Origin, f *findings) {
	if slices.Contains(flywayOnly, name) {
		return
	}
	known := append(variables(func(k Key) string { return k.Variable }), flywayOnly...)
	near := nearest(name, 2, append(known, "flyway_environment"))
	for _, family := range []string{"FLYWAY_PLACEHOLDERS_", "FLYWAY_JDBC_PROPERTIES_"} {
		if near == "" && len(name) > len(family) && distance(name[:len(family)-1]+"_", family, 3) < 3 {
			near = family + "…"
		}
	}
	if near != "" && !slices.Contains(flywayOnly, near) {
		f.warn(o, "unknown environment variable is ignored (did you mean %s?)", near)
	}
}

// lowerVariable reads flyway_outOfOrder and environments_test_url, where every
// _ stands for a dot.
func lowerVariable(name, text string, modern bool, l *layer, upper layer, f *findings) {
	o := Origin{Kind: FromEnvironment, Name: name}
	parts := strings.Split(name, "_")
	a := assignment{value: textValue(text), origin: o}
	var form Forms
	if parts[0] == "flyway" {
		a.key, form = strings.Join(parts[1:], "."), TOML
	} else if len(parts) > 2 {
		a.env, a.key, form = parts[1], strings.Join(parts[2:], "."), EnvironmentTOML
		if rest, ok := strings.CutPrefix(a.key, "flyway."); ok {
			a.override, a.key, form = true, rest, TOML
		}
	}
	k, ok := Lookup(a.key)
	switch {
	case !ok || k.Forms&form == 0:
		if near := nearest(a.key, suggestLimit(a.key), names(TOML|EnvironmentTOML)); near != "" {
			f.warn(o, "unknown environment variable is ignored (did you mean %s?)", near)
		}
		return
	case !modern:
		f.warn(o, "is ignored: lower-case names are read with TOML files only, and .conf files are in use")
		return
	}
	for _, other := range upper.assignments {
		if other.key == a.key {
			f.warn(o, "wins over %s", other.origin)
		}
	}
	if allowedHere(k, o, f) {
		l.kind = FromEnvironment
		l.assignments = append(l.assignments, a)
	}
}
