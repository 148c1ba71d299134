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
	rows, err := c.query(ctx, "select case when "+j.usage()+" then "+maySelect(j.layout(), j.identity())+" end")
	if err != nil {
		return Side{}, err
	}
	if !isTrue(rows[0][0]) {
		return c.unreadable(ctx, j)
	}
	// Two COPY in one message: a backend that has just begun takes longer to plan the query than to answer it.
	var side Side
	err = c.copyOut(ctx, j.copyLayout(&side), j.copyPin(&side))
	switch {
	case side.Pin != nil && side.Pin.At.IsZero(): // initSql has changed DateStyle
		if rows, err = c.query(ctx, "select "+auditTime("pinned_at")+" from "+j.identity()); err == nil {
			side.Pin.At, err = time.Parse(time.RFC3339Nano, *rows[0][0])
		}
	case err == nil && side.Layout == 0:
		err = &LayoutError{Schema: j.Schema, Version: "none"}
	}
	return side, err
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

func (j Journal) copyLayout(side *Side) copied {
	return copied{j.layout() + " (version)", 1, func(values []string) error {
		version, err := strconv.Atoi(values[0])
		if err != nil || version > sideLayout {
			return &LayoutError{Schema: j.Schema, Version: values[0]}
		}
		side.Layout = max(side.Layout, version)
		return nil
	}}
}

func (j Journal) copyPin(side *Side) copied {
	return copied{j.identity() + " (environment, system_identifier, cluster, database, host, pinned_by, pinned_at)", 7, func(v []string) (err error) {
		side.Pin = &migration.Pin{Identity: migration.Identity{Environment: v[0], System: v[1], Cluster: v[2], Database: v[3], Host: v[4]}, By: v[5]}
		side.Pin.At, err = parseInstant(v[6])
		return err
	}}
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
	rows, err := c.query(ctx, "select current_catalog, "+mayIdentify)
	if err != nil {
		return id, err
	}
	id.Database = *rows[0][0]
	var may Reach
	may.readIdentify(rows[0][1:])
	rows, err = c.query(ctx, "select "+may.identity())
	if err != nil {
		return id, err
	}
	for i, to := range []*string{&id.System, &id.Cluster} {
		if rows[0][i] != nil {
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
// history by hand and is used again loses what was recorded of it, unless it is known to be new.
func (j Journal) AppliedSQL(a Applied, isNew bool) string {
	values := []string{Literal(j.History.name()), strconv.Itoa(a.Rank)}
	for _, text := range []string{migration.AbbreviateScript(a.Script), a.SHA256, a.Releaser, a.Release, a.Digest, a.Deployment, a.Environment} {
		values = append(values, Literal(text))
	}
	sql := "insert into " + j.applied() + " (history, history_name, installed_rank, script, sha256, releaser, release, digest, deployment, environment) values (" +
		j.owner() + ", " + strings.Join(values, ", ") + ")"
	if isNew {
		return sql
	}
	return sql + " on conflict (history, installed_rank) do update set history_name = excluded.history_name, script = excluded.script, " +
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
	var out []Applied
	err = c.copyOut(ctx, j.copyApplied(&out, auditTime("instant")))
	return out, err
}

// copyApplied asks for the rows of the history, by rank, each with its moment written so.
func (j Journal) copyApplied(out *[]Applied, moment string) copied {
	return copied{"(select installed_rank, script, sha256, " + moment + ", releaser, release, digest, deployment, environment from " +
		j.applied() + " where history = " + j.owner() + " order by installed_rank)", 9, func(v []string) error { return addApplied(out, v) }}
}

// copyAllApplied reads the whole table, in no order, and keeps the rows of the history. It says whether they are still few.
func (j Journal) copyAllApplied(g *Glance) copied {
	n := 0
	return copied{j.applied() + " (installed_rank, script, sha256, instant, releaser, release, digest, deployment, environment, history, history_name)", 11, func(v []string) error {
		n++
		g.Facts.Reach.Little = n <= littleRows
		if v[9] != g.Facts.Reach.History {
			return nil
		}
		return addApplied(&g.Applied, v)
	}}
}

func addApplied(out *[]Applied, v []string) (err error) {
	a := Applied{Script: v[1], SHA256: v[2], Releaser: v[4], Release: v[5], Digest: v[6], Deployment: v[7], Environment: v[8]}
	if a.Rank, err = strconv.Atoi(v[0]); err == nil {
		a.At, err = parseInstant(v[3])
	}
	*out = append(*out, a)
	return err
}
