package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/watch"
)

// Backend says which backend to look at.
type Backend struct {
	// PID is its process id. Behind a pooler it may be another's, so it counts only as long as nobody has the fence.
	PID uint32
	// Fence is the advisory key that the backend holds while a step's transaction is open; 0: none.
	Fence int64
	// Mark is put before the query, as a comment, for those who look at the session that asks.
	Mark string
}

// ReadProgress looks at what a backend is doing: its state, how far its command is, who it waits for and how many wait
// for it. It takes no lock and keeps no snapshot. A backend that is not there gives the zero Facts.
func (c *Conn) ReadProgress(ctx context.Context, b Backend) (watch.Facts, error) {
	if err := c.findViews(ctx); err != nil {
		return watch.Facts{}, err
	}
	which := fmt.Sprintf("a.pid = %d", b.PID)
	if b.Fence != 0 {
		fence := "a.pid in (" + holders(b.Fence) + ")"
		which = "(" + which + " or " + fence + ") order by " + fence + " desc limit 1"
	}
	var sql strings.Builder
	fmt.Fprintf(&sql, `%swith w as (select a.* from pg_catalog.pg_stat_activity a where a.pid <> pg_catalog.pg_backend_pid()
	and a.datname = pg_catalog.current_database() and %s)
	select 'worker', %s from w a`, comment(b.Mark), which, sessionJSON)
	fmt.Fprintf(&sql, ` union all select 'blocker', %s from (select distinct pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) as pid from w) b
	left join pg_catalog.pg_stat_activity a on a.pid = b.pid`, sessionJSON)
	fmt.Fprintf(&sql, ` union all select 'behind', pg_catalog.to_jsonb(pg_catalog.count(*)) from (select a.pid from pg_catalog.pg_stat_activity a
	where a.wait_event_type = 'Lock' and a.pid <> (select pid from w) limit %d) a where (select pid from w) = any (pg_catalog.pg_blocking_pids(a.pid))`, watch.BehindLimit)
	for _, view := range c.views {
		fmt.Fprintf(&sql, ` union all select '%s', pg_catalog.to_jsonb(v) || pg_catalog.jsonb_build_object('relation', v.relid::pg_catalog.regclass::text)
	from pg_catalog.pg_stat_progress_%s v where v.pid = (select pid from w)`, view, view)
	}
	rows, err := c.query(ctx, sql.String())
	if err != nil {
		return watch.Facts{}, err
	}
	return factsOf(rows)
}

func factsOf(rows [][]*string) (watch.Facts, error) {
	var f watch.Facts
	for _, r := range rows {
		var err error
		switch kind, body := *r[0], *r[1]; kind {
		case "worker":
			f.Session, err = readSession(body)
		case "blocker":
			var s watch.Session
			s, err = readSession(body)
			f.Blockers = append(f.Blockers, s)
		case "behind":
			err = json.Unmarshal([]byte(body), &f.Behind)
		default:
			f.Work, err = readWork(kind, body)
		}
		if err != nil {
			return watch.Facts{}, err
		}
	}
	return f, nil
}

// sessionJSON describes the session a, a row of pg_stat_activity. Ages are in milliseconds.
const sessionJSON = `pg_catalog.jsonb_build_object('pid', coalesce(a.pid, 0), 'user', a.usename, 'application', coalesce(nullif(a.application_name, ''), nullif(a.backend_type, 'client backend')),
	'host', pg_catalog.host(a.client_addr), 'state', a.state, 'query', nullif(a.query, '<insufficient privilege>'),
	'wait', case when a.state = 'active' then a.wait_event_type || ':' || a.wait_event end,
	'statement', extract(epoch from pg_catalog.clock_timestamp() - a.query_start) * 1000, 'transaction', extract(epoch from pg_catalog.clock_timestamp() - a.xact_start) * 1000,
	'since', extract(epoch from pg_catalog.clock_timestamp() - a.state_change) * 1000)`

func readSession(body string) (watch.Session, error) {
	var s struct {
		PID                                         int
		User, Application, Host, State, Query, Wait string
		Statement, Transaction, Since               float64
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return watch.Session{}, err
	}
	ms := func(n float64) time.Duration { return max(0, time.Duration(n*float64(time.Millisecond))) }
	return watch.Session{
		PID: s.PID, User: s.User, Application: s.Application, Host: s.Host, State: s.State, Query: s.Query, Wait: s.Wait,
		StatementAge: ms(s.Statement), TransactionAge: ms(s.Transaction), StateAge: ms(s.Since),
	}, nil
}

func readWork(view, body string) (watch.Work, error) {
	var row map[string]any
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&row); err != nil {
		return watch.Work{}, err
	}
	texts := map[string]string{}
	for k, v := range row {
		if v != nil {
			texts[k] = fmt.Sprint(v)
		}
	}
	return watch.Read(view, texts), nil
}

// findViews asks once which views the server has: they grow with its versions.
func (c *Conn) findViews(ctx context.Context) error {
	if c.views != nil {
		return nil
	}
	names, err := c.column(ctx, `select pg_catalog.substr(relname, 18) from pg_catalog.pg_class where relnamespace = 'pg_catalog'::pg_catalog.regnamespace
	and relname in ('pg_stat_progress_create_index', 'pg_stat_progress_vacuum', 'pg_stat_progress_cluster', 'pg_stat_progress_repack', 'pg_stat_progress_analyze', 'pg_stat_progress_copy')
	order by relname desc`) // where there is repack, cluster is its old name and the one to go by
	if err == nil {
		c.views = names
	}
	return err
}

// holders is a query for the pids that hold an advisory key of this database for themselves alone.
func holders(key int64) string {
	class, object := halves(key)
	return fmt.Sprintf(`select l.pid from pg_catalog.pg_locks l where l.locktype = 'advisory' and l.granted and l.mode = 'ExclusiveLock' and l.objsubid = 1
	and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) and l.classid = %s and l.objid = %s`,
		class, object)
}

// comment puts a text before a statement, where pg_stat_activity shows it. The text is never more than a comment.
func comment(text string) string {
	if text == "" {
		return ""
	}
	return "/* " + strings.NewReplacer("*", "", "\n", " ").Replace(text) + " */ "
}

// Seen is what pg_stat_activity and pg_locks show of the run on one history.
type Seen struct {
	Lock, Fence watch.Session // the holders of the two keys; PID 0: none
	// Lookers are sessions that look at a run's own work, whose queries begin with the comment.
	Lookers []watch.Session
	// Siblings are the other sessions of the holder of the lock: same user, application and address, busy ones first.
	Siblings []watch.Session
	// Blind says that the role may not see what other roles' sessions do.
	Blind bool
}

// Sight looks for the run that holds the keys. mark is what the comments of its lookers begin with.
func (c *Conn) Sight(ctx context.Context, lock, fence int64, mark string) (Seen, error) {
	rows, err := c.query(ctx, comment("skein:watch")+`with a as (select * from pg_catalog.pg_stat_activity where datname = pg_catalog.current_database() and pid <> pg_catalog.pg_backend_pid()),
	h as (select * from a where pid in (`+holders(lock)+`))
	select 'lock', `+sessionJSON+` from h a
	union all select 'fence', `+sessionJSON+` from a where pid in (`+holders(fence)+`)
	union all select 'looker', `+sessionJSON+` from a where pg_catalog.starts_with(query, `+Literal("/* "+mark)+`)
	union all (select 'sibling', `+sessionJSON+` from a where pid not in (select pid from h) and not pg_catalog.starts_with(query, '/* skein:')
		and (usename, client_addr::text) in (select usename, client_addr::text from h) is not false
		and pg_catalog.split_part(application_name, '/', 1) in (select pg_catalog.split_part(application_name, '/', 1) from h)
		order by (state = 'active') desc nulls last, state_change desc nulls last limit 1)
	union all select 'blind', pg_catalog.to_jsonb(not (pg_catalog.pg_has_role('pg_read_all_stats', 'usage')))`)
	var seen Seen
	for _, r := range rows {
		if *r[0] == "blind" {
			seen.Blind = *r[1] == "true"
			continue
		}
		s, err := readSession(*r[1])
		if err != nil {
			return Seen{}, err
		}
		switch *r[0] {
		case "lock":
			seen.Lock = s
		case "fence":
			seen.Fence = s
		case "looker":
			seen.Lookers = append(seen.Lookers, s)
		case "sibling":
			seen.Siblings = append(seen.Siblings, s)
		}
	}
	return seen, err
}

// OpenStatements gives the beginnings of the statements that the journal says were begun and not ended.
func (c *Conn) OpenStatements(ctx context.Context, j Journal) ([]string, error) {
	return c.column(ctx, "select statement_start from "+j.table()+" where history = "+j.owner()+" and state = 'intent'")
}

// Behind counts the sessions that wait because of what the backend does, up to limit.
func (c *Conn) Behind(ctx context.Context, b Backend, limit int) (int, error) {
	rows, err := c.query(ctx, fmt.Sprintf(`with w as (select coalesce((select min(pid) from (%s) f(pid)), %d) as pid)
	select pg_catalog.count(*) from (select a.pid from pg_catalog.pg_stat_activity a where a.wait_event_type = 'Lock' and a.datname = pg_catalog.current_database()
		and (select pid from w) = any (pg_catalog.pg_blocking_pids(a.pid)) limit %d) a`, holders(b.Fence), b.PID, limit))
	if err != nil {
		return 0, err
	}
	return int(number(rows[0][0])), nil
}
