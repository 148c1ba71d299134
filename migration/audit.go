package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// AuditEntry is one row of the audit: who changed what. Each holds the hash of the one before, so that none can be
// changed, taken out or moved without all that follow not fitting any more.
type AuditEntry struct {
	Seq         int64 // 1, 2, 3 …
	At          time.Time
	Who         string // the releaser
	DBUser      string
	What        string // "migrate", "migrate ended", "pin" …
	Environment string
	Target      string // the database and its history: "shop public.flyway_schema_history"
	Plan        string // the plan's fingerprint; "" where there is none
	Release     string // "" where there is none
	Detail      string // a JSON object
	Previous    string // the hash of the row before; "" for the first
	Hash        string // of all that stands above, see Sum
}

// auditTime is how the moment goes into the hash: in UTC, with the server's microseconds.
const auditTime = "2006-01-02T15:04:05.000000Z"

// Sum is the hash that belongs to the entry: the SHA-256, in hexadecimal, of its fields in their order, each as its
// length in bytes, a colon and its text.
func (e AuditEntry) Sum() string {
	var b strings.Builder
	for _, field := range [...]string{
		fmt.Sprint(e.Seq), e.At.UTC().Format(auditTime), e.Who, e.DBUser, e.What, e.Environment, e.Target, e.Plan, e.Release, e.Detail, e.Previous,
	} {
		fmt.Fprintf(&b, "%d:%s", len(field), field)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// AuditHead is what the audit says of its own last row, in a table of its own: without it a row taken from the end would
// not be missed.
type AuditHead struct {
	Seq  int64
	Hash string
}

// AuditFault is the first place at which an audit does not hold.
type AuditFault struct {
	Seq  int64 // of the row
	Text string
}

func (f *AuditFault) Error() string { return fmt.Sprintf("row %d: %s", f.Seq, f.Text) }

// VerifyAudit reads the chain through; entries are all rows in the order of Seq. Nil says that it holds.
func VerifyAudit(entries []AuditEntry, head AuditHead) *AuditFault {
	previous := ""
	for i, e := range entries {
		want := int64(i + 1)
		switch {
		case e.Seq > want:
			return &AuditFault{want, "it is missing: the next is row " + fmt.Sprint(e.Seq)}
		case e.Seq < want:
			return &AuditFault{e.Seq, "its number is out of order"}
		case e.Previous != previous:
			return &AuditFault{e.Seq, "it does not follow from the row before it: one of the two was changed, moved or put in"}
		case e.Sum() != e.Hash:
			return &AuditFault{e.Seq, "it was changed after it was written: its hash does not fit"}
		}
		previous = e.Hash
	}
	switch n := int64(len(entries)); {
	case head.Seq > n:
		return &AuditFault{n + 1, fmt.Sprintf("it is missing: there have been %d rows", head.Seq)}
	case head.Seq < n:
		return &AuditFault{head.Seq + 1, fmt.Sprintf("it was put in by something else than Skein: there have been %d rows", head.Seq)}
	case head.Hash != previous:
		return &AuditFault{n, "the table audit_head, which holds the last hash, has another: one of the two was changed"}
	}
	return nil
}
