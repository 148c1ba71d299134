package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/secret"
)

// Settings are the effective settings of one run. They print as
// "config.Settings": what is in them is asked for by key. Asking for a key that
// Keys does not know panics, since only a misspelt program does it.
type Settings struct {
	environment string
	modern      bool
	entries     map[string]*entry
	files       []place
	shown       []string
	others      map[string]map[string]string // see OtherIdentities
}

// String keeps values out of messages.
func (s *Settings) String() string { return "config.Settings" }

// GoString keeps values out of messages.
func (s *Settings) GoString() string { return "config.Settings" }

// Environment is the name of the selected environment, "default" if none was.
func (s *Settings) Environment() string { return s.environment }

// Modern reports whether the TOML dialect is in use, which is so when there are
// no files at all.
func (s *Settings) Modern() bool { return s.modern }

// Files are the files that were read, weakest first; stdin is "stdin".
func (s *Settings) Files() []string { return slices.Clone(s.shown) }

// get returns the effective value of a known key, its default when unset.
func (s *Settings) get(key string, kinds ...Kind) value {
	k, ok := Lookup(key)
	if !ok || !slices.Contains(kinds, k.Kind) {
		panic("config: no such setting of this type: " + key)
	}
	if e, ok := s.entries[slot(key)]; ok {
		return e.value
	}
	return textValue(k.Default)
}

// Text returns a text setting, "" when it is unset and has no default. Secrets
// are asked for with Secret.
func (s *Settings) Text(key string) string {
	if k, _ := Lookup(key); k.isSecret(key) {
		panic("config: a secret is asked for as text: " + key)
	}
	v := s.get(key, Text, Map)
	return v.String()
}

// Secret returns a text setting as a text that does not print.
func (s *Settings) Secret(key string) secret.Text {
	v := s.get(key, Text, Map)
	return secret.New(v.String())
}

// Bool returns a true/false setting.
func (s *Settings) Bool(key string) bool {
	v := s.get(key, Boolean)
	return strings.EqualFold(v.text, "true")
}

// Int returns a number, within the bounds that Keys gives.
func (s *Settings) Int(key string) int {
	v := s.get(key, Integer)
	n, _ := strconv.Atoi(v.text) // checked at the door
	return n
}

// List returns a list setting, nil when it is empty.
func (s *Settings) List(key string) []string {
	v := s.get(key, List)
	return slices.Clone(v.items())
}

// Map returns the entries of a map, "placeholders" or "jdbcProperties", by their
// name without the prefix. Values may be secrets: see Secrets.
func (s *Settings) Map(name string) map[string]string {
	if k, ok := byName[name+".*"]; !ok || k.Kind != Map {
		panic("config: no such map: " + name)
	}
	m := map[string]string{}
	for _, e := range s.entries {
		if rest, ok := strings.CutPrefix(e.name, name+"."); ok {
			m[rest] = e.value.String()
		}
	}
	return m
}

// Lists returns the entries of a map of lists, "skein.people", by their name without the prefix.
func (s *Settings) Lists(name string) map[string][]string {
	if k, ok := byName[name+".*"]; !ok || !k.Lists {
		panic("config: no such map of lists: " + name)
	}
	m := map[string][]string{}
	for _, e := range s.entries {
		if rest, ok := strings.CutPrefix(e.name, name+"."); ok {
			m[rest] = slices.Clone(e.value.items())
		}
	}
	return m
}

// Duration returns a setting that is a duration, 0 when it is unset and has no default.
func (s *Settings) Duration(key string) time.Duration {
	if k, _ := Lookup(key); k.Shape != Duration {
		panic("config: no duration: " + key)
	}
	v := s.get(key, Text)
	d, _ := ParseDuration(v.String()) // checked at the door
	return d
}

// Origin says where the effective value of a key came from.
func (s *Settings) Origin(key string) Origin {
	if e, ok := s.entries[slot(key)]; ok {
		return e.origin
	}
	return Origin{}
}

// IsSet reports whether any source gave the key.
func (s *Settings) IsSet(key string) bool { return s.Origin(key).Kind != FromDefault }
