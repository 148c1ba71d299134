package config

import (
	"slices"
	"strings"
	"unicode"
)

// Kind is the type of a setting's value.
type Kind int

// The kinds of value.
const (
	Text Kind = iota
	Boolean
	Integer
	List // comma separated, or a TOML array
	Map  // one key per entry: "placeholders.*" stands for placeholders.foo
)

// String gives the kind's name for help and documentation.
func (k Kind) String() string {
	return [...]string{"text", "true/false", "number", "list", "map"}[k]
}

// Standing is what Skein does with a setting.
type Standing int

// The standings.
const (
	// Honoured: it has its effect.
	Honoured Standing = iota
	// NoEffect: accepted, and there is nothing in Skein that it could change.
	NoEffect
	// OtherVerb: read only by a verb of Flyway that Skein does not have. It may
	// stand in files; on the command line or in the environment it is an error.
	OtherVerb
	// NotYet: a value other than the default is an error that names the key.
	NotYet
	// Refused: as NotYet, and not planned.
	Refused
)

// String gives the standing's name for help and documentation.
func (s Standing) String() string {
	return [...]string{"honoured", "no effect", "other verb", "not yet", "refused"}[s]
}

// Forms says where a setting may be given.
type Forms int

// The forms. Conf is flyway.<key>, TOML is [flyway] <key>, EnvironmentTOML is
// [environments.X] <key>, Flag is -<key>=.
const (
	Conf Forms = 1 << iota
	TOML
	EnvironmentTOML
	Flag
)

const (
	global     = Conf | TOML | Flag
	connection = Conf | EnvironmentTOML | Flag
)

// Key describes one setting.
type Key struct {
	// Name is Flyway's conf key without "flyway.", or "skein.<key>" for Skein's
	// own. A name that ends in ".*" stands for every key below it.
	Name    string
	Kind    Kind
	Default string // lists comma separated; "" is unset
	// Variable is the environment variable that Flyway reads, "" for none. A
	// name that ends in "_*" stands for every name below it.
	Variable string
	// SkeinVariable is the SKEIN_ form, "" for none. It wins over Variable.
	SkeinVariable string
	Forms         Forms
	Standing      Standing
	// Note says what the standing does not: why there is no effect, what to use
	// instead.
	Note string
	// Loud: a value other than the default is warned about, because with Flyway
	// it would have changed the run.
	Loud bool
	// Secret: the value is never shown.
	Secret bool
	// Words are the only values allowed, when there are any.
	Words []string
	// Min and Max bound an Integer, Max the characters of a Text; Max 0 is no bound.
	Min, Max int
	// Shape is what the text, or each item, looks like.
	Shape Shape
	// URL: the text, or each item after its "name=", is a URL, of which the password is not shown.
	URL bool
	// Lists: the entries of a Map are lists.
	Lists bool
	// Whole: it belongs to all environments together, and cannot differ between them.
	Whole bool
	// Lasting: once something says true, nothing that comes after it makes it false.
	Lasting bool
}

// Keys returns every setting that Skein knows, in the order of documentation.
func Keys() []Key { return slices.Clone(table) }

// Lookup finds the description of a key such as "url" or "placeholders.foo".
func Lookup(name string) (Key, bool) {
	if k, ok := byName[name]; ok {
		return *k, true
	}
	// The longest family wins: "a.b.*" before "a.*".
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '.' || i == len(name)-1 {
			continue
		}
		if k, ok := byName[name[:i]+".*"]; ok {
			return *k, true
		}
	}
	return Key{}, false
}

// family is the fixed part of a map's name with its dot: "placeholders.".
func (k Key) family() string { return strings.TrimSuffix(k.Name, "*") }

// own reports whether it is one of Skein's own settings.
func (k Key) own() bool { return strings.HasPrefix(k.Name, "skein.") }

// isSecret reports whether the value under name must not be shown. Map entries
// are judged by their name, since nobody declares them.
func (k Key) isSecret(name string) bool {
	if k.Secret {
		return true
	}
	return k.Kind == Map && secretName(strings.TrimPrefix(name, k.family()))
}

// holdsSecrets reports whether what a variable gives to the setting is taken for
// a secret. A name of a schema or a folder is none, and would leave gaps in every
// output.
func (k Key) holdsSecrets() bool {
	return k.Secret || k.Kind == Map || k.URL || k.Name == "initSql"
}

// secretName reports whether a name is one that people give to secrets.
func secretName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(name))
	for _, word := range []string{"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "apikey", "privatekey", "accesskey"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// names lists the names that a form accepts, for suggestions.
func names(form Forms) []string {
	var list []string
	for _, k := range table {
		if k.Forms&form != 0 {
			list = append(list, strings.TrimSuffix(strings.TrimPrefix(k.Name, "skein."), ".*"))
		}
	}
	return list
}

// upperSnake turns connectRetriesInterval into CONNECT_RETRIES_INTERVAL, and a
// dot into an underscore.
func upperSnake(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case r == '.':
			b.WriteByte('_')
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			b.WriteByte('_')
		}
		lower = !unicode.IsUpper(r)
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// camel turns baseline-version into baselineVersion.
func camel(name string) string {
	var b strings.Builder
	upper := false
	for _, r := range name {
		if r == '-' {
			upper = true
			continue
		}
		if upper {
			r = unicode.ToUpper(r)
		}
		upper = false
		b.WriteRune(r)
	}
	return b.String()
}

// byName indexes table.
var byName = func() map[string]*Key {
	index := make(map[string]*Key, len(table))
	for i := range table {
		index[table[i].Name] = &table[i]
	}
	return index
}()
