package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skein-db/skein/adoption"
)

const beginReadOnly = "begin transaction isolation level repeatable read read only"

// BeginReadOnly begins a transaction that sees one moment and in which the server lets nothing be written. It is a
// transaction and not a setting of the session because a pooler may lend the session to others.
func (c *Conn) BeginReadOnly(ctx context.Context) error {
	return c.Exec(ctx, beginReadOnly, nil)
}

// lookalikes finds, by their columns, tables that hold the history of a tool, in schemas that are not the system's.
// The catalogs are open to every role, so that this needs no privilege.
const lookalikes = `select * from (
select n.nspname, c.relname,
	case when columns @> array['installed_rank','version','description','type','script','checksum','installed_by','installed_on','execution_time','success'] then 'Flyway'
		when columns @> array['version','dirty'] and pg_catalog.array_length(columns, 1) = 2 and types @> array['int8','bool'] then 'golang-migrate'
		when columns @> array['id','version_id','is_applied','tstamp'] then 'goose'
		when columns @> array['id','author','filename','dateexecuted','orderexecuted','exectype','md5sum'] then 'Liquibase'
		when c.relname = 'schema_migrations' and columns @> array['version'] then 'unknown' end as tool,
	columns @> array['version_rank'],
	pg_catalog.has_schema_privilege(n.oid, 'usage'), pg_catalog.has_table_privilege(c.oid, 'select')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral (select pg_catalog.array_agg(a.attname::text) as columns, pg_catalog.array_agg(t.typname::text) as types
	from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
	where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) a
where c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%') x where tool is not null order by 1, 2`

// HistoryTables finds every table of the database that looks like a history; ReadRows reads them. What the role may not
// read comes with the GRANTs that it would need.
func (c *Conn) HistoryTables(ctx context.Context) ([]adoption.Table, error) {
	user, err := c.query(ctx, "select current_user")
	if err != nil {
		return nil, err
	}
	rows, err := c.query(ctx, lookalikes)
	if err != nil {
		return nil, err
	}
	var out []adoption.Table
	for _, r := range rows {
		t := adoption.Table{Schema: *r[0], Name: *r[1], Tool: adoption.Tool(*r[2]), Ranked: *r[3] == "t"}
		if *r[4] != "t" {
			t.Grants = append(t.Grants, grantUsage(t.Schema, *user[0][0]))
		}
		if *r[5] != "t" {
			t.Grants = append(t.Grants, fmt.Sprintf("grant select on %s to %s;", Qualified(t.Schema, t.Name), Ident(*user[0][0])))
		}
		out = append(out, t)
	}
	return out, nil
}

// Closed lists the GRANTs that the role needs to see inside those of the schemas that exist; without schemas, inside
// those of the search path, if it can use none of them.
func (c *Conn) Closed(ctx context.Context, schemas []string) ([]string, error) {
	rows, err := c.query(ctx, `select nspname, current_user, pg_catalog.current_schema() is null
		and pg_catalog.quote_ident(nspname) = any (pg_catalog.regexp_split_to_array(pg_catalog.current_setting('search_path'), '\s*,\s*'))
	from pg_catalog.pg_namespace where not pg_catalog.has_schema_privilege(oid, 'usage')`)
	var out []string
	for _, r := range rows {
		if slices.Contains(schemas, *r[0]) || len(schemas) == 0 && *r[2] == "t" {
			out = append(out, grantUsage(*r[0], *r[1]))
		}
	}
	return out, err
}

func grantUsage(schema, user string) string {
	return fmt.Sprintf("grant usage on schema %s to %s;", Ident(schema), Ident(user))
}

// ReadRows reads the rows of a table that HistoryTables has found.
func (c *Conn) ReadRows(ctx context.Context, t *adoption.Table) error {
	if err := c.readRows(ctx, t); err != nil {
		return fmt.Errorf("%s: %w", Qualified(t.Schema, t.Name), err)
	}
	return nil
}

func (c *Conn) readRows(ctx context.Context, t *adoption.Table) (err error) {
	name := Qualified(t.Schema, t.Name)
	switch t.Tool {
	case adoption.Flyway:
		t.Rows, err = c.ReadHistory(ctx, History{Schema: t.Schema, Table: t.Name})
		if shape, ok := errors.AsType[*ShapeError](err); ok {
			t.Fault, err = shape.Error(), nil
		}
	case adoption.GolangMigrate:
		t.Marks, err = c.marks(ctx, "select version, true, dirty from "+name+" where version >= 0 order by version")
	case adoption.Goose:
		// Each up and, before goose 3, each down adds a row; the version 0 only marks the table.
		t.Marks, err = c.marks(ctx, "select distinct on (version_id) version_id, is_applied, false from "+name+" where version_id > 0 order by version_id, id desc")
	case adoption.Liquibase:
		var rows [][]*string
		rows, err = c.query(ctx, "select id, author, filename, exectype from "+name+" order by dateexecuted, orderexecuted")
		for _, r := range rows {
			t.Changesets = append(t.Changesets, adoption.Changeset{ID: orEmpty(r[0]), Author: orEmpty(r[1]), File: orEmpty(r[2]), Type: strings.ToUpper(orEmpty(r[3]))})
		}
		if err == nil {
			t.LockedBy, err = c.liquibaseLock(ctx, Qualified(t.Schema, t.Name+"lock"))
		}
	}
	return err
}

// liquibaseLock says who holds Liquibase's lock, "" for nobody. The table is named after the other one as a rule; without
// it, or without the privilege, nothing is known.
func (c *Conn) liquibaseLock(ctx context.Context, name string) (string, error) {
	rows, err := c.query(ctx, "select pg_catalog.has_table_privilege(c.oid, 'select') from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass("+Literal(name)+
		") and (select count(*) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname in ('locked', 'lockedby') and not a.attisdropped) = 2")
	if err != nil || len(rows) == 0 || *rows[0][0] != "t" {
		return "", err
	}
	rows, err = c.query(ctx, "select coalesce(lockedby, 'somebody') from "+name+" where locked limit 1")
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return *rows[0][0], nil
}

func (c *Conn) marks(ctx context.Context, sql string) ([]adoption.Mark, error) {
	rows, err := c.query(ctx, sql)
	var out []adoption.Mark
	for _, r := range rows {
		version, err := strconv.ParseInt(*r[0], 10, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, adoption.Mark{Version: version, Applied: *r[1] == "t", Dirty: *r[2] == "t"})
	}
	return out, err
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
