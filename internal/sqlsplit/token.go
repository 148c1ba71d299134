package sqlsplit

import (
	"iter"
	"strings"
)

// Kind is the kind of a Token.
type Kind uint8

// The kinds of tokens.
const (
	Word             Kind = iota + 1 // unquoted identifier or keyword
	QuotedIdentifier                 // "…" or U&"…"
	String                           // '…' with any prefix, or $tag$…$tag$
	Number                           // 1, 1.5e-3, 0xFF
	Symbol                           // one operator, or one of ( ) [ ] , ; : . :: := ..
	Parameter                        // $1
)

// Token is one token of a statement. Text is a slice of the statement that starts at byte offset Start; quotes and
// prefixes are kept.
type Token struct {
	Kind  Kind
	Start int
	Text  string
}

// Is reports whether the token is the unquoted word keyword (given in lower case), in any case. Only ASCII letters
// fold, as in PostgreSQL.
func (t Token) Is(keyword string) bool { return t.Kind == Word && same(t.Text, keyword) }

// Tokens yields the tokens of a statement, without comments and blanks. It takes any text: something unterminated
// becomes a last token of its kind that reaches to the end, and an unterminated comment ends the sequence.
func Tokens(statement string) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for i := 0; i < len(statement); {
			p, end := lex(statement, i)
			if p == symbol {
				end = symbolEnd(statement, i)
			}
			if k := kinds[p]; k != 0 && !yield(Token{k, i, statement[i:end]}) {
				return
			}
			i = end
		}
	}
}

var kinds = [...]Kind{
	word: Word, quotedIdentifier: QuotedIdentifier, stringLiteral: String, number: Number, symbol: Symbol,
	parameter: Parameter, backslash: Symbol, openString: String, openIdentifier: QuotedIdentifier, openDollar: String,
	openComment: 0,
}

const operatorBytes = "~!@#^&|`?+-*/%<>="

// symbolEnd returns the end of the operator or mark at i, by PostgreSQL's rule: an operator stops before a comment,
// and ends in + or - only when it holds a character that no standard operator has.
func symbolEnd(text string, i int) int {
	if strings.IndexByte(operatorBytes, text[i]) < 0 {
		if i+1 < len(text) {
			switch text[i : i+2] {
			case "::", ":=", "..":
				return i + 2
			}
		}
		return i + 1
	}
	end := i + 1
	for end < len(text) && strings.IndexByte(operatorBytes, text[end]) >= 0 {
		if pair := text[end:min(end+2, len(text))]; pair == "--" || pair == "/*" {
			break
		}
		end++
	}
	if !strings.ContainsAny(text[i:end], "~!@#^&|`?%") {
		for end > i+1 && (text[end-1] == '+' || text[end-1] == '-') {
			end--
		}
	}
	return end
}

// same compares a word with a keyword in lower case.
func same(s, keyword string) bool {
	if len(s) != len(keyword) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != keyword[i] {
			return false
		}
	}
	return true
}
