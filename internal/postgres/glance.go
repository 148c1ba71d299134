package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/migration"
)

// A database that Skein knows is asked much at each run, and a backend that has just begun pays for each question with
// more than its answer: a round trip, names to look up, a plan. So what such a database has to tell is asked for in one
// message, by COPY, once the facts have said that the role may read all of it.

// Reach is what a role may ask of a database.
type Reach struct {
	Known   bool   // layout, pin, journal and what is recorded of the history are there, and it may read them
	Little  bool   // what is recorded is so little that reading all of it costs less than planning a query
	History string // the history table's oid; "": there is none
	Control bool   // it may ask for the system identifier
	Aurora  bool   // the server is Aurora's, and it may ask for its instances
}

// What Reach.Little means, in bytes and rows.
const (
	little     = 64 << 10
	littleRows = 200
)

// reach lists the columns that tell the Reach, with the history table by an expression that is a regclass or null. Names
// are looked up by to_regclass, which takes a new backend less than a query over pg_class, but fails in a schema without
// USAGE.
func (j Journal) reach(history string) string {
	// Layout and pin came with the other two, and everybody may read them.
	return "case when " + j.usage() + " then case when " + maySelect(j.table(), j.applied()) +
		" then pg_catalog.pg_relation_size(pg_catalog.to_regclass(" + Literal(j.applied()) + ")) end end, " + history + "::pg_catalog.oid, " + mayIdentify
}

// read takes over the columns of reach, and gives the rest of the row.
func (m *Reach) read(row []*string) ([]*string, error) {
	if m.Known = row[0] != nil; m.Known {
		size, err := strconv.ParseInt(*row[0], 10, 64)
		if err != nil {
			return nil, err
		}
		m.Little = size <= little
	}
	if row[1] != nil {
		m.History = *row[1]
	}
	return m.readIdentify(row[2:]), nil
}

func (j Journal) usage() string {
	return "pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace(" + Literal(Ident(j.Schema)) + "), 'usage')"
}

// maySelect says whether the tables are there and the role may read them: null or false where not.
func maySelect(tables ...string) string {
	each := make([]string, len(tables))
	for i, t := range tables {
		each[i] = "pg_catalog.has_table_privilege(pg_catalog.to_regclass(" + Literal(t) + "), 'select')"
	}
	return strings.Join(each, " and ")
}

// mayIdentify lists two columns: whether the role may ask for what makes an Identity.
const mayIdentify = `pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute'),
	pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.aurora_replica_status()'), 'execute')`

func (m *Reach) readIdentify(row []*string) []*string {
	m.Control, m.Aurora = isTrue(row[0]), isTrue(row[1])
	return row[2:]
}

func isTrue(value *string) bool { return value != nil && *value == "t" }

// identity lists two columns: the system identifier, and the cluster.
func (m Reach) identity() string {
	system, cluster := "''", "''"
	if m.Control {
		system = "(pg_catalog.pg_control_system()).system_identifier"
	}
	if m.Aurora {
		// Aurora names no cluster to SQL, and its instances change; two lists of them that share one are of the same cluster.
		cluster = "(select pg_catalog.string_agg(server_id::pg_catalog.text, ',' order by server_id::pg_catalog.text) from pg_catalog.aurora_replica_status())"
	}
	return system + ", " + cluster
}

// Glance is what a database that Skein knows tells of itself.
type Glance struct {
	Facts    Facts // as they were given; with Look.Again as they are
	Identity migration.Identity
	Side     Side
	Rows     []migration.Row // the history; see ReadHistory
	Clock    time.Time       // the server's
	// Applied is as ReadApplied gives it; it is in a narrow one only where Reach.Little is true.
	Applied []Applied

	// What follows is in a wide one only: ReadJournal finds something; the oids of the databases in which somebody held the lock
	// or the fence before all else was read.
	Journaled bool
	Held      []string
	// What follows is in a narrow one with Look.Lock only. Got says that the session has the lock, Free that nobody works behind the
	// fence either. All else was read after that.
	Got, Free bool
	Login     string              // session_user
	Head      migration.AuditHead // of the audit
}

// Look says how to look. The zero Look is a narrow one, for a run; a wide one is for a survey.
type Look struct {
	// Wide is of one moment, and leaves the read-only transaction open in which it was.
	Wide bool
	// Again says that the facts are not of this connection but of one before it, or of a database that may be like this one,
	// for that place. What is not so makes no Glance.
	Again *Place
	// Lock and Fence are the keys of locks. A wide one looks for them, a narrow one takes the first for the session, as
	// LockSession does; that needs Again.
	Lock, Fence int64
}

// takes reports whether the lock is to be taken.
func (l *Look) takes() bool { return l.Lock != 0 && l.Again != nil && !l.Wide }

// Glance asks for all of it in one message, in a session as Open makes it, of a database whose Facts say that the side
// tables may be read. nil says that the database did not answer as expected, and that questions of one's own tell why.
// Then no lock is held and no transaction open.
func (c *Conn) Glance(ctx context.Context, f Facts, j Journal, how Look) (*Glance, error) {
	g := &Glance{Facts: f, Identity: migration.Identity{Host: c.Host(), Database: f.Database}}
	where := j.copyIdentity(g)
	if how.Again != nil {
		if told, _ := c.told(&g.Facts); !told {
			return nil, nil // more would have to be asked
		}
		where = c.copyAgain(g, j, how)
	}
	var first []copied
	switch {
	case how.Wide:
		// In a transaction before the one whose moment all else is of: who has let go until then has written what it had to.
		first = []copied{statement("begin read only"), copyHeld(g, how.Lock, how.Fence), statement("commit"), statement(beginReadOnly)}
	case how.takes():
		// As it is when the lock is there: a transaction of another level would look before.
		first = []copied{statement("begin isolation level read committed")}
	}
	parts := append(first, where, j.copyLayout(&g.Side), j.copyPin(&g.Side))
	if f.HasHistory {
		parts = append(parts, j.History.copyRows(&g.Rows))
		switch {
		case f.Reach.Little:
			parts = append(parts, j.copyAllApplied(g))
		case how.Wide:
			parts = append(parts, j.copyApplied(&g.Applied, "instant"))
		}
	}
	switch {
	case how.Wide:
		parts = append(parts, copied{j.table() + " (history, statement)", 2, func([]string) error { g.Journaled = true; return nil }})
	case how.takes():
		parts = append(parts, j.copyHead(&g.Head), statement("commit"))
	}
	err := c.copyOut(ctx, parts...)
	if err == nil && g.Side.Layout < sideLayout {
		err = &LayoutError{Schema: j.Schema, Version: strconv.Itoa(g.Side.Layout)}
	}
	if err == nil {
		sortRows(g.Rows)
		slices.SortFunc(g.Applied, func(a, b Applied) int { return cmp.Compare(a.Rank, b.Rank) })
		return g, nil
	}
	if c.Lost() || ctx.Err() != nil {
		return nil, err
	}
	if err := c.Rollback(ctx); err != nil || !g.Got {
		return nil, err
	}
	return nil, c.UnlockSession(ctx)
}

func (j Journal) copyIdentity(g *Glance) copied {
	return copied{"(select " + g.Facts.Reach.identity() + ", pg_catalog.clock_timestamp())", 3, g.locate}
}

// locate takes over identity and clock.
func (g *Glance) locate(v []string) (err error) {
	g.Identity.System, g.Identity.Cluster = v[0], v[1]
	g.Clock, err = parseInstant(v[2])
	return err
}

// copyHeld lists the databases in which the locks of these keys are held.
func copyHeld(g *Glance, keys ...int64) copied {
	var objects, wanted []string
	for _, key := range keys {
		class, object := halves(key)
		objects, wanted = append(objects, object), append(wanted, class+" "+object)
	}
	return copied{"(select l.locktype, l.database, l.classid, l.objid from pg_catalog.pg_lock_status() l where l.objid in (" + strings.Join(objects, ", ") + "))", 4, func(v []string) error {
		if v[0] == "advisory" && slices.Contains(wanted, v[2]+" "+v[3]) {
			g.Held = append(g.Held, v[1])
		}
		return nil
	}}
}

// halves are the two parts of a lock's key in pg_locks.
func halves(key int64) (class, object string) {
	return strconv.FormatUint(uint64(key)>>32, 10), strconv.FormatUint(uint64(key)&0xffffffff, 10)
}

// errOther says that a database is another than it was.
var errOther = errors.New("the facts are others now")

// copyAgain asks besides for the facts that could have become others; what the role may read is seen when it is read.
// Before all that it takes the lock, if one is wanted.
func (c *Conn) copyAgain(g *Glance, j Journal, how Look) copied {
	lock := "null"
	if how.takes() {
		lock = c.takeLock(how.Lock, how.Fence)
	}
	ask := []string{
		lock, g.Facts.Reach.identity(), "pg_catalog.clock_timestamp()", "current_user", "session_user", "current_catalog", "current_schema",
		"pg_catalog.current_setting('search_path')", "pg_catalog.to_regclass(" + Literal(j.History.name()) + ")::pg_catalog.oid",
	}
	const given, least = 10, 12 // columns; no other row has so many
	for _, s := range how.Again.Others {
		ask = append(ask, "pg_catalog.to_regnamespace("+Literal(Ident(s))+") is not null")
	}
	n := given + len(how.Again.Others)
	for ; n < least; n++ {
		ask = append(ask, "null")
	}
	return copied{"(select " + strings.Join(ask, ", ") + ")", n, func(v []string) error {
		f := &g.Facts
		g.Got, g.Free, g.Login = v[0] != "", v[0] == "t", v[5]
		f.Database, f.Reach.History = v[6], v[9]
		g.Identity.Database = f.Database
		same := v[4] == f.User && v[8] == f.SearchPath && (v[9] != "") == f.HasHistory && (how.Again.Schema != "" || v[7] == f.Schema)
		for i, s := range how.Again.Others {
			same = same && (v[given+i] == "t") == slices.Contains(f.Existing, s)
		}
		if !same {
			return errOther
		}
		return g.locate(v[1:])
	}}
}

// copied is one COPY … TO STDOUT of several in a message. Their rows are told from one another by how many columns they
// have.
type copied struct {
	what    string
	columns int
	row     func(values []string) error
}

// statement is one among them that is sent as it is.
func statement(sql string) copied { return copied{what: sql} }

// copyOut runs them in one message. Values are as in CopyOut.
func (c *Conn) copyOut(ctx context.Context, parts ...copied) error {
	sql := make([]string, len(parts))
	for i, p := range parts {
		if sql[i] = p.what; p.columns > 0 {
			sql[i] = "copy " + p.what + " to stdout"
		}
	}
	return c.CopyOut(ctx, strings.Join(sql, "; "), func(values []string) error {
		for _, p := range parts {
			if p.columns == len(values) {
				return p.row(values)
			}
		}
		return fmt.Errorf("a row of %d columns, which none of the tables has", len(values))
	})
}

// parseInstant reads a timestamptz as DateStyle ISO writes it, or as auditTime does.
func parseInstant(text string) (time.Time, error) {
	for _, zone := range []string{"-07", "-07:00", "-07:00:00"} {
		if at, err := time.Parse("2006-01-02 15:04:05.999999"+zone, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Parse(time.RFC3339Nano, text)
}
