package postgres

import (
	"context"
	"fmt"
)

// cleanPass lists, in the order of their removal, what one pass over a schema drops (flyway.md §4.7): each query
// gives the statements to run. Members of extensions go with their extension.
var cleanPasses = []string{
	`select 'drop materialized view if exists ' || pg_catalog.format('%%I.%%I', n.nspname, c.relname) || ' cascade' from pg_catalog.pg_class c
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = %[1]s and c.relkind = 'm' and ` + noMember("pg_class", "c.oid"),
	`select 'drop view if exists ' || pg_catalog.format('%%I.%%I', n.nspname, c.relname) || ' cascade' from pg_catalog.pg_class c
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = %[1]s and c.relkind = 'v' and ` + noMember("pg_class", "c.oid"),
	`select 'drop table if exists ' || pg_catalog.format('%%I.%%I', n.nspname, c.relname) || ' cascade' from pg_catalog.pg_class c
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = %[1]s and c.relkind in ('r', 'p')
		and not exists (select from pg_catalog.pg_inherits i where i.inhrelid = c.oid) and ` + noMember("pg_class", "c.oid"),
	cleanTypes,
	`select 'drop ' || case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end || ' if exists '
		|| pg_catalog.format('%%I.%%I', n.nspname, p.proname) || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ') cascade'
		from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
		where n.nspname = %[1]s and ` + noMember("pg_proc", "p.oid"),
	`select 'drop type if exists ' || pg_catalog.format('%%I.%%I', n.nspname, t.typname) || ' cascade' from pg_catalog.pg_type t
		join pg_catalog.pg_namespace n on n.oid = t.typnamespace where n.nspname = %[1]s and t.typtype = 'e' and ` + noMember("pg_type", "t.oid"),
	`select 'drop domain if exists ' || pg_catalog.format('%%I.%%I', n.nspname, t.typname) || ' cascade' from pg_catalog.pg_type t
		join pg_catalog.pg_namespace n on n.oid = t.typnamespace where n.nspname = %[1]s and t.typtype = 'd' and ` + noMember("pg_type", "t.oid"),
	`select 'drop sequence if exists ' || pg_catalog.format('%%I.%%I', n.nspname, c.relname) || ' cascade' from pg_catalog.pg_class c
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = %[1]s and c.relkind = 'S' and ` + noMember("pg_class", "c.oid"),
	cleanTypes,
	`select 'drop collation if exists ' || pg_catalog.format('%%I.%%I', n.nspname, l.collname) || ' cascade' from pg_catalog.pg_collation l
		join pg_catalog.pg_namespace n on n.oid = l.collnamespace where n.nspname = %[1]s and ` + noMember("pg_collation", "l.oid"),
	`select 'drop extension if exists ' || pg_catalog.format('%%I', e.extname) || ' cascade' from pg_catalog.pg_extension e
		join pg_catalog.pg_namespace n on n.oid = e.extnamespace join pg_catalog.pg_roles r on r.oid = e.extowner
		where n.nspname = %[1]s and r.rolname = current_user`,
}

// cleanTypes drops base, range, composite and shell types; dropping a base type takes its input functions along.
const cleanTypes = `select 'drop type if exists ' || pg_catalog.format('%%I.%%I', n.nspname, t.typname) || ' cascade' from pg_catalog.pg_type t
	join pg_catalog.pg_namespace n on n.oid = t.typnamespace left join pg_catalog.pg_class c on c.oid = t.typrelid
	where n.nspname = %[1]s and (t.typtype in ('b', 'r', 'p') and t.typcategory <> 'A' or t.typtype = 'c' and c.relkind = 'c')
	and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid = t.oid and d.deptype = 'e')`

func noMember(catalog, oid string) string {
	return "not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog." + catalog +
		"'::pg_catalog.regclass and d.objid = " + oid + " and d.deptype = 'e')"
}

// CleanSchema drops what is in the schema, in one transaction.
func (c *Conn) CleanSchema(ctx context.Context, schema string) error {
	if err := c.Exec(ctx, "begin", nil); err != nil {
		return err
	}
	for _, pass := range cleanPasses {
		rows, err := c.query(ctx, fmt.Sprintf(pass, Literal(schema)))
		for i := 0; i < len(rows) && err == nil; i++ {
			err = c.Exec(ctx, *rows[i][0], nil)
		}
		if err != nil {
			_ = c.Rollback(ctx) // the first error is the one to tell
			return err
		}
	}
	return c.Exec(ctx, "commit", nil)
}
