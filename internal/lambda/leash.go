package lambda

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// leash holds the connections of a slice. When the time is up it lets go of all of them at once, without a goodbye and
// without asking the server to cancel anything: a statement that can go on without its client goes on, and the next
// invocation finds what became of it. A sandbox that is frozen with an open connection would hold its locks for hours.
type leash struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	gone  bool
}

// errLetGo is what dialling comes to once the time is up.
var errLetGo = errors.New("the function's time is up")

// keepAlive finds out soon that a server has gone, as AWS advises for failovers.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 10}

// hold makes all connections that cfg leads to the leash's.
func (l *leash) hold(cfg *pgx.ConnConfig) {
	dial := (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if l.letGone() {
			return nil, errLetGo
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.gone {
			_ = conn.Close() // nothing was sent on it
			return nil, errLetGo
		}
		if l.conns == nil {
			l.conns = map[net.Conn]struct{}{}
		}
		held := &heldConn{Conn: conn, leash: l}
		l.conns[held] = struct{}{}
		return held, nil
	}
}

func (l *leash) letGone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// letGo closes all connections for good.
func (l *leash) letGo() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	for conn := range l.conns {
		_ = conn.(*heldConn).Conn.Close() // what it answers changes nothing
	}
}

// heldConn leaves the leash when it is closed.
type heldConn struct {
	net.Conn
	leash *leash
}

func (c *heldConn) Close() error {
	c.leash.mu.Lock()
	delete(c.leash.conns, net.Conn(c))
	c.leash.mu.Unlock()
	return c.Conn.Close()
}
