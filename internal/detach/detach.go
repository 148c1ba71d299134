// Package detach decides whether the server brings a script to its end when the client is gone.
//
// A backend notices that nobody listens when it sends something: it then ends at its next chance, and what it was doing
// is rolled back. It sends when its buffer of answers is full, when it has a message for the client, and when a message
// from the client is done. So a script survives its client if everything up to its commit is in one message, and the
// answers to that fit into the buffer.
package detach

import (
	"fmt"
	"strings"

	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
)

// Script is what is known of a script before it starts.
type Script struct {
	// Statements are its own and those of the callbacks around it, placeholders replaced.
	Statements []Statement
	// Outside says that each statement runs for itself, or in a transaction that records it; else the script and its row
	// are one transaction.
	Outside bool
	// Steered says that it begins and commits by itself.
	Steered bool
	// Client says what of it runs at the client ("it is a program"); "" for nothing.
	Client string
	// Parts says why it does not travel in one piece ("its scripts share one transaction"); "" where it can.
	Parts string
	// Proxy says that something between client and server answers in the server's place.
	Proxy bool
}

// Statement is one of them.
type Statement struct {
	Text    string
	Verdict txblock.Verdict
}

// What the answers may take of the 8 kB that the server keeps before it sends: what is left is for Skein's own statements
// around the script.
const (
	answers = 6 << 10
	plain   = 40  // one command's answer
	row     = 256 // of a query that gives one row
)

// Detachable reports whether the server finishes the script, its history row or journal included, whatever becomes of the
// client, or says why not, as a clause. It needs client_min_messages = error and client_connection_check_interval = 0. A
// query without a table is taken to give one row.
func Detachable(s Script) (ok bool, reason string) {
	switch {
	case s.Proxy:
		return false, "a proxy stands between here and the server, and may end the server's session when the client is gone"
	case s.Client != "":
		return false, s.Client
	case s.Parts != "":
		return false, s.Parts
	case s.Steered:
		return false, "it begins and commits transactions of its own, statement by statement"
	}
	size := 0
	for i, one := range s.Statements {
		why := one.attached(s.Outside)
		if size += one.answer(); why == "" && size > answers && !s.Outside {
			why = "the answers before it fill the server's buffer"
		}
		if why != "" {
			return false, fmt.Sprintf("statement %d (%s): %s", i+1, one.name(), why)
		}
	}
	return true, ""
}

// attached says why the statement needs its client; "" if it does not.
func (s Statement) attached(outside bool) string {
	v := s.Verdict
	switch {
	case v.Class == txblock.CopyIn:
		return "its data comes from the client"
	case v.What == "CALL":
		return "what it calls may commit, which sends"
	case v.Class == txblock.Opaque && outside:
		return "outside of a transaction it may commit, and nothing tells how far it came"
	}
	var words []sqlsplit.Token
	for t := range sqlsplit.Tokens(s.Text) {
		words = append(words, t)
	}
	switch {
	case len(words) == 0:
		return ""
	case words[0].Is("copy"):
		if mentions(words, "stdout") {
			return "its rows go to the client"
		}
	case returnsRows(words):
		return "it returns rows that nobody counts beforehand"
	}
	return noisy(s.Text, words)
}

// noisy says why a statement sends messages in spite of client_min_messages; "" if it does not by its text.
func noisy(text string, words []sqlsplit.Token) string {
	lower := strings.ToLower(text)
	switch {
	case strings.Contains(lower, "client_min_messages"), strings.Contains(lower, "client_connection_check_interval"):
		return "it sets what keeps the server quiet"
	case strings.Contains(lower, "standard_conforming_strings"), strings.Contains(lower, "backslash_quote"):
		return "it sets how the text after it is read"
	case (words[0].Is("reset") || words[0].Is("discard")) && mentions(words, "all"):
		return "it resets what keeps the server quiet"
	case mentions(words, "verbose"):
		return "VERBOSE sends messages"
	case raisesInfo(lower):
		return "RAISE INFO sends messages"
	}
	return ""
}

// raisesInfo finds RAISE INFO in the bodies of blocks and functions.
func raisesInfo(lower string) bool {
	words := strings.Fields(lower)
	for i, w := range words[:max(0, len(words)-1)] {
		if strings.HasSuffix(w, "raise") && strings.HasPrefix(words[i+1], "info") {
			return true
		}
	}
	return false
}

// setReturning are the functions that make many rows of one.
var setReturning = []string{"generate_series", "unnest", "regexp_matches", "regexp_split_to_table", "string_to_table", "json_array_elements", "jsonb_array_elements", "generate_subscripts"}

// returnsRows reports whether any number of rows may go to the client.
func returnsRows(words []sqlsplit.Token) bool {
	first := words[0]
	switch {
	case first.Is("select"), first.Kind == sqlsplit.Symbol && first.Text == "(":
		return !mentions(words, "into") && (mentions(words, "from") || mentions(words, setReturning...))
	case first.Is("with"), first.Is("insert"), first.Is("update"), first.Is("delete"), first.Is("merge"):
		return mentions(words, "returning") || first.Is("with") && !mentions(words, "insert", "update", "delete", "merge")
	}
	for _, verb := range [...]string{"values", "table", "fetch", "execute", "explain"} {
		if first.Is(verb) {
			return true
		}
	}
	return false
}

func mentions(words []sqlsplit.Token, any ...string) bool {
	for _, t := range words {
		for _, w := range any {
			if t.Is(w) {
				return true
			}
		}
	}
	return false
}

// answer is how many bytes the server sends for it, about.
func (s Statement) answer() int {
	for t := range sqlsplit.Tokens(s.Text) {
		if t.Is("select") || t.Is("show") || t.Kind == sqlsplit.Symbol {
			return row
		}
		break
	}
	return plain
}

// name is how a person knows the statement: its first words, without the texts in quotes, which may be secrets.
func (s Statement) name() string {
	var words []string
	for t := range sqlsplit.Tokens(s.Text) {
		if t.Kind == sqlsplit.Word || t.Kind == sqlsplit.QuotedIdentifier {
			words = append(words, t.Text)
		}
		if len(words) == 3 {
			break
		}
	}
	text := strings.Join(words, " ")
	return text[:min(len(text), 60)]
}
