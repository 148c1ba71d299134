package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

var (
	known      = postgres.Journal{Schema: "skein", History: postgres.History{Schema: "public", Table: "history"}}
	knownPlace = postgres.Place{Table: "history", Side: "skein", Reach: true}
)

// knownDB is a database with a history of three rows, of which two are recorded, and a pin.
func knownDB(t *testing.T) *pgtest.DB {
	t.Helper()
	db := pgtest.New(t)
	c := open(t, db.URL, postgres.Options{})
	run(t, c, known.History.CreateSQL()...)
	if err := c.EnsureSide(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	run(t, c, known.PinSQL(migration.Pin{Identity: migration.Identity{Environment: "qa", System: "1", Database: db.Name}, By: "ana"}))
	for i := 1; i <= 3; i++ {
		run(t, c, known.History.InsertSQL(migration.Row{Rank: i, Version: migration.MustVersion(itoa(int64(i))), Type: migration.TypeSQL, Script: fmt.Sprintf("V%d__s.sql", i), Success: true}))
	}
	for _, rank := range []int{3, 1} {
		run(t, c, known.AppliedSQL(postgres.Applied{Rank: rank, Script: fmt.Sprintf("V%d__s.sql", rank), SHA256: "ab", Releaser: "ana", Release: "r\t1", Environment: "qa"}, true))
	}
	return db
}

// look asks for the locks of two keys where it is a wide one.
func look(wide bool) postgres.Look {
	if !wide {
		return postgres.Look{}
	}
	return postgres.Look{Wide: true, Lock: 7, Fence: 1<<33 + 8}
}

// glance reads the facts and looks; the connection is the one that did.
func glance(t *testing.T, db *pgtest.DB, wide bool) (*postgres.Conn, postgres.Facts, *postgres.Glance) {
	t.Helper()
	c := open(t, db.URL, postgres.Options{})
	f, err := c.ReadFacts(t.Context(), knownPlace)
	if err != nil || !f.Reach.Known {
		t.Fatalf("facts %+v, %v", f, err)
	}
	g, err := c.Glance(t.Context(), f, known, look(wide))
	if err != nil {
		t.Fatal(err)
	}
	return c, f, g
}

// A glance tells what the questions tell that it stands for, whether little or much is recorded.
func TestGlance(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"little": "select 1",
		"much": `insert into skein.applied (history, history_name, installed_rank, script, sha256, releaser, release, digest, deployment, environment)
			select 1, 'another', n, 'V1__s.sql', repeat('x', 64), '', '', '', '', '' from generate_series(1, 2000) n`,
	} {
		for _, wide := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " ", wide), func(t *testing.T) {
				t.Parallel()
				db := knownDB(t)
				db.Exec(t, more)
				c, f, got := glance(t, db, wide)
				if f.Reach.Little != (name == "little") {
					t.Errorf("little: %t", f.Reach.Little)
				}
				if time.Until(got.Clock).Abs() > time.Minute || got.Journaled {
					t.Errorf("clock %s, journaled %t", got.Clock, got.Journaled)
				}
				if open, _ := c.InTransaction(); open != wide {
					t.Errorf("a transaction is open: %t", open)
				}
				if wide && !strings.Contains(ask(t, c, "select current_setting('transaction_isolation') || current_setting('transaction_read_only')"), "repeatable readon") {
					t.Error("it was not of one moment, or could write")
				}
				want := postgres.Glance{Facts: f, Clock: got.Clock, Held: got.Held} // another test may hold them in its database
				var err error
				if want.Identity, err = c.ReadIdentity(t.Context()); err != nil || want.Identity.System == "" {
					t.Fatal(want.Identity, err)
				}
				if want.Side, err = c.ReadSide(t.Context(), known); err != nil || want.Side.Pin == nil {
					t.Fatal(want.Side, err)
				}
				if want.Rows, err = c.ReadHistory(t.Context(), known.History); err != nil || len(want.Rows) != 3 {
					t.Fatal(want.Rows, err)
				}
				if wide || f.Reach.Little {
					if want.Applied, err = c.ReadApplied(t.Context(), known); err != nil || len(want.Applied) != 2 {
						t.Fatal(want.Applied, err)
					}
				}
				if diff := cmp.Diff(want, *got, cmp.Comparer(func(a, b migration.Version) bool { return a.Compare(b) == 0 })); diff != "" {
					t.Errorf("-asked +seen\n%s", diff)
				}
			})
		}
	}
}

func TestGlanceSeesWorkAndLocks(t *testing.T) {
	t.Parallel()
	db := knownDB(t)
	holder := open(t, db.URL, postgres.Options{})
	run(t, holder, known.WriteSQL("V4__s.sql", migration.JournalEntry{State: migration.JournalIntent}), "select pg_advisory_lock(1::bigint << 33 | 7), pg_advisory_lock(8)")
	if _, _, g := glance(t, db, true); !g.Journaled || len(g.Held) > 0 {
		t.Errorf("others' locks: %+v", g)
	}
	elsewhere := open(t, knownDB(t).URL, postgres.Options{})
	run(t, elsewhere, "select pg_advisory_lock(1::bigint << 33 | 8)")
	c, _, g := glance(t, db, true)
	if of, err := c.IsOf(t.Context(), g.Held); len(g.Held) != 1 || of || err != nil {
		t.Errorf("another database's: %+v, %t, %v", g, of, err)
	}
	run(t, holder, "select pg_advisory_lock(7)")
	c, _, g = glance(t, db, true)
	if of, err := c.IsOf(t.Context(), g.Held); len(g.Held) != 2 || !of || err != nil {
		t.Errorf("held here, too: %+v, %t, %v", g, of, err)
	}
}

// Who may not read all of it, or finds something else there, is told so, and can ask for each thing by itself.
func TestGlanceIsNotForAll(t *testing.T) {
	t.Parallel()
	t.Run("privileges", func(t *testing.T) {
		t.Parallel()
		db := knownDB(t)
		role, url := db.Role(t, "")
		db.Exec(t, "grant select on history to "+role)
		facts := func() postgres.Facts {
			f, err := open(t, url, postgres.Options{}).ReadFacts(t.Context(), knownPlace)
			if err != nil || !f.HasSide || f.Reach.History == "" {
				t.Fatalf("%+v, %v", f, err)
			}
			return f
		}
		if f := facts(); f.Reach.Known {
			t.Error("layout and identity alone are not all")
		}
		db.Exec(t, "grant select on all tables in schema skein to "+role)
		if f := facts(); !f.Reach.Known {
			t.Error("all may be read")
		}
		db.Exec(t, "revoke usage on schema skein from public")
		if f := facts(); f.Reach.Known {
			t.Error("without USAGE nothing can be read")
		}
		db.Exec(t, "drop table skein.applied")
		if f := facts(); f.Reach.Known {
			t.Error("there is a table less")
		}
	})
	for name, sql := range map[string]string{
		"no history table":  `alter table history rename column "rank" to r`,
		"a newer layout":    "update skein.layout set version = 99",
		"no layout":         "delete from skein.layout",
		"a moment no clock": "alter table skein.applied alter instant type text using 'yesterday'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := knownDB(t)
			db.Exec(t, strings.ReplaceAll(sql, `"rank"`, "installed_rank"))
			for _, wide := range []bool{true, false} {
				c, _, g := glance(t, db, wide)
				if open, _ := c.InTransaction(); g != nil || open {
					t.Errorf("wide %t: %+v, a transaction is open: %t", wide, g, open)
				}
			}
		})
	}
	t.Run("no history", func(t *testing.T) {
		t.Parallel()
		db := knownDB(t)
		db.Exec(t, "drop table history")
		if _, f, g := glance(t, db, true); f.Reach.History != "" || g == nil || len(g.Rows)+len(g.Applied) > 0 {
			t.Errorf("%+v, %+v", f, g)
		}
	})
}

// again is a look at a database of which the facts were read over another connection.
func again(t *testing.T, f postgres.Facts, url string, how postgres.Look) (*postgres.Conn, *postgres.Glance) {
	t.Helper()
	c := open(t, url, postgres.Options{})
	how.Again = &knownPlace
	g, err := c.Glance(t.Context(), f, known, how)
	if err != nil {
		t.Fatal(err)
	}
	return c, g
}

// held counts the advisory locks of the database.
func held(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	return db.Value(t, "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())")
}

// A glance with the facts of another connection finds the same, and may take the lock first.
func TestGlanceAgain(t *testing.T) {
	t.Parallel()
	db := knownDB(t)
	db.Exec(t, "update skein.audit_head set seq = 7, hash = 'h'")
	_, f, want := glance(t, db, false)
	c, got := again(t, f, db.URL, postgres.Look{Lock: 5, Fence: 6})
	if got == nil || !got.Got || !got.Free || got.Login != f.User || got.Head != (migration.AuditHead{Seq: 7, Hash: "h"}) || held(t, db) != "1" {
		t.Fatalf("%+v, %s locks", got, held(t, db))
	}
	if open, _ := c.InTransaction(); open {
		t.Error("a transaction is open")
	}
	if _, other := again(t, f, db.URL, postgres.Look{Lock: 5, Fence: 6}); other == nil || other.Got || other.Free {
		t.Errorf("the lock was there twice: %+v", other)
	}
	if _, behind := again(t, f, db.URL, postgres.Look{Lock: 4, Fence: 5}); behind == nil || !behind.Got || behind.Free {
		t.Errorf("behind the fence: %+v", behind)
	}
	versions := cmp.Comparer(func(a, b migration.Version) bool { return a.Compare(b) == 0 })
	got.Got, got.Free, got.Login, got.Head, got.Clock = false, false, "", migration.AuditHead{}, want.Clock
	if diff := cmp.Diff(want, got, versions); diff != "" {
		t.Errorf("-asked +again\n%s", diff)
	}
	_, f, want = glance(t, db, true)
	if _, got = again(t, f, db.URL, look(true)); got != nil {
		got.Clock, got.Login, got.Held = want.Clock, "", want.Held
	}
	if diff := cmp.Diff(want, got, versions); diff != "" {
		t.Errorf("wide: -asked +again\n%s", diff)
	}
}

// Of a database like the one whose facts they are, a glance gives the facts as they are there.
func TestGlanceAtASibling(t *testing.T) {
	t.Parallel()
	_, f, _ := glance(t, knownDB(t), true)
	other := knownDB(t)
	other.Exec(t, `insert into skein.applied (history, history_name, installed_rank, script, sha256, releaser, release, digest, deployment, environment)
		select 1, 'another', n, 'V1__s.sql', '', '', '', '', '', '' from generate_series(1, 300) n`)
	_, want, seen := glance(t, other, true)
	_, got := again(t, f, other.URL, look(true))
	want.Reach.Little = false // by rows, if not yet by bytes
	if diff := cmp.Diff(want, got.Facts); diff != "" {
		t.Errorf("-asked +guessed\n%s", diff)
	}
	if diff := cmp.Diff(seen.Applied, got.Applied); diff != "" || seen.Identity != got.Identity {
		t.Errorf("%+v, %+v\n%s", seen.Identity, got.Identity, diff)
	}
}

// What is another now is no glance, and leaves neither lock nor transaction.
func TestGlanceAgainAtAnother(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"path":           "do $$ begin execute 'alter database ' || quote_ident(current_database()) || ' set search_path = o, public'; end $$",
		"schema":         "create schema o; do $$ begin execute 'alter role ' || quote_ident(current_user) || ' in database ' || quote_ident(current_database()) || ' set search_path = o, public'; end $$",
		"no history":     "drop table history",
		"no side tables": "drop schema skein cascade",
		"layout":         "update skein.layout set version = 99",
		"role":           "do $$ begin execute 'alter role ' || quote_ident(current_user) || ' in database ' || quote_ident(current_database()) || ' set role pg_monitor'; end $$",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := knownDB(t)
			_, f, _ := glance(t, db, false)
			db.Exec(t, sql)
			for _, how := range []postgres.Look{{}, look(true), {Lock: 5, Fence: 6}} {
				c, g := again(t, f, db.URL, how)
				if open, _ := c.InTransaction(); g != nil || open || held(t, db) != "0" {
					t.Errorf("%+v: %+v, a transaction is open: %t, %s locks", how, g, open, held(t, db))
				}
			}
		})
	}
	t.Run("schema that was managed", func(t *testing.T) {
		t.Parallel()
		db := knownDB(t)
		db.Exec(t, "create schema more")
		place := knownPlace
		place.Others = []string{"more"}
		f, err := open(t, db.URL, postgres.Options{}).ReadFacts(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} {
			g, err := open(t, db.URL, postgres.Options{}).Glance(t.Context(), f, known, postgres.Look{Again: &place})
			if err != nil || (g != nil) != want {
				t.Errorf("%+v, %v", g, err)
			}
			db.Exec(t, "drop schema if exists more")
		}
	})
}
