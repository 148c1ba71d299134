package sqlsplit

import (
	"fmt"
	"strings"
)

// Error says that a text cannot be cut into statements. Nothing of the text should be sent then.
type Error struct {
	Offset int    // byte offset where the thing opens or stands
	Line   int    // 1-based line of Offset
	What   string // "quoted string", "quoted identifier", "block comment", "dollar quote $tag$", "COPY data", "BEGIN ATOMIC body", `psql command \connect`, "text after COPY ... FROM STDIN;"
	Hint   string // what to do next; never empty
}

// Error tells the line and what is wrong there, without the hint and without a file name, which Split does not know.
func (e *Error) Error() string {
	switch {
	case strings.HasPrefix(e.What, "psql command "):
		return fmt.Sprintf("line %d: %s is not SQL", e.Line, e.What)
	case strings.HasPrefix(e.What, "text after "):
		return fmt.Sprintf("line %d: %s", e.Line, e.What)
	}
	return fmt.Sprintf("line %d: unterminated %s", e.Line, e.What)
}

// problem describes the piece at i, which lex could not finish.
func problem(text string, p piece, i int) *Error {
	e := &Error{Offset: i, Line: 1 + strings.Count(text[:i], "\n")}
	switch p {
	case openString:
		e.What, e.Hint = "quoted string", "close it with ', and write a quote inside it as ''"
	case openIdentifier:
		e.What, e.Hint = "quoted identifier", `close it with ", and write a double quote inside it as ""`
	case openComment:
		e.What, e.Hint = "block comment", "close it with */; block comments nest, so each /* inside it needs its own */"
	case openDollar:
		tag := dollarTag(text, i)
		e.What, e.Hint = "dollar quote "+tag, "close it with "+tag+", spelled exactly so"
	case backslash:
		e.What = "psql command " + commandName(text, i)
		e.Hint = `\ commands belong to psql and PostgreSQL does not know them: remove it, or write SQL that does the same`
		if hint, ok := commandHints[commandName(text, i)]; ok {
			e.Hint = hint
		}
	}
	return e
}

var commandHints = map[string]string{
	`\.`:          `\. ends the data of COPY ... FROM STDIN, and no such data are open here`,
	`\;`:          `\ commands belong to psql and PostgreSQL does not know them: end the statement with a plain ;`,
	`\copy`:       `\copy belongs to psql: use COPY ... FROM STDIN; with the rows on the lines below and a line \. behind them`,
	`\restrict`:   `pg_dump writes \restrict and \unrestrict for psql: remove both lines`,
	`\unrestrict`: `pg_dump writes \restrict and \unrestrict for psql: remove both lines`,
}

func commandName(text string, i int) string {
	j := i + 1
	for j < len(text) && (classes[text[j]] == letterByte || classes[text[j]] == digitByte) {
		j++
	}
	if j == i+1 && j < len(text) && classes[text[j]] != blankByte {
		j++
	}
	return text[i:j]
}
