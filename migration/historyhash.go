package migration

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
)

// HistoryHash is the SHA-256, in hexadecimal, of the history: of each row, in the order of ranks, its rank, version,
// description, type, script, checksum and success. It is what an approval is bound to. When a row was written, by whom and
// in what time is no part of it.
func HistoryHash(rows []Row) string {
	sorted := make([]*Row, len(rows))
	for i := range rows {
		sorted[i] = &rows[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Row) int { return cmp.Compare(a.Rank, b.Rank) })
	h := sha256.New()
	for _, row := range sorted {
		row.digest(h)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digest writes what tells a row from another; quotes keep the fields apart whatever is in them. All rows of a history are
// written in each run, so it does not go through fmt: the line is "row %d %q %q %s %q %s %t".
func (r *Row) digest(to io.Writer) {
	line := make([]byte, 0, 160)
	line = strconv.AppendInt(append(line, "row "...), int64(r.Rank), 10)
	line = appendQuoted(append(line, ' '), r.Version.text)
	line = appendQuoted(append(line, ' '), r.Description)
	line = append(append(line, ' '), r.Type...)
	line = appendQuoted(append(line, ' '), r.Script)
	line = append(append(line, ' '), sumText(r.Checksum)...)
	line = strconv.AppendBool(append(line, ' '), r.Success)
	_, _ = to.Write(append(line, '\n')) // hashes do not fail
}

// appendQuoted is strconv.AppendQuote, faster where there is nothing to escape.
func appendQuoted(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return strconv.AppendQuote(to, text)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}
