package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Setting is one effective value as `config explain` shows it. Secrets are
// masked, in URLs too.
type Setting struct {
	Key      string   `json:"key"`
	Value    string   `json:"value"` // lists comma separated
	List     []string `json:"list,omitempty"`
	Origin   Origin   `json:"-"`
	From     string   `json:"from"` // Origin as text
	Overrode []Shadow `json:"overrode,omitempty"`
	Standing Standing `json:"-"`
	Note     string   `json:"note,omitempty"`
}

// Shadow is a value that a stronger source replaced.
type Shadow struct {
	Value  string `json:"value"`
	Origin Origin `json:"-"`
	From   string `json:"from"`
}

// Explain lists every setting that is in effect: those given, in the order of
// Keys, and the honoured ones that stand at their default. The strongest shadow
// comes first.
func (s *Settings) Explain() []Setting {
	var list []Setting
	for _, k := range table {
		if k.Kind != Map {
			if e, ok := s.entries[k.Name]; ok {
				list = append(list, explain(k, e))
			} else if k.Standing == Honoured {
				list = append(list, explain(k, &entry{name: k.Name, value: textValue(k.Default)}))
			}
			continue
		}
		for _, slot := range slices.Sorted(maps.Keys(s.entries)) {
			if e := s.entries[slot]; strings.HasPrefix(e.name, k.family()) {
				list = append(list, explain(k, e))
			}
		}
	}
	return list
}

func explain(k Key, e *entry) Setting {
	s := Setting{Key: e.name, Value: e.show(k, e.value), Origin: e.origin, From: e.origin.String(), Standing: k.Standing}
	if k.Kind == List || k.Lists {
		for _, item := range e.value.items() {
			s.List = append(s.List, e.showItem(k, item))
		}
	}
	if k.takesReference(e.name) {
		var from []string
		for _, item := range e.texts(k) {
			if ref, is := e.ref(k, item); is {
				from = append(from, ref.String())
			}
		}
		if len(from) > 0 {
			s.Note = "asked at each connection: " + strings.Join(from, ", ")
		}
	}
	switch k.Standing {
	case NoEffect, OtherVerb:
		s.Note = "no effect: " + k.Note
	case NotYet:
		s.Note = "only the default is available in this release: " + k.Note
	case Refused:
		s.Note = "only the default is supported: " + k.Note
	}
	for _, g := range e.overrode {
		s.Overrode = append(s.Overrode, Shadow{e.show(k, g.value), g.origin, g.origin.String()})
	}
	return s
}

// show is a value that may be printed.
func (e *entry) show(k Key, v value) string {
	text := v.String()
	switch {
	case (k.isSecret(e.name) || e.secret) && text != "":
		return secret.Mask
	case k.Kind == List || k.Lists:
		var items []string
		for _, item := range v.items() {
			items = append(items, e.showItem(k, item))
		}
		return strings.Join(items, ",")
	}
	return e.showItem(k, text)
}

// showItem is a text, or an item of a list, that may be printed.
func (e *entry) showItem(k Key, item string) string {
	if _, is := e.ref(k, item); is && k.takesReference(e.name) {
		name := ""
		if k.Kind == List {
			name, _ = targetName(item)
		}
		return name + secret.Mask
	}
	if !k.URL {
		return e.masked(item)
	}
	name, address := "", item
	if k.Kind == List {
		name, address = targetName(item)
	}
	return e.masked(name + RedactURL(address))
}

// targetName cuts the "name=" off an item of targets.
func targetName(item string) (name, address string) {
	name, address, found := strings.Cut(item, "=")
	if !found || strings.ContainsAny(name, ":/?@") {
		return "", item
	}
	return name + "=", address
}
