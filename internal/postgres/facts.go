package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// OldestServer is the version of PostgreSQL, by server_version_num, whose catalogs and SQL are asked for.
const OldestServer = 110000

// Facts is what the target said about itself and the place of its history.
type Facts struct {
	Version    string // "15.20 (Debian 15.20-0+deb12u1)"
	VersionNum int    // 150020
	Database   string
	User       string // current_user
	SearchPath string // as text, unexpanded
	InRecovery bool   // a standby
	ReadOnly   bool   // new transactions are read only

	Schema   string   // the default schema: the one asked for, else the first of the search_path that exists, else SearchPath
	Existing []string // those of the managed schemas that exist
	// HasHistory says that there is a relation where the history table belongs. What it is, ReadHistory finds.
	HasHistory bool
	// HasSide says that there is a schema of the journal's name; ReadSide finds what is in it.
	HasSide bool
	Reach   Reach // where it was asked for
}

// Place is where a run looks for what is its own.
type Place struct {
	Schema string   // of the history table; "": the session's first
	Others []string // the managed schemas
	Table  string
	Side   string // the schema of journal and side tables
	// Reach asks besides what a Glance may look at.
	Reach bool
}

// ReadFacts asks for all facts in one round trip.
//
// It is the first query of a fresh backend, whose caches are empty, so that every function it names costs a look into
// the catalogs: what the server has told at the connection's start is not asked again, keywords of SQL stand in for
// functions, and to_regclass and to_regnamespace for joins. Together with COPY for the history this is a third of a run with nothing to do.
func (c *Conn) ReadFacts(ctx context.Context, p Place) (Facts, error) {
	q := c.askFacts(p)
	rows, err := c.query(ctx, q.sql)
	if err != nil {
		return Facts{}, err
	}
	return q.facts(rows[0])
}

// FactsBehind reads the facts if nobody holds the advisory lock of that key, and which of the schemas in look are empty
// (see SchemaEmpty). All of it is as it was after the holder before had ended; free says whether there was none.
func (c *Conn) FactsBehind(ctx context.Context, key int64, p Place, look []string) (f Facts, empty map[string]bool, free bool, err error) {
	q := c.askFacts(p)
	sql := fmt.Sprintf("select pg_catalog.pg_try_advisory_xact_lock(%d); %s", key, q.sql)
	for _, s := range look {
		sql += "; " + schemaEmpty(s)
	}
	alone := c.pg.TxStatus() == 'I' // a trial has a transaction open, which has to stay so
	if alone {
		// A transaction of another level would see what there was before the holder's end.
		sql = "begin isolation level read committed; " + sql + "; commit"
	}
	rows, err := c.query(ctx, sql)
	if err != nil && alone {
		err = errors.Join(err, c.Rollback(context.WithoutCancel(ctx)))
	}
	if err != nil {
		return Facts{}, nil, false, err
	}
	empty = map[string]bool{}
	for i, s := range look {
		empty[s] = *rows[2+i][0] == "t"
	}
	f, err = q.facts(rows[1])
	return f, empty, *rows[0][0] == "t", err
}

// factsQuery asks for the facts, and reads the answer, which is one row.
type factsQuery struct {
	sql   string
	facts func(row []*string) (Facts, error)
}

func (c *Conn) askFacts(p Place) factsQuery {
	f := Facts{Schema: p.Schema}
	place := Literal(Qualified(p.Schema, p.Table))
	if p.Schema == "" {
		place = "pg_catalog.quote_ident(current_schema) || " + Literal("."+Ident(p.Table))
	} else if !slices.Contains(p.Others, p.Schema) {
		p.Others = append([]string{p.Schema}, p.Others...)
	}
	table := "pg_catalog.to_regclass(" + place + ")"
	sql := "select current_user, current_catalog, current_schema, pg_catalog.current_setting('search_path'), " + table + " is not null, pg_catalog.to_regnamespace(" + Literal(Ident(p.Side)) + ") is not null"
	for _, s := range p.Others {
		sql += ", pg_catalog.to_regnamespace(" + Literal(Ident(s)) + ") is not null"
	}
	if p.Reach {
		sql += ", " + Journal{Schema: p.Side}.reach(table)
	}
	told, more := c.told(&f)
	return factsQuery{sql: sql + more, facts: func(row []*string) (Facts, error) {
		err := f.read(row, p, told)
		return f, err
	}}
}

// read takes over what was answered for the place; told says that the server has told the rest.
func (f *Facts) read(r []*string, p Place, told bool) (err error) {
	f.User, f.Database, f.SearchPath, f.HasHistory = *r[0], *r[1], *r[3], *r[4] == "t"
	f.HasSide = *r[5] == "t"
	current := ""
	if r[2] != nil {
		current = *r[2]
	}
	r = r[6:]
	for i, s := range p.Others {
		if *r[i] == "t" {
			f.Existing = append(f.Existing, s)
		}
	}
	if p.Schema == "" {
		f.Schema = cmp.Or(current, f.SearchPath)
		if current != "" && !slices.Contains(f.Existing, f.Schema) {
			f.Existing = append(f.Existing, f.Schema)
		}
	}
	if r = r[len(p.Others):]; p.Reach {
		if r, err = f.Reach.read(r); err != nil {
			return err
		}
	}
	if !told {
		f.Version, f.InRecovery, f.ReadOnly = *r[0], *r[2] == "t", *r[3] == "on"
		f.VersionNum, err = strconv.Atoi(*r[1])
	}
	return err
}

// told takes what the server reported on its own when the connection began, as servers from version 14 on do unless a
// pooler stands between; more is what has to be asked otherwise.
func (c *Conn) told(f *Facts) (all bool, more string) {
	status := c.pg.ParameterStatus
	version, standby, readOnly := status("server_version"), status("in_hot_standby"), status("default_transaction_read_only")
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 || standby == "" || readOnly == "" {
		return false, ", pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')," +
			" pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')"
	}
	f.Version, f.VersionNum, f.InRecovery, f.ReadOnly = version, major*10000+minor, standby == "on", readOnly == "on"
	return true, ""
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
	rows, err := c.query(ctx, schemaEmpty(schema))
	if err != nil {
		return false, err
	}
	return *rows[0][0] == "t", nil
}

func schemaEmpty(schema string) string {
	return fmt.Sprintf(`select not exists (
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
		Literal(schema))
}

// Partitioned reports whether a table or index, named as in SQL, is partitioned. A name that is not there is not.
func (c *Conn) Partitioned(ctx context.Context, relation string) (bool, error) {
	rows, err := c.query(ctx, "select relkind in ('p', 'I') from pg_catalog.pg_class where oid = pg_catalog.to_regclass("+Literal(relation)+")")
	if err != nil || len(rows) == 0 {
		return false, err
	}
	return *rows[0][0] == "t", nil
}

// Blocker describes the session that holds one of the advisory locks, the first that is held, if one can be seen.
func (c *Conn) Blocker(ctx context.Context, keys ...int64) (LockHolder, bool, error) {
	var each, order []string
	for i, key := range keys {
		class, object := halves(key)
		is := "l.classid = " + class + " and l.objid = " + object
		each, order = append(each, is), append(order, fmt.Sprintf("when %s then %d", is, i))
	}
	held := fmt.Sprintf(`l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
	and (%s)`, strings.Join(each, " or "))
	// Nearly always nobody does, and the views take longer to be planned than this does to be answered.
	rows, err := c.query(ctx, "select true from pg_catalog.pg_lock_status() l where "+held+" limit 1")
	if err != nil || len(rows) == 0 {
		return LockHolder{}, false, err
	}
	return c.session(ctx, "from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid = l.pid where "+held+" and (a.pid is not null or l.pid is null) order by case "+strings.Join(order, " ")+" end limit 1")
}

// IsOf reports whether the database is one of those with these oids.
func (c *Conn) IsOf(ctx context.Context, oids []string) (bool, error) {
	rows, err := c.query(ctx, "select oid from pg_catalog.pg_database where datname = current_catalog")
	return err == nil && len(rows) > 0 && slices.Contains(oids, *rows[0][0]), err
}

// session describes the first session that a query's rest finds; a is pg_stat_activity there.
func (c *Conn) session(ctx context.Context, from string) (LockHolder, bool, error) {
	rows, err := c.query(ctx, `select coalesce(a.pid, 0), coalesce(a.usename, ''), coalesce(a.application_name, ''),
	coalesce(pg_catalog.host(a.client_addr), ''), coalesce(a.state, ''), coalesce(a.query, ''),
	coalesce(extract(epoch from pg_catalog.clock_timestamp() - a.xact_start), 0)::pg_catalog.float8 `+from)
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

// Clock is the server's time.
func (c *Conn) Clock(ctx context.Context) (time.Time, error) {
	rows, err := c.query(ctx, "select pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse("2006-01-02 15:04:05.999999", *rows[0][0])
}
