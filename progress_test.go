package skein_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// held is a run in the background that stops at a lock of the test's.
type held struct {
	t      *testing.T
	db     *pgtest.DB
	cfg    skein.Config
	events chan skein.Progress
	ended  chan error
	holder *pgx.Conn
	stop   context.CancelFunc
}

// hold makes the database ready, takes what the script will stumble over, and starts the run.
func hold(t *testing.T, setup, obstacle, script string) *held {
	t.Helper()
	h := &held{t: t, db: pgtest.New(t), events: make(chan skein.Progress, 1000), ended: make(chan error, 1)}
	h.db.Exec(t, setup)
	h.holder = connectAs(t, h.db.URL, "the obstacle")
	if obstacle != "" {
		if _, err := h.holder.Exec(t.Context(), obstacle); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	h.stop = stop
	h.cfg = skein.Config{URL: h.db.URL, BaselineOnMigrate: true, StallBudget: -1, Source: scripts("V2__held.sql", script), Report: func(e skein.Event) {
		if p, ok := e.(skein.Progress); ok {
			select {
			case h.events <- p:
			default: // nobody needs more of the same
			}
		}
	}}
	go func() {
		_, err := skein.Migrate(ctx, h.cfg)
		h.ended <- err
	}()
	t.Cleanup(stop)
	return h
}

func connectAs(t *testing.T, url, name string) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// until waits for an event of that kind.
func (h *held) until(what string, is func(skein.Progress) bool) skein.Progress {
	h.t.Helper()
	for {
		select {
		case p := <-h.events:
			if is(p) {
				return p
			}
		case err := <-h.ended:
			h.t.Fatalf("the run ended before %s: %v", what, err)
		}
	}
}

// release lets the run go on, which has to succeed then.
func (h *held) release(sql string) {
	h.t.Helper()
	if _, err := h.holder.Exec(h.t.Context(), sql); err != nil {
		h.t.Fatal(err)
	}
	if err := <-h.ended; err != nil {
		h.t.Fatal(err)
	}
}

// gate is a function that stops at a row's turn for as long as the test holds an advisory lock.
const gate = `create table orders(id int, note text) with (autovacuum_enabled = off); insert into orders select n, repeat('x', 500) from generate_series(1, 2000) n;
	create function gate(n int) returns int language plpgsql immutable as $$begin if n = 1000 then perform pg_advisory_lock_shared(42); end if; return n; end$$;`

// settled waits until no transaction on the server is older than the rows: until then they cannot be frozen.
const settled = `do $$begin while pg_snapshot_xmin(pg_current_snapshot())::text::bigint <= (select max(xmin::text::bigint) from orders) loop perform pg_sleep(0.02); end loop; end$$; `

// What PostgreSQL counts is told while it counts, with who is in the way.
func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup, obstacle, script, release string
		is                               func(skein.Progress) bool
	}{
		"an index that stands half-way": {
			gate, "select pg_advisory_lock(42)", "select 1;\nset max_parallel_maintenance_workers = 0;\ncreate index held on orders(gate(id));", "select pg_advisory_unlock(42)",
			func(p skein.Progress) bool {
				percent, known := p.Percent()
				return p.Command == "CREATE INDEX" && strings.HasPrefix(p.Phase, "building index") && p.Relation == "orders" && known && percent > 10 && percent < 90 &&
					p.Statement == 3 && p.Statements == 3 && p.Line == 3 && p.Total == 1 && p.Took > 0 && strings.HasPrefix(p.SQL, "create index held on orders")
			},
		},
		"a concurrent index that waits for a writer": {
			gate, "begin; insert into orders values (0, 'a secret')", "create index concurrently held on orders(id);", "rollback",
			func(p skein.Progress) bool {
				return p.Command == "CREATE INDEX CONCURRENTLY" && strings.HasPrefix(p.Phase, "waiting for writers") && p.Unit == "lockers" && p.All == 1 &&
					len(p.Blockers) == 1 && p.Blockers[0].State == "idle in transaction"
			},
		},
		"a row that another session has changed": {
			gate, "begin; update orders set note = 'a secret' where id = 7", "update orders set note = '' where id = 7;", "rollback",
			func(p skein.Progress) bool {
				return p.Command == "" && p.Wait == "Lock:transactionid" && len(p.Blockers) == 1 && p.Blockers[0].Application == "the obstacle" &&
					p.Blockers[0].Query == "begin; update orders set note = '…' where id = 7"
			},
		},
		"a VACUUM that stands half-way": {
			gate, settled + "begin; declare c cursor for select * from orders where id >= 1000; fetch c", "vacuum (freeze) orders;", "rollback",
			func(p skein.Progress) bool { // it waits for the page that the cursor stands on
				percent, known := p.Percent()
				return p.Command == "VACUUM" && p.Phase == "scanning heap" && p.Unit == "blocks" && known && percent > 10 && percent < 90 && p.Wait == "BufferPin:BufferPin"
			},
		},
		"a COPY that stands half-way": {
			"create table lines(n int check (gate(n - 500) is not null));", "select pg_advisory_lock(42)", "copy lines from stdin;\n" + lines(2000) + "\\.\n", "select pg_advisory_unlock(42)",
			func(p skein.Progress) bool { // 18 counts rows where it writes them, a thousand at a time
				percent, known := p.Percent()
				return p.Command == "COPY" && (p.Rows == 1499 || p.Rows == 1000) && p.Unit == "bytes" && known && percent > 0 && len(p.Blockers) == 1
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(c.setup, "create table lines") {
				c.setup = gate + c.setup
			}
			h := hold(t, c.setup, c.obstacle, c.script)
			h.until(name, c.is)
			h.release(c.release)
		})
	}
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strconv.Itoa(i+1) + "\n")
	}
	return b.String()
}
