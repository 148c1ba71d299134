package skein_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

var deployed = &skein.Deployment{ID: "d-1", Release: "r", Digest: "sha256:abc", Releaser: "ana", Environment: "qa"}

// appliedOnce checks that each row of the history has exactly one in the side table, with the sum of its script.
func appliedOnce(t *testing.T, db *pgtest.DB, rows int) {
	t.Helper()
	got := db.Value(t, `select count(*) || ' rows, ' || count(a.script) || ' recorded, ' || count(*) filter (where length(a.sha256) <> 64 or a.releaser <> 'ana' or a.instant > now()) || ' wrong, ' ||
		(select count(*) from skein.applied) || ' in all' from flyway_schema_history h
		left join skein.applied a on a.history = 'flyway_schema_history'::regclass and a.installed_rank = h.installed_rank and a.script = h.script`)
	if want := fmt.Sprintf("%d rows, %d recorded, 0 wrong, %d in all", rows, rows, rows); got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// Whatever the way in which a script runs, its record is part of the transaction that its row is.
func TestAppliedInEachMode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("insert into a values (1);\n", 60)
	for name, c := range map[string]struct {
		cfg   skein.Config
		files []string
		rows  int
	}{
		"together":            {files: manyTables(120, nil), rows: 120},
		"each alone":          {cfg: skein.Config{DurableEach: true}, files: manyTables(3, nil), rows: 3},
		"stepwise":            {files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", long}, rows: 2},
		"outside":             {files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "create index concurrently i on a(id);"}, rows: 2},
		"steered":             {files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "begin; insert into a values (1); commit; begin; insert into a values (2); commit;"}, rows: 2},
		"group":               {cfg: skein.Config{Group: true}, files: manyTables(3, nil), rows: 3},
		"program":             {files: []string{"V1__a.sh", "true"}, rows: 1},
		"skipped":             {cfg: skein.Config{SkipExecutingMigrations: true}, files: manyTables(3, nil), rows: 3},
		"large":               {files: []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", long + "-- " + strings.Repeat("x", 5<<20) + "\n;insert into a values (2);"}, rows: 2},
		"another search path": {files: []string{"V1__a.sql", "create schema o; set search_path = o; create function o.clock_timestamp() returns timestamptz language sql as 'select null::timestamptz';"}, rows: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			c.cfg.Source, c.cfg.Deployment = scripts(c.files...), deployed
			if _, err := migrate(t, db, c.cfg); err != nil {
				t.Fatal(err)
			}
			appliedOnce(t, db, c.rows)
		})
	}
}

// A rank that was taken out of the history by hand, and is used again, is recorded as what it is now.
func TestRankUsedAgain(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	files := []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "create table if not exists b(id int);"}
	cfg := skein.Config{URL: db.URL, Source: scripts(files...), Deployment: deployed}
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "delete from flyway_schema_history where installed_rank = 2")
	again := *deployed
	again.Release = "again"
	before := survey(t, db.URL, cfg)
	cfg.Deployment, cfg.Expect = &again, &skein.Expect{Fingerprint: before.Fingerprint, HistoryHash: before.HistoryHash}
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	appliedOnce(t, db, 2)
	if got := db.Value(t, "select string_agg(release, ' ' order by installed_rank) from skein.applied"); got != "r again" {
		t.Errorf("recorded of releases %s", got)
	}
}

// Undo and redo give rows of their own.
func TestAppliedAndUndone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{URL: db.URL, Source: scripts("V1__a.sql", "create table a(id int);", "U1__a.sql", "drop table a;"), Deployment: deployed}
	for range 2 {
		if _, err := skein.Migrate(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := skein.Undo(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	appliedOnce(t, db, 4)
	audit, err := skein.Audit(t.Context(), skein.Config{URL: db.URL})
	if err != nil || audit.Fault != nil || len(audit.Entries) != 8 || audit.Entries[2].What != "undo" || !strings.Contains(audit.Entries[3].Detail, `"undone":1`) {
		t.Errorf("audit %+v, %v", audit, err)
	}
}

// A run whose server kills it in the middle, and the one after it, leave one record for each row.
func TestAppliedAfterABreak(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"in a transaction": "create table t7(id int); select o.broken(1);",
		"outside one":      "create index concurrently i7 on t6((o.broken(id)));",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, `create schema o; create table o.once(id int); create function o.broken(n int) returns int language plpgsql immutable as
				$$begin if not exists (select from o.once) then perform pg_terminate_backend(pg_backend_pid()); end if; return n; end$$`)
			files := manyTables(12, map[int]string{6: "create table t6(id int); insert into t6 values (1);", 7: text})
			cfg := skein.Config{Source: scripts(files...), Deployment: deployed, ReconnectDeadline: -1}
			if _, err := migrate(t, db, cfg); err == nil {
				t.Fatal("it was not broken")
			}
			appliedOnce(t, db, 6)
			db.Exec(t, "insert into o.once values (1)")
			if _, err := migrate(t, db, cfg); err != nil {
				t.Fatal(err)
			}
			appliedOnce(t, db, 12)
			audit, err := skein.Audit(t.Context(), skein.Config{URL: db.URL})
			if err != nil || audit.Fault != nil || len(audit.Entries) < 3 {
				t.Errorf("audit %+v, %v", audit, err)
			}
		})
	}
}

// Recording costs no round trip for a script, and without a deployment and a pin there is no trace of the side tables.
func TestRecordingCostsNoRoundTrips(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg, trips := counted(t, db, skein.Config{Source: scripts(manyTables(100, nil)...), Deployment: deployed})
	if _, err := skein.Migrate(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if got := trips.Load(); got > 30 {
		t.Errorf("%d round trips", got)
	}
	plain := pgtest.New(t)
	if _, err := migrate(t, plain, skein.Config{Source: scripts(manyTables(3, nil)...)}); err != nil {
		t.Fatal(err)
	}
	if got := plain.Value(t, "select count(*) from pg_namespace where nspname = 'skein'"); got != "0" {
		t.Error("a plain run has made the schema")
	}
}

// What is done to the tables behind Skein's back is found.
func TestTamperedAudit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"nothing":         {"select 1", ""},
		"edit":            {"update skein.audit set who = 'eve' where seq = 2", "row 2: it was changed after it was written"},
		"a moment":        {"update skein.audit set at = at + '1 microsecond' where seq = 2", "row 2: it was changed after it was written"},
		"delete":          {"delete from skein.audit where seq = 2", "row 2: it is missing"},
		"delete the last": {"delete from skein.audit where seq = 3", "row 3: it is missing"},
		"reorder":         {"update skein.audit set seq = -seq; update skein.audit set seq = case seq when -2 then 3 when -3 then 2 else -seq end", "row 2: it does not follow"},
		"append":          {"insert into skein.audit select 4, at, who, db_user, what, environment, target, plan, release, detail, hash, 'forged' from skein.audit where seq = 3", "row 4: it was changed after it was written"},
		"head":            {"delete from skein.audit_head", "row 1: it was put in by something else"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			if _, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "select 'é \\ ''';"), Deployment: &skein.Deployment{Releaser: `Ana "\é" O'Neil`}}); err != nil {
				t.Fatal(err)
			}
			pin(t, db.URL, "default", skein.PinOptions{})
			db.Exec(t, c.sql)
			audit, err := skein.Audit(t.Context(), skein.Config{URL: db.URL})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(audit.Fault); (audit.Fault == nil) != (c.want == "") || audit.Fault != nil && !strings.HasPrefix(audit.Fault.Error(), c.want) {
				t.Errorf("fault %s", got)
			}
		})
	}
}

// Runs on several histories of one database write at the same moment, and the chain stays one.
func TestAuditDoesNotFork(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const runs, rounds = 6, 5
	var all sync.WaitGroup
	for i := range runs {
		all.Go(func() {
			for j := range rounds {
				cfg := skein.Config{URL: db.URL, DefaultSchema: fmt.Sprintf("s%d", i), Source: scripts(manyTables(j+1, nil)...), Deployment: deployed}
				if _, err := skein.Migrate(context.Background(), cfg); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	audit, err := skein.Audit(t.Context(), skein.Config{URL: db.URL})
	if err != nil || audit.Fault != nil || len(audit.Entries) != 2*runs*rounds {
		t.Errorf("%d rows, fault %v, %v", len(audit.Entries), audit.Fault, err)
	}
}

// A journal of the first layout is brought to the second where it stands, and one of a layout to come is left alone.
func TestSideTablesJoinAJournal(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	files := []string{"V1__a.sql", "create table a(id int);", "V2__b.sql", "create index concurrently i on a(id);\nselect 1/0;", "V2__b.sql.conf", "executeInTransaction=false"}
	if _, err := migrate(t, db, skein.Config{Source: scripts(files...)}); err == nil {
		t.Fatal("it did not stop half way")
	}
	if got := db.Value(t, "select version from skein.layout"); got != "1" {
		t.Fatalf("layout %s", got)
	}
	files[3] = strings.Replace(files[3], "1/0", "1", 1)
	var resumed []string
	if _, err := migrate(t, db, skein.Config{Source: scripts(files...), Deployment: deployed, Report: resumptions(&resumed)}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select version || ' ' || (select count(*) from skein.applied) from skein.layout"); got != "2 1" || len(resumed) != 1 {
		t.Errorf("layout and rows %s, resumed %v", got, resumed)
	}
	db.Exec(t, "update skein.layout set version = 3")
	for verb, run := range map[string]func(context.Context, skein.Config) error{"migrate": doMigrate, "info": doInfo} {
		err := run(t.Context(), skein.Config{URL: db.URL, Source: scripts(files...)})
		var e *skein.Error
		if !errors.As(err, &e) || e.Kind != skein.KindRefused || !strings.Contains(e.Message, "have layout 3, and this version of Skein knows layouts up to 2") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// A survey needs SELECT and writes nothing (AT-26), and many share scripts that were read once.
func TestSurveysShareScripts(t *testing.T) {
	t.Parallel()
	text := "create table ${tenant}(id int);"
	prepared, err := skein.Prepare(t.Context(), skein.Config{Source: scripts("V1__a.sql", text, "V2__b.sql", "create index concurrently i on x(id);", "R__r.sql", "select '${tenant}';")})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		db := pgtest.New(t)
		tenant := fmt.Sprintf("t%d", i%2)
		cfg := skein.Config{URL: db.URL, Prepared: prepared, Source: untouched{t}, Deployment: deployed}
		cfg.Placeholders.Values = map[string]string{"tenant": tenant}
		role, url := db.Role(t, "")
		all.Go(func() {
			if _, err := skein.Migrate(context.Background(), withTarget(cfg, "1")); err != nil {
				t.Error(err)
				return
			}
			db.Exec(t, "grant select on flyway_schema_history to "+role)
			reader := cfg
			reader.URL, reader.Deployment, reader.Environment = url, nil, "qa"
			s, err := skein.Survey(context.Background(), reader)
			if err != nil || len(s.Entries) != 3 || len(s.Steps) != 1 || s.Blocked != nil || s.Misplaced != nil || len(s.Applied) != 0 {
				t.Errorf("survey %+v, %v", s, err)
			}
			if got := db.Value(t, "select count(*) from pg_class where relname = '"+tenant+"'"); got != "1" {
				t.Errorf("the script ran with another's placeholders")
			}
		})
	}
	all.Wait()
}

func withTarget(cfg skein.Config, version string) skein.Config {
	cfg.TargetVersion = target(version)
	return cfg
}

// Migrations written in Go are recorded in their transaction, without a sum: there is no file.
func TestAppliedInGo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Deployment: deployed, Migrations: []skein.Migration{{Version: "1", Description: "x", Run: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "create table a(id int)")
		return err
	}}}}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select installed_rank || ' ' || script || ' [' || sha256 || '] ' || releaser from skein.applied"); got != "1 go:1 x [] ana" {
		t.Error(got)
	}
}
