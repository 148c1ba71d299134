package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skein-db/skein/migration"
)

// Journal is Skein's own side table for scripts that cannot be one transaction. It lives in a schema of its own beside
// the history, whose table stays Flyway's, and is made when it is first needed.
//
// Its rows belong to a history table by that table's oid: one that was dropped and made again starts with none.
type Journal struct {
	Schema  string // the journal's own
	History History
}

// The versions of the tables in the journal's schema: a journal needs the first, and is made with no more than that; the
// second has the side tables too. A Skein that knows only the first refuses the second.
const (
	journalLayout = 1
	sideLayout    = 2
)

func (j Journal) table() string   { return Qualified(j.Schema, "journal") }
func (j Journal) repairs() string { return Qualified(j.Schema, "repair") }
func (j Journal) layout() string  { return Qualified(j.Schema, "layout") }
func (j Journal) owner() string {
	return Literal(j.History.name()) + "::pg_catalog.regclass::pg_catalog.oid"
}

// of limits a statement to one script's rows.
func (j Journal) of(script string) string {
	return " where history = " + j.owner() + " and script = " + Literal(script)
}

// EnsureJournal makes schema and tables where they are missing. A layout of a newer Skein gives a *LayoutError; a
// missing privilege gives the server's error.
func (c *Conn) EnsureJournal(ctx context.Context, j Journal) error {
	return c.ensure(ctx, j, journalLayout)
}

// ensure makes what is missing of the tables of that layout.
func (c *Conn) ensure(ctx context.Context, j Journal, wanted int) error {
	missing := func() (bool, error) {
		rows, err := c.query(ctx, "select pg_catalog.to_regclass("+Literal(j.layout())+") is null")
		return err == nil && *rows[0][0] == "t", err
	}
	if yes, err := missing(); err != nil {
		return err
	} else if yes {
		if err := c.createJournal(ctx, j, wanted); err != nil && !madeByOthers(err) {
			return err
		}
	}
	version, err := c.layoutOf(ctx, j)
	if err == nil && version < wanted {
		if err = c.addSide(ctx, j); err == nil || madeByOthers(err) {
			_, err = c.layoutOf(ctx, j)
		}
	}
	return err
}

// madeByOthers says that a run on another history of the database did the same at this moment.
func madeByOthers(err error) bool {
	return slices.Contains([]string{"23505", "42P06", "42P07"}, sqlState(err))
}

func (c *Conn) layoutOf(ctx context.Context, j Journal) (int, error) {
	rows, err := c.query(ctx, "select version from "+j.layout())
	if err != nil {
		return 0, err
	}
	if len(rows) == 0 {
		return 0, &LayoutError{Schema: j.Schema, Version: "none"}
	}
	version, err := strconv.Atoi(*rows[0][0])
	if err != nil || version < journalLayout || version > sideLayout {
		return version, &LayoutError{Schema: j.Schema, Version: *rows[0][0]}
	}
	return version, nil
}

// LayoutError says that the journal was made by a Skein that this one does not understand.
type LayoutError struct{ Schema, Version string }

func (e *LayoutError) Error() string {
	return fmt.Sprintf("the tables in schema %q have layout %s, and this version of Skein knows layouts up to %d", e.Schema, e.Version, sideLayout)
}

func (c *Conn) createJournal(ctx context.Context, j Journal, layout int) error {
	create := "create schema if not exists " + Ident(j.Schema) + ";comment on schema " + Ident(j.Schema) +
		" is 'Skein: what is no part of Flyway''s history table'; "
	if rows, err := c.query(ctx, "select pg_catalog.to_regnamespace("+Literal(Ident(j.Schema))+") is null"); err != nil {
		return err
	} else if *rows[0][0] == "f" {
		create = "" // it may be another's, who lets us make tables in it
	}
	side := ""
	if layout >= sideLayout {
		side = j.createSide()
	}
	err := c.Exec(ctx, "begin;"+create+`
create table `+j.table()+` (
	history oid not null,
	history_name text not null,
	script text not null,
	statement integer not null,
	statement_hash text not null,
	statement_start text not null,
	state text not null check (state in ('intent', 'failed', 'done')),
	before text not null default '',
	after_rank integer not null,
	pid integer not null default pg_catalog.pg_backend_pid(),
	written timestamptz not null default pg_catalog.clock_timestamp(),
	primary key (history, script, statement)
);
create table `+j.repairs()+` (
	history oid not null,
	history_name text not null,
	script text not null,
	action text not null check (action in ('mark applied', 'run again')),
	reason text not null,
	done_by text not null,
	done_at timestamptz not null default pg_catalog.clock_timestamp()
);
create table `+j.layout()+` (version integer primary key);
insert into `+j.layout()+` values (`+strconv.Itoa(layout)+`);
`+side+`commit`, nil)
	if err != nil {
		_ = c.Rollback(ctx) // the first error is the one to tell
	}
	return err
}

// HasJournal reports whether there is a journal, and whether the role may read it.
func (c *Conn) HasJournal(ctx context.Context, j Journal) (there, readable bool, err error) {
	rows, err := c.query(ctx, `select pg_catalog.has_schema_privilege(relnamespace, 'usage') and pg_catalog.has_table_privilege(oid, 'select')
	from pg_catalog.pg_class where relname = 'journal' and relnamespace = pg_catalog.to_regnamespace(`+Literal(Ident(j.Schema))+")")
	return len(rows) > 0, len(rows) > 0 && *rows[0][0] == "t", err
}

// WriteSQL records the state of a statement of the script.
func (j Journal) WriteSQL(script string, e migration.JournalEntry) string {
	return fmt.Sprintf(`insert into %s as j (history, history_name, script, statement, statement_hash, statement_start, state, before, after_rank) values (%s, %s, %s, %d, %s, %s, %s, %s, %d) `+
		`on conflict (history, script, statement) do update set statement_hash = excluded.statement_hash, statement_start = excluded.statement_start, state = excluded.state, `+
		`before = case when excluded.state = 'failed' then j.before else excluded.before end, after_rank = excluded.after_rank, pid = excluded.pid, written = excluded.written`,
		j.table(), j.owner(), Literal(j.History.name()), Literal(script), e.Statement, Literal(e.Hash), Literal(e.Start), Literal(string(e.State)), Literal(e.Before), e.AfterRank)
}

// ForgetSQL removes what is recorded of the script.
func (j Journal) ForgetSQL(script string) string { return "delete from " + j.table() + j.of(script) }

// RepairSQL keeps who decided by hand about a script, and why. action is "mark applied" or "run again".
func (j Journal) RepairSQL(script, action, reason, by string) string {
	return fmt.Sprintf("insert into %s (history, history_name, script, action, reason, done_by) values (%s, %s, %s, %s, %s, %s)",
		j.repairs(), j.owner(), Literal(j.History.name()), Literal(script), Literal(action), Literal(reason), Literal(by))
}

// ForgetAllSQL removes what is recorded of every script of the history.
func (j Journal) ForgetAllSQL() string {
	return "delete from " + j.table() + " where history = " + j.owner()
}

// ReadJournal reads what is recorded of all scripts of the history, by script, in the order of their statements.
func (c *Conn) ReadJournal(ctx context.Context, j Journal) (map[string][]migration.JournalEntry, error) {
	// Nearly always there is nothing, which COPY tells sooner than a query is planned.
	some := false
	err := c.CopyOut(ctx, "copy "+j.table()+" (statement) to stdout", func([]string) error { some = true; return nil })
	if err != nil || !some {
		return nil, err
	}
	rows, err := c.query(ctx, "select script, statement, statement_hash, state, before, after_rank, pid, statement_start, pg_catalog.to_char(written, 'YYYY-MM-DD HH24:MI:SS') from "+
		j.table()+" where history = "+j.owner()+" order by script, statement")
	if err != nil {
		return nil, err
	}
	all := map[string][]migration.JournalEntry{}
	for _, r := range rows {
		e := migration.JournalEntry{Hash: *r[2], State: migration.JournalState(*r[3]), Before: *r[4], Start: *r[7], Written: *r[8]}
		for i, to := range map[int]*int{1: &e.Statement, 5: &e.AfterRank, 6: &e.PID} {
			if *to, err = strconv.Atoi(*r[i]); err != nil {
				return nil, err
			}
		}
		all[*r[0]] = append(all[*r[0]], e)
	}
	return all, nil
}

// Working finds the backend that still works on a statement whose client may be gone. It goes by the text, since a
// pooler may have handed the statement to a backend other than the one that wrote the journal.
func (c *Conn) Working(ctx context.Context, statement string) (LockHolder, bool, error) {
	const start = 90 // track_activity_query_size, which cuts the texts, is at least 100
	if len(statement) > start {
		statement = strings.ToValidUTF8(statement[:start], "")
	}
	return c.session(ctx, `from pg_catalog.pg_stat_activity a where a.state = 'active' and a.pid <> pg_catalog.pg_backend_pid()
	and a.datname = pg_catalog.current_database() and pg_catalog.starts_with(a.query, `+Literal(statement)+") limit 1")
}
