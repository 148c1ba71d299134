package skein

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// mode is how a script and its history row relate to transactions.
type mode uint8

const (
	// together: script and row are one transaction that travels in one message.
	together mode = iota
	// stepwise: one transaction, sent in parts.
	stepwise
	// steered: the script begins and commits on its own. Whatever it leaves outside its own transactions runs in one of
	// ours, as with a driver whose autocommit is off; the row goes with the last of them.
	steered
	// outside: each statement for itself, the row last.
	outside
)

// transactional reports whether the mode keeps nothing of a script that fails.
func (m mode) transactional() bool { return m == together || m == stepwise }

// What still counts as small: such a script travels with its transaction around it, a longer one in parts (see ahead),
// so that its progress and notices are seen as they come.
const (
	smallBytes      = 64 << 10
	smallStatements = 50
)

// decide chooses the mode of one text. The two kinds of statements must not meet in one script unless mixed says so.
func (r *run) decide(ctx context.Context, pieces []*piece, config migration.ScriptConfig) (mode, error) {
	d := r.decision(config)
	if err := d.add(ctx, pieces); err != nil {
		return 0, err
	}
	chosen, err := d.mode()
	return wider(chosen, pieces), err
}

// decision is the choice of a mode while statements are looked at.
type decision struct {
	run            *run
	config         migration.ScriptConfig
	told           bool // that it is outside, whatever the statements are
	refused, plain *piece
	chosen         mode
}

func (r *run) decision(config migration.ScriptConfig) *decision {
	d := &decision{run: r, config: config, told: r.cfg.NoTransactions}
	if config.ExecuteInTransaction != nil {
		d.told = !*config.ExecuteInTransaction
	}
	return d
}

// add looks at the next statements.
func (d *decision) add(ctx context.Context, pieces []*piece) error {
	for _, p := range pieces {
		if d.told {
			return nil
		}
		no, err := d.run.refusesTransaction(ctx, p.verdict)
		if err != nil {
			return err
		}
		switch {
		case no && d.refused == nil:
			d.refused = p
		case !no && d.plain == nil:
			d.plain = p
		}
		switch {
		case p.verdict.Class == txblock.Control && p.verdict.Control != txblock.Savepoint:
			d.chosen = steered
		case p.verdict.Class == txblock.CopyIn && d.chosen == together:
			d.chosen = stepwise
		}
	}
	return nil
}

// mode is the choice when all statements were looked at.
func (d *decision) mode() (mode, error) {
	switch {
	case d.told:
		return outside, nil
	case d.refused != nil && d.config.ExecuteInTransaction == nil:
		if d.plain != nil && !d.run.cfg.Mixed {
			return 0, mixedError(d.refused, d.plain)
		}
		return outside, nil
	case d.run.cfg.Account && d.chosen == together:
		return stepwise, nil
	}
	return d.chosen, nil
}

// light reports whether the statements can travel in one go.
func light(pieces []*piece) bool {
	for _, p := range pieces {
		if p.callback != nil || p.copies() {
			return false
		}
	}
	return size(pieces) <= smallBytes && len(pieces) <= smallStatements
}

// size is how many bytes the statements have.
func size(pieces []*piece) int {
	n := 0
	for _, p := range pieces {
		n += p.size()
	}
	return n
}

// copies reports whether the statement moves data between server and client beside its result.
func (p *piece) copies() bool {
	for first := range sqlsplit.Tokens(p.text.sql[p.stmt.Body:p.stmt.End]) {
		return first.Is("copy")
	}
	return false
}

// refusesTransaction answers for one statement, asking the catalog where the text does not tell.
func (r *run) refusesTransaction(ctx context.Context, v txblock.Verdict) (bool, error) {
	switch v.Class {
	case txblock.Refused:
		return true, nil
	case txblock.AskTable, txblock.AskIndex:
		names := []string{v.Relation}
		if !strings.Contains(v.Relation, ".") {
			names = []string{postgres.Ident(r.history.Schema) + "." + v.Relation, v.Relation}
		}
		for _, name := range names {
			if yes, err := r.conn.Partitioned(ctx, name); yes || err != nil {
				return yes, r.wrap(err)
			}
		}
	}
	return false, nil
}

func mixedError(refused, plain *piece) error {
	loc := (&failure{piece: refused, offset: -1}).location()
	return &Error{
		Kind: KindScript, Code: "ERROR", At: loc, Kept: "nothing of " + loc.Path + " ran",
		Message: fmt.Sprintf("Detected both transactional and non-transactional statements within the same migration (even though mixed is false): "+
			"%s cannot run in a transaction, line %d belongs into one", refused.verdict.What, plain.line()),
		Hint: "move " + refused.verdict.What + " into a script of its own, or set mixed=true to run the whole script without a transaction",
	}
}

// setsSession reports whether the statement does nothing but set up the session, so that a script that goes on in
// another one needs it again.
func (p *piece) setsSession() bool {
	if p.callback != nil || p.verdict.Class != txblock.Plain {
		return false
	}
	for first := range sqlsplit.Tokens(p.text.sql[p.stmt.Body:p.stmt.End]) {
		return slices.ContainsFunc([]string{"set", "reset", "prepare", "deallocate", "load", "listen", "unlisten", "show"}, first.Is)
	}
	return true // nothing but a comment
}

// setsTransaction reports whether the statement is one that PostgreSQL takes only before a transaction's first query.
func (p *piece) setsTransaction() bool {
	if p.callback != nil {
		return false
	}
	n := 0
	for t := range sqlsplit.Tokens(p.text.sql[p.stmt.Body:p.stmt.End]) {
		switch n++; {
		case n == 1 && t.Is("set"):
		case n == 2 && (t.Is("local") || t.Is("session")):
		case n > 1:
			return t.Is("transaction") || t.Is("transaction_isolation") || t.Is("transaction_read_only") || t.Is("transaction_deferrable")
		default:
			return false
		}
	}
	return false
}
