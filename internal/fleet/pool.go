package fleet

import (
	"context"
	"sync"
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

// connections is how many a run on one target has open at a time: one works, one holds the lock.
const connections = 2

func newLanes(maxConnections int) *lanes {
	if maxConnections <= 0 {
		return nil
	}
	return &lanes{limit: max(1, maxConnections/connections), servers: map[string]chan struct{}{}}
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
