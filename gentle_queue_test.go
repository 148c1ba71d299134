package skein_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// workload are transactions that hold a lock on a table, in lanes beside one another, while an application reads rows.
type workload struct {
	name               string
	lanes              int
	length, gap, shift time.Duration
	app                int  // sessions that read a row every few milliseconds
	once               bool // one transaction for each lane, not one after another
	alone              bool // only Skein: with the others the application would stand still too long
}

const msec = time.Millisecond

// workloads are those of SKEIN_LOCK_QUEUE=all; a plain test runs the first with holders a tenth as long.
var workloads = []workload{
	{"one 3 s transaction", 1, 3000 * msec, 0, 0, 8, true, false},
	{"16 readers of 5 ms", 16, 5 * msec, 0, 1 * msec, 8, false, false},
	{"3 s transactions, 0.2 s between", 1, 3000 * msec, 200 * msec, 0, 8, false, false},
	{"6 overlapping of 300 ms", 6, 300 * msec, 0, 50 * msec, 8, false, false},
	{"4 overlapping of 800 ms", 4, 800 * msec, 0, 200 * msec, 8, false, false},
	{"2 of 3 s, rarely a common gap", 2, 3000 * msec, 30 * msec, 1400 * msec, 8, false, false},
	{"one 60 s transaction, 16 sessions", 1, 60 * time.Second, 0, 0, 16, true, true},
}

// measured is what a way of changing the table did.
type measured struct {
	took, longest time.Duration
	slow          int // reads of over 100 ms
	err           error
}

func (m measured) String() string {
	took := fmt.Sprintf("%.2f s", m.took.Seconds())
	switch {
	case errors.Is(m.err, errIdle):
		took = "-"
	case m.err != nil:
		took = "never (" + took + ")"
	}
	return fmt.Sprintf("%s / %d ms / %d", took, m.longest.Milliseconds(), m.slow)
}

// TestLockQueue changes a table under load in three ways, and in none. It prints for each the time until the change was in, the
// longest that the application waited for one row, and how often over 100 ms. Times are measured and not judged, but
// for the one thing that holds on any machine: who gives up has changed nothing.
func TestLockQueue(t *testing.T) {
	all := workloads
	if os.Getenv("SKEIN_LOCK_QUEUE") == "" {
		t.Parallel()
		all = slices.Clone(workloads[:1])
		all[0].length /= 10
	}
	t.Logf("| %-34s | %-26s | %-26s | %-26s | %-26s |", "holders", "nothing", "no lock_timeout", "the rule by hand", "skein")
	for _, w := range all {
		var cells [4]string
		for i, change := range []func(*testing.T, *pgtest.DB, time.Duration) error{idly, plainly, byTheRule, bySkein} {
			if cells[i] = "-"; (i == 1 || i == 2) && w.alone {
				continue
			}
			t.Run(fmt.Sprint(w.name, ", ", i), func(t *testing.T) {
				m, added := w.run(t, func(t *testing.T, db *pgtest.DB) error { return change(t, db, max(patience, 2*w.length)) })
				if added != (m.err == nil) {
					t.Errorf("error %v, column there: %v", m.err, added)
				}
				if e, ok := errors.AsType[*skein.Error](m.err); m.err != nil && i == 3 && (!ok || e.Kind != skein.KindLock) {
					t.Error(m.err)
				}
				cells[i] = m.String()
			})
		}
		t.Logf("| %-34s | %-26s | %-26s | %-26s | %-26s |", w.name, cells[0], cells[1], cells[2], cells[3])
	}
}

func (w workload) run(t *testing.T, change func(*testing.T, *pgtest.DB) error) (m measured, added bool) {
	db := pgtest.New(t)
	db.Exec(t, "create table hot(id int primary key, v int); insert into hot select i, i from generate_series(1, 1000) i")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var all sync.WaitGroup
	var holding sync.WaitGroup // until each lane has its first lock
	for lane := range w.lanes {
		conn := session(t, db)
		holding.Add(1)
		all.Go(func() { w.hold(ctx, conn, time.Duration(lane)*w.shift, holding.Done) })
	}
	holding.Wait()
	reads := make([][]time.Duration, w.app)
	for i := range reads {
		conn := session(t, db)
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				begin := time.Now()
				if _, err := conn.Exec(ctx, "select v from hot where id = $1", n%1000+1); err == nil || time.Since(begin) > 100*msec {
					reads[i] = append(reads[i], time.Since(begin))
				}
				pause(ctx, 5*msec)
			}
		})
	}
	begin := time.Now()
	m.err = change(t, db)
	m.took = time.Since(begin)
	added = db.Value(t, "select count(*) from pg_attribute where attrelid = 'hot'::regclass and attname = 'more'") == "1"
	stop()
	all.Wait()
	for _, took := range slices.Concat(reads...) {
		if m.longest = max(m.longest, took); took > 100*msec {
			m.slow++
		}
	}
	return m, added
}

// hold keeps a lane's transactions going.
func (w workload) hold(ctx context.Context, conn *pgx.Conn, shift time.Duration, held func()) {
	held = sync.OnceFunc(held)
	defer held()
	for pause(ctx, shift); ctx.Err() == nil; pause(ctx, w.gap) {
		_, err := conn.Exec(ctx, "begin; select 1 from hot limit 1")
		if held(); err != nil {
			return
		}
		pause(ctx, w.length)
		if _, err := conn.Exec(ctx, "commit"); err != nil || w.once {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

const (
	addition = "alter table hot add column more int"
	patience = 20 * time.Second
)

var errIdle = errors.New("nothing was changed")

// idly shows what the application and the machine do by themselves.
func idly(_ *testing.T, _ *pgtest.DB, limit time.Duration) error {
	pause(context.Background(), limit/8)
	return errIdle
}

func plainly(t *testing.T, db *pgtest.DB, _ time.Duration) error {
	_, err := session(t, db).Exec(context.Background(), addition)
	return err
}

func bySkein(t *testing.T, db *pgtest.DB, limit time.Duration) error {
	_, err := migrate(t, db, skein.Config{Source: scripts("V2__more.sql", addition), BaselineOnMigrate: true, LockDeadline: limit})
	return err
}

// byTheRule is the rule that Skein's is measured against, written down as simply as can be.
func byTheRule(t *testing.T, db *pgtest.DB, limit time.Duration) error {
	conn, ctx := session(t, db), context.Background()
	begin := time.Now()
	var longest float64
	for time.Since(begin) < limit {
		var oldest float64
		err := conn.QueryRow(ctx, `select coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)::float8 from pg_locks l
			join pg_stat_activity a using (pid) where l.relation = 'hot'::regclass and l.granted and l.pid <> pg_backend_pid()`).Scan(&oldest)
		if err != nil {
			return err
		}
		longest = max(longest, oldest)
		var wait float64
		switch {
		case oldest <= 0.15:
			wait = 0.1
		case time.Since(begin) >= time.Second && longest+0.06 <= 1:
			wait = longest + 0.06
		default:
			pause(ctx, 35*msec)
			continue
		}
		_, err = conn.Exec(ctx, fmt.Sprintf("begin; set local lock_timeout = %d; %s; commit", int(wait*1000), addition))
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "55P03" {
			return err
		}
		if _, err := conn.Exec(ctx, "rollback"); err != nil {
			return err
		}
		pause(ctx, 200*msec)
	}
	return errors.New("no moment fits")
}
