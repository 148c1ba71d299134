package skein_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

var dumpNoise = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n`)

// dump is the database as text, the history's times and the journal aside.
func dump(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	if !dumpable(t) {
		return describe(t, db, "skein", "flyway_schema_history")
	}
	return dumpNoise.ReplaceAllString(tool(t, "pg_dump", "-N", "skein", "--exclude-table-data=*.flyway_schema_history", db.URL), "")
}

// whole is all of the database as text.
func whole(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	if !dumpable(t) {
		return describe(t, db, "", "")
	}
	return dumpNoise.ReplaceAllString(tool(t, "pg_dump", db.URL), "")
}

var toolMajor = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// dumpable tells whether the pg_dump on this machine is new enough for the server: it refuses a newer one.
func dumpable(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), toolPath(t, "pg_dump"), "--version").Output()
	m := toolMajor.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("pg_dump --version: %v\n%s", err, out)
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return major >= pgtest.Major(t)
}

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
union all select 'comment', pg_describe_object(classoid, objoid, objsubid), description from pg_description where objoid >= 16384
	and (select coalesce(schema, name) from pg_identify_object(classoid, objoid, objsubid)) is distinct from $1
order by 1, 2, 3`

// describe is for servers that no pg_dump at hand speaks to: every object and every row, less those of a schema and the
// rows of tables of a name.
func describe(t *testing.T, db *pgtest.DB, withoutSchema, withoutRows string) string {
	t.Helper()
	ask := db.Session(t)
	ask("set search_path = ''; set timezone = 'UTC'")
	var b strings.Builder
	for _, row := range ask(described, withoutSchema) {
		b.WriteString(strings.Join(row, " ") + "\n")
	}
	for _, table := range ask(`select nspname, relname, case relkind when 'S' then 'last_value || '' '' || is_called' else 't::text' end from pg_class join pg_namespace n on n.oid = relnamespace
		where relkind in ('r', 'm', 'S') and nspname !~ '^pg_|^information_schema$' and nspname <> $1 and relname <> $2 order by 1, 2`, withoutSchema, withoutRows) {
		name := pgx.Identifier(table[:2]).Sanitize()
		for _, row := range ask("select " + table[2] + " from " + name + " t order by 1") {
			b.WriteString(name + " " + row[0] + "\n")
		}
	}
	return b.String()
}

// TestDescribeSeesChanges breaks a copy in one way after another: each has to show.
func TestDescribeSeesChanges(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create schema app; create table app.a(id serial primary key, note text default 'x'); create view app.v as select id from app.a;
		create function app.f() returns int language sql as 'select 1'; create type app.e as enum ('one'); insert into app.a(note) values ('first');
		create schema skein; create table skein.journal(id int); create table app.flyway_schema_history(id int)`)
	last := describe(t, db, "skein", "flyway_schema_history")
	for _, sql := range []string{
		"comment on table app.a is 'why'", "alter table app.a alter note set default 'y'", "create index on app.a(note)", "alter table app.a add check (id > 0)",
		"create or replace function app.f() returns int language sql as 'select 2'", "alter type app.e add value 'two'", "grant select on app.a to public",
		"update app.a set note = 'second'", "select nextval('app.a_id_seq')", "create or replace view app.v as select id + 0 as id from app.a", "create schema more",
		"alter table app.a enable row level security", "drop view app.v",
	} {
		db.Exec(t, sql)
		now := describe(t, db, "skein", "flyway_schema_history")
		if now == last {
			t.Errorf("not seen: %s", sql)
		}
		last = now
	}
	db.Exec(t, "comment on schema skein is 'why'; insert into skein.journal values (1); insert into app.flyway_schema_history values (1)")
	if diff := cmp.Diff(last, describe(t, db, "skein", "flyway_schema_history")); diff != "" {
		t.Errorf("what was left out shows:\n%s", diff)
	}
}
