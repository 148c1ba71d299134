package skein

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
)

// countCopied compares the rows that the server says it took with those in the script. Fewer is no error by itself, for a
// trigger may leave rows out, but it is what nobody would notice.
func (r *run) countCopied(p *piece, data string, res postgres.Result) {
	if !strings.HasPrefix(res.Tag, "COPY ") { // nothing was carried out
		return
	}
	if want, known := dataRows(p.sql(), data); known && int64(want) != res.Rows {
		r.warn(Warning{
			Text: fmt.Sprintf("COPY has %d rows of data here, and the server took %d of them", want, res.Rows),
			Path: p.text.path, Line: p.line(), Hint: "does a trigger leave rows out? A WHERE clause or ON_ERROR would say so in the script",
		})
	}
}

// dataRows counts the rows in the data of a COPY … FROM STDIN by the format's own rules. It is not known where the
// statement itself says that rows may be left out, or that they are separated in a way of their own.
func dataRows(statement, data string) (rows int, known bool) {
	csv, header, depth := false, false, 0
	tokens := slices.Collect(sqlsplit.Tokens(statement))
	for i, t := range tokens {
		next := sqlsplit.Token{}
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		switch {
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case depth == 0 && t.Is("where"), t.Is("on_error"), t.Is("binary"), t.Is("quote"), t.Is("escape"):
			return 0, false
		case t.Is("csv"), t.Is("format") && strings.EqualFold(strings.Trim(next.Text, `'"`), "csv"):
			csv = true
		case t.Is("format") && next.Kind != 0 && !strings.EqualFold(strings.Trim(next.Text, `'"`), "text"):
			return 0, false
		case t.Is("header"):
			switch value := strings.ToLower(strings.Trim(next.Text, `'"`)); value {
			case "false", "off", "0":
			case "", ",", ")", "true", "on", "1", "match", "delimiter", "null", "force", "encoding", ";":
				header = true
			default:
				return 0, false
			}
		}
	}
	if rows = copyLines(data, csv); header && rows > 0 {
		rows--
	}
	return rows, true
}

// copyLines counts the lines of COPY's data. In the text format a backslash before the line's end makes it part of a value, in
// CSV quotes around it do.
func copyLines(data string, csv bool) (n int) {
	quoted := false
	for len(data) > 0 {
		line, rest, ended := strings.Cut(data, "\n")
		data = rest
		if csv {
			quoted = quoted != (strings.Count(line, `"`)%2 == 1)
		} else {
			plain := strings.TrimSuffix(line, "\r")
			backslashes := len(plain) - len(strings.TrimRight(plain, `\`))
			quoted = backslashes%2 == 1
		}
		if !quoted || !ended {
			n++
		}
	}
	return n
}
