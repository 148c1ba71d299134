package skein_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// toolPath finds one of PostgreSQL's programs.
func toolPath(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(pgtest.BinDir(t), name)
	if _, err := os.Stat(path); err != nil { // downloaded servers come without
		if path, err = exec.LookPath(name); err != nil {
			t.Skip("there is no " + name + " on this machine")
		}
	}
	return path
}

// tool runs one of PostgreSQL's programs on a database.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), toolPath(t, name), args...)
	cmd.Env = append(os.Environ(), "PGTZ=UTC", "PGCLIENTENCODING=LATIN1", "PGOPTIONS=-c search_path=pg_catalog")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// historyRows are the rows without their times.
func historyRows(t *testing.T, db *pgtest.DB, schema string) [][]string {
	t.Helper()
	return db.Rows(t, `select installed_rank, version, description, type, script, checksum, installed_by, success from "`+schema+`".flyway_schema_history order by 1`)
}

// runPlan writes the plan's SQL to a file, has psql run it, and gives its text.
func runPlan(t *testing.T, plan *skein.PlanResult, db *pgtest.DB) string {
	t.Helper()
	var b strings.Builder
	if err := plan.WriteSQL(&b, time.Date(2026, 1, 25, 17, 19, 17, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dryrun.sql")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "psql", "-X", "-v", "one=wrong", "-v", "dim=wrong", "-f", file, "-d", db.URL)
	return b.String()
}

// psql runs a text and gives what it wrote.
func psql(t *testing.T, db *pgtest.DB, text string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), toolPath(t, "psql"), append(args, "-X", "-f", "-", "-d", db.URL)...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var mixed = []string{
	"V1__tables.sql", "create table a(id int, note text);\nset search_path = 'pg_catalog';\nset lock_timeout = '7s'; -- the end",
	"V2__copy.sql", "copy a from stdin;\n1\t:USER \\\\N é\n2\t\\N\n\\.\ncopy a (id) from stdin;\n\\.\ninsert into a values (3, '${word} \\! \n\\q\n :one');",
	"V3__index.sql", "create index concurrently a_id on a(id);",
	"V4__colons.sql", "create function one() returns int[] language sql as $$ select (array[1,2,3])[1:2]; -- :USER $$;\ncreate table c(dim int default 2, v int[]);\n" +
		"insert into c(v) values (array[5,6,7]);\nupdate c set v = v[1:dim];\n/* :USER */ select v[1:dim]::int[] from c;",
	"V5__own.sql", "begin; create table d(id int); commit; insert into d values (1); savepoint x; rollback to x;",
	"V6__temp.sql", "create temp table t(id int); prepare q as select 1; select pg_advisory_lock(1);",
	"V7__mixed.sql", "create table e(id int); vacuum e; insert into e values (1);",
	"V8__role.sql", "set client_min_messages = error; create procedure p() language sql begin atomic; insert into e values (2); end; call p();",
	"R__view.sql", "create or replace view v as select * from a;",
	"beforeMigrate.sql", "create table if not exists log(what text, path text); insert into log values ('before', current_setting('search_path'));",
	"beforeEachMigrate.sql", "insert into log values ('each ${flyway:filename}', current_setting('lock_timeout'));",
	"afterVersioned.sql", "insert into log values ('versioned');",
	"beforeRepeatables.sql", "insert into log values ('repeatables');",
	"afterMigrate.sql", "insert into log values ('after', current_setting('TimeZone'));",
}

func TestPlannedSQLDoesWhatMigrateDoes(t *testing.T) {
	t.Parallel()
	words := migration.Placeholders{Values: map[string]string{"word": "it''s"}}
	for name, c := range map[string]struct {
		cfg   skein.Config
		first string // version that both have before
		setup string
	}{
		"mixed":     {cfg: skein.Config{Source: scripts(mixed...), Mixed: true, Placeholders: words}},
		"rest":      {cfg: skein.Config{Source: scripts(mixed...), Mixed: true, Placeholders: words}, first: "3"},
		"schemas":   {cfg: skein.Config{Source: scripts(mixed...), Mixed: true, Placeholders: words, Schemas: []string{"app", "mo\"re"}, Tablespace: "pg_default"}},
		"default":   {cfg: skein.Config{Source: scripts(mixed[:2]...), DefaultSchema: "new"}},
		"init":      {cfg: skein.Config{Source: scripts(mixed...), Mixed: true, Placeholders: words, InitSQL: "set lock_timeout = '3s'; set my.x = 'y'"}},
		"connect":   {cfg: skein.Config{Source: scripts("V1__a.sql", "create table x as select current_setting('DateStyle');", "afterConnect.sql", "set datestyle = 'German'")}},
		"group":     {cfg: skein.Config{Source: scripts(mixed[:4]...), Group: true, Placeholders: words}},
		"baselined": {cfg: skein.Config{Source: scripts("V1__a.sql", "no", "V2__b.sql", "create table b()"), BaselineOnMigrate: true}, setup: "create table old()"},
		"skipped":   {cfg: skein.Config{Source: scripts(mixed...), SkipExecutingMigrations: true, Placeholders: words, Mixed: true}},
		"nothing":   {cfg: skein.Config{Source: scripts("V1__a.sql", "create table b()")}, first: "1"},
		"overrides": {cfg: skein.Config{ErrorOverrides: overrides(t, "42P07:0:W", "23*:*:I-", "42P01:0:E"), Mixed: true, Source: scripts(
			"V1__a.sql", "create table a(id int primary key); create table a(); insert into a values (1); insert into a values (1);",
			"V2__b.sql", "begin; create table a(); create table b(); commit; create table a(); copy a from stdin;\n5\n\\.\n",
			"V3__c.sql", "create table a(); vacuum a; create table c()")}},
		"bulk": {cfg: skein.Config{Source: scripts("V1__a.sql", "create table b(id int);"+strings.Repeat("insert into b values (1);\n", 120))}},
		"conditions": {cfg: skein.Config{Source: scripts("V1__a.sql", "create table a()", "V2__no.sql", "create table b()", "V2__no.sql.conf", "shouldExecute=a==b",
			"V3__alone.sql", "create table c()", "V3__alone.sql.conf", "executeInTransaction=false", "afterMigrate__no.sql", "create table d()", "afterMigrate__no.sql.conf", "shouldExecute=false")}},
		"picked": {cfg: skein.Config{CherryPick: []string{"3", "the_view", "1"}, OutOfOrder: true, Source: scripts("V1__a.sql", "create table a()", "V2__b.sql", "create table b()",
			"V3__c.sql", "create table c()", "R__the_view.sql", "create view v as select 1 as one")}},
		"large": {cfg: skein.Config{Source: scripts("V1__a.sql", "create table b(id int);"+strings.Repeat("insert into b values (1);\n", 60))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			byMigrate, byPlan := pgtest.New(t), pgtest.New(t)
			for _, db := range []*pgtest.DB{byMigrate, byPlan} {
				db.Exec(t, c.setup+";")
				if c.first != "" {
					cfg := c.cfg
					cfg.TargetVersion = target(c.first)
					if _, err := migrate(t, db, cfg); err != nil {
						t.Fatal(err)
					}
				}
			}
			before := whole(t, byPlan)
			cfg := c.cfg
			cfg.URL = byPlan.URL
			plan, err := skein.Plan(ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, whole(t, byPlan)); diff != "" {
				t.Errorf("planning changed the database: %s", diff)
			}
			result, err := migrate(t, byMigrate, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Steps) != len(result.Applied) && name != "skipped" {
				t.Errorf("%d steps planned, %d done", len(plan.Steps), len(result.Applied))
			}
			text := runPlan(t, plan, byPlan)
			if diff := cmp.Diff(dump(t, byMigrate), dump(t, byPlan)); diff != "" {
				t.Errorf("the SQL leaves something else: %s\n%s", diff, text)
			}
			schema := plan.Schema
			if diff := cmp.Diff(historyRows(t, byMigrate, schema), historyRows(t, byPlan, schema)); diff != "" {
				t.Errorf("the SQL leaves another history: %s\n%s", diff, text)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  skein.Config
		want string
	}{
		"init":       {skein.Config{InitSQL: "create table x()"}, "initSql writes"},
		"connect":    {skein.Config{Source: scripts("afterConnect.sql", "create table x()")}, "afterConnect writes"},
		"psql":       {skein.Config{Source: scripts("V1__a.sql", "select 1;\nselect 2 \\x 3;")}, "V1__a.sql:2: psql command"},
		"clean":      {skein.Config{}, "cleanDisabled"},
		"validation": {skein.Config{Source: scripts("V1__a.sql", "select ${x}")}, "No value provided for placeholder"},
	} {
		db := pgtest.New(t)
		before := whole(t, db)
		c.cfg.URL = db.URL
		plan := skein.Plan
		if name == "clean" {
			plan = skein.PlanClean
		}
		_, err := plan(context.Background(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
		if whole(t, db) != before {
			t.Errorf("%s: the database changed", name)
		}
	}
}

// A role that may only read can plan, and the lock may be held by somebody else.
func TestPlanOnlyReads(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts(mixed...)
	cfg := skein.Config{Source: src, Mixed: true, Placeholders: migration.Placeholders{Values: map[string]string{"word": "w"}}}
	one := cfg
	one.TargetVersion = target("1")
	if _, err := migrate(t, db, one); err != nil {
		t.Fatal(err)
	}
	role, url := db.Role(t, "")
	db.Exec(t, fmt.Sprintf(`grant select on flyway_schema_history to "%s"`, role))
	holder := db.Conn(t)
	if _, err := holder.Exec(t.Context(), "select pg_advisory_lock($1)", migration.LockKey("public", "flyway_schema_history")); err != nil {
		t.Fatal(err)
	}
	cfg.URL = url
	plan, err := skein.Plan(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Steps) != 7 || plan.InitialText != "1" || len(plan.Fingerprint) != 64 {
		t.Errorf("%d steps from %s, %q", len(plan.Steps), plan.InitialText, plan.Fingerprint)
	}
}

// Each verb is done to one database by itself and to the other by its plan's SQL.
func TestPlannedVerbs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	byVerb, byPlan := pgtest.New(t), pgtest.New(t)
	two := []string{"V2__a.sql", "create table a()", "V3__b.sql", "create table b()", "U3__b.sql", "drop table b;\ncreate index concurrently on app.x(id)", "U3__b.sql.conf", "executeInTransaction=false",
		"U2__a.sql", "drop table a", "beforeUndo.sql", "create table x(id int)", "afterEachUndo.sql", "insert into app.x values (1)"}
	app := skein.Config{Schemas: []string{"app"}}
	with := func(change func(*skein.Config)) skein.Config {
		c := app
		change(&c)
		return c
	}
	type verb struct {
		plan func(context.Context, skein.Config) (*skein.PlanResult, error)
		do   func(context.Context, skein.Config) error
	}
	baseline := verb{skein.PlanBaseline, func(ctx context.Context, c skein.Config) error { _, err := skein.Baseline(ctx, c); return err }}
	forth := verb{skein.Plan, func(ctx context.Context, c skein.Config) error { _, err := skein.Migrate(ctx, c); return err }}
	back := verb{skein.PlanUndo, func(ctx context.Context, c skein.Config) error { _, err := skein.Undo(ctx, c); return err }}
	repair := verb{skein.PlanRepair, func(ctx context.Context, c skein.Config) error { _, err := skein.Repair(ctx, c); return err }}
	clean := verb{skein.PlanClean, func(ctx context.Context, c skein.Config) error { _, err := skein.Clean(ctx, c); return err }}
	for i, s := range []struct {
		verb
		cfg  skein.Config
		gone bool // the history is
	}{
		{baseline, app, false},
		{forth, with(func(c *skein.Config) { c.Source = scripts(two...) }), false},
		{back, with(func(c *skein.Config) { c.Source, c.TargetVersion = scripts(two...), target("2") }), false},
		{forth, with(func(c *skein.Config) { c.Source = scripts(two...) }), false},
		{repair, with(func(c *skein.Config) {
			c.Source = scripts("V2__a.sql", "create table changed()", "afterRepair.sql", "create table app.repaired(id serial, v app.\"e e\")",
				"beforeRepair.sql", "create type app.\"e e\" as enum ('x'); create function app.f(app.\"e e\") returns int language sql as 'select 1'; create view app.v as select 1 as one")
		}), false},
		{clean, with(func(c *skein.Config) { c.AllowClean, c.Schemas = true, []string{"app", "missing"} }), true},
		{forth, with(func(c *skein.Config) { c.Source, c.Schemas = scripts(two[:4]...), []string{"app", "next"} }), false},
	} {
		s.cfg.URL = byVerb.URL
		if err := s.do(ctx, s.cfg); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		s.cfg.URL = byPlan.URL
		before, rows := whole(t, byPlan), touched(t, byPlan)
		plan, err := s.plan(ctx, s.cfg)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if before != whole(t, byPlan) || rows != touched(t, byPlan) {
			t.Errorf("step %d: planning changed the database", i)
		}
		text := runPlan(t, plan, byPlan)
		if !s.gone {
			if diff := cmp.Diff(historyRows(t, byVerb, "app"), historyRows(t, byPlan, "app")); diff != "" {
				t.Errorf("step %d: %s\n%s", i, diff, text)
			}
		}
		if diff := cmp.Diff(dump(t, byVerb), dump(t, byPlan)); diff != "" {
			t.Errorf("step %d: %s\n%s", i, diff, text)
		}
	}
}

// touched is which rows of the catalogs there are, and which transactions wrote them.
func touched(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	var parts []string
	for _, catalog := range []string{"pg_class", "pg_attribute", "pg_type", "pg_proc", "pg_namespace", "pg_constraint", "pg_depend", "pg_shdescription", "pg_db_role_setting"} {
		parts = append(parts, "select '"+catalog+"' as c, ctid::text as at, xmin::text as by from "+catalog)
	}
	return db.Value(t, "select md5(string_agg(c || at || by, ' ' order by c, at)) from ("+strings.Join(parts, " union all ")+") all_rows")
}

// What is no SQL stops the file where its turn comes, and what stands behind it runs by itself.
func TestPlanStopsAtPrograms(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	code := inGo
	code.Version = "3"
	cfg := skein.Config{
		URL: db.URL, Migrations: []skein.Migration{code}, Report: func(e skein.Event) {
			if _, ran := e.(skein.ProgramStarted); ran {
				t.Error("a program ran")
			}
		},
		Source: scripts("V1__a.sql", "create table a()", "V2__p.sh", "exit 1", "V4__b.sql", "create table b()", "beforeConnect.sh", "exit 1", "afterConnect.sh", "exit 1"),
	}
	plan, err := skein.Plan(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := plan.WriteSQL(&b, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"V2__p.sh is a program: psql cannot run it", "is written in Go: psql cannot run it", ""} {
		part := strings.Split(b.String(), "-- Behind ")[i]
		if i > 0 {
			part = "\\set ON_ERROR_STOP on\n-- Behind " + part
		}
		out, err := psql(t, db, part)
		if (want == "") != (err == nil) || !strings.Contains(out, want) {
			t.Errorf("part %d: %v\n%s", i, err, out)
		}
		if got := db.Value(t, "select count(*) from flyway_schema_history"); got != fmt.Sprint(i+1+i/2) {
			t.Errorf("part %d: %s rows", i, got)
		}
	}
	if got := db.Value(t, "select string_agg(type || coalesce(version, ''), ' ' order by installed_rank) from flyway_schema_history"); got != "SQL1 SCRIPT2 JDBC3 SQL4" {
		t.Error(got)
	}
}

// The fingerprint follows the history and the scripts, not the time of planning.
func TestPlanFingerprint(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	print := func(pairs ...string) string {
		p, err := skein.Plan(context.Background(), skein.Config{URL: db.URL, Source: scripts(pairs...)})
		if err != nil {
			t.Fatal(err)
		}
		return p.Fingerprint
	}
	first := print("V1__a.sql", "select '${flyway:timestamp}'", "V2__b.sql", "select 2")
	if print("V1__a.sql", "select '${flyway:timestamp}'", "V2__b.sql", "select 2") != first {
		t.Error("it is another the second time")
	}
	if print("V1__a.sql", "select 1", "V2__b.sql", "select 2") == first {
		t.Error("another script leaves it as it is")
	}
	if _, err := skein.Baseline(context.Background(), skein.Config{URL: db.URL, BaselineVersion: migration.MustVersion("0")}); err != nil {
		t.Fatal(err)
	}
	if print("V1__a.sql", "select '${flyway:timestamp}'", "V2__b.sql", "select 2") == first {
		t.Error("another history leaves it as it is")
	}
}

var inGo = skein.Migration{Version: "1", Description: "x", Run: func(context.Context, pgx.Tx) error { return nil }}
