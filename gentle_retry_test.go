package skein_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// hidden changes t in a way that the text does not tell.
const hidden = "do $$ begin execute 'alter' || ' table t add column b int'; end $$; -- alter"

// What gives way in the middle of a slice is tried again by itself. The scripts before it stay, those after it follow,
// and each is told once.
func TestGivingWayInTheMiddleOfASlice(t *testing.T) {
	t.Parallel()
	for name, third := range map[string]string{
		"in a slice":             hidden,
		"statement by statement": hidden + strings.Repeat("\nselect 1;", 60),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table t(a int)")
			reader := session(t, db)
			do(t, reader, "begin", "select from t")
			var told []string
			cfg := skein.Config{Source: scripts(manyTables(6, map[int]string{3: third})...), StallBudget: 50 * time.Millisecond, BaselineOnMigrate: true, BaselineVersion: migration.MustVersion("0")}
			cfg.Report = func(e skein.Event) {
				switch e := e.(type) {
				case skein.StepStarted:
					told = append(told, "start "+e.Script.Version.String())
				case skein.StepDone:
					told = append(told, "done "+e.Script.Version.String())
				case skein.GaveWay:
					if e.Path != "V3__t.sql" || e.Line != 1 || e.Why != "canceling statement due to lock timeout" {
						t.Errorf("%+v", e)
					}
					if e.Attempt == 2 {
						told = append(told, "gave way twice")
						do(t, reader, "commit")
					}
				}
			}
			result, err := migrate(t, db, cfg)
			if err != nil || len(result.Applied) != 6 {
				t.Fatalf("%+v, %v", result, err)
			}
			// How many steps share the slice with the third is not the matter here; the order of what concerns it is.
			at := func(s string) int { return slices.Index(told, s) }
			if got := []int{at("done 2"), at("gave way twice"), at("done 3"), at("start 4"), at("done 6")}; !slices.IsSorted(got) || got[0] < 0 || len(told) != 13 {
				t.Errorf("told %q", told)
			}
			if got := db.Value(t, "select string_agg(version, ' ' order by installed_rank) from flyway_schema_history"); got != "0 1 2 3 4 5 6" {
				t.Errorf("recorded %s", got)
			}
		})
	}
}

// A transaction that others made fail is tried again as a whole, after a deadlock or a serialization failure five times.
func TestConflictsAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state string
		fails int
		want  string // tries that the sequence counted
		ok    bool
	}{
		"deadlock": {"40P01", 2, "3", true}, "serialization": {"40001", 5, "6", true}, "lock timeout": {"55P03", 7, "8", true},
		"deadlock without end": {"40P01", 99, "6", false}, "another error": {"P0001", 1, "1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create sequence tries; create table t(a int)")
			script := fmt.Sprintf("insert into t values (1);\ndo $$ begin if nextval('tries') <= %d then raise exception 'no' using errcode = '%s'; end if; end $$", c.fails, c.state)
			var attempts []int
			_, err := migrate(t, db, skein.Config{Source: scripts("V2__x.sql", script), BaselineOnMigrate: true, Report: func(e skein.Event) {
				if g, ok := e.(skein.GaveWay); ok {
					attempts = append(attempts, g.Attempt)
				}
			}})
			var e *skein.Error
			if c.ok != (err == nil) || !c.ok && (!errors.As(err, &e) || e.Kind != skein.KindSQL || e.SQL.State != c.state) {
				t.Fatalf("error %v", err)
			}
			if got := db.Value(t, "select last_value from tries"); got != c.want || fmt.Sprint(len(attempts)+1) != c.want {
				t.Errorf("%s tries, told %v", got, attempts)
			}
			if got := db.Value(t, "select count(*) from t"); got != map[bool]string{true: "1", false: "0"}[c.ok] {
				t.Errorf("%s rows", got)
			}
		})
	}
}

// Which lock_timeout a statement that changes a table runs under, in the script and after it.
func TestWhoseLockTimeout(t *testing.T) {
	t.Parallel()
	const look = "alter table t add column b int;\ncreate table seen as select current_setting('lock_timeout') as it"
	for name, c := range map[string]struct {
		script string
		cfg    skein.Config
		want   string
	}{
		"Skein's":                  {look, skein.Config{}, "100ms"},
		"the budget's":             {look, skein.Config{StallBudget: 40 * time.Millisecond}, "40ms"},
		"the budget, text is dark": {"do $$ begin execute 'alter table t add column b int'; end $$;\ncreate table seen as select current_setting('lock_timeout') as it", skein.Config{}, "1s"},
		"the script's":             {"set lock_timeout = '7s';\n" + look, skein.Config{}, "7s"},
		"the script's, by call":    {"select set_config('lock_timeout', '7s', true);\n" + look, skein.Config{}, "7s"},
		"initSql's, longer":        {look, skein.Config{InitSQL: "set lock_timeout = '1min'"}, "100ms"},
		"initSql's, shorter":       {look, skein.Config{InitSQL: "set lock_timeout = '30ms'"}, "30ms"},
		"none for data":            {"update t set a = 1;\ncreate table seen as select current_setting('lock_timeout') as it", skein.Config{}, "0"},
		"none for new tables":      {"create table u(a int); alter table U add b int;\ncreate table seen as select current_setting('lock_timeout') as it", skein.Config{}, "0"},
		"switched off":             {look, skein.Config{StallBudget: -1}, "0"},
		"outside a transaction":    {look, skein.Config{NoTransactions: true}, "0"},
	} {
		for _, length := range []string{"short", "long"} {
			t.Run(name+", "+length, func(t *testing.T) {
				t.Parallel()
				db := pgtest.New(t)
				db.Exec(t, "create table t(a int)")
				script := c.script
				if length == "long" {
					script += strings.Repeat(";\nselect 1", 60)
				}
				cfg := c.cfg
				cfg.Source, cfg.BaselineOnMigrate = scripts("V2__x.sql", script, "V3__y.sql", "create table later as select current_setting('lock_timeout') as it"), true
				if _, err := migrate(t, db, cfg); err != nil {
					t.Fatal(err)
				}
				after := "0"
				if _, set, ok := strings.Cut(cfg.InitSQL, "'"); ok {
					after = strings.Trim(set, "'")
				}
				if diff := cmp.Diff(c.want+", then "+after, db.Value(t, "select seen.it || ', then ' || later.it from seen, later")); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// One look serves all the scripts of a slice.
func TestOneLookForASlice(t *testing.T) {
	t.Parallel()
	trips := func(altering bool) int32 {
		db := pgtest.New(t)
		texts := map[int]string{}
		for i := 1; i <= 30; i++ {
			db.Exec(t, fmt.Sprintf("create table old%d(a int)", i))
			if altering {
				texts[i] = fmt.Sprintf("alter table old%d add column b int", i)
			}
		}
		var n atomic.Int32
		cfg := skein.Config{Source: scripts(manyTables(30, texts)...), BaselineOnMigrate: true, BaselineVersion: migration.MustVersion("0")}
		cfg.Connection = func(context.Context) (*pgx.ConnConfig, error) {
			cc, err := pgx.ParseConfig(db.URL)
			if err != nil {
				return nil, err
			}
			cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				return &watched{Conn: conn, trips: &n}, err
			}
			return cc, nil
		}
		if _, err := skein.Migrate(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		return n.Load()
	}
	plain, altering := trips(false), trips(true)
	// Reading the history ahead, beside the rest, makes the count vary by one.
	if altering-plain > 2 {
		t.Errorf("%d round trips, %d without the look", altering, plain)
	}
}
