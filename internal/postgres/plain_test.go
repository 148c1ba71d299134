package postgres

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// A server that takes no TLS is asked for it once, not with every connection; one that is reached in no other way than
// before, or no longer, is asked again.
func TestServersWithoutTLS(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, nil) // its port is nobody else's
	db := pgtest.On(t, server)
	dials := 0
	open := func(url string, whole bool) error {
		t.Helper()
		cfg, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		dials = 0
		cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		conn, err := Open(context.Background(), cfg, Options{Pgx: whole})
		if err == nil {
			conn.Close()
		}
		return err
	}
	mode := func(url, mode string) string { return strings.Replace(url, "sslmode=disable", "sslmode="+mode, 1) }
	prefer := mode(db.URL, "prefer")
	for _, c := range []struct {
		name, url string
		whole     bool
		dials     int
	}{
		{"first", prefer, false, 2}, {"second", prefer, false, 1}, {"with types", prefer, true, 1}, {"never", mode(db.URL, "disable"), false, 1},
	} {
		if err := open(c.url, c.whole); err != nil || dials != c.dials {
			t.Errorf("%s: %d times dialled, want %d; %v", c.name, dials, c.dials, err)
		}
	}
	if err := open(mode(db.URL, "require"), false); err == nil {
		t.Error("TLS was required, and there is none")
	}
	// What fails without TLS is tried with it, in case that is what was missing.
	if err := open(mode(server.URL("nowhere"), "prefer"), false); sqlState(err) != "3D000" || dials != 3 {
		t.Errorf("%d times dialled; %v", dials, err)
	}
	if err := open(prefer, false); err != nil || dials != 2 {
		t.Errorf("after a failure: %d times dialled; %v", dials, err)
	}
	plain.Lock()
	defer plain.Unlock()
	for at, until := range plain.until {
		if time.Until(until) > plainFor {
			t.Errorf("%s is remembered for longer than %v", at, plainFor)
		}
	}
}
