package migration

import (
	"fmt"
	"slices"
	"strings"
)

// IgnorePattern is one item of ignoreMigrationPatterns: a type of migration and a state that validate lets pass.
type IgnorePattern struct{ kind, state string }

// DefaultIgnorePatterns lets migrations pass that a newer set of scripts has applied: "*:future".
var DefaultIgnorePatterns = []IgnorePattern{{"*", "future"}}

// IgnorePending is what migrate adds, which is about to apply what is pending: "*:pending".
var IgnorePending = IgnorePattern{"*", "pending"}

// ParseIgnorePatterns reads type:state items; types are repeatable, versioned, *; states are missing, pending,
// ignored, future, *. nil means the default, "*:future"; [""] means none.
func ParseIgnorePatterns(items []string) ([]IgnorePattern, error) {
	if items == nil {
		return slices.Clone(DefaultIgnorePatterns), nil
	}
	patterns := []IgnorePattern{} // not nil: nil stands for the default
	for _, item := range items {
		if strings.TrimSpace(item) == "" {
			continue
		}
		kind, state, ok := strings.Cut(item, ":")
		if !ok || strings.Contains(state, ":") || state == "" {
			return nil, &Error{Code: CodeError, Message: fmt.Sprintf("Invalid pattern '%s'. Pattern must be of the form <migration_type>:<migration_state>", item),
				Hint: "for example *:missing or repeatable:pending"}
		}
		p := IgnorePattern{strings.ToLower(strings.TrimSpace(kind)), strings.ToLower(strings.TrimSpace(state))}
		if kinds := []string{"*", "repeatable", "versioned"}; !slices.Contains(kinds, p.kind) {
			return nil, &Error{Code: CodeError, Message: fmt.Sprintf("Invalid migration type '%s'. Valid types are: [%s]", kind, strings.Join(kinds, ", "))}
		}
		if states := []string{"*", "missing", "pending", "ignored", "future"}; !slices.Contains(states, p.state) {
			return nil, &Error{Code: CodeError, Message: fmt.Sprintf("Invalid migration state '%s'. Valid states are: [%s]", state, strings.Join(states, ", "))}
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// String returns what ParseIgnorePatterns reads.
func (p IgnorePattern) String() string { return p.kind + ":" + p.state }

func (p IgnorePattern) matches(versioned bool, s State) bool {
	if p.state != "*" && !strings.EqualFold(string(s), p.state) {
		return false
	}
	return p.kind == "*" || p.kind == "versioned" == versioned
}

func anyMatches(patterns []IgnorePattern, versioned bool, s State) bool {
	return slices.ContainsFunc(patterns, func(p IgnorePattern) bool { return p.matches(versioned, s) })
}

// ignoresAll reports whether a state is ignored for versioned and repeatable migrations alike.
func ignoresAll(patterns []IgnorePattern, s State) bool {
	return anyMatches(patterns, true, s) && anyMatches(patterns, false, s)
}
