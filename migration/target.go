package migration

import "strings"

type targetWord uint8

const (
	targetLatest targetWord = iota
	targetCurrent
	targetNext
	targetVersion
)

// Target says up to which version to go (Flyway's setting "target"). The zero value means the latest.
type Target struct {
	word     targetWord
	version  Version
	optional bool
}

// ParseTarget reads latest, current, next (in any case), a version, or a version with "?" behind it, which makes it
// no mistake that no migration has that version. "" and 9223372036854775807 mean latest.
func ParseTarget(text string) (Target, error) {
	switch strings.ToLower(text) {
	case "", "latest", "9223372036854775807":
		return Target{}, nil
	case "current":
		return Target{word: targetCurrent}, nil
	case "next":
		return Target{word: targetNext}, nil
	}
	number, optional := strings.CutSuffix(text, "?")
	v, err := ParseVersion(number)
	if err != nil {
		return Target{}, &Error{Code: CodeError, Message: err.Error(), Err: err,
			Hint: "target is a version, a version with \"?\" behind it, latest, current or next"}
	}
	return Target{word: targetVersion, version: v, optional: optional}, nil
}

// TargetVersion is the target that ends at v, which some migration must have.
func TargetVersion(v Version) Target { return Target{word: targetVersion, version: v} }

// IsLatest reports whether the target is the word latest: everything is applied. The zero Target is.
func (t Target) IsLatest() bool { return t.word == targetLatest }

// IsCurrent reports whether the target is the word current: the highest applied version.
func (t Target) IsCurrent() bool { return t.word == targetCurrent }

// IsNext reports whether the target is the word next: the lowest pending version.
func (t Target) IsNext() bool { return t.word == targetNext }

// Version returns the version to stop at; false when the target is a word.
func (t Target) Version() (Version, bool) { return t.version, t.word == targetVersion }

// String returns what ParseTarget reads.
func (t Target) String() string {
	switch t.word {
	case targetLatest:
		return "latest"
	case targetCurrent:
		return "current"
	case targetNext:
		return "next"
	}
	if t.optional {
		return t.version.String() + "?"
	}
	return t.version.String()
}
