package skein_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// resumptions collects the Resumed events of a run.
func resumptions(resumed *[]string) func(skein.Event) {
	return func(e skein.Event) {
		if r, ok := e.(skein.Resumed); ok {
			*resumed = append(*resumed, fmt.Sprintf("%s %d/%d line %d", r.Script.Path, r.Done, r.Total, r.Line))
		}
	}
}

const orders = "create table orders(id int primary key, customer int); insert into orders select n, n % 10 from generate_series(1, 1000) n;"

// A script that refuses a transaction and fails half-way goes on where it stopped, once it is corrected.
func TestScriptOutsideATransactionGoesOn(t *testing.T) {
	t.Parallel()
	outside := "executeInTransaction=false"
	for name, c := range map[string]struct {
		text, conf, corrected, resumed, kept string
	}{
		"an index": {
			"create index concurrently a on orders(customer);\ncreate unique index concurrently b on orders(customer);\ncreate index concurrently c on orders(customer);", "",
			"create index concurrently a on orders(customer);\ncreate index concurrently b on orders(customer);\ncreate index concurrently c on orders(customer);",
			"V2__b.sql 1/3 line 2", "the statement of V2 before it stays (it ran outside a transaction), and the next run goes on with this one",
		},
		"settings come again": {
			"set maintenance_work_mem = '77MB';\ninsert into orders values (2000);\nselect 1/0;", outside,
			"set maintenance_work_mem = '77MB';\ninsert into orders values (2000);\ncreate table seen as select current_setting('maintenance_work_mem') as it;",
			"V2__b.sql 2/3 line 3", "before it stay",
		},
		"transactions of its own": {
			"begin;\ninsert into orders values (2000);\ncommit;\nbegin;\ninsert into orders values (2001);\nselect 1/0;\ncommit;", "",
			"begin;\ninsert into orders values (2000);\ncommit;\nbegin;\ninsert into orders values (2001);\ncommit;",
			"V2__b.sql 3/6 line 4", "what V2 had committed before stays, and the next run goes on after it",
		},
		"a procedure that commits": {
			"create procedure p(fail boolean) language plpgsql as $$begin insert into orders select max(id) + 1 from orders; commit; if fail then raise 'no'; end if; end$$;\ncall p(false);\ncall p(true);", outside,
			"create procedure p(fail boolean) language plpgsql as $$begin insert into orders select max(id) + 1 from orders; commit; if fail then raise 'no'; end if; end$$;\ncall p(false);\nselect 1;",
			"V2__b.sql 2/3 line 3", "the 2 statements",
		},
		"a role that may not write the journal": {
			"set role pg_read_all_data;\nselect 1;\nset role none;\nselect 1/0;", outside,
			"set role pg_read_all_data;\nselect 1;\nset role none;\nselect 2;", "V2__b.sql 2/4 line 3", "before it stay",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			files := []string{"V1__a.sql", orders, "V2__b.sql", c.text}
			if c.conf != "" {
				files = append(files, "V2__b.sql.conf", c.conf)
			}
			_, err := migrate(t, db, skein.Config{Source: scripts(files...)})
			var e *skein.Error
			if !errors.As(err, &e) || e.Kind != skein.KindSQL || !strings.Contains(e.Kept, c.kept) {
				t.Fatalf("error %v", err)
			}
			files[3] = c.corrected
			var resumed []string
			if _, err := migrate(t, db, skein.Config{Source: scripts(files...), Report: resumptions(&resumed)}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(resumed, "; "); got != c.resumed {
				t.Errorf("resumed %s", got)
			}
			if got := db.Value(t, "select count(*) from pg_index where not indisvalid"); got != "0" {
				t.Errorf("%s invalid indexes", got)
			}
			if got := db.Value(t, "select count(*) from skein.journal"); got != "0" {
				t.Errorf("%s rows left in the journal", got)
			}
			if got := history(t, db); got != "1|1|SQL|V1__a.sql|t\n2|2|SQL|V2__b.sql|t\n" {
				t.Errorf("history %s", got)
			}
			if name == "settings come again" && db.Value(t, "select it from seen") != "77MB" {
				t.Error("the setting was lost")
			}
		})
	}
}

// What was done may not be edited.
func TestEditedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	conf := []string{"V1__a.sql.conf", "executeInTransaction=false"}
	if _, err := migrate(t, db, skein.Config{Source: scripts(append(conf, "V1__a.sql", "create table a();\nselect 1/0;")...)}); err == nil {
		t.Fatal("no error")
	}
	_, err := migrate(t, db, skein.Config{Source: scripts(append(conf, "V1__a.sql", "create table b();\nselect 1;")...)})
	var e *skein.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "statement 1 of V1__a.sql was carried out on ") {
		t.Fatalf("error %v", err)
	}
	if db.Value(t, "select to_regclass('b') is null") != "t" {
		t.Error("it ran")
	}
}

// The journal belongs to a history: one that was dropped takes it along.
func TestJournalOfAnotherLife(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	conf := []string{"V1__a.sql.conf", "executeInTransaction=false"}
	broken := scripts(append(conf, "V1__a.sql", "create table a();\nselect 1/0;")...)
	whole := scripts(append(conf, "V1__a.sql", "create table a();\nselect 1;")...)
	if _, err := migrate(t, db, skein.Config{Source: broken}); err == nil {
		t.Fatal("no error")
	}
	if _, err := skein.Clean(context.Background(), skein.Config{URL: db.URL, Source: whole, AllowClean: true}); err != nil {
		t.Fatal(err)
	}
	var resumed []string
	if _, err := migrate(t, db, skein.Config{Source: whole, Report: resumptions(&resumed)}); err != nil || len(resumed) > 0 {
		t.Fatalf("%v, resumed %v", err, resumed)
	}
	if got := db.Value(t, "select count(*) from skein.journal"); got != "0" {
		t.Errorf("%s rows left", got)
	}
}

// A statement whose end nobody recorded, in each state in which the catalog may show its object.
func TestUnsettledStatement(t *testing.T) {
	t.Parallel()
	const partitions = "create table p(id int) partition by list (id); create table p1 partition of p for values in (1); create table p2 partition of p for values in (2);"
	for name, c := range map[string]struct{ setup, statement, ran, check, want string }{
		"index, not begun": {orders, "create index concurrently i on orders(customer)", "", "select count(*) from pg_index where indexrelid = 'i'::regclass and indisvalid", "1"},
		"index, invalid": {orders, "create index concurrently i on orders(customer)",
			"create index i on orders(customer); update pg_index set indisvalid = false where indexrelid = 'i'::regclass", "select count(*) from pg_index where indexrelid = 'i'::regclass and indisvalid", "1"},
		"index, built":                {orders, "create index concurrently i on orders(customer)", "create index i on orders(customer)", "select count(*) from pg_index where indrelid = 'orders'::regclass and indisvalid", "2"},
		"index without a name, built": {orders, "create index concurrently on orders(customer)", "create index on orders(customer)", "select count(*) from pg_index where indrelid = 'orders'::regclass", "2"},
		"index without a name, invalid": {orders, "create index concurrently on orders(customer)",
			"create index on orders(customer); update pg_index set indisvalid = false where indexrelid = 'orders_customer_idx'::regclass", "select count(*) from pg_index where indrelid = 'orders'::regclass and indisvalid", "2"},
		"dropped index, gone":      {orders + "create index i on orders(customer);", "drop index concurrently i", "drop index i", "select to_regclass('i') is null", "t"},
		"dropped index, there":     {orders + "create index i on orders(customer);", "drop index concurrently i", "", "select to_regclass('i') is null", "t"},
		"partition, there":         {partitions, "alter table p detach partition p1 concurrently", "", "select count(*) from pg_inherits", "1"},
		"partition, detached":      {partitions, "alter table p detach partition p1 concurrently", "alter table p detach partition p1", "select count(*) from pg_inherits", "1"},
		"partition, half detached": {partitions, "alter table p detach partition p1 concurrently", "update pg_inherits set inhdetachpending = true where inhrelid = 'p1'::regclass", "select count(*) from pg_inherits", "1"},
		"reindex, leftover": {orders + "create index i on orders(customer);", "reindex index concurrently i",
			"create index i_ccnew on orders(customer); update pg_index set indisvalid = false where indexrelid = 'i_ccnew'::regclass", "select count(*) from pg_index where indrelid = 'orders'::regclass", "2"},
		"vacuum": {orders, "vacuum orders", "", "select 1", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			src := []string{"V1__a.sql", c.setup, "V2__b.sql", c.statement + ";"}
			interruptedBefore(t, db, src, c.statement)
			db.Exec(t, "set allow_system_table_mods = on")
			for _, sql := range strings.Split(c.ran, "; ") {
				if sql != "" {
					db.Exec(t, sql)
				}
			}
			if _, err := migrate(t, db, skein.Config{Source: scripts(src...)}); err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, c.check); got != c.want {
				t.Errorf("%s", got)
			}
			if got := db.Value(t, "select (select count(*) from flyway_schema_history) || ' ' || (select count(*) from skein.journal)"); got != "2 0" {
				t.Errorf("rows %s", got)
			}
		})
	}
}

// interruptedBefore runs scripts up to the moment at which the intent of the statement is recorded.
func interruptedBefore(t *testing.T, db *pgtest.DB, src []string, statement string) {
	t.Helper()
	cfg := skein.Config{ReconnectDeadline: -1, Source: scripts(src...), Connection: func(context.Context) (*pgx.ConnConfig, error) {
		return cutting(db.URL, statement)
	}}
	_, err := skein.Migrate(context.Background(), cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindConnection {
		t.Fatalf("error %v", err)
	}
	if got := db.Value(t, "select state from skein.journal order by statement desc limit 1"); got != "intent" {
		t.Fatalf("journal: %s", got)
	}
}

// What no catalog tells is asked of a person.
func TestProcedureWhoseEndIsUnknown(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := []string{"V1__a.sql", "create table a(n int); create procedure p() language plpgsql as $$begin insert into a values (1); commit; end$$;", "V2__b.sql", "call p();", "V2__b.sql.conf", "executeInTransaction=false"}
	interruptedBefore(t, db, src, "call p()")
	_, err := migrate(t, db, skein.Config{Source: scripts(src...)})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindRefused || !strings.Contains(e.Message, "statement 1 of V2__b.sql was begun on ") || e.At.Line != 1 {
		t.Fatalf("error %v", err)
	}
	if got := db.Value(t, "select count(*) from a"); got != "0" {
		t.Errorf("%s rows", got)
	}
}

func TestResumeIsForTheVersionThatWasPending(t *testing.T) {
	t.Parallel()
	script := &migration.Script{Path: "V2__b.sql", Version: migration.MustVersion("2")}
	done := []migration.JournalEntry{{Statement: 0, Hash: "x", State: migration.JournalDone, AfterRank: 1}}
	for name, c := range map[string]struct {
		rows []migration.Row
		next int
	}{
		"as it was":        {[]migration.Row{{Rank: 1, Script: "V1__a.sql"}}, 1},
		"applied since":    {[]migration.Row{{Rank: 1, Script: "V1__a.sql"}, {Rank: 2, Script: "V2__b.sql"}, {Rank: 3, Script: "U2__b.sql"}}, 0},
		"history replaced": {[]migration.Row{{Rank: 0, Script: "V1__a.sql"}}, 0},
	} {
		at, err := migration.Resume(script, []string{"x", "y"}, done, c.rows)
		if err != nil || at.Next != c.next {
			t.Errorf("%s: next %d, %v", name, at.Next, err)
		}
	}
}

func TestRepairByHand(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := []string{"V1__a.sql", "create table a(n int); create procedure p() language plpgsql as $$begin insert into a values (1); commit; end$$;",
		"V2__b.sql", "insert into a values (0);\ncall p();", "V2__b.sql.conf", "executeInTransaction=false", "V3__c.sql", "insert into a values (3);"}
	interruptedBefore(t, db, src, "call p()")
	repair := func(cfg skein.Config) error {
		cfg.URL, cfg.Source = db.URL, scripts(src...)
		_, err := skein.Repair(context.Background(), cfg)
		return err
	}
	two := migration.MustVersion("2")
	for name, c := range map[string]struct {
		cfg  skein.Config
		want string
	}{
		"no reason":   {skein.Config{MarkApplied: two}, "goes together with reason"},
		"no version":  {skein.Config{Reason: "why"}, "goes together with reason"},
		"both":        {skein.Config{MarkApplied: two, RunAgain: two, Reason: "why"}, "one of the two"},
		"recorded":    {skein.Config{MarkApplied: migration.MustVersion("1"), Reason: "why"}, "version 1 is recorded already"},
		"unknown":     {skein.Config{RunAgain: migration.MustVersion("7"), Reason: "why"}, "there is no script of version 7"},
		"not in half": {skein.Config{RunAgain: migration.MustVersion("3"), Reason: "why"}, "nothing is recorded of V3__c.sql"},
	} {
		if err := repair(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	db.Exec(t, "truncate a")
	if err := repair(skein.Config{RunAgain: two, Reason: "taken back by hand"}); err != nil {
		t.Fatal(err)
	}
	interruptedBefore(t, db, src, "call p()")
	db.Exec(t, "insert into a values (1)")
	if err := repair(skein.Config{MarkApplied: two, Reason: "the call had been carried out"}); err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(t, db, skein.Config{Source: scripts(src...)}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(n::text, ' ' order by n) from a"); got != "0 1 3" {
		t.Errorf("rows %s", got)
	}
	if got := db.Value(t, "select string_agg(script || ', ' || action || ': ' || reason, '; ' order by done_at) from skein.repair"); got != "V2__b.sql, run again: taken back by hand; V2__b.sql, mark applied: the call had been carried out" {
		t.Errorf("kept: %s", got)
	}
}
