package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/migration"
)

// The side tables stand beside the journal from layout 2 on: which database this is (identity), what each row of a history
// is in full (applied), and who changed what (audit, with the last hash in audit_head). The name that they have in common
// is the journal's schema; identity and audit are the database's, not one history's.

func (j Journal) identity() string  { return Qualified(j.Schema, "identity") }
func (j Journal) applied() string   { return Qualified(j.Schema, "applied") }
func (j Journal) audit() string     { return Qualified(j.Schema, "audit") }
func (j Journal) auditHead() string { return Qualified(j.Schema, "audit_head") }

// createSide lists the statements that make the side tables.
func (j Journal) createSide() string {
	return `
create table ` + j.identity() + ` (
	single boolean primary key default true check (single),
	environment text not null,
	system_identifier text not null,
	cluster text not null,
	database text not null,
	host text not null,
	pinned_by text not null,
	pinned_at timestamptz not null default pg_catalog.clock_timestamp()
);
create table ` + j.applied() + ` (
	history oid not null,
	history_name text not null,
	installed_rank integer not null,
	script text not null,
	sha256 text not null,
	instant timestamptz not null default pg_catalog.clock_timestamp(),
	releaser text not null,
	release text not null,
	digest text not null,
	deployment text not null,
	environment text not null,
	primary key (history, installed_rank)
);
create table ` + j.audit() + ` (
	seq bigint primary key,
	at timestamptz not null,
	who text not null,
	db_user text not null,
	what text not null,
	environment text not null,
	target text not null,
	plan text not null,
	release text not null,
	detail text not null,
	previous text not null unique,
	hash text not null
);
create table ` + j.auditHead() + ` (single boolean primary key default true check (single), seq bigint not null, hash text not null);
insert into ` + j.auditHead() + ` (seq, hash) values (0, '');
grant select on ` + j.layout() + ", " + j.identity() + ` to public;
grant usage on schema ` + Ident(j.Schema) + ` to public;
comment on table ` + j.audit() + ` is 'Skein: each row holds the hash of the one before; skein audit --verify reads the chain through';
`
}

// Side is what the side tables say of the database.
type Side struct {
	Layout int            // 0: there are none, 1: a journal only
	Pin    *migration.Pin // nil: none
}

// UnreadableError says that the database may be pinned, and that the role may not look.
type UnreadableError struct{ Schema, Table, User string }

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s may not read %s, which says which environment this database belongs to", Ident(e.User), Qualified(e.Schema, e.Table))
}

// ReadSide looks whether there are side tables, and reads the pin, in two questions. A pin that the role may not read gives
// an *UnreadableError, a layout of a newer Skein a *LayoutError.
func (c *Conn) ReadSide(ctx context.Context, j Journal) (Side, error) {
	readable, err := c.readable(ctx, j)
	if err != nil {
		return Side{}, err
	}
	if !readable {
		return c.unreadable(ctx, j)
	}
	// Two COPY in one message: a backend that has just begun takes longer to plan the query than to answer it.
	var side Side
	err = c.CopyOut(ctx, "copy "+j.layout()+" (version) to stdout; copy "+j.identity()+" (environment, system_identifier, cluster, database, host, pinned_by, pinned_at) to stdout",
		func(values []string) error { return side.read(j, values) })
	switch {
	case err != nil:
		return side, err
	case side.Layout == 0:
		return side, &LayoutError{Schema: j.Schema, Version: "none"}
	case side.Pin != nil && side.Pin.At.IsZero(): // initSql has changed DateStyle
		var rows [][]*string
		if rows, err = c.query(ctx, "select "+auditTime("pinned_at")+" from "+j.identity()); err == nil {
			side.Pin.At, err = time.Parse(time.RFC3339Nano, *rows[0][0])
		}
	}
	return side, err
}

// readable reports whether layout and identity are there and the role may read them. Names are looked up by to_regclass,
// which takes a new backend less than a query over pg_class, but fails in a schema without USAGE.
func (c *Conn) readable(ctx context.Context, j Journal) (bool, error) {
	may := func(table string) string {
		return "pg_catalog.has_table_privilege(pg_catalog.to_regclass(" + Literal(table) + "), 'select')"
	}
	rows, err := c.query(ctx, "select case when pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace("+Literal(Ident(j.Schema))+"), 'usage') then "+
		may(j.layout())+" and "+may(j.identity())+" end")
	return err == nil && rows[0][0] != nil && *rows[0][0] == "t", err
}

// unreadable is the Side where layout or identity is missing, or not the role's to read.
func (c *Conn) unreadable(ctx context.Context, j Journal) (Side, error) {
	rows, err := c.query(ctx, `select relname, pg_catalog.has_schema_privilege(relnamespace, 'usage') and pg_catalog.has_table_privilege(oid, 'select'), current_user
	from pg_catalog.pg_class where relnamespace = pg_catalog.to_regnamespace(`+Literal(Ident(j.Schema))+`) and relname in ('layout', 'identity') and relkind = 'r'`)
	if err != nil || len(rows) == 0 {
		return Side{}, err
	}
	for _, r := range rows {
		if *r[0] == "identity" && *r[1] != "t" {
			return Side{}, &UnreadableError{j.Schema, "identity", *r[2]}
		}
	}
	return Side{Layout: 1}, nil
}

// read takes over a row of the layout, which has one column, or of the identity.
func (s *Side) read(j Journal, values []string) error {
	if len(values) == 1 {
		version, err := strconv.Atoi(values[0])
		if err != nil || version > sideLayout {
			return &LayoutError{Schema: j.Schema, Version: values[0]}
		}
		s.Layout = max(s.Layout, version)
		return nil
	}
	s.Pin = &migration.Pin{Identity: migration.Identity{Environment: values[0], System: values[1], Cluster: values[2], Database: values[3], Host: values[4]}, By: values[5]}
	for _, zone := range []string{"-07", "-07:00", "-07:00:00"} {
		if at, err := time.Parse("2006-01-02 15:04:05.999999"+zone, values[6]); err == nil {
			s.Pin.At = at.UTC()
		}
	}
	return nil
}

// EnsureSide makes the side tables where they are missing, or adds them to a journal of layout 1. The errors are those of
// EnsureJournal.
func (c *Conn) EnsureSide(ctx context.Context, j Journal) error {
	return c.ensure(ctx, j, sideLayout)
}

// addSide brings layout 1 to layout 2.
func (c *Conn) addSide(ctx context.Context, j Journal) error {
	err := c.Exec(ctx, "begin;"+j.createSide()+"update "+j.layout()+" set version = "+strconv.Itoa(sideLayout)+"; commit", nil)
	if err != nil {
		_ = c.Rollback(ctx) // the first error is the one to tell
	}
	return err
}

// ReadIdentity asks the server which database this is. What the role may not ask stays empty.
func (c *Conn) ReadIdentity(ctx context.Context) (migration.Identity, error) {
	id := migration.Identity{Host: c.Host()}
	rows, err := c.query(ctx, `select current_catalog, pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute'),
	pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.aurora_replica_status()'), 'execute')`)
	if err != nil {
		return id, err
	}
	id.Database = *rows[0][0]
	ask := map[bool]string{true: "system_identifier::pg_catalog.text from pg_catalog.pg_control_system()", false: "''"}[*rows[0][1] == "t"]
	if aurora := rows[0][2]; aurora != nil && *aurora == "t" {
		// Aurora names no cluster to SQL, and its instances change; two lists of them that share one are of the same cluster.
		ask = "(select " + ask + "), (select pg_catalog.string_agg(server_id::pg_catalog.text, ',' order by server_id::pg_catalog.text) from pg_catalog.aurora_replica_status())"
	}
	rows, err = c.query(ctx, "select "+ask)
	if err != nil {
		return id, err
	}
	for i, to := range []*string{&id.System, &id.Cluster} {
		if i < len(rows[0]) && rows[0][i] != nil {
			*to = *rows[0][i]
		}
	}
	return id, nil
}

// PinSQL writes the pin over the one that there was.
func (j Journal) PinSQL(p migration.Pin) string {
	return fmt.Sprintf(`insert into %s (environment, system_identifier, cluster, database, host, pinned_by) values (%s, %s, %s, %s, %s, %s) on conflict (single) do update set `+
		`environment = excluded.environment, system_identifier = excluded.system_identifier, cluster = excluded.cluster, database = excluded.database, host = excluded.host, `+
		`pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at`,
		j.identity(), Literal(p.Environment), Literal(p.System), Literal(p.Cluster), Literal(p.Database), Literal(p.Host), Literal(p.By))
}

// Applied is what the side table says of one row of the history.
type Applied struct {
	Rank                                               int
	Script, SHA256                                     string
	At                                                 time.Time
	Releaser, Release, Digest, Deployment, Environment string
}

// AppliedSQL records what a row of the history is in full; the moment is the server's. A rank that was taken out of the
// history by hand and is used again loses what was recorded of it.
func (j Journal) AppliedSQL(a Applied) string {
	values := []string{Literal(j.History.name()), strconv.Itoa(a.Rank)}
	for _, text := range []string{migration.AbbreviateScript(a.Script), a.SHA256, a.Releaser, a.Release, a.Digest, a.Deployment, a.Environment} {
		values = append(values, Literal(text))
	}
	return "insert into " + j.applied() + " (history, history_name, installed_rank, script, sha256, releaser, release, digest, deployment, environment) values (" +
		j.owner() + ", " + strings.Join(values, ", ") + ") on conflict (history, installed_rank) do update set history_name = excluded.history_name, script = excluded.script, " +
		"sha256 = excluded.sha256, instant = excluded.instant, releaser = excluded.releaser, release = excluded.release, digest = excluded.digest, " +
		"deployment = excluded.deployment, environment = excluded.environment"
}

// ReadApplied reads what is recorded of the history, by rank. A role that may not read it gets nothing.
func (c *Conn) ReadApplied(ctx context.Context, j Journal) ([]Applied, error) {
	allowed, err := c.query(ctx, `select pg_catalog.has_table_privilege(oid, 'select') and pg_catalog.has_schema_privilege(relnamespace, 'usage') from pg_catalog.pg_class
	where relname = 'applied' and relnamespace = pg_catalog.to_regnamespace(`+Literal(Ident(j.Schema))+")")
	if err != nil || len(allowed) == 0 || *allowed[0][0] != "t" {
		return nil, err
	}
	rows, err := c.query(ctx, "select installed_rank, script, sha256, "+auditTime("instant")+", releaser, release, digest, deployment, environment from "+
		j.applied()+" where history = "+j.owner()+" order by installed_rank")
	if err != nil {
		return nil, err
	}
	out := make([]Applied, len(rows))
	for i, r := range rows {
		a := Applied{Script: *r[1], SHA256: *r[2], Releaser: *r[4], Release: *r[5], Digest: *r[6], Deployment: *r[7], Environment: *r[8]}
		if a.Rank, err = strconv.Atoi(*r[0]); err == nil {
			a.At, err = time.Parse(time.RFC3339Nano, *r[3])
		}
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}
