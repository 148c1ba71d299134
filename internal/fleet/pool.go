package fleet

import (
	"context"
	"net"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
)

// each calls do for every item, at most limit at a time, and returns when all have returned. Items that have not begun when
// ctx ends are left out.
func each[T any](ctx context.Context, items []T, limit int, do func(T)) {
	slots := make(chan struct{}, max(1, limit))
	var wg sync.WaitGroup
	for _, item := range items {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			do(item)
		})
	}
	wg.Wait()
}

// lanes bound how many connections to one server are open at a time. A nil *lanes bounds nothing.
type lanes struct {
	limit   int
	mu      sync.Mutex
	servers map[string]chan struct{}
}

// What one target needs open at a time: a run has one connection that works and one that holds the lock, a question one.
const (
	ofRun      = 2
	ofQuestion = 1
)

func newLanes(maxConnections, each int) *lanes {
	if maxConnections <= 0 {
		return nil
	}
	return &lanes{limit: max(1, maxConnections/each), servers: map[string]chan struct{}{}}
}

// bind makes whoever connects with cfg wait for room on its server first; leave gives the room back.
func (l *lanes) bind(cfg *skein.Config) (leave func()) {
	if l == nil {
		return func() {}
	}
	out := func() {}
	inside := false
	connect := cfg.Connection
	cfg.Connection = func(ctx context.Context) (*pgx.ConnConfig, error) {
		c, err := connect(ctx)
		if err != nil || inside {
			return c, err
		}
		if out, err = l.enter(ctx, net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))); err != nil {
			out = func() {}
			return nil, err
		}
		inside = true
		return c, nil
	}
	return func() { out() }
}

// enter waits for room on the server; leave has to be called if the error is nil.
func (l *lanes) enter(ctx context.Context, server string) (leave func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	l.mu.Lock()
	lane, ok := l.servers[server]
	if !ok {
		lane = make(chan struct{}, l.limit)
		l.servers[server] = lane
	}
	l.mu.Unlock()
	select {
	case lane <- struct{}{}:
		return func() { <-lane }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
