package stall

import (
	"strings"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// reader steps through tokens. Its methods advance only past what they report as found.
type reader struct {
	tokens []sqlsplit.Token
	at     int
}

func (r *reader) done() bool { return r.at >= len(r.tokens) }

func (r *reader) peek() sqlsplit.Token {
	if r.done() {
		return sqlsplit.Token{}
	}
	return r.tokens[r.at]
}

// words takes all of the words, in lower case, or none.
func (r *reader) words(words ...string) bool {
	for i, w := range words {
		if r.at+i >= len(r.tokens) || !r.tokens[r.at+i].Is(w) {
			return false
		}
	}
	r.at += len(words)
	return true
}

// skip takes any of the words for as long as one is there.
func (r *reader) skip(words ...string) {
	for i := 0; i < len(words); i++ {
		if r.words(words[i]) {
			i = -1
		}
	}
}

func (r *reader) symbol(text string) bool {
	if t := r.peek(); t.Kind == sqlsplit.Symbol && t.Text == text {
		r.at++
		return true
	}
	return false
}

// has reports whether one of the words comes later, at any depth.
func (r *reader) has(words ...string) bool {
	for _, t := range r.tokens[min(r.at, len(r.tokens)):] {
		for _, w := range words {
			if t.Is(w) {
				return true
			}
		}
	}
	return false
}

// to goes on behind the next such word, at any depth, and reports whether there is one.
func (r *reader) to(word string) bool {
	for i := r.at; i < len(r.tokens); i++ {
		if r.tokens[i].Is(word) {
			r.at = i + 1
			return true
		}
	}
	return false
}

// name takes a name, qualified or not, as it is written but for blanks and comments; "" where there is none.
func (r *reader) name() string {
	var b strings.Builder
	for {
		t := r.peek()
		if t.Kind != sqlsplit.Word && t.Kind != sqlsplit.QuotedIdentifier {
			return b.String()
		}
		b.WriteString(t.Text)
		r.at++
		if !r.symbol(".") {
			return b.String()
		}
		b.WriteByte('.')
	}
}

// action cuts what comes before the next comma that stands in no parentheses, and takes both.
func (r *reader) action() *reader {
	depth, from := 0, r.at
	for ; r.at < len(r.tokens); r.at++ {
		switch t := r.tokens[r.at]; {
		case t.Kind != sqlsplit.Symbol:
		case t.Text == "(" || t.Text == "[":
			depth++
		case t.Text == ")" || t.Text == "]":
			depth--
		case t.Text == "," && depth == 0:
			r.at++
			return &reader{tokens: r.tokens[from : r.at-1]}
		}
	}
	return &reader{tokens: r.tokens[from:]}
}

// hasSymbol reports whether the symbol comes later, at any depth.
func (r *reader) hasSymbol(text string) bool {
	for _, t := range r.tokens[min(r.at, len(r.tokens)):] {
		if t.Kind == sqlsplit.Symbol && t.Text == text {
			return true
		}
	}
	return false
}
