package skein_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

func undo(t *testing.T, db *pgtest.DB, cfg skein.Config) (*skein.UndoResult, error) {
	t.Helper()
	cfg.URL = db.URL
	return skein.Undo(context.Background(), cfg)
}

// three are three versions and a repeatable, each with an undo script that only works in reverse order.
var three = []string{
	"V1__a.sql", "create table a (id int);", "U1__a.sql", "drop table a;",
	"V2__b.sql", "create table b (id int primary key);", "U2__b.sql", "drop table b;",
	"V3__c.sql", "create table c (id int references b);", "U3__other_words.sql", "drop table c;",
	"R__v.sql", "create view v as select 1;",
}

func tables(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	return db.Value(t, "select coalesce(string_agg(tablename, ' ' order by tablename), '') from pg_tables where schemaname = 'public' and tablename <> 'flyway_schema_history'")
}

func versions(res *skein.UndoResult) string {
	var out []string
	for _, u := range res.Undone {
		out = append(out, u.Row.Version.String())
	}
	return strings.Join(out, " ")
}

func TestUndoTakesTheLastBackAndRecordsIt(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts(three...)
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	res, err := undo(t, db, skein.Config{Source: src, InstalledBy: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(versions(res), " ", res.Initial, " ", res.InitialText, " ", res.Version); got != "3 3 3 2" {
		t.Errorf("undone, initial, current: %s", got)
	}
	if got := tables(t, db); got != "a b" {
		t.Errorf("tables %s", got)
	}
	sum := migrationSum(t, "U3__other_words.sql", "drop table c;")
	want := []string{"5", "3", "c", "UNDO_SQL", "U3__other_words.sql", sum, "ann", "t"}
	got := db.Rows(t, "select installed_rank, version, description, type, script, checksum, installed_by, success from flyway_schema_history order by 1 desc limit 1")[0]
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("row (-want +got):\n%s", d)
	}
	wantStates := "Versioned 1 a Success\nVersioned 2 b Success\nVersioned 3 c Undone\nRepeatable  v Success\nUndo 3 c Success\n" +
		"Undo 1 a Available\nUndo 2 b Available\nVersioned 3 c Pending\nUndo 3 other words Available\n"
	if d := cmp.Diff(wantStates, states(t, db, skein.Config{Source: src})); d != "" {
		t.Errorf("states (-want +got):\n%s", d)
	}
	again, err := migrate(t, db, skein.Config{Source: src})
	if err != nil || len(again.Applied) != 1 || tables(t, db) != "a b c" {
		t.Errorf("migrate again: %v, %d applied, tables %s", err, len(again.Applied), tables(t, db))
	}
}

// migrationSum is the checksum that a migration with this text gets.
func migrationSum(t *testing.T, name, text string) string {
	t.Helper()
	db := pgtest.New(t)
	res, err := skein.Info(context.Background(), skein.Config{URL: db.URL, Source: scripts(name, text)})
	if err != nil || len(res.Entries) != 1 {
		t.Fatal(err, len(res.Entries))
	}
	return fmt.Sprint(*res.Entries[0].Script.Checksum)
}

func TestUndoHowFar(t *testing.T) {
	t.Parallel()
	without2 := slices.Concat(three[:4], three[4:6], three[8:])
	for _, c := range []struct {
		name   string
		source []string
		cfg    skein.Config
		undone string
		want   string // in the error, or in the warnings
	}{
		{name: "down to a version, which is undone too", source: three, cfg: skein.Config{TargetVersion: target("2")}, undone: "3 2"},
		{name: "down to the first", source: three, cfg: skein.Config{TargetVersion: target("1")}, undone: "3 2 1"},
		{name: "the words mean the last", source: three, cfg: skein.Config{TargetVersion: target("current")}, undone: "3"},
		{name: "next too", source: three, cfg: skein.Config{TargetVersion: target("next")}, undone: "3"},
		{name: "in a group", source: three, cfg: skein.Config{TargetVersion: target("1"), Group: true}, undone: "3 2 1"},
		{name: "above everything", source: three, cfg: skein.Config{TargetVersion: target("9?")}},
		{name: "no such version", source: three, cfg: skein.Config{TargetVersion: target("9")}, want: "No migration with a target version 9"},
		{
			name: "a gap on the way", source: without2, cfg: skein.Config{TargetVersion: target("1")}, undone: "3",
			want: "undo does not reach the target 1: it stops before version 2, for it has no undo script",
		},
		{name: "the last has none", source: three[:10], cfg: skein.Config{}, want: "version 3 cannot be undone: it has no undo script"},
		{name: "picked", source: three, cfg: skein.Config{CherryPick: []string{"1", "c"}}, undone: "3 1"},
		{name: "picked, one without", source: without2, cfg: skein.Config{CherryPick: []string{"2", "3"}}, want: "version 2 cannot be undone"},
		{name: "picked and repeatable", source: three, cfg: skein.Config{CherryPick: []string{"3", "v"}}, want: "a repeatable migration cannot be undone"},
		{name: "picked and a target", source: three, cfg: skein.Config{CherryPick: []string{"3"}, TargetVersion: target("2")}, want: "cherryPick and target both say"},
		{name: "picked and unknown", source: three, cfg: skein.Config{CherryPick: []string{"7"}}, want: "No migration named by cherryPick '7'"},
		{name: "recorded only", source: three, cfg: skein.Config{SkipExecutingMigrations: true}, undone: "3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			if _, err := migrate(t, db, skein.Config{Source: scripts(c.source...)}); err != nil {
				t.Fatal(err)
			}
			before := history(t, db)
			c.cfg.Source = scripts(c.source...)
			res, err := undo(t, db, c.cfg)
			if versions(res) != c.undone {
				t.Errorf("undone %q, want %q", versions(res), c.undone)
			}
			told := strings.Join(res.Warnings, "\n")
			if err != nil {
				told = err.Error()
			}
			if c.want == "" && told != "" || !strings.Contains(told, c.want) {
				t.Errorf("told %q, want %q", told, c.want)
			}
			if c.undone == "" && history(t, db) != before {
				t.Errorf("the history is another:\n%s", history(t, db))
			}
			if c.cfg.SkipExecutingMigrations != (strings.HasSuffix(tables(t, db), "c") && c.undone != "") {
				t.Errorf("tables %s", tables(t, db))
			}
		})
	}
}

func TestUndoWithNothingToUndo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var events []string
	res, err := undo(t, db, skein.Config{Source: scripts(three...), Report: func(e skein.Event) { events = append(events, fmt.Sprintf("%T", e)) }})
	if err != nil || len(res.Undone) != 0 || events[len(events)-1] != "skein.Undone" {
		t.Errorf("%v, %d undone, events %v", err, len(res.Undone), events)
	}
	if got := db.Value(t, "select count(*) from pg_class where relname = 'flyway_schema_history'"); got != "0" {
		t.Error("it made a history table")
	}
}

// What Flyway Teams left: the second run of version 2 is the one to undo, and its rows stay.
func TestUndoOnAHistoryOfFlywayTeams(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts(three[:8]...)
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, `insert into flyway_schema_history values
		(3, '2', 'b', 'UNDO_SQL', 'U2__b.sql', 7, 'teams', now(), 3, true), (4, '2', 'b', 'SQL', 'V2__b.sql', (select checksum from flyway_schema_history where installed_rank = 2), 'teams', now(), 3, true)`)
	if _, err := skein.Validate(context.Background(), skein.Config{URL: db.URL, Source: src}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := undo(t, db, skein.Config{Source: src}); err != nil {
			t.Fatal(err)
		}
	}
	want := "1|1|SQL|V1__a.sql|t\n2|2|SQL|V2__b.sql|t\n3|2|UNDO_SQL|U2__b.sql|t\n4|2|SQL|V2__b.sql|t\n5|2|UNDO_SQL|U2__b.sql|t\n6|1|UNDO_SQL|U1__a.sql|t\n"
	if d := cmp.Diff(want, history(t, db)); d != "" || tables(t, db) != "" {
		t.Errorf("tables %q, history (-want +got):\n%s", tables(t, db), d)
	}
	if res, err := undo(t, db, skein.Config{Source: src}); err != nil || len(res.Undone) != 0 {
		t.Errorf("a third time: %v, %d undone", err, len(res.Undone))
	}
}

func TestUndoThatFails(t *testing.T) {
	t.Parallel()
	bad := slices.Concat(three[:2], []string{"U1__a.sql", "create table x (id int);\ndrop table nope;"}, three[4:8])
	for _, group := range []bool{false, true} {
		t.Run(fmt.Sprint("group ", group), func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			src := scripts(bad...)
			if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
				t.Fatal(err)
			}
			res, err := undo(t, db, skein.Config{Source: src, Group: group, TargetVersion: target("1")})
			e, ok := errors.AsType[*skein.Error](err)
			if !ok || e.Kind != skein.KindSQL || e.At == nil || e.At.Line != 2 || e.Hint != "fix the script, then run: skein undo" {
				t.Fatalf("error %v", err)
			}
			wantTables, wantUndone, kept := "a", "2", "nothing of U1 was kept (it ran in a transaction); 1 earlier migration stays undone"
			if group {
				wantTables, wantUndone, kept = "a b", "", "nothing of this run was kept (its scripts share one transaction)"
			}
			if tables(t, db) != wantTables || versions(res) != wantUndone || e.Kept != kept {
				t.Errorf("tables %s, undone %s, kept %s", tables(t, db), versions(res), e.Kept)
			}
			if res.Failed == nil || res.Failed.Path != "U1__a.sql" {
				t.Errorf("failed %v", res.Failed)
			}
		})
	}
}

// Undo scripts run as others do: outside a transaction where they have to, statement by statement with COPY.
func TestUndoInEveryMode(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("V1__a.sql", "create table a (id int);", "U1__a.sql", "drop table a;",
		"V2__i.sql", "create index concurrently i on a (id);", "U2__i.sql", "drop index concurrently i;",
		"V3__data.sql", "copy a from stdin;\n1\n\\.\n", "U3__data.sql", "delete from a;\ncopy a from stdin;\n5\n\\.\n",
		"V4__role.sql", "create temporary table leak (id int);", "U4__role.sql", "set search_path = nowhere;\nset work_mem = '1MB';")
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	modes := map[string]bool{}
	report := func(e skein.Event) {
		if s, ok := e.(skein.StepStarted); ok {
			modes[s.Script.Path] = s.Transactional
		}
	}
	if _, err := undo(t, db, skein.Config{Source: src, TargetVersion: target("2"), Report: report}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]bool{"U4__role.sql": true, "U3__data.sql": true, "U2__i.sql": false}, modes); d != "" {
		t.Error(d)
	}
	if got := db.Value(t, "select sum(id) from a"); got != "5" {
		t.Errorf("sum %s", got)
	}
}

func TestUndoCallbacks(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	log := func(event string) string { return "insert into log (event) values ('" + event + "');" }
	files := []string{"V1__a.sql", "create table log (n serial, event text);", "V2__b.sql", "select 1;", "U2__b.sql", log("one") + log("two"),
		"V3__c.sql", "select 1;", "U3__c.sql", "select 1/0;"}
	for _, event := range []string{"beforeUndo", "beforeEachUndo", "beforeEachUndoStatement", "afterEachUndoStatement", "afterEachUndo", "afterUndo",
		"afterEachUndoStatementError", "afterEachUndoError", "afterUndoError", "afterUndoOperationFinish", "beforeEachMigrate", "afterMigrate"} {
		files = append(files, event+".sql", log(event))
	}
	src := scripts(files...)
	if _, err := migrate(t, db, skein.Config{Source: scripts(files[:10]...)}); err != nil {
		t.Fatal(err)
	}
	events := func() string {
		return db.Value(t, "with gone as (delete from log returning n, event) select string_agg(event, ' ' order by n) from gone")
	}
	if _, err := undo(t, db, skein.Config{Source: src, CherryPick: []string{"2"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("beforeUndo beforeEachUndo beforeEachUndoStatement one afterEachUndoStatement beforeEachUndoStatement two "+
		"afterEachUndoStatement afterEachUndo afterUndo afterUndoOperationFinish", events()); d != "" {
		t.Error(d)
	}
	if _, err := undo(t, db, skein.Config{Source: src}); err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Fatal(err)
	}
	if d := cmp.Diff("beforeUndo afterEachUndoStatementError afterEachUndoError afterUndoError", events()); d != "" {
		t.Error(d)
	}
}

// Nothing to work with is an error where it is one of migrate.
func TestUndoRequiresMigrations(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := undo(t, db, skein.Config{Source: scripts("notes.txt", "")}); err != nil {
		t.Errorf("not required: %v", err)
	}
	_, err := undo(t, db, skein.Config{Source: scripts("notes.txt", ""), RequireMigrations: true})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindScript || e.Message != "no migrations found" {
		t.Errorf("error %v", err)
	}
}

// A migration written in Go is undone by an undo script, as any other.
func TestUndoOfAMigrationWrittenInGo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	inGo := skein.Migration{Version: "1", Description: "go", Run: func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "create table g (id int)")
		return err
	}}
	cfg := skein.Config{Source: scripts("U1__go.sql", "drop table g;"), Migrations: []skein.Migration{inGo}}
	if _, err := migrate(t, db, cfg); err != nil || tables(t, db) != "g" {
		t.Fatal(err)
	}
	if _, err := undo(t, db, cfg); err != nil || tables(t, db) != "" {
		t.Fatal(err, tables(t, db))
	}
}
