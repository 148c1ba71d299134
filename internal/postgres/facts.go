package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// Facts is what the target said about itself and the place of its history.
type Facts struct {
	Version       string // "15.20 (Debian 15.20-0+deb12u1)"
	VersionNum    int    // 150020
	Database      string
	User          string // current_user
	SessionUser   string
	CurrentSchema string // "" when the search_path names no existing schema
	SearchPath    string // as text, unexpanded
	InRecovery    bool   // a standby
	ReadOnly      bool   // new transactions are read only

	Schema   string   // the default schema: the one asked for, else CurrentSchema, else SearchPath
	Existing []string // those of the managed schemas that exist
	// History has the kind of the relation that stands where the history table belongs ('r' table, 'v' view, 'p'
	// partitioned table …; 0: nothing is there) and its columns in order.
	HistoryKind    byte
	HistoryColumns []string
}

// ReadFacts asks for all facts in one round trip. schema may be empty; schemas are the managed ones.
func (c *Conn) ReadFacts(ctx context.Context, schema string, schemas []string, table string) (Facts, error) {
	chosen := "coalesce(nullif(" + Literal(schema) + `, ''), pg_catalog.current_schema()::pg_catalog.text,
		pg_catalog.current_setting('search_path'))`
	rows, err := c.query(ctx, fmt.Sprintf(`select pg_catalog.json_build_object(
	'Version', pg_catalog.current_setting('server_version'),
	'VersionNum', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
	'Database', pg_catalog.current_database(),
	'User', current_user, 'SessionUser', session_user,
	'CurrentSchema', coalesce(pg_catalog.current_schema(), ''),
	'SearchPath', pg_catalog.current_setting('search_path'),
	'InRecovery', pg_catalog.pg_is_in_recovery(),
	'ReadOnly', pg_catalog.current_setting('transaction_read_only') = 'on',
	'Schema', %[1]s,
	'Existing', (select coalesce(pg_catalog.json_agg(nspname), '[]') from pg_catalog.pg_namespace
		where nspname = any (%[2]s || %[1]s))),
	(select c.relkind::pg_catalog.text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = %[1]s and c.relname = %[3]s),
	(select pg_catalog.json_agg(a.attname order by a.attnum) from pg_catalog.pg_attribute a
		join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = %[1]s and c.relname = %[3]s and a.attnum > 0 and not a.attisdropped)`,
		chosen, literalArray(schemas), Literal(table)))
	if err != nil {
		return Facts{}, err
	}
	var f Facts
	if err := json.Unmarshal([]byte(*rows[0][0]), &f); err != nil {
		return Facts{}, fmt.Errorf("reading the server's facts: %w", err)
	}
	if kind := rows[0][1]; kind != nil {
		f.HistoryKind = (*kind)[0]
	}
	if columns := rows[0][2]; columns != nil {
		if err := json.Unmarshal([]byte(*columns), &f.HistoryColumns); err != nil {
			return Facts{}, fmt.Errorf("reading the history table's columns: %w", err)
		}
	}
	return f, nil
}

// SchemaEmpty reports whether a schema holds nothing that Flyway counts: ordinary tables, views, sequences and TOAST
// tables, types that are neither arrays nor row types, and routines, members of extensions aside (flyway.md §4.2).
// A schema that does not exist is empty.
func (c *Conn) SchemaEmpty(ctx context.Context, schema string) (bool, error) {
	rows, err := c.query(ctx, fmt.Sprintf(`select not exists (
	select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where n.nspname = %[1]s and c.relkind in ('r', 'v', 'S', 't') and not exists (
			select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'))
	and not exists (
	select from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
		where n.nspname = %[1]s and t.typcategory not in ('A', 'C') and not exists (
			select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = t.oid and d.deptype = 'e'))
	and not exists (
	select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
		where n.nspname = %[1]s and not exists (
			select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'e'))`,
		Literal(schema)))
	if err != nil {
		return false, err
	}
	return *rows[0][0] == "t", nil
}

// Partitioned reports whether a table or index, named as in SQL, is partitioned. A name that is not there is not.
func (c *Conn) Partitioned(ctx context.Context, relation string) (bool, error) {
	rows, err := c.query(ctx, "select relkind in ('p', 'I') from pg_catalog.pg_class where oid = pg_catalog.to_regclass("+Literal(relation)+")")
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return *rows[0][0] == "t", nil
}

// Blocker describes the session that holds the advisory lock key, if one can be seen.
func (c *Conn) Blocker(ctx context.Context, key int64) (LockHolder, bool, error) {
	rows, err := c.query(ctx, fmt.Sprintf(`select l.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''),
	coalesce(pg_catalog.host(a.client_addr), ''), coalesce(a.state, ''), coalesce(a.query, ''),
	coalesce(extract(epoch from pg_catalog.clock_timestamp() - a.xact_start), 0)::pg_catalog.float8
	from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid
	where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
	and l.classid = %d and l.objid = %d limit 1`, uint32(uint64(key)>>32), uint32(uint64(key)&0xffffffff)))
	if err != nil || len(rows) == 0 {
		return LockHolder{}, false, err
	}
	r := rows[0]
	pid, err := strconv.ParseInt(*r[0], 10, 32)
	if err != nil {
		return LockHolder{}, false, err
	}
	age, err := strconv.ParseFloat(*r[6], 64)
	return LockHolder{PID: int32(pid), User: *r[1], Application: *r[2], Host: *r[3], State: *r[4], Query: *r[5], Age: age}, true, err
}

// LockHolder is the session that holds a lock.
type LockHolder struct {
	PID                                   int32
	User, Application, Host, State, Query string
	Age                                   float64 // seconds since its transaction began
}
