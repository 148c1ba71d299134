package killmatrix

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// catalog lists what a database holds, a line for each thing, in an order that depends on nothing but the things.
const catalog = `
with mine as (
	select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'skein')
)
select line from (
	select format('schema %s acl %s', nspname, (select nspacl from pg_namespace x where x.oid = mine.oid)) as line from mine
	union all
	select format('relation %s.%s kind %s acl %s options %s comment %s view %s', nspname, relname, relkind, relacl, reloptions, obj_description(c.oid, 'pg_class'),
		case when relkind in ('v', 'm') then pg_get_viewdef(c.oid) end) from pg_class c join mine on mine.oid = relnamespace
	union all
	select format('column %s.%s %s %s not null %s default %s', nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
		from pg_attribute a join pg_class c on c.oid = attrelid join mine on mine.oid = relnamespace left join pg_attrdef d on adrelid = attrelid and adnum = attnum
		where attnum > 0 and not attisdropped
	union all
	select format('index %s valid %s ready %s', pg_get_indexdef(indexrelid), indisvalid, indisready) from pg_index i join pg_class c on c.oid = indexrelid join mine on mine.oid = relnamespace
	union all
	select format('constraint %s %s %s valid %s', conrelid::regclass, conname, pg_get_constraintdef(c.oid), convalidated) from pg_constraint c join mine on mine.oid = connamespace
	union all
	select format('partition %s of %s pending %s %s', inhrelid::regclass, inhparent::regclass, inhdetachpending, (select pg_get_expr(relpartbound, oid) from pg_class where oid = inhrelid)) from pg_inherits
	union all
	select format('function %s', pg_get_functiondef(p.oid)) from pg_proc p join mine on mine.oid = pronamespace
) l order by line collate "C"`

const tables = `select format('%I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
	where relkind = 'r' and nspname !~ '^pg_' and nspname not in ('information_schema', 'skein') and relname <> 'flyway_schema_history' order by 1`

// state is all of a database that has to be the same however it came about: schema, data, history but for its times,
// and that nothing is left of a run.
func state(t testing.TB, db *pgtest.DB) string {
	t.Helper()
	var b strings.Builder
	write := func(rows [][]string) {
		for _, row := range rows {
			b.WriteString(strings.Join(row, "|") + "\n")
		}
	}
	write(db.Rows(t, catalog))
	for _, row := range db.Rows(t, tables) {
		fmt.Fprintf(&b, "data of %s\n", row[0])
		write(db.Rows(t, "select t::text from "+row[0]+` t order by t::text collate "C"`))
	}
	b.WriteString(history(t, db))
	if db.Value(t, "select to_regclass('skein.journal') is not null") == "t" {
		fmt.Fprintf(&b, "journal of %s statements\n", db.Value(t, "select count(*) from skein.journal"))
	} else {
		b.WriteString("journal of 0 statements\n")
	}
	if db.Value(t, "select to_regclass('skein.audit') is not null") == "t" {
		audit, err := skein.Audit(t.Context(), skein.Config{URL: db.URL})
		fmt.Fprintf(&b, "the audit's fault: %v, %v\n%s rows of the history are not recorded\n", audit.Fault, err, db.Value(t,
			"select count(*) from flyway_schema_history h left join skein.applied a using (installed_rank, script) where length(a.sha256) is distinct from 64"))
	}
	return b.String()
}

// history is the history table without its times.
func history(t testing.TB, db *pgtest.DB) string {
	t.Helper()
	where := db.Rows(t, "select oid::regclass from pg_class where relname = 'flyway_schema_history'")
	if len(where) == 0 {
		return "no history\n"
	}
	var b strings.Builder
	for _, row := range db.Rows(t, "select installed_rank, version, description, type, script, checksum, installed_by, success from "+where[0][0]+" order by 1") {
		b.WriteString("history " + strings.Join(row, "|") + "\n")
	}
	return b.String()
}
