package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// resolverReference matches ${resolver.key} and ${resolver.key:filter}, with one
// more dollar before it for the escaped form.
var (
	resolverReference = lazily(`\$?\$\{([A-Za-z0-9_-]+)\.([^.:{}]+)(?::([^{}]*))?\}`)
	nestedReference   = lazily(`\$\{[A-Za-z0-9_-]+\.[^}]*\$\{`)
)

// laterResolvers are Flyway's other resolvers.
var laterResolvers = []string{"vault", "dapr", "googlesecrets", "gcsm", "azurekeyvault", "git", "localsecret", "clone", "localdb", "entra"}

// resolve replaces the value resolvers of the TOML mode in every value; beside
// .conf files only in what skein.toml gave. In placeholders only ${env.NAME} is
// one: their text may well hold ${a.b} of its own.
func resolve(entries map[string]*entry, env environ, modern bool, f *findings) {
	for _, slot := range resolveOrder(entries) {
		e := entries[slot]
		if !modern && !(e.origin.Kind == FromFile && kindOf(e.origin.Name) == skeinFile) {
			continue
		}
		inPlaceholder := strings.HasPrefix(slot, "placeholders.")
		replace := func(s string) string {
			out, err := resolveText(s, func(resolver, key string) (string, bool, error) {
				return lookUp(entries, env, resolver, key, inPlaceholder)
			})
			if err != nil {
				f.mistake(e.origin, e.name, "", "%s: %v", e.name, err)
			}
			return out
		}
		if e.value.isList {
			list := make([]string, len(e.value.list))
			for i, item := range e.value.list {
				list[i] = replace(item)
			}
			e.value.list = list
		} else {
			e.value.text = replace(e.value.text)
		}
	}
}

// resolveOrder puts placeholders first, because others refer to them.
func resolveOrder(entries map[string]*entry) []string {
	var placeholders, others []string
	for _, slot := range slices.Sorted(maps.Keys(entries)) {
		if strings.HasPrefix(slot, "placeholders.") {
			placeholders = append(placeholders, slot)
		} else {
			others = append(others, slot)
		}
	}
	return append(placeholders, others...)
}

// lookUp asks one resolver. ok is false where the reference is to be left alone.
func lookUp(entries map[string]*entry, env environ, resolver, key string, inPlaceholder bool) (text string, ok bool, err error) {
	switch name := strings.ToLower(resolver); {
	case name == "env":
		if v, ok := env.lookup(key); ok {
			return v, true, nil
		}
		return "", false, fmt.Errorf("environment variable %s is not set", key)
	case inPlaceholder:
		return "", false, nil
	case name == "placeholder":
		if e, ok := entries[slot("placeholders."+key)]; ok {
			return e.value.String(), true, nil
		}
		return "", false, fmt.Errorf("placeholder %s is not set", key)
	case slices.Contains(laterResolvers, name):
		return "", false, fmt.Errorf("the resolver %s is not available yet; ${env.NAME} and ${placeholder.name} are", resolver)
	}
	return "", false, fmt.Errorf("unknown resolver %s", resolver)
}

// resolveText replaces every reference in s. $${a.b} becomes ${a.b}; a whole
// value !{…} is taken as it stands inside the braces.
func resolveText(s string, lookup func(resolver, key string) (string, bool, error)) (string, error) {
	if inner, ok := strings.CutPrefix(s, "!{"); ok && strings.HasSuffix(inner, "}") {
		return strings.TrimSpace(strings.TrimSuffix(inner, "}")), nil
	}
	if !strings.Contains(s, "${") {
		return s, nil
	}
	if nestedReference().MatchString(s) {
		return s, fmt.Errorf("a resolver inside a resolver is not allowed")
	}
	var failed error
	out := resolverReference().ReplaceAllStringFunc(s, func(reference string) string {
		if strings.HasPrefix(reference, "$$") {
			return reference[1:]
		}
		parts := resolverReference().FindStringSubmatch(reference)
		text, ok, err := lookup(parts[1], strings.TrimSpace(parts[2]))
		if err == nil && ok && strings.Contains(reference, ":") {
			text, err = filterText(text, parts[3])
		}
		if err != nil && failed == nil {
			failed = err
		}
		if !ok || err != nil {
			return reference
		}
		return text
	})
	return out, failed
}

// filterText keeps the characters of the classes: A letters, a ASCII letters, D
// digits, d ASCII digits.
func filterText(s, classes string) (string, error) {
	if classes == "" || strings.Trim(classes, "AaDd") != "" {
		return "", fmt.Errorf("the filter :%s is not made of A, a, D and d", classes)
	}
	return strings.Map(func(r rune) rune {
		ascii := r < unicode.MaxASCII
		for _, class := range classes {
			switch {
			case class == 'A' && unicode.IsLetter(r), class == 'a' && ascii && unicode.IsLetter(r),
				class == 'D' && unicode.IsDigit(r), class == 'd' && ascii && unicode.IsDigit(r):
				return r
			}
		}
		return -1
	}, s), nil
}
