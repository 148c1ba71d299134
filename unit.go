package skein

import (
	"context"
	"slices"
	"time"

	"github.com/skein-db/skein/internal/stall"
	"github.com/skein-db/skein/internal/txblock"
)

// A script that is no single transaction gets its locks a unit at a time: what commits as a whole, with its place in the
// journal, can be repeated as a whole.

// unit is how many pieces from the i-th on, where no transaction is open, are one transaction of the script's own, or
// what commits by itself; repeatable says that rolling it back takes all of it back.
func (j *journaling) unit(i int) (n int, repeatable bool) {
	repeatable = true
	for k, p := range j.pieces[i:] {
		switch v := p.verdict; {
		case p.callback != nil:
			if repeatable = false; k == 0 {
				return 1, false
			}
		case k == 0 && p.setsSession():
			return 1, false
		case v.Control == txblock.Chain:
			repeatable = false // the transaction that it opens has no BEGIN to come back to
		case v.Control == txblock.End:
			return k + 1, repeatable
		case k == 0 && v.Control != txblock.Begin && (j.mode != steered || v.Class == txblock.Refused):
			return 1, j.mode == steered || v.Class != txblock.Opaque
		}
	}
	return len(j.pieces) - i, repeatable
}

// gentlyFrom runs the unit from the i-th piece on, as often as it gives way, and tells how many pieces it had.
func (j *journaling) gentlyFrom(ctx context.Context, i int) (int, error) {
	n, repeatable := j.unit(i)
	pieces := j.pieces[i : i+n]
	d := &demand{created: j.created}
	d.add(pieces)
	j.strong, j.bounded = nil, false
	once := func(ctx context.Context) error {
		j.pending, j.unfenced = nil, false
		for k, p := range pieces {
			if err := j.piece(ctx, i+k, p); err != nil {
				return err
			}
		}
		return nil
	}
	if alone := pieces[0].verdict.Class == txblock.Refused; !j.run.gentle() || !repeatable || alone && d.strong == nil {
		return n, once(ctx)
	}
	j.strong, j.bounded, j.settled = d.strong, d.strong != nil && !j.own, j.done
	q := j.run.queue(j.execution)
	q.wanted = d.wanted
	return n, q.until(ctx, once)
}

// withoutBounds runs a statement that refuses a transaction block. One that works CONCURRENTLY waits for transactions,
// and a timeout would leave an invalid index: it gets none, whatever the session has, unless the script sets one. VACUUM
// FULL wants its lock like others, and the bound of that is the session's while it runs.
func (j *journaling) withoutBounds(ctx context.Context, p *piece, send func() error) error {
	r := j.run
	d := time.Duration(-1)
	if n := stall.Of(p.text.sql[p.stmt.Body:p.stmt.End]); n.Strong() && j.bounded {
		d = j.timeout
	} else if slices.Contains(concurrent, p.verdict.What) {
		d = 0
	}
	if d < 0 || j.own || r.cfg.instead != nil {
		return send()
	}
	if proxied, err := r.isProxied(ctx); err != nil {
		return err
	} else if proxied {
		return send() // the session is not ours alone
	}
	back, err := r.conn.SetTimeouts(ctx, d)
	if err == nil {
		err = send()
	}
	if err != nil || back == "" {
		return err // the session is brought back as after every error
	}
	return r.conn.Exec(ctx, back, nil)
}

// concurrent are statements that wait for transactions that may see what they change.
var concurrent = []string{"CREATE INDEX CONCURRENTLY", "DROP INDEX CONCURRENTLY", "REINDEX CONCURRENTLY", "ALTER TABLE ... DETACH CONCURRENTLY"}
