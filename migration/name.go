package migration

import (
	"fmt"
	"slices"
	"strings"
)

// Naming says how file names of migrations are built: prefix, version, separator, description, suffix. The zero value
// is Flyway's: V U R B, "__", ".sql".
type Naming struct {
	Versioned  *string // prefix; nil means "V"
	Undo       *string // nil means "U"
	Repeatable *string // nil means "R"
	Baseline   *string // nil means "B"
	Separator  string  // "" means "__"
	Suffixes   []string
}

// Name is what a file name says. For a callback Event is set and Kind and Version mean nothing.
type Name struct {
	Kind        Kind
	Event       string
	Version     Version
	Description string // "_" turned into blanks
}

// NameError says why a file name is not a migration's. A file that was never meant to be one has neither Fix nor Hint.
type NameError struct {
	File        string
	Reason      string // as Flyway's validateMigrationNaming words it
	Fix         string // the name that was probably meant; parses
	Hint        string // what to change
	OtherSuffix bool   // the suffix is none of the configured ones
}

func (e *NameError) Error() string { return e.Reason }

// Misnamed reports whether the file looks like a migration that its author expects to run.
func (e *NameError) Misnamed() bool { return e.Hint != "" }

// Parse reads a file name (without folders). The error is a *NameError.
func (n Naming) Parse(fileName string) (Name, error) {
	name, err := n.compile().parse(fileName)
	if err != nil {
		return Name{}, err
	}
	return name, nil
}

type namePrefix struct {
	text  string
	kind  Kind
	event string
}

// nameParser is a Naming with its defaults filled in and its prefixes in the order in which they are tried.
type nameParser struct {
	prefixes  []namePrefix
	separator string
	suffixes  []string
}

func (n Naming) compile() *nameParser {
	p := &nameParser{separator: orElse(n.Separator, "__"), suffixes: n.Suffixes}
	if p.suffixes == nil {
		p.suffixes = []string{".sql"}
	}
	add := func(set *string, otherwise string, kind Kind) {
		if set != nil {
			otherwise = *set
		}
		p.prefixes = append(p.prefixes, namePrefix{text: otherwise, kind: kind})
	}
	add(n.Versioned, "V", Versioned)
	add(n.Undo, "U", Undo)
	add(n.Repeatable, "R", Repeatable)
	add(n.Baseline, "B", Baseline)
	for _, e := range eventsLongestFirst {
		p.prefixes = append(p.prefixes, namePrefix{text: e, event: e})
	}
	slices.SortStableFunc(p.prefixes, func(a, b namePrefix) int { return len(b.text) - len(a.text) })
	return p
}

// prefixOf returns the prefix of a kind, as configured.
func (p *nameParser) prefixOf(kind Kind) string {
	for _, prefix := range p.prefixes {
		if prefix.event == "" && prefix.kind == kind {
			return prefix.text
		}
	}
	return ""
}

// cutSuffix tries the suffixes in their order and in any letter case.
func (p *nameParser) cutSuffix(file string) (base, suffix string, ok bool) {
	for _, s := range p.suffixes {
		at := len(file) - len(s)
		if at >= 0 && strings.EqualFold(file[at:], s) {
			return file[:at], file[at:], true
		}
	}
	return "", "", false
}

func (p *nameParser) parse(file string) (Name, *NameError) {
	name, reason := p.read(file)
	if reason == "" {
		return name, nil
	}
	e := &NameError{File: file, Reason: reason}
	base, suffix, ok := p.cutSuffix(file)
	if !ok {
		e.OtherSuffix = true
		return Name{}, e
	}
	e.Fix, e.Hint = p.likely(base, suffix)
	return Name{}, e
}

// read parses a name without looking for what was meant; reason is "" when it is well formed.
func (p *nameParser) read(file string) (name Name, reason string) {
	base, suffix, ok := p.cutSuffix(file)
	if !ok {
		return Name{}, "Unrecognised migration name format: " + file
	}
	i := slices.IndexFunc(p.prefixes, func(x namePrefix) bool { return strings.HasPrefix(base, x.text) })
	if i < 0 {
		return Name{}, "Unrecognised migration name format: " + file
	}
	prefix := p.prefixes[i]
	version, description, _ := strings.Cut(base[len(prefix.text):], p.separator)
	name = Name{Kind: prefix.kind, Event: prefix.event, Description: strings.ReplaceAll(description, "_", " ")}
	example := orElse(description, "description") + suffix
	if prefix.event != "" || prefix.kind == Repeatable {
		if version != "" {
			return Name{}, fmt.Sprintf("Invalid repeatable migration / callback name format: %s (It cannot contain a version and should look like this: %s)",
				file, prefix.text+p.separator+example)
		}
		return name, ""
	}
	if version == "" {
		return Name{}, fmt.Sprintf("Invalid versioned migration name format: %s (It must contain a version and should look like this: %s)",
			file, prefix.text+"1.2"+p.separator+example)
	}
	v, err := ParseVersion(version)
	if err != nil {
		return Name{}, fmt.Sprintf("Invalid versioned migration name format: %s (could not recognise version number %s)", file, version)
	}
	name.Version = v
	return name, ""
}
