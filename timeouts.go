package skein

import (
	"fmt"
	"time"

	"github.com/skein-db/skein/internal/stall"
)

// What bounds a statement depends on what it is. From the first on that wants a lock for which others may have to wait,
// each wait for a lock is bounded; those that only change catalogs are bounded as a whole too, since one that takes
// several locks waits several times. What reads or writes a table takes as long as it takes. Smaller bounds that the
// session has stay, and a script that sets a timeout itself keeps its own.

const (
	briefSlack = 250 * time.Millisecond // over the budget, for the work itself: with the same bound the wrong timeout would tell
	idleBound  = 15 * time.Second       // with such locks held, for a client that stands still between two messages
)

// bound gives the statement that bounds p, where something is to be changed for it. Settings end with the transaction.
func (x *execution) bound(p *piece) []string {
	if !x.bounded {
		return nil
	}
	if first := p == x.strong || x.rest != nil && p.index == x.strong.index && p.text.path == x.strong.text.path; first {
		x.past, x.hurried = true, false
		sets := "select " + atMost("lock_timeout", x.timeout)
		if x.mode != together && !x.oneMessage {
			sets += ", " + atMost("idle_in_transaction_session_timeout", idleBound)
		}
		if x.hurried = briefly(p); x.hurried {
			sets += ", pg_catalog.set_config('skein.statement_timeout', pg_catalog.current_setting('statement_timeout'), true), " + x.hurry()
		}
		return []string{sets}
	}
	if !x.past || briefly(p) == x.hurried {
		return nil
	}
	if x.hurried = !x.hurried; x.hurried {
		return []string{"select pg_catalog.set_config('skein.statement_timeout', pg_catalog.current_setting('statement_timeout'), true), " + x.hurry()}
	}
	return []string{"select pg_catalog.set_config('statement_timeout', pg_catalog.current_setting('skein.statement_timeout'), true)"}
}

func (x *execution) hurry() string {
	return atMost("statement_timeout", max(x.timeout, x.run.stallBudget())+briefSlack)
}

// briefly reports whether a statement only changes catalogs.
func briefly(p *piece) bool {
	if p.callback != nil {
		return false
	}
	n := stall.Of(p.text.sql[p.stmt.Body:p.stmt.End])
	return n.Brief
}

// atMost sets a timeout unless it is set to less.
func atMost(name string, d time.Duration) string {
	ms := max(d.Milliseconds(), 1)
	return fmt.Sprintf("case when pg_catalog.current_setting('%s')::pg_catalog.interval not between '1ms' and '%dms' then pg_catalog.set_config('%[1]s', '%[2]d', true) end", name, ms)
}
