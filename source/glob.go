package source

import (
	"regexp"
	"strings"
)

// glob is the part of a location from the first wildcard on, in Flyway's meaning: * stands for one or more characters,
// ** as a whole part for any number of folders, and a last part with a dot for file names, not for folders.
type glob struct {
	pattern *regexp.Regexp // over the path below the root, "/" separated
	inside  int            // group that is the path below the matched folder; 0: the pattern is one of file names
	hint    string         // why it may well match nothing
}

func hasWildcard(path string) bool { return strings.ContainsAny(path, "*?") }

// parseGlob splits a path with wildcards into the folder to walk and the pattern of what is wanted in there.
//
// Of the characters that mean something in a regular expression only the dot is escaped: a part such as (a|b)* works in
// Flyway, so it works here. The root is taken literally, other than in Flyway, where a "+" in a parent folder's name
// makes everything below it invisible.
func parseGlob(path string) (root string, g *glob, err error) {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	first := 0
	for !hasWildcard(parts[first]) {
		first++
	}
	root = strings.Join(parts[:first], "/")
	if path[0] == '/' || path[0] == '\\' {
		root = "/" + root
	}

	var b strings.Builder
	b.WriteString("^(?:")
	names := false // the last part is a pattern of file names
	for i, part := range parts[first:] {
		if part == "**" {
			names = false
			b.WriteString("(?:[^/]+/)*?")
			continue
		}
		names = strings.Contains(part, ".")
		b.WriteString(strings.NewReplacer(".", `\.`, "?", "[^/]", "*", "[^/]+?").Replace(part))
		if i < len(parts)-first-1 {
			b.WriteByte('/')
		}
	}
	g = &glob{}
	last := parts[len(parts)-1]
	switch {
	case names && !strings.Contains(strings.ToLower(last), ".sql"):
		g.hint = "a last part with a dot, " + last + ", stands for files, not for folders"
	case last == "**":
		g.hint = "** at the end matches nothing, as in Flyway; leave it out"
	}
	if !names {
		b.WriteString("/(?P<inside>.*)")
	}
	b.WriteString(")$")
	if g.pattern, err = regexp.Compile(b.String()); err != nil {
		return "", nil, err
	}
	g.inside = max(0, g.pattern.SubexpIndex("inside"))
	return root, g, nil
}

// match returns what a file below the root is called in the history.
func (g *glob) match(path string) (name string, ok bool) {
	groups := g.pattern.FindStringSubmatch(path)
	if groups == nil {
		return "", false
	}
	if g.inside > 0 {
		return groups[g.inside], true
	}
	return path, true
}
