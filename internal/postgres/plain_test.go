package postgres

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// A server that takes no TLS says so on the connection that is then used without it.
func TestServersWithoutTLS(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mode := func(url, mode string) string { return strings.Replace(url, "sslmode=disable", "sslmode="+mode, 1) }
	for name, c := range map[string]struct {
		url    string
		whole  bool
		dials  int
		closed int // of the dials, before the connection that is used is closed
		state  string
	}{
		"preferred":             {url: mode(db.URL, "prefer"), dials: 1},
		"preferred, with types": {url: mode(db.URL, "prefer"), whole: true, dials: 1},
		"never":                 {url: mode(db.URL, "disable"), dials: 1},
		"no database":           {url: mode(strings.Replace(db.URL, db.Name, "nowhere", 1), "prefer"), dials: 1, closed: 1, state: "3D000"},
		"required":              {url: mode(db.URL, "require"), dials: 1, closed: 1, state: "none"},
		"allowed":               {url: mode(db.URL, "allow"), dials: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := pgx.ParseConfig(c.url)
			if err != nil {
				t.Fatal(err)
			}
			var dials, closed atomic.Int32
			cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return &counted{conn, &closed}, err
			}
			conn, err := Open(context.Background(), cfg, Options{Pgx: c.whole})
			if (err != nil) != (c.state != "") || c.state != "" && c.state != "none" && sqlState(err) != c.state {
				t.Errorf("error %v", err)
			}
			if int(dials.Load()) != c.dials || int(closed.Load()) != c.closed {
				t.Errorf("dialled %d times, want %d; %d of them closed, want %d", dials.Load(), c.dials, closed.Load(), c.closed)
			}
			if err != nil {
				return
			}
			if err := conn.Exec(t.Context(), "select 1", nil); err != nil {
				t.Error(err)
			}
			conn.Close()
			if closed.Load() != dials.Load() {
				t.Errorf("%d of %d connections were closed in the end", closed.Load(), dials.Load())
			}
		})
	}
}

// counted counts when it is closed first.
type counted struct {
	net.Conn
	closed *atomic.Int32
}

func (c *counted) Close() error {
	if err := c.Conn.Close(); err != nil {
		return err
	}
	c.closed.Add(1)
	return nil
}
