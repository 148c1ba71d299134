package postgres

import "context"

// Rights are what a session may do where the history table and the journal belong. Of what is not there nobody has any.
type Rights struct {
	Schema, Usage, Create          bool // the history's schema: it is there; USAGE and CREATE on it
	Database                       bool // CREATE on the database
	Table                          bool // the history table is there
	Select, Insert, Update, Delete bool
	Side, SideUsage, SideCreate    bool // the journal's schema
}

// ReadRights asks the catalogs, which anybody may read; nothing is tried.
func (c *Conn) ReadRights(ctx context.Context, h History, side string) (Rights, error) {
	rows, err := c.query(ctx, `select n.oid is not null, coalesce(pg_catalog.has_schema_privilege(n.oid, 'usage'), false), coalesce(pg_catalog.has_schema_privilege(n.oid, 'create'), false),
	pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create'), t.oid is not null,
	coalesce(pg_catalog.has_table_privilege(t.oid, 'select'), false), coalesce(pg_catalog.has_table_privilege(t.oid, 'insert'), false),
	coalesce(pg_catalog.has_table_privilege(t.oid, 'update'), false), coalesce(pg_catalog.has_table_privilege(t.oid, 'delete'), false),
	s.oid is not null, coalesce(pg_catalog.has_schema_privilege(s.oid, 'usage'), false), coalesce(pg_catalog.has_schema_privilege(s.oid, 'create'), false)
from (select) one left join pg_catalog.pg_namespace n on n.nspname = `+Literal(h.Schema)+`
left join pg_catalog.pg_class t on t.relnamespace = n.oid and t.relname = `+Literal(h.Table)+`
left join pg_catalog.pg_namespace s on s.nspname = `+Literal(side))
	if err != nil {
		return Rights{}, err
	}
	var r Rights
	for i, to := range []*bool{&r.Schema, &r.Usage, &r.Create, &r.Database, &r.Table, &r.Select, &r.Insert, &r.Update, &r.Delete, &r.Side, &r.SideUsage, &r.SideCreate} {
		*to = *rows[0][i] == "t"
	}
	return r, nil
}
