package skein_test

import (
	"cmp"
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
	took, longest time.Duration // took: from the first look at the locks until the change was in
	slow          int           // reads of over 100 ms
	err           error
}

// What the measurement is judged by, on a machine that does nothing else: Skein against the rule, and how long it holds
// others up. A read takes its own time on top of what it waited for.
const (
	againstRule = 1.3
	roughly     = 100 * msec // differences below that are the machine's
	budget      = time.Second
	farReader   = 150 * msec // with one reader that is known to last, nobody has to wait longer
	afterReader = 5 * time.Second
)

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
// longest that the application waited for one row, and how often over 100 ms. With SKEIN_LOCK_QUEUE=all it does so three
// times, prints the medians, and judges them; else only what holds on any machine: who gives up has changed nothing.
func TestLockQueue(t *testing.T) {
	all, rounds := workloads, 3
	if os.Getenv("SKEIN_LOCK_QUEUE") == "" {
		t.Parallel()
		all, rounds = slices.Clone(workloads[:1]), 1
		all[0].length /= 10
	}
	t.Logf("| %-34s | %-26s | %-26s | %-26s | %-26s |", "holders", "nothing", "no lock_timeout", "the rule by hand", "skein")
	for _, w := range all {
		var cells [4]string
		var middle [4]measured
		for i, change := range []changer{idly, plainly, byTheRule, bySkein} {
			if cells[i] = "-"; (i == 1 || i == 2) && w.alone {
				continue
			}
			var runs []measured
			for round := range rounds {
				if round > 0 && (i < 2 || w.alone || runs[0].err != nil) {
					break // what shows the machine, or takes long, is shown once
				}
				t.Run(fmt.Sprint(w.name, ", ", i, ", ", round), func(t *testing.T) {
					m, added := w.run(t, change)
					if added != (m.err == nil) {
						t.Errorf("error %v, column there: %v", m.err, added)
					}
					if e, ok := errors.AsType[*skein.Error](m.err); m.err != nil && i == 3 && (!ok || e.Kind != skein.KindLock) {
						t.Error(m.err)
					}
					runs = append(runs, m)
				})
			}
			if len(runs) > 0 {
				slices.SortFunc(runs, func(a, b measured) int { return cmp.Compare(a.took, b.took) })
				middle[i] = runs[len(runs)/2]
				cells[i] = middle[i].String()
			}
		}
		t.Logf("| %-34s | %-26s | %-26s | %-26s | %-26s |", w.name, cells[0], cells[1], cells[2], cells[3])
		if rounds > 1 {
			w.judge(t, middle)
		}
	}
}

// judge holds Skein's run against the rule's, and against what others may have to wait.
func (w workload) judge(t *testing.T, m [4]measured) {
	idle, rule, ours := m[0], m[2], m[3]
	if limit := budget + idle.longest; ours.longest > limit {
		t.Errorf("%s: a read took %s", w.name, ours.longest)
	}
	if w.alone {
		if ours.err != nil || ours.longest > max(farReader, idle.longest) || ours.took > w.length+afterReader {
			t.Errorf("%s: in after %s, a read took %s (%s without a migration), %v", w.name, ours.took, ours.longest, idle.longest, ours.err)
		}
		return
	}
	if rule.err == nil && (ours.err != nil || float64(ours.took) > againstRule*float64(rule.took) && ours.took > rule.took+roughly) {
		t.Errorf("%s: %s, the rule took %s, %v", w.name, ours.took, rule.took, ours.err)
	}
}

// changer changes the table, within limit, and tells how long that took after it had connected.
type changer func(t *testing.T, db *pgtest.DB, limit time.Duration) (time.Duration, error)

func (w workload) run(t *testing.T, change changer) (m measured, added bool) {
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
	m.took, m.err = change(t, db, max(patience, 2*w.length))
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
func idly(_ *testing.T, _ *pgtest.DB, limit time.Duration) (time.Duration, error) {
	pause(context.Background(), limit/8)
	return limit / 8, errIdle
}

func plainly(t *testing.T, db *pgtest.DB, _ time.Duration) (time.Duration, error) {
	conn, begin := session(t, db), time.Now()
	_, err := conn.Exec(context.Background(), addition)
	return time.Since(begin), err
}

func bySkein(t *testing.T, db *pgtest.DB, limit time.Duration) (time.Duration, error) {
	begin := time.Now()
	cfg := skein.Config{Source: scripts("V2__more.sql", addition), BaselineOnMigrate: true, LockDeadline: limit}
	cfg.Report = func(e skein.Event) {
		if _, ok := e.(skein.StepStarted); ok {
			begin = time.Now()
		}
	}
	_, err := migrate(t, db, cfg)
	return time.Since(begin), err
}

// byTheRule is the rule that Skein's is measured against, written down as simply as can be.
func byTheRule(t *testing.T, db *pgtest.DB, limit time.Duration) (time.Duration, error) {
	conn, begin := session(t, db), time.Now()
	err := rule(conn, limit)
	return time.Since(begin), err
}

func rule(conn *pgx.Conn, limit time.Duration) error {
	ctx, begin := context.Background(), time.Now()
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
