package skein

import (
	"context"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
)

// What one message of Config.Batch holds at most; a longer statement goes by itself.
const (
	batchStatements = 100
	batchBytes      = 1 << 20
)

// batch gives how many of the next statements travel in one message: with Config.Batch, those that change rows and
// follow one another in a script's one transaction; else one. Outside of a transaction a message of several statements
// would make them one transaction, which nobody asked for.
func (x *execution) batch(pieces []*piece) int {
	if !x.run.cfg.Batch || x.mode != stepwise {
		return 1
	}
	n, size := 0, 0
	for n < min(len(pieces), batchStatements) && pieces[n].changesRows() {
		if size += pieces[n].stmt.End - pieces[n].stmt.Start; size > batchBytes {
			break
		}
		n++
	}
	return max(n, 1)
}

// changesRows looks at the first word alone, as Flyway does: WITH … INSERT is none of them.
func (p *piece) changesRows() bool {
	if p.callback != nil {
		return false
	}
	for first := range sqlsplit.Tokens(p.text.sql[p.stmt.Body:p.stmt.End]) {
		return slices.Contains([]string{"insert", "update", "delete", "merge", "upsert"}, strings.ToLower(first.Text))
	}
	return false
}

// several sends statements of a batch in one message, with what already waits in m.
func (x *execution) several(ctx context.Context, m *message, pieces []*piece) error {
	x.run.work.reached(x, pieces[0], false)
	for _, p := range pieces {
		m.add(p, p.sql())
	}
	return m.send(ctx, x.run.conn, x.run.resultLimit(), func(p *piece, res postgres.Result) { x.answered(p, res, 0) })
}
