package sqlsplit

import "strings"

// piece is what lex found: the token kinds that Tokens shows, and those it does not.
type piece uint8

const (
	blank piece = iota
	comment
	word
	quotedIdentifier
	stringLiteral
	number
	symbol
	parameter
	backslash
	// The four below reach the end of the text without their closing mark.
	openString
	openIdentifier
	openComment
	openDollar
)

// class says what a byte can start; identifier bytes are the letters, '_' and everything outside ASCII.
type class uint8

const (
	otherByte class = iota
	blankByte
	letterByte
	digitByte
	quoteByte
	doubleQuoteByte
	dollarByte
	minusByte
	slashByte
	dotByte
	backslashByte
)

var classes = func() (t [256]class) {
	for _, c := range " \t\n\v\f\r" {
		t[c] = blankByte
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = letterByte, letterByte
	}
	for c := 0x80; c < 0x100; c++ {
		t[c] = letterByte
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = digitByte
	}
	t['_'], t['\''], t['"'], t['$'] = letterByte, quoteByte, doubleQuoteByte, dollarByte
	t['-'], t['/'], t['.'], t['\\'] = minusByte, slashByte, dotByte, backslashByte
	return t
}()

// inWord marks the bytes that continue an identifier.
var inWord = func() (t [256]bool) {
	for c, k := range classes {
		t[c] = k == letterByte || k == digitByte || k == dollarByte
	}
	return t
}()

// lex finds the piece of text that starts at i and the offset just after it; i must be inside the text.
func lex(text string, i int) (piece, int) {
	switch classes[text[i]] {
	case blankByte:
		for i++; i < len(text) && classes[text[i]] == blankByte; i++ {
		}
		return blank, i
	case letterByte:
		j := i + 1
		for j < len(text) && inWord[text[j]] {
			j++
		}
		if j == i+1 && j < len(text) && (text[j] == '\'' || text[j] == '&') {
			return lexPrefixed(text, i)
		}
		return word, j
	case digitByte:
		return number, numberEnd(text, i)
	case quoteByte:
		return lexString(text, i+1)
	case doubleQuoteByte:
		return lexQuotedIdentifier(text, i+1)
	case dollarByte:
		return lexDollar(text, i)
	case minusByte:
		if strings.HasPrefix(text[i:], "--") {
			return comment, lineEnd(text, i)
		}
	case slashByte:
		if strings.HasPrefix(text[i:], "/*") {
			return lexBlockComment(text, i)
		}
	case dotByte:
		if i+1 < len(text) && classes[text[i+1]] == digitByte {
			return number, numberEnd(text, i)
		}
	case backslashByte:
		return backslash, i + 1
	}
	return symbol, i + 1
}

// lexPrefixed reads what a single letter followed by ' or & starts: E'…', B'…', X'…', N'…', U&'…', U&"…" or just a word.
func lexPrefixed(text string, i int) (piece, int) {
	if text[i+1] == '\'' {
		switch text[i] {
		case 'e', 'E':
			return lexEscapeString(text, i+2)
		case 'b', 'B', 'x', 'X', 'n', 'N':
			return lexString(text, i+2)
		}
		return word, i + 1
	}
	if (text[i] == 'u' || text[i] == 'U') && i+2 < len(text) {
		switch text[i+2] {
		case '\'':
			return lexString(text, i+3)
		case '"':
			return lexQuotedIdentifier(text, i+3)
		}
	}
	return word, i + 1
}

// lexString reads a string in which only a doubled quote is special, from just after its opening quote.
func lexString(text string, i int) (piece, int) {
	for {
		n := strings.IndexByte(text[i:], '\'')
		if n < 0 {
			return openString, len(text)
		}
		i += n + 1
		if i == len(text) || text[i] != '\'' {
			return stringLiteral, i
		}
		i++
	}
}

// lexQuotedIdentifier reads from just after the opening double quote.
func lexQuotedIdentifier(text string, i int) (piece, int) {
	for {
		n := strings.IndexByte(text[i:], '"')
		if n < 0 {
			return openIdentifier, len(text)
		}
		i += n + 1
		if i == len(text) || text[i] != '"' {
			return quotedIdentifier, i
		}
		i++
	}
}

// lexEscapeString reads a string with backslash escapes from just after its opening quote. A further quoted part
// after a line break belongs to the same literal, so the backslash is special there too.
func lexEscapeString(text string, i int) (piece, int) {
	for i < len(text) {
		switch text[i] {
		case '\\':
			i += 2
		case '\'':
			i++
			if i < len(text) && text[i] == '\'' {
				i++
				continue
			}
			part := continuation(text, i)
			if part < 0 {
				return stringLiteral, i
			}
			i = part
		default:
			i++
		}
	}
	return openString, len(text)
}

// continuation finds the next part of a string literal that closed just before i: a quote after blanks and line
// comments that hold at least one line break. It returns the offset after that quote, or -1.
func continuation(text string, i int) int {
	broken := false
	for i < len(text) {
		c := text[i]
		switch {
		case c == '\n' || c == '\r':
			broken = true
			i++
		case classes[c] == blankByte:
			i++
		case strings.HasPrefix(text[i:], "--"):
			i = lineEnd(text, i)
		case c == '\'' && broken:
			return i + 1
		default:
			return -1
		}
	}
	return -1
}

// lexDollar reads $1, a dollar-quoted string, or a lone dollar sign.
func lexDollar(text string, i int) (piece, int) {
	j := i + 1
	if j < len(text) && classes[text[j]] == digitByte {
		for j < len(text) && classes[text[j]] == digitByte {
			j++
		}
		return parameter, joinedWordEnd(text, j)
	}
	tag := dollarTag(text, i)
	if tag == "" {
		return symbol, i + 1
	}
	body := i + len(tag)
	n := strings.Index(text[body:], tag)
	if n < 0 {
		return openDollar, len(text)
	}
	return stringLiteral, body + n + len(tag)
}

// dollarTag returns the opening mark of a dollar quote at i, both dollar signs included, or "".
func dollarTag(text string, i int) string {
	j := i + 1
	for j < len(text) && (classes[text[j]] == letterByte || classes[text[j]] == digitByte) {
		j++
	}
	if j == len(text) || text[j] != '$' {
		return ""
	}
	if classes[text[i+1]] == digitByte {
		return ""
	}
	return text[i : j+1]
}

// lexBlockComment reads from the opening slash; comments nest.
func lexBlockComment(text string, i int) (piece, int) {
	depth := 0
	for i+1 < len(text) {
		switch {
		case text[i] == '*' && text[i+1] == '/':
			i += 2
			if depth--; depth == 0 {
				return comment, i
			}
		case text[i] == '/' && text[i+1] == '*':
			i += 2
			depth++
		default:
			i++
		}
	}
	return openComment, len(text)
}

// numberEnd takes a word that runs into the number along (0xFF, 1a): PostgreSQL refuses it from 15 on where it is no
// part of the number, and before that it was a word of its own, which ends at the same place.
func numberEnd(text string, i int) int {
	i = digitsEnd(text, i)
	if i < len(text) && text[i] == '.' && !strings.HasPrefix(text[i:], "..") {
		i = digitsEnd(text, i+1)
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		if j < len(text) && classes[text[j]] == digitByte {
			i = digitsEnd(text, j)
		}
	}
	return joinedWordEnd(text, i)
}

func digitsEnd(text string, i int) int {
	for i < len(text) && (classes[text[i]] == digitByte || text[i] == '_') {
		i++
	}
	return i
}

// joinedWordEnd returns the end of the word that starts at i, or i.
func joinedWordEnd(text string, i int) int {
	if i < len(text) && classes[text[i]] == letterByte {
		for i < len(text) && inWord[text[i]] {
			i++
		}
	}
	return i
}

// lineEnd returns the offset of the line break that ends a line comment, or the end of the text. As in PostgreSQL a
// lone carriage return ends it too.
func lineEnd(text string, i int) int {
	for i < len(text) && text[i] != '\n' && text[i] != '\r' {
		i++
	}
	return i
}
