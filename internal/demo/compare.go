package demo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	skein "github.com/skein-db/skein"
)

// catalogQuery writes down all that a schema consists of, a fact a row, without what differs between equal schemas
// (object ids, sizes). A fact that is not listed here is not compared.
const catalogQuery = `
with schemas as (select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'),
relations as (select c.oid, c.relkind, n.nspname || '.' || c.relname as name from pg_class c join schemas n on n.oid = c.relnamespace)
select 'schema ' || nspname || coalesce(' "' || obj_description(oid, 'pg_namespace') || '"', '') as fact from schemas
union all
select 'relation ' || name || ' kind ' || relkind::text from relations
union all
select 'column ' || r.name || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attnotnull then ' not null' else '' end || ' identity ' || a.attidentity::text
    || ' place ' || a.attnum || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where r.relkind in ('r', 'v', 'm', 'p', 'f', 'c')
union all
select 'constraint ' || n.nspname || '.' || c.conname || ' on ' || c.conrelid::regclass || ' ' || pg_get_constraintdef(c.oid)
from pg_constraint c join schemas n on n.oid = c.connamespace
union all
select 'index ' || pg_get_indexdef(i.indexrelid) || ' valid ' || i.indisvalid from pg_index i join relations r on r.oid = i.indexrelid
union all
select 'view ' || name || ' ' || pg_get_viewdef(oid) from relations where relkind in ('v', 'm')
union all
select 'enum ' || n.nspname || '.' || t.typname || ' ' || e.enumlabel || ' place ' || e.enumsortorder
from pg_enum e join pg_type t on t.oid = e.enumtypid join schemas n on n.oid = t.typnamespace
union all
select 'function ' || p.oid::regprocedure || ' ' || pg_get_functiondef(p.oid) from pg_proc p join schemas n on n.oid = p.pronamespace
where p.prokind in ('f', 'p')
order by 1`

const columnsQuery = `
select attname || ' ' || replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz') || case when attnotnull then ' not null' else '' end
from pg_attribute where attrelid = 'shop.orders'::regclass and attnum > 0 and not attisdropped`

// columns returns the columns of shop.orders, by name.
func columns(ctx context.Context, url string) (map[string]string, error) {
	rows, err := texts(ctx, url, columnsQuery)
	out := map[string]string{}
	for _, row := range rows {
		name, text, _ := strings.Cut(row, " ")
		out[name] = text
	}
	return out, err
}

// texts runs a query of one text column.
func texts(ctx context.Context, url, query string) (out []string, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, conn.Close(context.WithoutCancel(ctx))) }()
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// historyFacts is what two histories of the same deployment have in common; times and users differ rightly.
func historyFacts(info *skein.InfoResult) []string {
	var facts []string
	for _, e := range info.Entries {
		fact := fmt.Sprintf("script %s is %s", e.Path(), e.State)
		if r := e.Applied; r != nil {
			sum := "none"
			if r.Checksum != nil {
				sum = fmt.Sprint(*r.Checksum)
			}
			fact += fmt.Sprintf(": version %s, description %q, type %s, checksum %s, success %v", r.Version, r.Description, r.Type, sum, r.Success)
		}
		facts = append(facts, fact)
	}
	slices.Sort(facts)
	return facts
}

// differences lists what only one side has.
func differences(dev, qa []string) []string {
	var out []string
	for _, fact := range dev {
		if !slices.Contains(qa, fact) {
			out = append(out, "only dev: "+fact)
		}
	}
	for _, fact := range qa {
		if !slices.Contains(dev, fact) {
			out = append(out, "only qa: "+fact)
		}
	}
	return out
}

// compare ends the demo with the two info tables and says that they are equal only when it has seen it.
func (s *show) compare(ctx context.Context) error {
	var tables [2][]string
	var widths [2]int
	var histories, catalogs [2][]string
	for i, e := range []*environment{&s.dev, &s.qa} {
		info, err := skein.Info(ctx, s.config(e))
		if err != nil {
			return err
		}
		tables[i], widths[i] = s.table(fmt.Sprintf("%s, schema version %s", e.name, info.Version), infoRows(info))
		histories[i] = historyFacts(info)
		if catalogs[i], err = texts(ctx, e.url(), catalogQuery); err != nil {
			return err
		}
	}
	s.command(`skein -url="$DEV" -locations=filesystem:sql info   # and -url="$QA"`)
	s.gap()
	s.beside(tables[0], widths[0], tables[1], widths[1])
	s.gap()
	different := append(differences(histories[0], histories[1]), differences(catalogs[0], catalogs[1])...)
	if len(different) > 0 {
		return fmt.Errorf("dev and qa differ:\n%s", strings.Join(different, "\n"))
	}
	s.say("They are equal: %s and %s (tables, columns, constraints, indexes, types, views) were read from both and compared.",
		count(len(histories[0]), "history row"), count(len(catalogs[0]), "catalog fact"))
	return nil
}

// union lists the columns of both tables by name.
func union(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func orDash(s string) string { return cmp.Or(s, "-") }
