package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/stall"
)

// Wanted is a lock that a step is about to ask for.
type Wanted struct {
	Step int // the caller's number for it, given back
	stall.Target
	Relation uint32 // its oid, in the place of the name; 0: by name
}

// InTheWay is a session whose lock, or whose place in the queue, a wanted lock has to wait for.
type InTheWay struct {
	Step            int
	Relation        string
	Holder          LockHolder // PID 0: a prepared transaction
	AgeKnown        bool
	Autovacuum      bool
	DeadlockTimeout time.Duration
}

// inTheWay finds the wanted relations, and what their locks spread to. A lock on an index comes with one on its table.
// Who lacks the privilege to see another's transaction sees at least that the process has no user, as autovacuum has none.
const inTheWay = `with recursive asked(step, name, id, mode, children, linked, fallback) as (values %[1]s),
named(step, mode, children, linked, fallback, oid) as (select step, mode, children, linked, fallback, coalesce(id::pg_catalog.oid,
	case when name not like '%%.%%' then pg_catalog.to_regclass(%[2]s || name) end, pg_catalog.to_regclass(name)) from asked),
tree as (select step, mode, children, linked, oid from named where oid is not null
	union select t.step, t.mode, true, t.linked, i.inhrelid from tree t join pg_catalog.pg_inherits i on i.inhparent = t.oid where t.children),
wide as (select step, mode, oid from tree
	union select t.step, t.mode, i.indrelid from tree t join pg_catalog.pg_index i on i.indexrelid = t.oid
	union select n.step, n.mode, p.partdefid from named n join pg_catalog.pg_partitioned_table p on p.partrelid = n.oid where n.fallback
	union select t.step, t.mode, case t.oid when c.conrelid then c.confrelid else c.conrelid end
		from tree t join pg_catalog.pg_constraint c on c.contype = 'f' and t.oid in (c.conrelid, c.confrelid) where t.linked)
select w.step, w.mode, l.mode, l.relation::pg_catalog.regclass, coalesce(l.pid, 0), coalesce(a.usename, p.owner, ''), coalesce(a.application_name, ''),
	coalesce(pg_catalog.host(a.client_addr), ''), case when l.pid is null then 'prepared' else coalesce(a.state, '') end, coalesce(a.query, p.gid, ''),
	extract(epoch from pg_catalog.clock_timestamp() - coalesce(a.xact_start, p.prepared))::pg_catalog.float8,
	coalesce(a.backend_type = 'autovacuum worker', l.mode = 'ShareUpdateExclusiveLock' and l.pid is not null and a.usesysid is null),
	extract(epoch from pg_catalog.current_setting('deadlock_timeout')::pg_catalog.interval)::pg_catalog.float8
from wide w join pg_catalog.pg_locks l on l.locktype = 'relation' and l.relation = w.oid
	and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
left join pg_catalog.pg_stat_activity a on a.pid = l.pid
left join pg_catalog.pg_prepared_xacts p on l.pid is null and l.virtualtransaction = '-1/' || p.transaction
where l.pid is distinct from pg_catalog.pg_backend_pid()`

// WhoIsInTheWay looks once who is in the way of the wanted locks, oldest first. A name without a schema is looked for in
// the schema first, then in the session's search path; one that is not there has nobody in its way.
func (c *Conn) WhoIsInTheWay(ctx context.Context, schema string, wanted []Wanted) ([]InTheWay, error) {
	lines := make([]string, len(wanted))
	for i, w := range wanted {
		name, id := Literal(w.Name), "null::pg_catalog.int8"
		if w.Relation != 0 {
			name, id = "null", fmt.Sprint(w.Relation)
		}
		lines[i] = fmt.Sprintf("(%d, %s::pg_catalog.text, %s, %s, %t, %t, %t)", w.Step, name, id, Literal(string(w.Mode)),
			w.With&stall.Children != 0, w.With&stall.Linked != 0, w.With&stall.Fallback != 0)
	}
	rows, err := c.query(ctx, fmt.Sprintf(inTheWay, strings.Join(lines, ", "), Literal(Ident(schema)+"."))+" order by 11 desc nulls last, 5, 1, 4")
	var found []InTheWay
	for _, r := range rows {
		if !stall.Mode(*r[1]).Conflicts(*r[2]) {
			continue
		}
		w := InTheWay{
			Step: int(number(r[0])), Relation: *r[3], AgeKnown: r[10] != nil, Autovacuum: *r[11] == "t", DeadlockTimeout: seconds(r[12]),
			Holder: LockHolder{PID: int32(number(r[4])), User: *r[5], Application: *r[6], Host: *r[7], State: *r[8], Query: *r[9]},
		}
		if w.AgeKnown {
			w.Holder.Age = seconds(r[10]).Seconds()
		}
		found = append(found, w)
	}
	return found, err
}

// seconds reads a number of seconds as the server writes it.
func seconds(s *string) time.Duration {
	n, _ := strconv.ParseFloat(*s, 64) // the column's type has no other text
	return time.Duration(n * float64(time.Second))
}
