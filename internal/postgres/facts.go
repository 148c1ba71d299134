package postgres

import (
	"context"
	"fmt"
	"slices"
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
	// HistoryKind is the kind of the relation that stands where the history table belongs: 'r' table, 'v' view,
	// 'p' partitioned table …; 0: nothing is there.
	HistoryKind byte
}

// ReadFacts asks for all facts in one round trip. schema may be empty; schemas are the managed ones.
//
// It is the first query of a fresh backend, whose caches are empty: to_regclass and to_regnamespace look into caches
// that are filled anyway, where a join of catalogs would cost as much as the whole rest of a run with nothing to do.
func (c *Conn) ReadFacts(ctx context.Context, schema string, schemas []string, table string) (Facts, error) {
	chosen := "coalesce(nullif(" + Literal(schema) + `, ''), pg_catalog.current_schema()::pg_catalog.text, pg_catalog.current_setting('search_path'))`
	regclass := "pg_catalog.to_regclass(pg_catalog.quote_ident(" + chosen + ") || '.' || pg_catalog.quote_ident(" + Literal(table) + "))"
	sql := `select pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num'),
	pg_catalog.current_database(), current_user, session_user, coalesce(pg_catalog.current_schema(), ''),
	pg_catalog.current_setting('search_path'), pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'),
	` + chosen + `, ` + regclass + `, pg_catalog.pg_relation_filenode(` + regclass + `) is not null,
	pg_catalog.to_regnamespace(pg_catalog.quote_ident(` + chosen + `)) is not null`
	for _, s := range schemas {
		sql += ", pg_catalog.to_regnamespace(" + Literal(Ident(s)) + ") is not null"
	}
	rows, err := c.query(ctx, sql)
	if err != nil {
		return Facts{}, err
	}
	r := rows[0]
	f := Facts{
		Version: *r[0], Database: *r[2], User: *r[3], SessionUser: *r[4], CurrentSchema: *r[5], SearchPath: *r[6],
		InRecovery: *r[7] == "t", ReadOnly: *r[8] == "on", Schema: *r[9],
	}
	if f.VersionNum, err = strconv.Atoi(*r[1]); err != nil {
		return f, err
	}
	switch {
	case r[10] == nil:
	case *r[11] == "t":
		f.HistoryKind = 'r' // of what has a file, only a table has this name in any sane database; reading it tells
	default:
		if f.HistoryKind, err = c.relationKind(ctx, *r[10]); err != nil {
			return f, err
		}
	}
	for i, s := range append([]string{f.Schema}, schemas...) {
		if *r[12+i] == "t" && !slices.Contains(f.Existing, s) {
			f.Existing = append(f.Existing, s)
		}
	}
	return f, nil
}

func (c *Conn) relationKind(ctx context.Context, name string) (byte, error) {
	rows, err := c.query(ctx, "select relkind from pg_catalog.pg_class where oid = pg_catalog.to_regclass("+Literal(name)+")")
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return (*rows[0][0])[0], nil
}

// MissingColumns lists the columns that a schema history table has and this table lacks.
func (c *Conn) MissingColumns(ctx context.Context, h History) ([]string, error) {
	rows, err := c.query(ctx, "select attname from pg_catalog.pg_attribute where attrelid = pg_catalog.to_regclass("+Literal(h.name())+
		") and attnum > 0 and not attisdropped")
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, r := range rows {
		have[*r[0]] = true
	}
	return slices.DeleteFunc(slices.Clone(Columns), func(name string) bool { return have[name] }), nil
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
