package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/stall"
)

func TestWhoIsInTheWay(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create schema app; create table app.t(a int primary key); create table t(a int); create table "T x"(a int references app.t);
create table p(a int) partition by list (a); create table p1 partition of p for values in (1) partition by list (a);
create table p11 partition of p1 for values in (1); create table rest partition of p default; create index i on app.t(a)`)
	role, url := db.Role(t, "")
	db.Exec(t, "grant usage on schema app to "+role)
	us, blind := open(t, db.URL, postgres.Options{}), open(t, url, postgres.Options{})
	const all = stall.Children | stall.Linked | stall.Fallback
	for _, c := range []struct {
		name, hold string // what another session does in a transaction
		target     stall.Target
		want       string
	}{
		{"a reader", "select from app.t", stall.Target{Name: "t", Mode: stall.AccessExclusive}, "app.t"},
		{"the schema's comes first", "select from public.t", stall.Target{Name: "t", Mode: stall.AccessExclusive}, ""},
		{"else the search path's", `select from "T x"`, stall.Target{Name: `"T x"`, Mode: stall.AccessExclusive}, `"T x"`},
		{"names with a schema", "select from public.t", stall.Target{Name: "public.t", Mode: stall.AccessExclusive}, "t"},
		{"a reader does not hinder a trigger", "select from app.t", stall.Target{Name: "t", Mode: stall.ShareRowExclusive}, ""},
		{"a writer does", "lock app.t in row exclusive mode", stall.Target{Name: "t", Mode: stall.ShareRowExclusive}, "app.t"},
		{"a writer hinders no reader's lock on another", "lock app.t in row exclusive mode", stall.Target{Name: "p", Mode: stall.AccessExclusive, With: all}, ""},
		{"partitions of partitions", "lock p11 in access share mode", stall.Target{Name: "p", Mode: stall.AccessExclusive, With: stall.Children}, "p11"},
		{"not without them", "lock p11 in access share mode", stall.Target{Name: "p", Mode: stall.AccessExclusive}, ""},
		{"the default partition", "lock rest in access share mode", stall.Target{Name: "p", Mode: stall.AccessExclusive, With: stall.Fallback}, "rest"},
		{"the child of a foreign key", `select from "T x"`, stall.Target{Name: "app.t", Mode: stall.AccessExclusive, With: stall.Linked}, `"T x"`},
		{"its parent", "lock app.t in access share mode", stall.Target{Name: `"T x"`, Mode: stall.AccessExclusive, With: stall.Linked}, "app.t"},
		{"an index's table", "lock app.t in access share mode", stall.Target{Name: "i", Mode: stall.AccessExclusive}, "app.t"},
		{"one that is not there", "select from app.t", stall.Target{Name: "nowhere.t", Mode: stall.AccessExclusive}, ""},
	} {
		other := open(t, db.URL, postgres.Options{ApplicationName: "reader"})
		run(t, other, "begin", c.hold)
		for _, conn := range []*postgres.Conn{us, blind} {
			found, err := conn.WhoIsInTheWay(t.Context(), "app", []postgres.Wanted{{Step: 3, Target: c.target}})
			if err != nil {
				t.Fatal(c.name, err)
			}
			var names []string
			for _, f := range found {
				names = append(names, f.Relation)
				h := f.Holder
				if f.Step != 3 || uint32(h.PID) != other.PID() || h.Application != "reader" || h.User != db.Owner || f.Autovacuum || f.DeadlockTimeout <= 0 {
					t.Errorf("%s: %+v", c.name, f)
				}
				if sees := conn == us; f.AgeKnown != sees || sees != (h.Age > 0) || sees != (h.State == "idle in transaction") {
					t.Errorf("%s: %+v", c.name, f)
				}
			}
			slices.Sort(names)
			if diff := cmp.Diff(c.want, strings.Join(names, " ")); diff != "" {
				t.Error(c.name, diff)
			}
		}
		run(t, other, "rollback") // Close does not wait for the session's end, and the next case may lock the same
		other.Close()
	}
}

// What may not be looked up is an error of the statement, and the connection stays as it was.
func TestWhoIsInTheWayWithoutPrivilege(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create schema app; create table app.t(a int)")
	_, url := db.Role(t, "")
	conn := open(t, url, postgres.Options{})
	run(t, open(t, db.URL, postgres.Options{}), "begin", "lock app.t") // with nobody there nothing is looked up
	_, err := conn.WhoIsInTheWay(t.Context(), "public", []postgres.Wanted{{Target: stall.Target{Name: "app.t", Mode: stall.Share}}})
	if _, refused := errors.AsType[*postgres.StatementError](err); !refused {
		t.Errorf("error %v", err)
	}
	if open, _ := conn.InTransaction(); open || ask(t, conn, "select 1") != "1" {
		t.Error("the connection is not as it was")
	}
}

// A transaction that is prepared has no session; its name and its age are told all the same. The tests' servers may
// allow none.
func TestPreparedTransactionIsInTheWay(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	conn := open(t, db.URL, postgres.Options{})
	if ask(t, conn, "show max_prepared_transactions") == "0" {
		t.Skip("the server allows no prepared transactions")
	}
	name := fmt.Sprintf("gone_%d", conn.PID())
	run(t, conn, "create table t(a int)", "begin", "lock t", "prepare transaction '"+name+"'")
	defer run(t, conn, "rollback prepared '"+name+"'")
	found, err := conn.WhoIsInTheWay(t.Context(), "public", []postgres.Wanted{{Target: stall.Target{Name: "t", Mode: stall.AccessExclusive}}})
	if err != nil || len(found) != 1 || found[0].Holder.PID != 0 || found[0].Holder.State != "prepared" || found[0].Holder.Query != name || !found[0].AgeKnown {
		t.Errorf("%+v, %v", found, err)
	}
}
