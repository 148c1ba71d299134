package postgres

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// With sslmode=prefer, which is the default, a server without TLS costs a connection that comes to nothing before each one
// that does, and a process of the server's for it. A run has two connections and a fleet thousands, so it is remembered for
// a while that a server took no TLS. Nothing is given up by that: prefer trusts whoever says so anyway.
const plainFor = time.Minute

var plain = struct {
	sync.Mutex
	until map[string]time.Time // by host:port
}{until: map[string]time.Time{}}

// prefers reports whether cfg tries TLS and then, at the same place, none.
func prefers(cfg *pgconn.Config) (place string, ok bool) {
	if cfg.TLSConfig == nil || len(cfg.Fallbacks) != 1 {
		return "", false
	}
	next := cfg.Fallbacks[0]
	return net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port))), next.TLSConfig == nil && next.Host == cfg.Host && next.Port == cfg.Port
}

// preferring connects, with what is remembered of the server. What fails in that way is tried as cfg says.
func preferring[C any](ctx context.Context, cfg *pgconn.Config, connect func(*pgconn.Config) (C, error), conn func(C) net.Conn) (C, error) {
	place, ok := prefers(cfg)
	if !ok {
		return connect(cfg)
	}
	plain.Lock()
	known := time.Now().Before(plain.until[place])
	plain.Unlock()
	if known {
		bare := cfg.Copy()
		bare.TLSConfig, bare.Fallbacks = nil, nil
		c, err := connect(bare)
		if err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	c, err := connect(cfg)
	plain.Lock()
	defer plain.Unlock()
	delete(plain.until, place)
	if err == nil {
		if _, encrypted := conn(c).(*tls.Conn); !encrypted {
			plain.until[place] = time.Now().Add(plainFor)
		}
	}
	return c, err
}
