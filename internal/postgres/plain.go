package postgres

import (
	"context"
	"net"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// With sslmode=prefer, which is the default, the server is asked for TLS first. One that has none says so in one byte and
// waits for the client to go on; pgx gives that connection up and makes another, which costs a process of the server's each
// time. Here the connection is kept, and is what pgx gets when it dials the same address again, without TLS.

// askOnce gives cfg such a dialer, where TLS is tried before no TLS. The caller calls done when it has connected, or not.
func askOnce(cfg *pgconn.Config) (asking *pgconn.Config, done func()) {
	if cfg.TLSConfig == nil || !slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil }) {
		return cfg, func() {}
	}
	k := &kept{dial: cfg.DialFunc}
	asking = cfg.Copy()
	asking.DialFunc = k.get
	return asking, k.done
}

// kept are the connections on which a server has refused TLS.
type kept struct {
	dial  pgconn.DialFunc
	mu    sync.Mutex
	ended bool
	conns map[string]net.Conn
}

func (k *kept) get(ctx context.Context, network, address string) (net.Conn, error) {
	k.mu.Lock()
	conn, ended := k.conns[address], k.ended
	delete(k.conns, address)
	k.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	conn, err := k.dial(ctx, network, address)
	if err != nil || ended { // to cancel a statement, later
		return conn, err
	}
	return &asked{Conn: conn, address: address, keeper: k}, nil
}

func (k *kept) done() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	for _, conn := range k.conns {
		_ = conn.Close() // nobody wanted it
	}
	k.conns = nil
}

// asked is a connection that may be told that there is no TLS.
type asked struct {
	net.Conn
	address        string
	keeper         *kept
	written, heard int  // bytes
	refused        bool // the first byte was an N
}

func (a *asked) Write(p []byte) (int, error) {
	n, err := a.Conn.Write(p)
	a.written += n
	return n, err
}

func (a *asked) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if a.heard += n; n > 0 && a.heard == 1 {
		a.refused = p[0] == 'N'
	}
	return n, err
}

// Close keeps the connection if all that was said on it is the question (8 bytes) and the refusal (1 byte).
func (a *asked) Close() error {
	if a.refused && a.written == 8 && a.heard == 1 {
		a.keeper.mu.Lock()
		defer a.keeper.mu.Unlock()
		if !a.keeper.ended && a.keeper.conns[a.address] == nil {
			if a.keeper.conns == nil {
				a.keeper.conns = map[string]net.Conn{}
			}
			a.keeper.conns[a.address] = a.Conn
			return nil
		}
	}
	return a.Conn.Close()
}
