package config

import (
	"maps"
	"strings"
)

// OtherIdentities are what the files say of the databases of the environments that are not selected: by environment, the
// values of identity.* without that prefix.
func (s *Settings) OtherIdentities() map[string]map[string]string { return maps.Clone(s.others) }

// otherIdentities collects the pins of the environments other than env.
func otherIdentities(layers []layer, env string) map[string]map[string]string {
	found := map[string]map[string]string{}
	for _, l := range layers {
		for _, a := range l.assignments {
			field, ok := strings.CutPrefix(a.key, "skein.identity.")
			if !ok || a.env == "" || a.env == env || a.value.text == "" {
				continue
			}
			if found[a.env] == nil {
				found[a.env] = map[string]string{}
			}
			found[a.env][field] = a.value.text
		}
	}
	return found
}
