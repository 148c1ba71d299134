package killmatrix

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgserver"
	"github.com/skein-db/skein/internal/pgtest"
)

// way is a way of breaking a run.
type way string

const (
	kill      way = "kill -9 of the client"
	cut       way = "cut of the connection"
	terminate way = "pg_terminate_backend"
	restart   way = "immediate restart"
)

var ways = []way{kill, cut, terminate, restart}

// trial is one broken run and what came after it.
type trial struct {
	db     *pgtest.DB
	server *pgserver.Server // only where it is restarted
	*scenario
}

// through is the database's URL with the proxy for a server.
func through(db *pgtest.DB, p *proxy) string {
	u, err := url.Parse(db.URL)
	if err != nil {
		panic(err) // pgtest printed it
	}
	u.Host = p.listener.Addr().String()
	return u.String()
}

func address(db *pgtest.DB) string {
	u, err := url.Parse(db.URL)
	if err != nil {
		panic(err)
	}
	return u.Host
}

// whole runs the scenario undisturbed and gives the points that it passed and the state that it left.
func (x *trial) whole(t testing.TB) ([]point, string) {
	t.Helper()
	x.prepare(t, x.db)
	p := startProxy(t, address(x.db), point{}, nil)
	c := x.run(t, through(x.db, p))
	if code := c.wait(); code != 0 {
		t.Fatalf("%s: exit code %d undisturbed\n%s", x.name, code, c.output.String())
	}
	p.stop()
	return p.points(), state(t, x.db)
}

// broken runs the scenario, breaks it at a point, runs it again, and reports what is not as it is to be. refused says
// that the second run ended in the documented refusal.
func (x *trial) broken(t testing.TB, w way, at point, want string) (refused bool) {
	t.Helper()
	x.prepare(t, x.db)
	var c *client
	var fault error
	started := make(chan struct{})
	var p *proxy
	p = startProxy(t, address(x.db), at, func(l link) {
		<-started
		fault = x.strike(w, c, p, l)
	})
	c = x.run(t, through(x.db, p))
	close(started)
	code := c.wait()
	p.stop()
	if fault != nil {
		t.Errorf("could not break the run: %v", fault)
	}
	switch fired := p.hasFired(); {
	case !fired && at.conn == "lock" && code == 0:
		t.Skip("the lock is looked at once a second, and this run was quicker than the one that counted")
	case !fired && x.known && code == 0 && state(t, x.db) == want:
		t.Skip("a survey asks more while another database's lock of this name is held, as when the points were counted, and less while none is")
	case !fired:
		t.Errorf("the point was not reached, exit code %d\n%s", code, c.output.String())
	}
	rows := history(t, x.db)
	for _, script := range c.announced() {
		if !strings.Contains(rows, "|"+script+"|") {
			t.Errorf("%s was announced and is not there\n%s", script, rows)
		}
	}
	if code == 0 {
		if got := state(t, x.db); got != want {
			t.Errorf("the broken run ended with 0, but\n%s", difference(want, got))
		}
	}
	again := x.run(t, x.db.URL)
	code = again.wait()
	if code == 8 && x.refusal && strings.Contains(again.output.String(), "how it ended is not known") {
		return true
	}
	got := state(t, x.db)
	if code != 0 || got != want {
		t.Errorf("the second run: exit code %d\n%s\nfirst run:\n%s\nsecond run:\n%s", code, difference(want, got), c.output.String(), again.output.String())
	}
	return false
}

// strike breaks the run.
func (x *trial) strike(w way, c *client, p *proxy, l link) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch w {
	case kill:
		c.kill()
		p.closeAll()
	case cut:
		l.close()
	case terminate:
		return x.terminate(ctx, l.pid)
	case restart:
		return x.server.Restart(ctx, pgserver.Immediate)
	}
	return nil
}

// terminate ends a backend and waits until it is gone.
func (x *trial) terminate(ctx context.Context, pid uint32) error {
	conn, err := pgx.Connect(ctx, x.db.URL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, fmt.Sprintf("select pg_terminate_backend(%d)", pid)); err != nil {
		return err
	}
	return eventually("the end of the backend", func() (bool, error) {
		var gone bool
		err := conn.QueryRow(ctx, fmt.Sprintf("select not exists (select from pg_stat_activity where pid = %d)", pid)).Scan(&gone)
		return gone, err
	})
}

// difference shows the lines that only one of two states has.
func difference(want, got string) string {
	var b strings.Builder
	only := func(mark, a, other string) {
		have := map[string]int{}
		for line := range strings.Lines(other) {
			have[line]++
		}
		for line := range strings.Lines(a) {
			if have[line]--; have[line] < 0 {
				b.WriteString(mark + line)
			}
		}
	}
	only("- ", want, got)
	only("+ ", got, want)
	return b.String()
}

// The comparison that all the others rest on finds a difference.
func TestStateSeesDifferences(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table a(id int); insert into a values (1); create index i on a(id)")
	before := state(t, db)
	for _, change := range []string{
		"insert into a values (1)", "alter table a add column b int", "update pg_index set indisvalid = false where indexrelid = 'i'::regclass",
		"comment on table a is 'x'", "create function f() returns int language sql as 'select 1'", "drop index i", "grant select on a to public",
	} {
		db.Exec(t, change)
		after := state(t, db)
		if before == after {
			t.Errorf("not seen: %s", change)
		}
		before = after
	}
}
