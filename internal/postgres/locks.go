package postgres

import (
	"context"
	"strconv"
)

// HeldLock is a lock of this connection's transaction on a relation that is neither the catalogs' nor TOAST.
type HeldLock struct {
	Relation uint32 // its oid
	Name     string // with its schema, quoted where needed
	Kind     byte   // as pg_class.relkind has it: 'r' a table, 'i' an index
	Mode     string // "AccessExclusiveLock"
	File     uint32 // where its rows are; another number than before means that they were written anew
}

// lasting tells relations that stay, other than the catalogs', by the name n of their schema's row.
const lasting = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'"

// HeldLocks lists the locks, and before it does it sends first, which may be empty, in the same message.
func (c *Conn) HeldLocks(ctx context.Context, first string) ([]HeldLock, error) {
	if first != "" {
		first += "; "
	}
	rows, err := c.query(ctx, first+`select c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, l.mode, c.relfilenode
	from pg_catalog.pg_locks l join pg_catalog.pg_class c on c.oid = l.relation join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where l.locktype = 'relation' and l.pid = pg_catalog.pg_backend_pid() and l.granted
	and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
	and `+lasting+" order by 2, 4")
	var locks []HeldLock
	for _, r := range rows {
		locks = append(locks, HeldLock{Relation: number(r[0]), Name: *r[1], Kind: (*r[2])[0], Mode: *r[3], File: number(r[4])})
	}
	return locks, err
}

// RelationFiles tells where the rows of each relation are, by oid; catalogs, TOAST and what has no rows are left out.
func (c *Conn) RelationFiles(ctx context.Context) (map[uint32]uint32, error) {
	rows, err := c.query(ctx, "select c.oid, c.relfilenode from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where "+lasting)
	files := map[uint32]uint32{}
	for _, r := range rows {
		files[number(r[0])] = number(r[1])
	}
	return files, err
}

// SequenceValues gives the last value of each sequence that was used and may be read, by its name with the schema.
func (c *Conn) SequenceValues(ctx context.Context) (map[string]string, error) {
	rows, err := c.query(ctx, `select pg_catalog.format('%I.%I', schemaname, sequencename), last_value from pg_catalog.pg_sequences
	where last_value is not null and schemaname !~ '^pg_temp'`)
	values := map[string]string{}
	for _, r := range rows {
		values[*r[0]] = *r[1]
	}
	return values, err
}

// InitiallyDeferred is the statement that defers what is deferred at the start of a transaction; "" where nothing is.
func (c *Conn) InitiallyDeferred(ctx context.Context) (string, error) {
	rows, err := c.query(ctx, `select 'set constraints ' || pg_catalog.string_agg(distinct pg_catalog.format('%I.%I', n.nspname, c.conname), ', ') || ' deferred'
	from pg_catalog.pg_constraint c join pg_catalog.pg_namespace n on n.oid = c.connamespace where c.condeferrable and c.condeferred
	and not exists (select from pg_catalog.pg_constraint o where o.conname = c.conname and o.connamespace = c.connamespace and not o.condeferrable)`)
	if err != nil || rows[0][0] == nil {
		return "", err
	}
	return *rows[0][0], nil
}

// number reads an oid as the server writes it.
func number(s *string) uint32 {
	n, _ := strconv.ParseUint(*s, 10, 32) // the column's type has no other text
	return uint32(n)
}
