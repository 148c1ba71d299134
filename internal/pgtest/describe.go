package pgtest

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// described is what is in a database, an object a row: what kind, its name, and what makes it what it is. Members of
// extensions come with these.
const described = `
with own as (select oid, nspname from pg_namespace where nspname !~ '^pg_|^information_schema$' and nspname <> $1),
member as (select classid, objid from pg_depend where deptype = 'e'),
rel as (select c.* from pg_class c join own on own.oid = relnamespace where ('pg_class'::regclass, c.oid) not in (select * from member))
select 'schema', nspname, concat_ws(' ', nspowner::regrole, nspacl) from pg_namespace where oid in (select oid from own)
union all select 'relation', oid::regclass::text, concat_ws(' ', relkind, relpersistence, relowner::regrole, relacl, reloptions, relrowsecurity, relispartition,
	pg_get_expr(relpartbound, oid)) from rel where relkind not in ('i', 'I')
union all select 'column', a.attrelid::regclass || ' ' || row_number() over (partition by attrelid order by attnum), concat_ws(' ', attname,
	format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attcollation::regcollation, attacl, pg_get_expr(adbin, adrelid))
	from pg_attribute a join rel on rel.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
	where attnum > 0 and not attisdropped and relkind not in ('i', 'I')
union all select 'index', indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid) from pg_index join rel on rel.oid = indrelid
union all select 'constraint', concat_ws(' ', nullif(conrelid, 0)::regclass, nullif(contypid, 0)::regtype, conname), concat_ws(' ', pg_get_constraintdef(c.oid), convalidated)
	from pg_constraint c join own on own.oid = connamespace
union all select 'view', oid::regclass::text, pg_get_viewdef(oid) from rel where relkind in ('v', 'm')
union all select 'rule', ev_class::regclass || ' ' || rulename, pg_get_ruledef(r.oid) from pg_rewrite r join rel on rel.oid = ev_class
union all select 'trigger', tgrelid::regclass || ' ' || tgname, concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled) from pg_trigger t join rel on rel.oid = tgrelid where not tgisinternal
union all select 'policy', polrelid::regclass || ' ' || polname, concat_ws(' ', polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
	from pg_policy join rel on rel.oid = polrelid
union all select 'routine', p.oid::regprocedure::text, concat_ws(' ', proowner::regrole, proacl, case when prokind = 'a' then 'aggregate' else pg_get_functiondef(p.oid) end)
	from pg_proc p join own on own.oid = pronamespace where ('pg_proc'::regclass, p.oid) not in (select * from member)
union all select 'type', t.oid::regtype::text, concat_ws(' ', typtype, typowner::regrole, typacl, typdefault, format_type(typbasetype, typtypmod), typnotnull,
	(select array_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = t.oid))
	from pg_type t join own on own.oid = typnamespace where ('pg_type'::regclass, t.oid) not in (select * from member)
union all select 'sequence', seqrelid::regclass::text, concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
	from pg_sequence join rel on rel.oid = seqrelid
union all select 'extension', extname, concat_ws(' ', extversion, extnamespace::regnamespace) from pg_extension
union all select 'event trigger', evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags) from pg_event_trigger
union all select 'statistics', concat_ws(' ', stxnamespace::regnamespace, stxname), pg_get_statisticsobjdef(e.oid) from pg_statistic_ext e join own on own.oid = stxnamespace
union all select 'default privileges', concat_ws(' ', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype), defaclacl::text from pg_default_acl
union all select 'comment', pg_describe_object(classoid, objoid, objsubid), description from pg_description where objoid >= 16384
	and (select coalesce(schema, name) from pg_identify_object(classoid, objoid, objsubid)) is distinct from $1
order by 1, 2, 3`

// Describe is the database as text that two databases share when they hold the same: every object a line, less those of
// the schema without ("" leaves out none), and every row of the tables for whose names rows says yes (nil: of none). It
// takes one connection, where pg_dump takes a process and reads all catalogs, and works for servers that no pg_dump at hand
// speaks to.
func (db *DB) Describe(t testing.TB, without string, rows func(table string) bool) string {
	t.Helper()
	var b strings.Builder
	db.once(t, db.URL, func(ask func(sql string, args ...any) [][]string) {
		ask("set search_path = ''; set timezone = 'UTC'")
		for _, row := range ask(described, without) {
			b.WriteString(strings.Join(row, " ") + "\n")
		}
		if rows == nil {
			return
		}
		for _, table := range ask(`select nspname, relname, case relkind when 'S' then 'last_value || '' '' || is_called' else 't::text' end from pg_class join pg_namespace n on n.oid = relnamespace
			where relkind in ('r', 'm', 'S') and nspname !~ '^pg_|^information_schema$' and nspname <> $1 order by 1, 2`, without) {
			if !rows(table[1]) {
				continue
			}
			name := pgx.Identifier(table[:2]).Sanitize()
			for _, row := range ask("select " + table[2] + " from " + name + " t order by 1") {
				b.WriteString(name + " " + row[0] + "\n")
			}
		}
	})
	return b.String()
}
