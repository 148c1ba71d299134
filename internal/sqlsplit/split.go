// Package sqlsplit cuts PostgreSQL text into statements, where psql would cut it, and a statement into tokens.
//
// DESIGN.md beside this file lists every place where it differs from psql or from Flyway, and why.
package sqlsplit

import "strings"

// Statement is one statement of a text; all offsets are in bytes.
type Statement struct {
	// Start and End delimit what is sent: from the first token, comments before it included, to just before the
	// semicolon or the end of the text, without the blanks there.
	Start, End int
	// Body is the offset of the first token that is not a comment, and Line its 1-based line.
	Body, Line int
	// DataStart and DataEnd delimit the lines after COPY ... FROM STDIN, from the line after the statement up to but
	// without the line `\.`; line ends as written. Both are 0 when the statement takes no inline data.
	DataStart, DataEnd int
}

// Split cuts text, decoded as UTF-8 and with placeholders already replaced, into its statements. Semicolons and
// empty statements are left out; so are comments after which no statement comes. A byte order mark at the start is
// skipped. The rules are psql's with standard_conforming_strings on and without its variables.
//
// A string, identifier, comment, dollar quote, BEGIN ATOMIC body or COPY data without their end, a psql command, and
// text behind the semicolon of COPY ... FROM STDIN give an *Error and no statements.
func Split(text string) ([]Statement, error) {
	statements, _, err := Part(text, true, true)
	return statements, err
}

// Part cuts a part of a text that is too long to be held. The part begins where a statement may; starts says that this
// is where the text begins, ends that nothing follows. Of a part that does not end the text it gives the statements that
// nothing behind the part can change, and the offset at which the next part has to begin; it is 0 where the part is too
// short for one. Faults are those of Split.
func Part(text string, starts, ends bool) (statements []Statement, next int, err error) {
	s := splitter{text: text, line: 1, open: !ends, statements: make([]Statement, 0, 8+len(text)/256)}
	s.begin()
	i := 0
	if starts && strings.HasPrefix(text, "\ufeff") {
		i = len("\ufeff")
	}
	if wrong := s.cut(i); wrong != nil {
		return nil, 0, wrong
	}
	if ends {
		s.next = len(text)
	}
	return s.statements, s.next, nil
}

// cut cuts the text from i on.
func (s *splitter) cut(i int) *Error {
	text := s.text
	for i < len(text) {
		p, end := lex(text, i)
		switch p {
		case blank:
			i = end
			continue
		case comment:
			if s.start < 0 {
				s.start = i
			}
			s.last, i = end, end
			continue
		case word:
			if s.head != plain {
				s.word(text[i:end], i, end)
			}
		case symbol:
			switch text[i] {
			case '(':
				s.depth++
			case ')':
				s.depth = max(s.depth-1, 0)
			case ';':
				if s.depth == 0 && s.blocks == 0 {
					var err *Error
					if i, err = s.finish(end); err != nil || i < 0 {
						return err
					}
					s.next = i
					continue
				}
			}
		case backslash, openString, openIdentifier, openComment, openDollar:
			if s.open && (p != backslash || len(text)-i < longestCommand) {
				return nil
			}
			return problem(text, p, i)
		}
		if s.body < 0 {
			s.first(i, p)
		}
		s.before, s.last, i = i, end, end
	}
	if s.open {
		return nil
	}
	if s.blocks > 0 {
		return &Error{Offset: s.block, Line: s.lineOf(s.block), What: "BEGIN ATOMIC body",
			Hint: "close it with END; a name spelled case or end inside it needs double quotes"}
	}
	_, err := s.finish(len(text))
	return err
}

// longestCommand is how much of a text is enough to tell any command of psql.
const longestCommand = 64

// head is what the first words of a statement say about the way it must be read.
type head uint8

const (
	unknown    head = iota // too few words so far
	plain                  // nothing special: words need no more looking at
	routine                // CREATE [OR REPLACE] FUNCTION or PROCEDURE
	copying                // COPY, before its FROM or TO
	copyingIn              // COPY ... FROM, nothing since
	copyInline             // COPY ... FROM STDIN
)

type splitter struct {
	text       string
	statements []Statement

	start, body int // of the statement at hand; -1 while not seen
	last        int // end of the last token or comment
	before      int // start of the last token
	depth       int // parentheses
	blocks      int // BEGIN ATOMIC, and CASE inside it
	block       int // offset of that BEGIN
	words       int // unquoted words so far, counted while head is unknown
	head        head

	line, counted int // line is that of offset counted

	open bool // more text follows
	next int  // where the statement at hand may start
}

func (s *splitter) begin() {
	s.start, s.body, s.before, s.depth, s.blocks, s.words, s.head = -1, -1, -1, 0, 0, 0, unknown
}

// first notes the first token of a statement.
func (s *splitter) first(i int, p piece) {
	s.body = i
	if s.start < 0 {
		s.start = i
	}
	if p != word {
		s.head = plain
	}
}

// lineOf returns the line of an offset that is not before those asked for earlier.
func (s *splitter) lineOf(i int) int {
	s.line += strings.Count(s.text[s.counted:i], "\n")
	s.counted = i
	return s.line
}

// finish closes the statement before the semicolon that ends at end and returns the offset where the next one may start;
// it is negative where that depends on what follows the text.
func (s *splitter) finish(end int) (int, *Error) {
	if s.body < 0 {
		s.begin()
		return end, nil
	}
	for classes[s.text[s.last-1]] == blankByte { // a line comment at the end
		s.last--
	}
	st := Statement{Start: s.start, End: s.last, Body: s.body, Line: s.lineOf(s.body)}
	if s.head == copyInline {
		var err *Error
		if end, err = s.inlineData(&st, end); err != nil || end < 0 {
			return end, err
		}
	}
	s.statements = append(s.statements, st)
	s.begin()
	return end, nil
}

// word follows the words of a statement that may need more than a semicolon outside parentheses to end.
func (s *splitter) word(w string, i, end int) {
	switch s.head {
	case unknown:
		s.head = s.opening(w)
		s.words++
	case routine:
		s.routineWord(w, i, end)
	case copying, copyingIn:
		s.copyWord(w)
	}
}

// opening decides by the first words, of which w is number s.words.
func (s *splitter) opening(w string) head {
	switch s.words {
	case 0:
		switch {
		case same(w, "create"):
			return unknown
		case same(w, "copy"):
			return copying
		}
	case 1, 3:
		switch {
		case same(w, "function"), same(w, "procedure"):
			return routine
		case s.words == 1 && same(w, "or"):
			return unknown
		}
	case 2:
		if same(w, "replace") {
			return unknown
		}
	}
	return plain
}

// routineWord counts the blocks of an SQL-standard body: BEGIN ATOMIC opens the first, CASE opens one inside, END
// closes one. Words after a dot or AS are names.
func (s *splitter) routineWord(w string, i, end int) {
	if s.depth > 0 {
		return
	}
	switch {
	case s.blocks == 0:
		if same(w, "begin") && s.nextWordIs(end, "atomic") {
			s.blocks, s.block = 1, i
		}
	case same(w, "case"):
		if !s.isName() {
			s.blocks++
		}
	case same(w, "end"):
		if !s.isName() {
			s.blocks--
		}
	}
}

// copyWord looks for the FROM that belongs to COPY and for STDIN right after it. The grammar takes STDOUT there too.
func (s *splitter) copyWord(w string) {
	switch {
	case s.head == copyingIn:
		s.head = plain
		if (same(w, "stdin") || same(w, "stdout")) && s.followsWord("from") {
			s.head = copyInline
		}
	case s.depth > 0 || s.isName():
	case same(w, "from"):
		s.head = copyingIn
	case same(w, "to"):
		s.head = plain
	}
}

// isName reports whether the word at hand can only be a name because a dot or AS stands before it.
func (s *splitter) isName() bool {
	return s.before >= 0 && (s.text[s.before] == '.' || s.followsWord("as"))
}

func (s *splitter) followsWord(w string) bool {
	return s.before+len(w) <= len(s.text) && same(s.text[s.before:s.before+len(w)], w) &&
		(s.before+len(w) == len(s.text) || !inWord[s.text[s.before+len(w)]])
}

// nextWordIs looks past blanks and comments.
func (s *splitter) nextWordIs(i int, w string) bool {
	for i < len(s.text) {
		p, end := lex(s.text, i)
		if p != blank && p != comment {
			return p == word && same(s.text[i:end], w)
		}
		i = end
	}
	return false
}

// inlineData finds the data of the COPY that ends just before i and returns the offset after their last line; it is
// negative where more text may follow and tell.
func (s *splitter) inlineData(st *Statement, i int) (int, *Error) {
	for i < len(s.text) && s.text[i] != '\n' {
		p, end := lex(s.text, i)
		switch nl := strings.IndexByte(s.text[i:end], '\n'); {
		case p == blank && nl >= 0:
			end = i + nl
		case p == blank || p == comment && nl < 0:
		case s.open && end == len(s.text):
			return -1, nil
		default:
			return 0, &Error{Offset: i, Line: s.lineOf(i), What: "text after COPY ... FROM STDIN;",
				Hint: `the data start on the next line: move this behind their end, the line \.`}
		}
		i = end
	}
	if i == len(s.text) {
		return s.noDataEnd(st)
	}
	st.DataStart = i + 1
	for line := i + 1; ; {
		if n := endMark(s.text[line:]); n > 0 {
			if s.open && s.text[line+n-1] != '\n' {
				return -1, nil
			}
			st.DataEnd = line
			return line + n, nil
		}
		n := strings.Index(s.text[line:], "\n\\.")
		if n < 0 {
			return s.noDataEnd(st)
		}
		line += n + 1
	}
}

func (s *splitter) noDataEnd(st *Statement) (int, *Error) {
	if s.open {
		return -1, nil
	}
	return 0, &Error{Offset: st.Body, Line: st.Line, What: "COPY data",
		Hint: `the data of COPY ... FROM STDIN end with a line that holds only \.`}
}

// endMark returns the length of the line `\.` with its line end when text starts with it, else 0.
func endMark(text string) int {
	rest, ok := strings.CutPrefix(text, `\.`)
	if !ok {
		return 0
	}
	rest = strings.TrimPrefix(rest, "\r")
	if rest == "" {
		return len(text)
	}
	if rest[0] == '\n' {
		return len(text) - len(rest) + 1
	}
	return 0
}
