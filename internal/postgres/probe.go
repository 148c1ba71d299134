package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skein-db/skein/internal/txblock"
)

// Outcome is what the catalogs tell of a statement whose answer never came (postgres.md §3.6).
type Outcome uint8

const (
	// Unknown means that no catalog tells.
	Unknown Outcome = iota
	// Undone means that it can be run again, once what it left behind is gone.
	Undone
	// Done means that it was carried out.
	Done
)

// probe is what is remembered of a statement's object from before it ran.
type probe struct {
	What   string   `json:"what"`
	Object string   `json:"object,omitempty"` // name as written
	OID    string   `json:"oid,omitempty"`    // of the index or partition
	Table  string   `json:"table,omitempty"`  // oid
	There  []string `json:"there,omitempty"`  // oids of the indexes that were there: all of the table, or all invalid ones
	Exists bool     `json:"exists,omitempty"` // a database, tablespace or subscription of that name was there
}

// The catalogs in which the names of what is no relation stand.
var namedIn = map[string]string{
	"DATABASE": "pg_catalog.pg_database where datname", "TABLESPACE": "pg_catalog.pg_tablespace where spcname",
	"SUBSCRIPTION": "pg_catalog.pg_subscription where subname",
}

// Look notes before a statement what Outcome will need to tell how it ended. Names are looked up as the statement
// itself will.
func (c *Conn) Look(ctx context.Context, v txblock.Verdict) (string, error) {
	p := probe{What: v.What, Object: v.Object}
	var err error
	verb, kind, _ := strings.Cut(v.What, " ")
	kind, _, _ = strings.Cut(kind, " ")
	switch {
	case v.What == "CREATE INDEX CONCURRENTLY":
		if p.Table, err = c.oid(ctx, v.Table); err == nil {
			p.There, err = c.column(ctx, "select indexrelid from pg_catalog.pg_index where indrelid = "+zero(p.Table))
		}
	case v.What == "REINDEX CONCURRENTLY":
		p.There, err = c.column(ctx, "select indexrelid from pg_catalog.pg_index where not indisvalid")
	case v.What == "DROP INDEX CONCURRENTLY":
		p.OID, err = c.oid(ctx, v.Object)
	case strings.HasSuffix(v.What, "DETACH CONCURRENTLY"):
		if p.Table, err = c.oid(ctx, v.Table); err == nil {
			p.OID, err = c.oid(ctx, v.Object)
		}
	case (verb == "CREATE" || verb == "DROP") && namedIn[kind] != "":
		p.Exists, err = c.named(ctx, kind, v.Object)
	}
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// Outcome tells how a statement ended of which Look had noted before, and what has to run before it may run again or,
// when it is done, before the script goes on.
func (c *Conn) Outcome(ctx context.Context, before string) (Outcome, []string, error) {
	var p probe
	if json.Unmarshal([]byte(before), &p) != nil {
		p = probe{} // written by hand: nothing is known
	}
	verb, kind, _ := strings.Cut(p.What, " ")
	kind, _, _ = strings.Cut(kind, " ")
	switch {
	case p.What == "CREATE INDEX CONCURRENTLY":
		return c.builtIndex(ctx, p)
	case p.What == "REINDEX CONCURRENTLY":
		leftovers, err := c.leftIndexes(ctx, "c.relname ~ '_cc(new|old)[0-9]*$'", p.There)
		return Undone, leftovers, err
	case p.What == "DROP INDEX CONCURRENTLY":
		there, err := c.column(ctx, "select oid from pg_catalog.pg_class where oid = "+zero(p.OID))
		return doneIf(len(there) == 0 && p.OID != ""), nil, err
	case strings.HasSuffix(p.What, "DETACH CONCURRENTLY"):
		return c.detached(ctx, p)
	case (verb == "CREATE" || verb == "DROP") && namedIn[kind] != "":
		exists, err := c.named(ctx, kind, p.Object)
		return doneIf(exists == (verb == "CREATE") && exists != p.Exists), nil, err
	case verb == "VACUUM", verb == "REINDEX", verb == "CLUSTER", verb == "ALTER", verb == "DISCARD", verb == "REPACK":
		return Undone, nil, nil // the same again does the same
	}
	return Unknown, nil, nil
}

func doneIf(yes bool) Outcome {
	if yes {
		return Done
	}
	return Undone
}

// builtIndex looks for an index of the table that was not there before. An invalid one is dropped rather than built
// again: a unique one may never become valid.
func (c *Conn) builtIndex(ctx context.Context, p probe) (Outcome, []string, error) {
	mine := "i.indrelid = " + zero(p.Table)
	if p.Object != "" {
		mine += " and c.relname = (pg_catalog.parse_ident(" + Literal(p.Object) + "))[1]"
	}
	leftovers, err := c.leftIndexes(ctx, mine, p.There)
	if err != nil || len(leftovers) > 0 {
		return Undone, leftovers, err
	}
	built, err := c.column(ctx, "select i.indexrelid from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid where "+mine+
		" and i.indisvalid and i.indexrelid::pg_catalog.text <> all ("+literalArray(p.There)+")")
	return doneIf(len(built) > 0), nil, err
}

// leftIndexes gives the statements that drop the invalid indexes of a kind, but for those that were there before and
// those that somebody is building at this moment.
func (c *Conn) leftIndexes(ctx context.Context, kind string, before []string) ([]string, error) {
	return c.column(ctx, fmt.Sprintf(`select pg_catalog.format('drop index concurrently %%I.%%I', n.nspname, c.relname)
	from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where %s and not i.indisvalid and c.relkind = 'i' and n.nspname <> 'pg_toast' and i.indexrelid::pg_catalog.text <> all (%s)
	and not exists (select from pg_catalog.pg_stat_progress_create_index b where b.index_relid = i.indexrelid)`, kind, literalArray(before)))
}

// detached finishes what was begun: the partition no longer takes part in queries, and only FINALIZE leads on.
func (c *Conn) detached(ctx context.Context, p probe) (Outcome, []string, error) {
	rows, err := c.query(ctx, "select inhdetachpending, pg_catalog.format('alter table %s detach partition %s finalize', inhparent::pg_catalog.regclass, inhrelid::pg_catalog.regclass)"+
		" from pg_catalog.pg_inherits where inhrelid = "+zero(p.OID)+" and inhparent = "+zero(p.Table))
	switch {
	case err != nil:
		return Unknown, nil, err
	case len(rows) == 0:
		return doneIf(p.OID != ""), nil, nil
	case *rows[0][0] == "t":
		return Done, []string{*rows[0][1]}, nil
	}
	return Undone, nil, nil
}

// oid finds a relation as SQL would, "" if there is none.
func (c *Conn) oid(ctx context.Context, name string) (string, error) {
	found, err := c.column(ctx, "select oid from pg_catalog.pg_class where oid = pg_catalog.to_regclass("+Literal(name)+")")
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

// named reports whether there is a database, tablespace or subscription of the name, which is as written.
func (c *Conn) named(ctx context.Context, kind, name string) (bool, error) {
	found, err := c.column(ctx, "select 1 from "+namedIn[kind]+" = (pg_catalog.parse_ident("+Literal(name)+"))[1]")
	return len(found) > 0, err
}

// column runs a query of one column.
func (c *Conn) column(ctx context.Context, sql string) ([]string, error) {
	rows, err := c.query(ctx, sql)
	var out []string
	for _, r := range rows {
		out = append(out, *r[0])
	}
	return out, err
}

func zero(oid string) string {
	if oid == "" {
		return "0"
	}
	return oid
}

// InvalidIndex finds, after a CREATE INDEX CONCURRENTLY of which Look noted something before, an invalid index under the
// name that it was to make. Without one, or for any other statement, name is "".
func (c *Conn) InvalidIndex(ctx context.Context, before string) (name, definition string, err error) {
	var p probe
	if json.Unmarshal([]byte(before), &p) != nil {
		p = probe{} // written by hand
	}
	if p.What != "CREATE INDEX CONCURRENTLY" || p.Object == "" {
		return "", "", nil
	}
	rows, err := c.query(ctx, "select pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_get_indexdef(c.oid)"+
		" from pg_catalog.pg_class t join pg_catalog.pg_class c on c.relnamespace = t.relnamespace and c.relname = (pg_catalog.parse_ident("+Literal(p.Object)+"))[1]"+
		" join pg_catalog.pg_namespace n on n.oid = c.relnamespace join pg_catalog.pg_index i on i.indexrelid = c.oid"+
		" where t.oid = "+zero(p.Table)+" and not i.indisvalid")
	if err != nil || len(rows) == 0 {
		return "", "", err
	}
	return *rows[0][0], *rows[0][1], nil
}
