package migration

import (
	"fmt"
	"strings"
)

// likely guesses what an ill-formed name was meant to be. It returns two empty strings for files that do not look
// like a migration, such as schema.sql. Hidden files are editors' and file systems' own.
func (p *nameParser) likely(base, suffix string) (fix, hint string) {
	if strings.HasPrefix(base, ".") {
		return "", ""
	}
	guesses := []func(string) (string, string){p.blanks, p.letterCase, p.callback, p.versioned, p.repeatable, p.noPrefix}
	for _, guess := range guesses {
		fix, hint = guess(base)
		if hint == "" {
			continue
		}
		if fix == "" {
			return "", hint
		}
		if _, reason := p.read(fix + suffix); reason == "" {
			return fix + suffix, hint
		}
	}
	return "", ""
}

func (p *nameParser) blanks(base string) (fix, hint string) {
	if trimmed := strings.TrimSpace(base); trimmed != base {
		return trimmed, "has blanks around its name"
	}
	return "", ""
}

// letterCase finds v1__x and beforemigrate.
func (p *nameParser) letterCase(base string) (fix, hint string) {
	for _, prefix := range p.prefixes {
		n := len(prefix.text)
		if n == 0 || len(base) < n || base[:n] == prefix.text || !strings.EqualFold(base[:n], prefix.text) {
			continue
		}
		rest := base[n:]
		if prefix.event != "" && rest == "" || strings.HasPrefix(rest, p.separator) || prefix.event == "" && startsWithDigit(rest) {
			fixed := prefix.text + rest
			if prefix.event == "" && startsWithDigit(rest) {
				fixed = p.separated(prefix.text, rest)
			}
			return fixed, fmt.Sprintf("needs %q, capitals and small letters as here", prefix.text)
		}
	}
	return "", ""
}

// callback finds beforeMigrate_x, beforeMigrateFoo and afterMigrat.
func (p *nameParser) callback(base string) (fix, hint string) {
	for _, e := range eventsLongestFirst {
		if rest, ok := strings.CutPrefix(base, e); ok {
			return e + p.separator + strings.TrimLeft(rest, "_-. "), fmt.Sprintf("needs %q between event and description", p.separator)
		}
	}
	event, description, found := strings.Cut(base, p.separator)
	if len(event) <= 6 || len(event) > 64 {
		return "", ""
	}
	for _, e := range Events {
		if editDistance(strings.ToLower(event), strings.ToLower(e)) <= 2 {
			if found {
				e += p.separator + description
			}
			return e, "looks like an event that does not exist"
		}
	}
	return "", ""
}

// versioned finds V40_Issue, V1-x, V1.2.__x and V__x.
func (p *nameParser) versioned(base string) (fix, hint string) {
	for _, prefix := range p.prefixes {
		rest, ok := strings.CutPrefix(base, prefix.text)
		if !ok || prefix.event != "" || prefix.kind == Repeatable || prefix.text == "" {
			continue
		}
		if description, ok := strings.CutPrefix(rest, p.separator); ok {
			return prefix.text + "1.2" + p.separator + description, "needs a version behind " + prefix.text
		}
		if !startsWithDigit(rest) {
			continue
		}
		if version, _, ok := strings.Cut(rest, p.separator); ok {
			if _, err := ParseVersion(version); err != nil {
				return p.separated(prefix.text, rest), fmt.Sprintf("has the version %q; versions are digits and dots", version)
			}
		}
		return p.separated(prefix.text, rest), "needs " + p.separatorWords()
	}
	return "", ""
}

// repeatable finds R_x and R1__x, but not Report.
func (p *nameParser) repeatable(base string) (fix, hint string) {
	prefix := p.prefixOf(Repeatable)
	rest, ok := strings.CutPrefix(base, prefix)
	if !ok || prefix == "" || rest == "" || !strings.ContainsRune("_-. 0123456789", rune(rest[0])) {
		return "", ""
	}
	if _, description, ok := strings.Cut(rest, p.separator); ok {
		return prefix + p.separator + description, "must not have a version: it is repeatable"
	}
	return prefix + p.separator + strings.TrimLeft(rest, "_-. "), "needs " + p.separatorWords()
}

// noPrefix finds 1__x and X1__x.
func (p *nameParser) noPrefix(base string) (fix, hint string) {
	prefix := p.prefixOf(Versioned)
	version, _, ok := strings.Cut(base, p.separator)
	if !ok || version == "" {
		return "", ""
	}
	if startsWithDigit(version) {
		return p.separated(prefix, base), fmt.Sprintf("needs the prefix %q", prefix)
	}
	if rest := base[1:]; isLetter(version[0]) && startsWithDigit(rest) {
		return p.separated(prefix, rest), fmt.Sprintf("has the prefix %q, which no kind of migration has", base[:1])
	}
	return "", ""
}

// separated rebuilds a name around the version that rest starts with; "" when no version can be made out.
func (p *nameParser) separated(prefix, rest string) string {
	version, description, found := strings.Cut(rest, p.separator)
	if found {
		// V2024-01-02__x: the whole part in front of the separator was meant as the version.
		dotted := strings.Trim(strings.NewReplacer("-", ".", " ", ".").Replace(version), "._")
		if _, err := ParseVersion(dotted); err == nil {
			return prefix + dotted + p.separator + description
		}
	}
	digits := 0
	for digits < len(rest) && (rest[digits] >= '0' && rest[digits] <= '9' ||
		strings.IndexByte("._-", rest[digits]) >= 0 && startsWithDigit(rest[digits+1:])) {
		digits++
	}
	version = strings.ReplaceAll(rest[:digits], "-", ".")
	if _, err := ParseVersion(version); err != nil {
		return ""
	}
	if found && digits < len(rest)-len(description)-len(p.separator) {
		return "" // V1a__x: letters inside the version leave nothing to guess
	}
	description = strings.TrimLeft(rest[digits:], "_-. ")
	if description == "" {
		return prefix + version
	}
	return prefix + version + p.separator + description
}

func (p *nameParser) separatorWords() string {
	if p.separator == "__" {
		return "two underscores"
	}
	return fmt.Sprintf("the separator %q", p.separator)
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
