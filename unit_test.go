package skein_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// A lock that no text tells: t's column goes with the function.
const dark = "create table t(a int); insert into t values (1); create sequence once; create table log(n bigint);" +
	"create function f() returns int language sql as 'select 1'; alter table t add column b int default f()"

// What gives way outside of a single transaction is what commits as a whole: a statement, a transaction of the script's own,
// a group. What was committed before is not done again.
func TestUnitsGiveWay(t *testing.T) {
	t.Parallel()
	const before, it, after = "insert into log select nextval('once');\n", "drop function f() cascade;\n", "insert into log select nextval('once');"
	for name, c := range map[string]struct {
		script, tries string // how often the sequence was asked
		cfg           skein.Config
	}{
		"statement":    {before + it + after, "2", skein.Config{NoTransactions: true}},
		"transaction":  {before + "commit;\nbegin;\n" + before + it + "commit;\n" + after, "5", skein.Config{}},
		"no begin":     {"commit;\n" + before + it + "commit;\n" + after, "4", skein.Config{}},
		"group":        {before + it + after, "4", skein.Config{Group: true}},
		"group, quiet": {strings.Repeat(before, 60) + it, "180", skein.Config{Group: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, dark)
			reader := session(t, db)
			do(t, reader, "begin", "select from t")
			gave := 0
			cfg := c.cfg
			cfg.Source, cfg.BaselineOnMigrate, cfg.StallBudget = scripts("V2__x.sql", "create table x(a int)", "V3__it.sql", c.script, "V4__y.sql", "create table y(a int)"), true, 50*time.Millisecond
			cfg.Report = func(e skein.Event) {
				if e, ok := e.(skein.GaveWay); ok {
					if gave++; e.Path != "V3__it.sql" || e.Line == 0 || e.Attempt != gave {
						t.Errorf("%+v", e)
					}
					if gave == 2 {
						do(t, reader, "commit")
					}
				}
			}
			if _, err := migrate(t, db, cfg); err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, "select last_value from once"); gave != 2 || got != c.tries {
				t.Errorf("gave way %d times, the sequence was asked %s times, not %s", gave, got, c.tries)
			}
			if got, want := db.Value(t, "select count(*) from log"), len(strings.Split(c.script, "nextval"))-1; got != itoa(want) {
				t.Errorf("%s rows, not %d", got, want)
			}
			if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != "1 2 3 4" {
				t.Errorf("recorded %s", got)
			}
		})
	}
}

// Sessions that wait behind a script that works with its lock are counted: when they are too many for too long it gives
// way, three times at most.
func TestSessionsBehind(t *testing.T) {
	t.Parallel()
	for name, opens := range map[string]bool{"once": true, "for ever": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table t(a int); create table gate(); create function at_gate() returns void language plpgsql as 'begin while not exists (select from gate) loop perform pg_sleep(0.01); end loop; end'")
			ctx, stop := context.WithCancel(context.Background())
			var all sync.WaitGroup
			defer all.Wait()
			defer stop()
			for range 4 {
				conn := session(t, db)
				all.Go(func() { readAlways(ctx, conn) })
			}
			gate := session(t, db)
			var why []string
			cfg := skein.Config{Source: scripts("V2__it.sql", "alter table t add column b int;\nselect at_gate();"), BaselineOnMigrate: true, StallBudget: 200 * time.Millisecond, BehindLimit: 3}
			cfg.Report = func(e skein.Event) {
				if e, ok := e.(skein.GaveWay); ok {
					if why = append(why, e.Why); opens {
						do(t, gate, "insert into gate default values")
					}
				}
			}
			_, err := migrate(t, db, cfg)
			for _, w := range why {
				if w != "more than 3 sessions waited behind it for over 200ms" && !strings.Contains(w, "lock timeout") {
					t.Error(w)
				}
			}
			var e *skein.Error
			switch added := db.Value(t, "select count(*) from pg_attribute where attrelid = 't'::regclass and attname = 'b'"); {
			case opens && (err != nil || added != "1" || len(why) == 0):
				t.Errorf("%v, column %s, %q", err, added, why)
			case !opens && (!errors.As(err, &e) || e.Kind != skein.KindLock || e.At == nil || e.At.Line == 0 || !strings.Contains(e.Message, "the statement gave way 3 times: more than 3 sessions") || added != "0" ||
				e.Kept != "nothing of V2 was kept (it ran in a transaction)"):
				t.Errorf("%v, column %s", err, added)
			}
		})
	}
}

func readAlways(ctx context.Context, conn *pgx.Conn) {
	for ctx.Err() == nil {
		if _, err := conn.Exec(ctx, "select from t"); err != nil {
			return
		}
		pause(ctx, 5*msec)
	}
}

// A concurrent build waits for transactions as long as it takes, whatever the session's timeouts are: one that ended it
// would leave an invalid index. A script's own timeout is its own.
func TestConcurrentBuildsHaveNoTimeout(t *testing.T) {
	t.Parallel()
	if pgtest.Major(t) < 14 {
		t.Skip("pg_locks does not tell since when")
	}
	for name, c := range map[string]struct{ script, state string }{
		"the session's": {"create index concurrently i on t(a);\ncreate table seen as select current_setting('lock_timeout') || ' ' || current_setting('statement_timeout') as it", ""},
		"its own":       {"set lock_timeout = '20ms';\ncreate index concurrently i on t(a)", "55P03"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table t(a int)")
			writer := session(t, db)
			do(t, writer, "begin", "insert into t values (1)")
			done := make(chan struct{})
			go func() {
				defer close(done)
				eventually(t, db.URL, "select exists (select from pg_locks where not granted and waitstart < clock_timestamp() - interval '150 ms' and pid in (select pid from pg_stat_activity where datname = '"+db.Name+"'))"+
					" or exists (select from pg_index where not indisvalid and indexrelid::regclass::text = 'i' and not exists (select from pg_stat_progress_create_index))")
				do(t, writer, "commit")
			}()
			_, err := migrate(t, db, skein.Config{Source: scripts("V2__it.sql", c.script), BaselineOnMigrate: true, NoTransactions: true, InitSQL: "set lock_timeout = '50ms'; set statement_timeout = '1min'"})
			<-done
			var e *skein.Error
			switch {
			case c.state == "" && err != nil, c.state != "" && (!errors.As(err, &e) || e.SQL == nil || e.SQL.State != c.state):
				t.Fatal(err)
			case c.state == "":
				if got := db.Value(t, "select it from seen"); got != "50ms 1min" {
					t.Errorf("afterwards: %s", got)
				}
			}
		})
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
