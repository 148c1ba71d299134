package migration

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
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

// digest writes what tells a row from another; %q keeps the fields apart whatever is in them.
func (r *Row) digest(to io.Writer) {
	_, _ = fmt.Fprintf(to, "row %d %q %q %s %q %s %t\n", r.Rank, r.Version, r.Description, r.Type, r.Script, sumText(r.Checksum), r.Success) // hashes do not fail
}
