package txblock

import (
	"strings"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// reader steps through the tokens of a statement. Its methods advance only past what they report as found.
type reader struct {
	tokens []sqlsplit.Token
	at     int
}

func (r *reader) peek() sqlsplit.Token {
	if r.at < len(r.tokens) {
		return r.tokens[r.at]
	}
	return sqlsplit.Token{}
}

// done reports whether the statement ends here; a semicolon left on it is no part of it.
func (r *reader) done() bool { return r.at >= len(r.tokens) || r.symbol(";") }

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

// oneOf takes one of the words and returns it, or "".
func (r *reader) oneOf(words ...string) string {
	for _, w := range words {
		if r.words(w) {
			return w
		}
	}
	return ""
}

func (r *reader) symbol(text string) bool {
	if t := r.peek(); t.Kind == sqlsplit.Symbol && t.Text == text {
		r.at++
		return true
	}
	return false
}

// name takes a name, qualified or not, and returns it as written without blanks and comments, or "".
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

func (r *reader) nameIfExists() string {
	r.words("if", "exists")
	return r.name()
}

// options are those of a parenthesised list, by name in lower case; without a value they are "true".
type options map[string]string

// on reports whether the option is set, by the spellings that PostgreSQL takes for a boolean here.
func (o options) on(name string, otherwise bool) bool {
	switch strings.ToLower(o[name]) {
	case "":
		return otherwise
	case "false", "off", "0":
		return false
	}
	return true
}

// options takes a parenthesised list of name, name value or name = value.
func (r *reader) options() options {
	if !r.symbol("(") {
		return nil
	}
	found := options{}
	for depth := 1; depth > 0 && r.at < len(r.tokens); {
		name := r.peek()
		switch {
		case r.symbol("("):
			depth++
		case r.symbol(")"):
			depth--
		default:
			r.at++
			if depth == 1 && name.Text != "," {
				r.symbol("=")
				found[optionName(name)] = r.optionValue()
			}
		}
	}
	return found
}

func optionName(t sqlsplit.Token) string {
	if t.Kind == sqlsplit.QuotedIdentifier {
		return strings.Trim(t.Text, `"`)
	}
	return strings.ToLower(t.Text)
}

// optionValue takes the rest of an option and returns it if it is a single token, its quotes removed.
func (r *reader) optionValue() string {
	value := r.peek()
	if value.Kind == 0 || value.Text == "," || value.Text == ")" || value.Text == "(" {
		return "true"
	}
	r.at++
	return strings.Trim(value.Text, `'"`)
}

// withOptions looks ahead for the last WITH (...) of the statement.
func (r *reader) withOptions() options {
	var found options
	for ; r.at < len(r.tokens); r.at++ {
		if r.words("with") {
			if o := r.options(); o != nil {
				found = o
			}
			r.at--
		}
	}
	return found
}
