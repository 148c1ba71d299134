package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/migration"
)

// auditTime writes a moment as it goes into the hash of the audit: see migration.AuditEntry.Sum.
func auditTime(column string) string {
	return "pg_catalog.to_char(pg_catalog.timezone('UTC', " + column + `), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

// AuditSQL appends a row to the audit. Number, moment, user, previous and own hash are the server's to fill in; all else
// of the entry is taken. It belongs into a short transaction at READ COMMITTED: who appends at the same moment waits for
// the row of audit_head, and then goes on from what the other has written.
func (j Journal) AuditSQL(e migration.AuditEntry) string {
	given := []struct{ name, text string }{
		{"who", e.Who}, {"what", e.What}, {"environment", e.Environment}, {"target", e.Target}, {"plan", e.Plan}, {"release", e.Release}, {"detail", e.Detail},
	}
	values, fields := "session_user::pg_catalog.text as db_user", []string{measured("seq::pg_catalog.text"), measured(auditTime("at"))}
	for i, g := range given {
		values += ", " + Literal(g.text) + "::pg_catalog.text as " + g.name
		fields = append(fields, Literal(strconv.Itoa(len(g.text))+":"+g.text))
		if i == 0 {
			fields = append(fields, measured("db_user"))
		}
	}
	fields = append(fields, measured("previous"))
	const columns = "seq, at, who, db_user, what, environment, target, plan, release, detail, previous"
	return `with head as (select seq, hash from ` + j.auditHead() + ` for update),
entry as (select seq + 1 as seq, pg_catalog.transaction_timestamp() as at, ` + values + `, hash as previous from head),
summed as (select ` + columns + `, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(` + strings.Join(fields, ", ") + `), 'UTF8')), 'hex') as hash from entry),
moved as (update ` + j.auditHead() + ` h set seq = s.seq, hash = s.hash from summed s)
insert into ` + j.audit() + ` (` + columns + `, hash) select ` + columns + `, hash from summed`
}

// measured lists a text's length in UTF-8 and the text, as the hash takes each field.
func measured(text string) string {
	return "pg_catalog.octet_length(pg_catalog.convert_to(" + text + ", 'UTF8')), ':', " + text
}

// ReadAudit reads the audit and its head, as of one moment, which the caller's transaction has to be.
func (c *Conn) ReadAudit(ctx context.Context, j Journal) ([]migration.AuditEntry, migration.AuditHead, error) {
	var head migration.AuditHead
	rows, err := c.query(ctx, "select seq, hash from "+j.auditHead())
	if err != nil {
		return nil, head, err
	}
	if len(rows) == 1 { // none, and the chain is found not to hold
		head.Hash = *rows[0][1]
		if head.Seq, err = strconv.ParseInt(*rows[0][0], 10, 64); err != nil {
			return nil, head, err
		}
	}
	rows, err = c.query(ctx, "select seq, "+auditTime("at")+", who, db_user, what, environment, target, plan, release, detail, previous, hash from "+j.audit()+" order by seq")
	if err != nil {
		return nil, head, err
	}
	out := make([]migration.AuditEntry, len(rows))
	for i, r := range rows {
		e := migration.AuditEntry{Who: *r[2], DBUser: *r[3], What: *r[4], Environment: *r[5], Target: *r[6], Plan: *r[7], Release: *r[8], Detail: *r[9], Previous: *r[10], Hash: *r[11]}
		if e.Seq, err = strconv.ParseInt(*r[0], 10, 64); err == nil {
			e.At, err = time.Parse(time.RFC3339Nano, *r[1])
		}
		if err != nil {
			return nil, head, err
		}
		out[i] = e
	}
	return out, head, nil
}
