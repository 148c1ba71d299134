package migration

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"
)

// Stamp says whether the version of a new migration holds the time.
type Stamp string

// The stamps. StampAuto follows the highest version that is there.
const (
	StampAuto   Stamp = "auto"
	StampAlways Stamp = "always"
	StampNever  Stamp = "never"
)

// NewFile describes a migration that is to be written.
type NewFile struct {
	Kind        Kind
	Description string // blanks become "_"; for an undo "" means its migration's
	Version     string // "" means the next one; for an undo the highest that is there
	Stamp       Stamp  // "" means StampAuto
	Now         time.Time
}

// firstVersion is the version of the first migration of a project, and of a baseline that is given none.
const firstVersion = "001"

// stampLayouts are the times that versions hold, to the second or to the minute.
var stampLayouts = []string{"20060102150405", "200601021504"}

// NewName gives the file name for a new migration beside the ones named (without folders). A next version is the
// highest versioned one with its last number raised by one and kept as wide as it was, so that files sort as before;
// where that number is a time, the time is taken anew and the number before it is raised.
func (n Naming) NewName(names []string, want NewFile) (string, error) {
	p := n.compile()
	highest, ok := p.highest(names, Versioned, "")
	version, description := want.Version, strings.TrimSpace(want.Description)
	switch want.Kind {
	case Repeatable:
		if version != "" {
			return "", &Error{Code: CodeError, Message: "a repeatable migration has no version", Hint: "leave version out"}
		}
	case Undo:
		of, found := highest, ok
		if version != "" {
			of, found = p.highest(names, Versioned, version)
		}
		if !found {
			return "", &Error{Code: CodeError, Message: strings.TrimSuffix("there is no versioned migration to undo: "+version, ": "), Hint: "add the migration first"}
		}
		version, description = of.raw, orElse(description, of.name.Description)
	case Baseline:
		version = orElse(version, firstVersion)
	default:
		if version == "" {
			version = nextVersion(highest.raw, want.Stamp, want.Now)
		}
	}
	if description == "" {
		return "", &Error{Code: CodeError, Message: "the new migration has no description", Hint: `give one: add "create customer"`}
	}
	file := p.prefixOf(want.Kind) + version + p.separator + strings.ReplaceAll(description, " ", "_") + p.suffixes[0]
	return file, p.checkNew(file, want.Kind, version, description, names)
}

// existing is a migration file that is there.
type existing struct {
	raw  string // the version as the file name writes it
	name Name
	file string
}

// highest finds the file of the kind with the highest version or, when version is not "", with that one.
func (p *nameParser) highest(names []string, kind Kind, version string) (best existing, found bool) {
	var wanted Version
	if version != "" {
		var err error
		if wanted, err = ParseVersion(version); err != nil {
			return existing{}, false
		}
	}
	for _, file := range names {
		name, err := p.parse(file)
		if err != nil || name.Event != "" || name.Kind != kind {
			continue
		}
		if version != "" && name.Version.Compare(wanted) != 0 || found && name.Version.Compare(best.name.Version) <= 0 {
			continue
		}
		raw, _, _ := strings.Cut(file[len(p.prefixOf(kind)):], p.separator)
		best, found = existing{raw: raw, name: name, file: file}, true
	}
	return best, found
}

// unfit are characters that some file system refuses, or that would make folders.
var unfit = regexp.MustCompile(`[/\\<>:"|?*\x00-\x1f\x7f]`)

// checkNew makes sure that the name says what was asked for, and that it is free.
func (p *nameParser) checkNew(file string, kind Kind, version, description string, names []string) error {
	refuse := func(hint, format string, args ...any) error {
		return &Error{Code: CodeError, Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	if bad := unfit.FindString(description); bad != "" {
		return refuse("use letters, digits and blanks", "the description cannot hold %q, because it becomes part of a file name", bad)
	}
	if version != "" {
		if _, err := ParseVersion(version); err != nil {
			return err
		}
	}
	got, err := p.parse(file)
	if err != nil {
		return refuse("choose another description or version", "%s would not be read as a migration: %v", file, err)
	}
	if got.Event != "" || got.Kind != kind || got.Description != strings.ReplaceAll(description, "_", " ") {
		return refuse("choose another description", "%s would be read as something else", file)
	}
	if kind == Repeatable {
		return nil
	}
	if other, taken := p.highest(names, kind, version); taken && other.file != file {
		return refuse("choose another version, or leave it out", "version %s is taken by %s", got.Version, other.file)
	}
	return nil
}

// nextVersion raises a version as its file name writes it; "" is that of an empty project.
func nextVersion(highest string, stamp Stamp, now time.Time) string {
	if highest == "" {
		if stamp == StampAlways {
			return firstVersion + "_" + now.Format(stampLayouts[0])
		}
		return firstVersion
	}
	at := strings.LastIndexAny(highest, "._") + 1
	last := highest[at:]
	layout := stampLayout(last)
	switch {
	case layout == "" || stamp == StampNever:
		next := highest[:at] + increment(last)
		if stamp != StampAlways {
			return next
		}
		separator := "_"
		if strings.Contains(highest, ".") {
			separator = "."
		}
		return next + separator + now.Format(stampLayouts[0])
	case at > 0:
		before := highest[:at-1]
		number := strings.LastIndexAny(before, "._") + 1
		return before[:number] + increment(before[number:]) + highest[at-1:at] + now.Format(layout)
	}
	// The time alone is the version. A clock that is behind, or a second migration within the same second, must still
	// give a higher one.
	if next := now.Format(layout); next > last {
		return next
	}
	return increment(last)
}

// stampLayout is the layout of a number that is a time, else "".
func stampLayout(number string) string {
	for _, layout := range stampLayouts {
		if _, err := time.Parse(layout, number); err == nil && len(number) == len(layout) {
			return layout
		}
	}
	return ""
}

// increment adds one to a decimal number and keeps its leading zeros.
func increment(digits string) string {
	n, _ := new(big.Int).SetString(digits, 10) // a version that parses is made of digits
	next := n.Add(n, big.NewInt(1)).String()
	return strings.Repeat("0", max(0, len(digits)-len(next))) + next
}
