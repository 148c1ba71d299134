package skein

import (
	"context"
	"sync"

	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/stall"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Prepared are scripts for many runs: loaded once, and decoded, summed, cut and judged once, by whichever run needs that
// first. What depends on a run's placeholders is worked out for each run whose placeholders make another text. It may be
// used by runs that go on at the same moment, and holds the scripts as they were when Prepare was called.
type Prepared struct {
	files, callbacks source.Release
	apart            bool // callbacks have a source of their own
	texts            migration.Texts
	cuts             sync.Map // cutKey → *cut
	met              sync.Map // whereabouts → *acquaintance
}

// Prepare loads the scripts of Source and CallbackSource. Its errors are those of Migrate about scripts that cannot be
// read.
func Prepare(ctx context.Context, cfg Config) (*Prepared, error) {
	p := &Prepared{apart: cfg.CallbackSource != nil}
	var err error
	cfg.Prepared = nil
	p.files, p.callbacks, err = cfg.load(ctx)
	return p, SourceError(err)
}

// Files are the files that were loaded, in the order of their locations, then by path, without those of CallbackSource.
// They are not to be changed.
func (p *Prepared) Files() []migration.File { return p.files.Files }

type cutKey struct {
	path, physical string
	version        int // of the server, which statements are judged for
}

// cut is a text that was cut and judged.
type cut struct {
	sql        string
	statements []sqlsplit.Statement
	verdicts   []txblock.Verdict
	needs      []func() stall.Need
}

// pieces are the statements of the text, cut and judged by an earlier run where the text was the same to it.
func (p *Prepared) pieces(t *text, version int) ([]*piece, error) {
	key := cutKey{t.path, t.physical, version}
	known, ok := p.cuts.Load(key)
	if !ok || known.(*cut).sql != t.sql {
		statements, err := sqlsplit.Split(t.sql)
		if err != nil {
			return nil, t.textError(err)
		}
		pieces := t.pieces(statements, 0, version)
		if !ok {
			p.keep(key, t, statements, pieces)
		}
		return pieces, nil
	}
	c := known.(*cut)
	pieces, all := make([]*piece, len(c.statements)), make([]piece, len(c.statements))
	for i, stmt := range c.statements {
		pieces[i] = &all[i]
		*pieces[i] = piece{text: t, stmt: stmt, index: i, verdict: c.verdicts[i], need: c.needs[i]}
	}
	return pieces, nil
}

func (p *Prepared) keep(key cutKey, t *text, statements []sqlsplit.Statement, pieces []*piece) {
	c := &cut{sql: t.sql, statements: statements}
	for _, one := range pieces {
		sql := t.sql[one.stmt.Body:one.stmt.End]
		c.verdicts = append(c.verdicts, one.verdict)
		c.needs = append(c.needs, sync.OnceValue(func() stall.Need { return stall.Of(sql) }))
	}
	p.cuts.LoadOrStore(key, c)
}

// needs are the locks that the statement wants.
func (p *piece) needs() stall.Need {
	if p.need != nil {
		return p.need()
	}
	return stall.Of(p.text.sql[p.stmt.Body:p.stmt.End])
}
