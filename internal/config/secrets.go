package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// markSecretPlaceholders notes which placeholders secretPlaceholders names.
func markSecretPlaceholders(entries map[string]*entry, f *findings) {
	list, ok := entries["skein.secretPlaceholders"]
	if !ok {
		return
	}
	for i, name := range list.value.items() {
		e, ok := entries[slot("placeholders."+name)]
		if !ok {
			// Not shown: it may be the secret, put where its name belongs.
			f.warn(list.origin, "secretPlaceholders: item %d is not the name of a placeholder that is set", i+1)
			continue
		}
		e.secret = true
	}
}

// vaultSettings lays the settings that the secrets of vault.secrets hold over all
// others. Of a setting that several give the last counts, as with Flyway.
func vaultSettings(entries map[string]*entry, in Input, f *findings) {
	list, ok := entries["vault.secrets"]
	if !ok {
		return
	}
	fields := in.Fields
	if fields == nil {
		f.mistake(list.origin, "vault.secrets", "", "vault.secrets cannot be read here")
		return
	}
	settings := map[string]string{}
	for _, key := range []string{"url", "token", "namespace"} {
		if e, ok := entries["vault."+key]; ok {
			text, err := e.early(in.Secret)
			if err != nil {
				f.mistake(e.origin, e.name, "", "%v", err)
				return
			}
			settings[key] = text
		}
	}
	over := merge{entries: entries}
	for _, path := range list.value.items() {
		found, err := fields(Reference{Resolver: "vault", Key: path, Settings: settings})
		if err != nil {
			f.mistake(list.origin, "vault.secrets", "", "%v", err)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			o := Origin{Kind: FromVault, Name: "vault:" + path}
			key, ok := vaultKey(name)
			if !ok {
				f.mistake(o, name, didYouMean(name, names(Conf)), "Unknown configuration property: %s in the secret %s", name, path)
				continue
			}
			over.set(assignment{key: key, value: textValue(found[name].Reveal()), origin: o})
			if k, _ := Lookup(key); k.holdsSecrets() {
				entries[slot(key)].secret = true
			}
		}
	}
}

// vaultKey finds the setting that a field of a secret gives: flyway.password or password.
func vaultKey(name string) (string, bool) {
	bare := strings.TrimPrefix(name, "flyway.")
	k, ok := Lookup(bare)
	own := k.own() && bare == name
	return bare, ok && !strings.HasPrefix(bare, "vault.") && (k.Forms&Conf != 0 || own)
}

// Secrets returns every secret value among the settings, overridden ones too,
// for a secret.Redactor.
func (s *Settings) Secrets() []secret.Text {
	found := map[secret.Text]bool{}
	s.eachSecret(func(_, text string) { found[secret.New(text)] = true })
	delete(found, secret.Text{})
	return slices.SortedFunc(maps.Keys(found), func(a, b secret.Text) int { return cmp.Compare(a.Reveal(), b.Reveal()) })
}

// SecretsByName returns the same values under the names of the settings that they
// stand in; of several in one setting the second is <name>_2.
func (s *Settings) SecretsByName() map[string]secret.Text {
	found, known := map[string]secret.Text{}, map[string]bool{"": true}
	s.eachSecret(func(name, text string) {
		if known[text] {
			return
		}
		known[text] = true
		free := name
		for n := 2; ; n++ {
			if _, taken := found[free]; !taken {
				break
			}
			free = fmt.Sprintf("%s_%d", name, n)
		}
		found[free] = secret.New(text)
	})
	return found
}

// eachSecret goes through the settings in the order of their names.
func (s *Settings) eachSecret(do func(name, text string)) {
	for _, slot := range slices.Sorted(maps.Keys(s.entries)) {
		e := s.entries[slot]
		add := func(text string) { do(e.name, text) }
		k, _ := Lookup(e.name)
		values := []value{e.value}
		for _, g := range e.overrode {
			values = append(values, g.value)
		}
		for _, v := range values {
			text := v.String()
			if k.takesReference(e.name) && k.Kind != List && !e.settled {
				_, plain, is, err := parseRef(text)
				if is || err != nil {
					continue // it says where a secret is
				}
				text = plain
			}
			if k.isSecret(e.name) || e.secret {
				add(text)
			}
			if k.URL {
				for _, item := range v.addresses(k) {
					for _, part := range urlSecrets(item) {
						add(part)
					}
				}
			}
		}
		for _, text := range e.hidden {
			add(text)
		}
	}
}

// addresses are the URLs of a value of such a setting.
func (v value) addresses(k Key) []string {
	if k.Kind != List {
		return []string{v.String()}
	}
	var list []string
	for _, item := range v.items() {
		_, address := targetName(item)
		list = append(list, address)
	}
	return list
}

// SecretPlaceholders are the names, without "placeholders.", of the placeholders
// whose values are secrets.
func (s *Settings) SecretPlaceholders() []string {
	var list []string
	for slot, e := range s.entries {
		name, ok := strings.CutPrefix(slot, "placeholders.")
		if k, _ := Lookup(e.name); ok && (e.secret || k.isSecret(e.name) || len(e.hidden) > 0) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// quote is a value for a message about it. What came out of a vault may be a
// secret in the wrong place.
func (e *entry) quote(text string) string {
	if e.origin.Kind == FromVault {
		return secret.Mask
	}
	return e.masked(text)
}

// masked replaces the secrets inside a text that is not one itself.
func (e *entry) masked(text string) string {
	for _, part := range slices.SortedFunc(slices.Values(e.hidden), func(a, b string) int { return len(b) - len(a) }) {
		if part != "" {
			text = strings.ReplaceAll(text, part, secret.Mask)
		}
	}
	return text
}
