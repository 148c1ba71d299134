package config

import "maps"

// At is a copy of the settings for another database of the same environment: url takes the place of the setting url, which
// may be a reference to a secret. Origin is still where the list of databases came from.
func (s *Settings) At(url, from string) *Settings {
	out := *s
	out.entries = maps.Clone(s.entries)
	out.entries["url"] = &entry{name: "url", value: textValue(url), origin: s.Origin(from)}
	return &out
}
