package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/migration"
)

// auditTime writes a moment as it goes into the hash of the audit: see migration.AuditEntry.Sum.
func auditTime(column string) string {
	return "pg_catalog.to_char(pg_catalog.timezone('UTC', " + column + `), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

// auditColumns are a row of the audit but for the moment's form: AuditEntry's fields in their order.
const auditColumns = "seq, at, who, db_user, what, environment, target, plan, release, detail, previous, hash"

// AuditSQL appends a row to the audit. Number, moment, user, previous and own hash are the server's to fill in; all else
// of the entry is taken. It belongs into a short transaction at READ COMMITTED: who appends at the same moment waits for
// the row of audit_head, and then goes on from what the other has written.
func (j Journal) AuditSQL(e migration.AuditEntry) string {
	given := []string{e.What, e.Environment, e.Target, e.Plan, e.Release, e.Detail}
	const moment = "pg_catalog.transaction_timestamp()"
	// Each field is summed as its length in UTF-8 and itself. Digits, hashes and the moment are ASCII.
	sum := []string{
		"pg_catalog.length((o.seq + 1)::pg_catalog.text), ':', o.seq + 1", "'27:', " + auditTime(moment), measured(e.Who),
		"pg_catalog.octet_length(pg_catalog.convert_to(session_user::pg_catalog.text, 'UTF8')), ':', session_user::pg_catalog.text",
	}
	values := ""
	for _, text := range given {
		sum, values = append(sum, measured(text)), values+", "+Literal(text)
	}
	sum = append(sum, "pg_catalog.length(o.hash), ':', o.hash")
	// Limit 1, since a table that was never analyzed is taken to have a thousand rows: their square is worth a compiler to the
	// server (jit), which takes a hundred times as long as all this.
	return `with o as (select seq, hash from ` + j.auditHead() + ` limit 1 for update),
moved as (update ` + j.auditHead() + ` h set seq = o.seq + 1, hash = pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.concat(` + strings.Join(sum, ", ") + `), 'UTF8')), 'hex')
from o returning h.seq, o.hash as previous, h.hash)
insert into ` + j.audit() + ` (` + auditColumns + `)
select seq, ` + moment + ", " + Literal(e.Who) + ", session_user" + values + `, previous, hash from moved`
}

// AuditAfterSQL appends the entry, which is whole, if the one before it is still the last: else it is an INSERT of no
// rows. It costs half of what AuditSQL does, for which the server puts the hash together.
func (j Journal) AuditAfterSQL(e migration.AuditEntry) string {
	values := ""
	for _, text := range []string{e.At.UTC().Format("2006-01-02 15:04:05.999999Z07:00"), e.Who, e.DBUser, e.What, e.Environment, e.Target, e.Plan, e.Release, e.Detail, e.Previous, e.Hash} {
		values += ", " + Literal(text)
	}
	return fmt.Sprintf(`with moved as (update %[1]s set seq = %[2]d, hash = %[3]s where seq operator(pg_catalog.=) %[4]d and hash operator(pg_catalog.=) %[5]s returning seq)
insert into %[6]s (%[7]s) select seq%[8]s from moved`,
		j.auditHead(), e.Seq, Literal(e.Hash), e.Seq-1, Literal(e.Previous), j.audit(), auditColumns, values)
}

func (j Journal) copyHead(head *migration.AuditHead) copied {
	return copied{j.auditHead() + " (seq, hash)", 2, func(v []string) (err error) {
		head.Hash = v[1]
		head.Seq, err = strconv.ParseInt(v[0], 10, 64)
		return err
	}}
}

// measured is a text with its length before it, as the hash takes each field.
func measured(text string) string { return Literal(strconv.Itoa(len(text)) + ":" + text) }

// ReadAudit reads the audit and its head, as of one moment, which the caller's transaction has to be.
func (c *Conn) ReadAudit(ctx context.Context, j Journal) ([]migration.AuditEntry, migration.AuditHead, error) {
	var head migration.AuditHead // it stays empty where there is none, and the chain is found not to hold
	if err := c.copyOut(ctx, j.copyHead(&head)); err != nil {
		return nil, head, err
	}
	rows, err := c.query(ctx, "select seq, "+auditTime("at")+", who, db_user, what, environment, target, plan, release, detail, previous, hash from "+j.audit()+" order by seq")
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
