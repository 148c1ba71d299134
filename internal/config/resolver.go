package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/skein-db/skein/internal/secret"
)

// resolverReference matches ${resolver.key} and ${resolver.key:filter}, with one
// more dollar before it for the escaped form.
var (
	resolverReference = lazily(`\$?\$\{([A-Za-z0-9_-]+)\.([^.:{}]+)(?::([^{}]*))?\}`)
	nestedReference   = lazily(`\$\{[A-Za-z0-9_-]+\.[^}]*\$\{`)
)

// Reference is one ${resolver.key} that is answered outside this package.
type Reference struct {
	Resolver string            // git, vault, localsecret or awssecretsmanager
	Key      string            // "branch", "shop/password"
	Settings map[string]string // resolvers.<resolver>.* of the environment in use
}

// outside are the resolvers that Input.Resolve answers.
var outside = []string{"git", "vault", "localsecret", "awssecretsmanager"}

// absentResolvers are Flyway's other resolvers, with the reason why Skein does not have them.
var absentResolvers = map[string]string{
	"dapr":          "Skein has no Dapr client; " + instead,
	"googlesecrets": "Skein has no client of Google's Secret Manager; " + instead,
	"gcsm":          "Skein has no client of Google's Secret Manager; " + instead,
	"azurekeyvault": "Skein has no client of Azure's Key Vault; " + instead,
	"clone":         "it belongs to Redgate Clone, which is not for sale without Flyway",
	"localdb":       "it is for SQL Server",
	"entra":         "it signs in to Microsoft's cloud in a browser; give a token as the password",
}

const instead = "${vault.…}, ${awsSecretsManager.…}, ${localSecret.…} and ${env.…} are there"

// resolution replaces the value resolvers of one set of settings.
type resolution struct {
	entries map[string]*entry
	env     environ
	ask     func(Reference) (secret.Text, error)
	secret  func(SecretRef) (secret.Text, error)
	answers map[string]answer // by name.key
}

type answer struct {
	text secret.Text
	err  error
}

// resolve replaces the value resolvers of the TOML mode in every value; beside
// .conf files only in what skein.toml gave. In placeholders and resolvers only
// ${env.NAME} is one: the text of a placeholder may well hold ${a.b} of its own.
func (r *resolution) resolve(modern bool, f *findings) {
	for _, slot := range resolveOrder(r.entries) {
		e := r.entries[slot]
		if !modern && !(e.origin.Kind == FromFile && kindOf(e.origin.Name) == skeinFile) {
			continue
		}
		replace := func(s string) string {
			out, hidden, err := resolveText(s, func(resolver, key string) (found, error) { return r.lookUp(e, resolver, key) })
			if err != nil {
				code := ""
				if errors.Is(err, errUnset) {
					code = Plain
				}
				f.coded(code, e.origin, e.name, "", "%s: %v", e.name, err)
			}
			e.hidden = append(e.hidden, hidden...)
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

// resolveOrder puts placeholders first, because others refer to them, then what
// the resolvers themselves are set to.
func resolveOrder(entries map[string]*entry) []string {
	order := func(slot string) int {
		switch {
		case strings.HasPrefix(slot, "placeholders."):
			return 0
		case strings.HasPrefix(slot, "resolvers."):
			return 1
		}
		return 2
	}
	return slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a, b))
	})
}

var errUnset = errors.New("is not set")

// found is what a resolver has for a reference.
type found struct {
	text   string
	secret bool
	none   bool // the reference is to be left alone
}

// lookUp asks one resolver for a value of e.
func (r *resolution) lookUp(e *entry, resolver, key string) (found, error) {
	name := strings.ToLower(resolver)
	switch {
	case name == "env":
		v, ok := r.env.lookup(key)
		if !ok {
			return found{}, fmt.Errorf("environment variable %s %w", key, errUnset)
		}
		k, _ := Lookup(e.name)
		return found{text: v, secret: k.holdsSecrets()}, nil
	case strings.HasPrefix(slot(e.name), "placeholders."):
		return found{none: true}, nil
	case strings.HasPrefix(e.name, "resolvers."):
		return found{}, fmt.Errorf("only ${env.NAME} can be used to set up a resolver")
	case name == "placeholder":
		from, ok := r.entries[slot("placeholders."+key)]
		if !ok {
			return found{}, fmt.Errorf("placeholder %s is not set", key)
		}
		k, _ := Lookup(from.name)
		return found{text: from.value.String(), secret: k.isSecret(from.name) || from.secret || len(from.hidden) > 0}, nil
	case slices.Contains(outside, name):
		text, err := r.outside(name, key)
		return found{text: text, secret: name != "git"}, err
	}
	if reason, known := absentResolvers[name]; known {
		return found{}, fmt.Errorf("the resolver %s is not supported: %s", resolver, reason)
	}
	return found{}, fmt.Errorf("unknown resolver %s", resolver)
}

// outside asks the world, once for each reference.
func (r *resolution) outside(name, key string) (string, error) {
	if r.ask == nil {
		return "", fmt.Errorf("the resolver %s cannot be asked here", name)
	}
	at := name + "." + key
	a, known := r.answers[at]
	if !known {
		var settings map[string]string
		if settings, a.err = r.settings(name); a.err == nil {
			a.text, a.err = r.ask(Reference{Resolver: name, Key: key, Settings: settings})
		}
		r.answers[at] = a
	}
	return a.text.Reveal(), a.err
}

// settings are those of one resolver, resolvers.<name>.*.
func (r *resolution) settings(name string) (map[string]string, error) {
	found := map[string]string{}
	for _, e := range r.entries {
		if rest, ok := strings.CutPrefix(e.name, "resolvers."); ok {
			if of, key, ok := strings.Cut(rest, "."); ok && strings.EqualFold(of, name) {
				text, err := e.early(r.secret)
				if err != nil {
					return nil, err
				}
				found[key] = text
			}
		}
	}
	return found, nil
}

// early is the text of a setting that is needed while settings are loaded, with a reference replaced. What the reference
// gave is known as a secret from then on.
func (e *entry) early(ask func(SecretRef) (secret.Text, error)) (string, error) {
	k, _ := Lookup(e.name)
	text := e.value.String()
	if !k.takesReference(e.name) {
		return text, nil
	}
	ref, is := e.ref(k, text)
	switch {
	case !is:
		_, plain, _, _ := parseRef(text)
		return plain, nil
	case ask == nil:
		return "", fmt.Errorf("%s: %v cannot be asked here", e.name, ref)
	}
	got, err := ask(ref)
	if err == nil {
		var picked string
		if picked, err = pick(k, ref, got.Reveal()); err == nil {
			e.hidden = append(e.hidden, picked)
			return picked, nil
		}
	}
	return "", fmt.Errorf("%s: %v: %w", e.name, ref, err)
}

// resolveText replaces every reference in s. $${a.b} becomes ${a.b}; a whole
// value !{…} is taken as it stands inside the braces. hidden are the secrets that
// went in, whole and as a filter left them.
func resolveText(s string, lookup func(resolver, key string) (found, error)) (out string, hidden []string, failed error) {
	if inner, ok := strings.CutPrefix(s, "!{"); ok && strings.HasSuffix(inner, "}") {
		return strings.TrimSpace(strings.TrimSuffix(inner, "}")), nil, nil
	}
	if !strings.Contains(s, "${") {
		return s, nil, nil
	}
	if nestedReference().MatchString(s) {
		return s, nil, fmt.Errorf("a resolver inside a resolver is not allowed")
	}
	out = resolverReference().ReplaceAllStringFunc(s, func(reference string) string {
		if strings.HasPrefix(reference, "$$") {
			return reference[1:]
		}
		parts := resolverReference().FindStringSubmatch(reference)
		v, err := lookup(parts[1], strings.TrimSpace(parts[2]))
		text := v.text
		if err == nil && !v.none && strings.Contains(reference, ":") {
			text, err = filterText(text, parts[3])
		}
		if err != nil && failed == nil {
			failed = err
		}
		if v.none || err != nil {
			return reference
		}
		if v.secret {
			hidden = append(hidden, v.text, text)
		}
		return text
	})
	return out, hidden, failed
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
