package skein

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skein-db/skein/internal/watch"
	"github.com/skein-db/skein/migration"
)

// atWork is what the run is doing, written by the run and read by the observer beside it.
type atWork struct {
	mu   sync.Mutex
	now  *spot // nil: between scripts
	stop context.CancelFunc
	done chan struct{} // closed when the observer has ended; nil: there is none
}

// spot is a script or callback on its way, and the statement that it has come to.
type spot struct {
	script       *migration.Script // nil: a callback
	path         string
	index, total int
	x            *execution
	pieces       []*piece // those of x, or of the window that it has come to
	next         int      // in pieces: the first that is not answered
	began, since time.Time
	pid          uint32
	lock, fence  int64
}

// beginWork notes that a script or callback begins, and sees to it that there is an observer.
func (r *run) beginWork(p spot) {
	if r.cfg.Report == nil || r.cfg.NoProgress || r.tape() != nil {
		return
	}
	p.began, p.pid = time.Now(), r.conn.PID()
	p.since = p.began
	if p.x != nil {
		p.pieces = p.x.pieces
	}
	p.lock, p.fence = r.lockKeys()
	r.work.mu.Lock()
	defer r.work.mu.Unlock()
	r.work.now = &p
	if r.work.done == nil {
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		r.work.stop, r.work.done = stop, done
		go func() {
			defer close(done)
			(&observer{run: r}).observe(ctx)
		}()
	}
}

// end notes that nothing of a script or callback is running any more.
func (w *atWork) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = nil
}

// close ends the observer and waits for that.
func (w *atWork) close() {
	w.mu.Lock()
	stop, done := w.stop, w.done
	w.now, w.done = nil, nil
	w.mu.Unlock()
	if done != nil {
		stop()
		<-done
	}
}

// reached notes that the piece is on its way to the server, or with over that its answer is there.
func (w *atWork) reached(x *execution, p *piece, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil || w.now.x != x {
		return
	}
	from := min(w.now.next, len(w.now.pieces))
	if i := slices.Index(w.now.pieces[from:], p); i >= 0 {
		w.now.next = from + i
	} else if i := slices.Index(w.now.pieces[:from], p); i >= 0 { // it begins again
		w.now.next = i
	}
	if over {
		w.now.next++
	}
	w.now.since = time.Now()
}

// again notes that the execution was rolled back and begins anew.
func (w *atWork) again(x *execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now != nil && w.now.x == x {
		w.now.next, w.now.since = 0, time.Now()
	}
}

// window notes that x goes on with other pieces.
func (w *atWork) window(x *execution, pieces []*piece) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now != nil && w.now.x == x {
		w.now.pieces, w.now.next = pieces, 0
	}
}

// look gives a copy of the spot, if the script has been running for so long.
func (w *atWork) look(long time.Duration) (spot, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now == nil || time.Since(w.now.began) < long {
		return spot{}, false
	}
	return *w.now, true
}

// same calls f if the script is still the one that was looked at; moved says that another statement of it is running.
func (w *atWork) same(p spot, f func(moved bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now != nil && w.now.x == p.x && w.now.began.Equal(p.began) {
		f(w.now.next != p.next)
	}
}

// piece is the statement that runs; nil where there is none, or it is not known. Statements that travel in a pipeline are
// answered together, so of these only the server knows which one it is at.
func (p *spot) piece(s watch.Session) *piece {
	left := p.pieces[min(p.next, len(p.pieces)):]
	const cut = 90 // the server cuts what it shows, no sooner than here
	i := slices.IndexFunc(left, func(c *piece) bool {
		return s.State == "active" && c.callback == nil && (c.sql() == s.Query || len(s.Query) > cut && strings.HasPrefix(c.sql(), s.Query))
	})
	switch {
	case i >= 0:
		return left[i]
	case p.x.mode == together && len(p.pieces) > 1:
		return nil
	}
	if len(left) == 0 {
		return nil
	}
	return left[0]
}

// program reports whether what runs is no SQL, so that the server is not expected to be busy.
func (p *spot) program() bool {
	if s := p.script; s != nil && (s.Program || s.Type == migration.TypeJDBC) {
		return true
	}
	return p.next < len(p.pieces) && p.pieces[p.next].callback != nil
}
