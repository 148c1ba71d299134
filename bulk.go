package skein

import (
	"context"
	"slices"
	"time"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
)

// The statements of a long script do not wait for each other's answers. Many INSERT … VALUES in a row are one message of
// the simple protocol, which is what the server takes fastest; all else is a pipeline, whose statements are each seen by
// themselves and answered as they end. COPY and programs travel alone.
//
// The bounds keep errors and progress near to what the server does.
const (
	bulkBytes      = 256 << 10 // of a message or a pipeline; a longer statement goes by itself
	bulkStatements = 100       // of a pipeline
	bulkRows       = 16        // INSERTs in a row from which on a message is worth it
)

// ahead gives how many statements from the i-th on travel in one go, and whether in one message. Outside of a
// transaction it is one: a message of several statements, or a pipeline, would make them one transaction, which nobody
// asked for.
func (x *execution) ahead(i int) (n int, joined bool) {
	if x.mode != stepwise || i < x.lead() || x.run.cfg.Account || len(x.run.cfg.ErrorOverrides) > 0 {
		return 1, false
	}
	rest := x.pieces[i:]
	if n = inserts(rest, len(rest)); n >= bulkRows {
		return n, true
	}
	bytes := 0
	for n = 0; n < min(len(rest), bulkStatements) && rest[n].callback == nil && !rest[n].copies(); n++ {
		if bytes += rest[n].size(); bytes > bulkBytes || inserts(rest[n:], bulkRows) == bulkRows {
			break
		}
	}
	return max(n, 1), false
}

// inserts counts the INSERT … VALUES that follow one another, up to most of them and as fits into a message.
func inserts(pieces []*piece, most int) int {
	n, bytes := 0, 0
	for n < min(len(pieces), most) && pieces[n].insertsValues() {
		if bytes += pieces[n].size(); bytes > bulkBytes {
			break
		}
		n++
	}
	return n
}

// insertsValues reports whether the statement inserts rows that stand in its text. What selects them may take long, and
// is to be seen by itself.
func (p *piece) insertsValues() bool {
	if p.callback != nil {
		return false
	}
	n := 0
	for t := range sqlsplit.Tokens(p.text.sql[p.stmt.Body:p.stmt.End]) {
		switch n++; {
		case n == 1 && !t.Is("insert"), t.Is("select"), t.Is("with"), t.Is("table"):
			return false
		case t.Is("values"):
			return true
		}
	}
	return false
}

// size is how many bytes of the text the statement is.
func (p *piece) size() int { return p.stmt.End - p.stmt.Start }

// several sends statements in one go, behind what already waits in m.
func (x *execution) several(ctx context.Context, m *message, pieces []*piece, joined bool) error {
	begin := time.Now()
	x.run.work.reached(x, pieces[0], false)
	m.parts = slices.Grow(m.parts, len(pieces))
	for _, p := range pieces {
		m.own(x.bound(p)...)
		if m.add(p, p.sql()); joined {
			continue
		}
		m.last().live, m.last().then = true, func(res postgres.Result) {
			now := time.Now()
			x.answered(p, res, now.Sub(begin))
			begin = now
		}
	}
	if !joined {
		return m.pipeline(ctx, x.run.conn, x.run.resultLimit())
	}
	return m.send(ctx, x.run.conn, x.run.resultLimit(), func(p *piece, res postgres.Result) { x.answered(p, res, 0) })
}
