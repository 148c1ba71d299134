package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/skein-db/skein/internal/release"
)

// check validates every effective value once, so that the getters cannot fail.
func check(entries map[string]*entry, modern bool, f *findings) {
	for _, slot := range slices.Sorted(maps.Keys(entries)) {
		e := entries[slot]
		k, _ := Lookup(e.name)
		if checkStanding(k, e, modern, f) {
			checkValue(k, e, modern, f)
		}
	}
	checkPeople(entries, f)
}

// checkPeople refuses a key that two people have: what it signs would be the word of both.
func checkPeople(entries map[string]*entry, f *findings) {
	owner := map[string]string{}
	for _, slot := range slices.Sorted(maps.Keys(entries)) {
		e := entries[slot]
		name, ok := strings.CutPrefix(e.name, "skein.people.")
		if !ok {
			continue
		}
		for _, item := range e.value.items() {
			key, err := release.ParsePublicKey(item)
			if err != nil {
				continue // told already
			}
			if other, taken := owner[key.String()]; taken && other != name {
				f.mistake(e.origin, e.name, "each person has keys of their own", "%s has a key of %s", e.name, other)
			}
			owner[key.String()] = name
		}
	}
}

// checkStanding refuses what Skein cannot do, unless it is asked for what it
// does anyway. false: nothing more is to be said about the value.
func checkStanding(k Key, e *entry, modern bool, f *findings) bool {
	text := e.value.String()
	if k.Kind == Boolean {
		text = strings.ToLower(text)
	}
	changes := text != k.Default || k.Kind == Map
	switch {
	case k.Standing == NotYet && changes:
		f.mistake(e.origin, e.name, k.Note, "%s is not available in this release of Skein", e.name)
	case k.Standing == Refused && changes:
		code := ""
		if modern && k.Name == "cleanOnValidationError" {
			code = Recoverable
		}
		f.coded(code, e.origin, e.name, k.Note, "%s is not supported", e.name)
	case k.Loud && changes:
		f.warn(e.origin, "%s has no effect: %s", e.name, k.Note)
		return true
	default:
		return true
	}
	return false
}

// typeCode is the code of a value that is no number or no true or false: Flyway's
// three readers of settings each have their own.
func typeCode(e *entry, modern bool) string {
	switch {
	case !modern:
		return ""
	case e.origin.Kind == FromFile:
		return Plain
	}
	return Fault
}

func checkValue(k Key, e *entry, modern bool, f *findings) {
	text := e.value.String()
	if e.value.isList && k.Kind != List && !k.Lists {
		kind := k.Kind
		if kind == Map {
			kind = Text // of its entries
		}
		f.mistake(e.origin, e.name, "", "%s is %s, not a list", e.name, kind)
		return
	}
	switch k.Kind {
	case Boolean:
		if !isBool(text) {
			f.coded(typeCode(e, modern), e.origin, e.name, "", "Invalid value for %s: %q (should be either true or false)", e.name, e.quote(text))
		}
	case Integer:
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			f.coded(typeCode(e, modern), e.origin, e.name, "", "Invalid value for %s: %q is not a whole number", e.name, e.quote(text))
		case n < k.Min:
			f.mistake(e.origin, e.name, "", "Invalid value for %s: %s is less than %d", e.name, e.quote(text), k.Min)
		case k.Max > 0 && n > k.Max:
			f.mistake(e.origin, e.name, "", "Invalid value for %s: %s is more than %d", e.name, e.quote(text), k.Max)
		}
	case Text:
		if k.Max > 0 && utf8.RuneCountInString(text) > k.Max {
			f.mistake(e.origin, e.name, "", "%s is longer than %d characters", e.name, k.Max)
		}
	case Map:
		if rest, ok := strings.CutPrefix(slot(e.name), "placeholders."); ok && strings.HasPrefix(rest, "flyway:") {
			f.coded(Plain, e.origin, e.name, "names that begin with flyway: are filled in by the run", "%s cannot be set", e.name)
		}
		if rest, ok := strings.CutPrefix(e.name, "resolvers."); ok {
			checkResolver(rest, e, f)
		}
	}
	checkShape(k, e, f)
	if len(k.Words) > 0 && k.Kind != List && text != "" && !slices.ContainsFunc(k.Words, func(w string) bool { return strings.EqualFold(w, text) }) {
		code := ""
		if k.Name == "outputType" {
			code = Fault
		}
		f.coded(code, e.origin, e.name, didYouMean(text, k.Words), "Invalid value for %s: %q is not one of %s", e.name, e.quote(text), strings.Join(k.Words, ", "))
	}
	if text == "" && slices.Contains(neverEmpty, k.Name) {
		f.mistake(e.origin, e.name, "", "%s must not be empty", e.name)
	}
}

// checkShape looks at each item of a setting that has a shape or a choice of words.
func checkShape(k Key, e *entry, f *findings) {
	items := []string{e.value.String()}
	if k.Kind == List || k.Lists {
		items = e.value.items()
	}
	for _, item := range items {
		if k.Kind == List && len(k.Words) > 0 && !slices.Contains(k.Words, item) {
			f.mistake(e.origin, e.name, didYouMean(item, k.Words), "Invalid value for %s: %q is not one of %s", e.name, e.quote(item), strings.Join(k.Words, ", "))
		}
		if checkReference(k, e, item, f) {
			continue
		}
		hint, wrong := k.Shape.check(item)
		switch {
		case wrong == nil:
		case k.holdsSecrets() && k.Kind != Map:
			f.mistake(e.origin, e.name, hint, "Invalid value for %s: it %v", e.name, wrong)
		default:
			f.mistake(e.origin, e.name, hint, "Invalid value for %s: %q %v", e.name, e.quote(item), wrong)
		}
	}
}

var vaultKeys = []string{"vault.url", "vault.token", "vault.engineName", "vault.engineVersion", "vault.namespace"}

// checkResolver looks at a setting of a value resolver.
func checkResolver(name string, e *entry, f *findings) {
	resolver, _, _ := strings.Cut(name, ".")
	if reason, absent := absentResolvers[strings.ToLower(resolver)]; absent {
		f.mistake(e.origin, e.name, reason, "%s is not supported", e.name)
	} else if !slices.Contains(vaultKeys, name) {
		f.mistake(e.origin, e.name, didYouMean(name, vaultKeys), "Unknown: 'resolvers.%s'", name)
	}
}

// neverEmpty are the texts without which file names or placeholders could not
// be told apart.
var neverEmpty = []string{
	"sqlMigrationSeparator", "placeholderPrefix", "placeholderSuffix", "placeholderSeparator",
	"scriptPlaceholderPrefix", "scriptPlaceholderSuffix", "table", "baselineVersion", "encoding", "target",
}
