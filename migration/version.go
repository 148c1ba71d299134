package migration

import "strings"

// Version is a migration's version: whole numbers of any size joined by dots. The zero value means "no version".
//
// Only Compare tells whether two versions are the same: 1, 1.0, 01 and 1_0 are one version written four ways, and the
// author's way of writing it is kept because it is what the history column holds.
type Version struct{ text string }

// ParseVersion reads a version as file names and the history write it; "_" stands for ".".
func ParseVersion(text string) (Version, error) {
	normal := strings.ReplaceAll(text, "_", ".")
	for i, rest := 0, normal; ; i++ {
		part, more, found := cutPart(rest)
		if !isInteger(part) {
			return Version{}, &Error{Code: CodeError, Message: "Version may only contain 0..9 and . (dot). Invalid version: " + normal}
		}
		if !found {
			return Version{text: normal}, nil
		}
		rest = more
	}
}

// MustVersion is ParseVersion for versions that are written in source code; it panics on a malformed one.
func MustVersion(text string) Version {
	v, err := ParseVersion(text)
	if err != nil {
		panic(err)
	}
	return v
}

// String returns the author's digits with "_" turned into ".", and "" for the zero value.
func (v Version) String() string { return v.text }

// IsZero reports whether v is "no version".
func (v Version) IsZero() bool { return v.text == "" }

// MarshalText makes versions readable in JSON.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// Compare returns -1, 0 or 1. Numbers are compared one by one, missing ones count as 0, and "no version" is below all.
func (v Version) Compare(o Version) int {
	if v.text == o.text {
		return 0
	}
	if v.text == "" {
		return -1
	}
	if o.text == "" {
		return 1
	}
	a, b := v.text, o.text
	for a != "" || b != "" {
		var pa, pb string
		pa, a, _ = cutPart(a)
		pb, b, _ = cutPart(b)
		if c := compareIntegers(pa, pb); c != 0 {
			return c
		}
	}
	return 0
}

// key is the same string for equal versions, so that maps can be indexed by it.
func (v Version) key() string {
	plain := v.text != "" // the usual case costs no allocation
	for rest, more := v.text, true; more; {
		var part string
		part, rest, more = cutPart(rest)
		if part != "0" && (part == "" || part[0] < '1' || part[0] > '9') || part == "0" && !more && len(v.text) > 1 {
			plain = false
			break
		}
	}
	if plain || v.text == "" {
		return v.text
	}
	var parts []string
	for rest, more := v.text, true; more; {
		var part string
		part, rest, more = cutPart(rest)
		negative, digits := signAndDigits(part)
		if digits == "" {
			digits = "0"
		} else if negative {
			digits = "-" + digits
		}
		parts = append(parts, digits)
	}
	for len(parts) > 1 && parts[len(parts)-1] == "0" {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, ".")
}

// cutPart cuts at the first dot that a digit follows; other dots stay in the part and make it malformed.
func cutPart(s string) (part, rest string, found bool) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '.' && s[i+1] >= '0' && s[i+1] <= '9' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func isInteger(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// signAndDigits returns the digits without leading zeros; zero has none.
func signAndDigits(s string) (negative bool, digits string) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		negative, s = s[0] == '-', s[1:]
	}
	return negative, strings.TrimLeft(s, "0")
}

func compareIntegers(a, b string) int {
	an, a := signAndDigits(a)
	bn, b := signAndDigits(b)
	an, bn = an && a != "", bn && b != ""
	switch {
	case an && !bn:
		return -1
	case !an && bn:
		return 1
	case an:
		a, b = b, a
	}
	if len(a) != len(b) {
		if len(a) < len(b) {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}
