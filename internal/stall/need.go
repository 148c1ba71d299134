package stall

import (
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// Target is a relation on which a statement wants a lock.
type Target struct {
	Name string // as written, without blanks
	Mode Mode
	// With are the relations that the lock spreads to.
	With Spread
}

// Spread says which other relations a statement locks in the same mode.
type Spread uint8

// The kinds of relations that come along.
const (
	Children Spread = 1 << iota // partitions and inheriting tables, and theirs
	Linked                      // the other ends of foreign keys
	Fallback                    // the default partition
)

// Need is what a statement wants.
type Need struct {
	Targets []Target
	// Opaque says that it may want more of such locks, on what the text does not name.
	Opaque bool
	// Creates are relations that are new with it, by Key.
	Creates []string
	// OwnTimeout says that it may set lock_timeout or statement_timeout.
	OwnTimeout bool
	// Brief says that it takes next to no time once it has its locks: it changes catalogs only.
	Brief bool
}

// Strong reports whether the statement wants a lock that others may have to wait for, or may want one.
func (n *Need) Strong() bool { return n.Opaque || len(n.Targets) > 0 }

// Of reads one statement, as sqlsplit cuts it. A statement that refuses a transaction block gives nothing, but for VACUUM
// FULL: it waits in ways of its own.
func Of(statement string) Need {
	var n Need
	r := &reader{}
	for t := range sqlsplit.Tokens(statement) {
		if len(r.tokens) == 0 && !starts(t) {
			break // most statements are data
		}
		if t.Kind != sqlsplit.Symbol || t.Text != ";" {
			r.tokens = append(r.tokens, t)
		}
	}
	n.OwnTimeout = setsTimeout(statement)
	n.read(r)
	n.Brief = n.Strong() && !n.Opaque && brief(&reader{tokens: r.tokens})
	return n
}

// Key folds a name as PostgreSQL does, so that a relation that one statement creates is found again in another.
func Key(name string) string {
	parts := strings.Split(name, `"`)
	for i := 0; i < len(parts); i += 2 { // every other part stands in quotes
		parts[i] = strings.ToLower(parts[i])
	}
	return strings.Join(parts, "")
}

// setsTimeout reports whether the text, strings and all, may set a timeout and not only show it.
func setsTimeout(statement string) bool {
	if !namesTimeout(statement) {
		return false
	}
	lower := strings.ToLower(statement)
	return strings.Contains(lower, "set_config") || slices.Contains(strings.Fields(lower), "set")
}

// namesTimeout looks for the names without writing all of the text in small letters: there may be millions of statements.
func namesTimeout(text string) bool {
	for at := 0; ; at++ {
		next := strings.IndexByte(text[at:], '_')
		if next < 0 {
			return false
		}
		at += next
		for _, name := range [...]string{"lock_timeout", "statement_timeout"} {
			from := at - strings.IndexByte(name, '_')
			if from >= 0 && from+len(name) <= len(text) && strings.EqualFold(text[from:from+len(name)], name) {
				return true
			}
		}
	}
}

func mentions(text, word string) bool {
	return strings.Contains(strings.ToLower(text), word)
}

var verbs = []string{"alter", "create", "drop", "truncate", "lock", "refresh", "cluster", "reindex", "vacuum", "do"}

func starts(t sqlsplit.Token) bool { return slices.ContainsFunc(verbs, t.Is) }

func (n *Need) add(mode Mode, with Spread, name string) {
	// A name of three parts has the database in it; one with escapes is for the server to read.
	if name == "" || strings.Count(name, ".") > 1 || strings.HasPrefix(strings.ToLower(name), `u&"`) || strings.Contains(strings.ToLower(name), `.u&"`) {
		n.Opaque = n.Opaque || name != ""
		return
	}
	n.Targets = append(n.Targets, Target{name, mode, with})
}
