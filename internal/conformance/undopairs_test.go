package conformance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
)

// pairs are statements and what takes them back; # is replaced by a number of the pair's own. There is a table base with
// a column id.
var pairs = [][2]string{
	{"create table t# (id int primary key, name text not null default 'x')", "drop table t#"},
	{"alter table base add column c# bigint", "alter table base drop column c#"},
	{"create index i# on base (id)", "drop index i#"},
	{"create index concurrently k# on base (id)", "drop index concurrently k#"},
	{"create view v# as select id from base", "drop view v#"},
	{"create materialized view m# as select id from base", "drop materialized view m#"},
	{"create type e# as enum ('a', 'b;c')", "drop type e#"},
	{"create domain d# as int check (value > 0)", "drop domain d#"},
	{"create sequence s# start 5", "drop sequence s#"},
	{"create schema n#; create table n#.inner_one (id int)", "drop schema n# cascade"},
	{"create function f#() returns int language plpgsql as $f$ begin return 1; end $f$", "drop function f#()"},
	{
		"create function g#() returns trigger language plpgsql as 'begin return new; end'; create trigger g# before insert on base for each row execute function g#()",
		"drop trigger g# on base; drop function g#()",
	},
	{"alter table base add constraint ck# check (id > -#)", "alter table base drop constraint ck#"},
	{"comment on table base is 'as of #'", "comment on table base is null"},
	{"alter table base alter column id set default #", "alter table base alter column id drop default"},
	{"alter table base rename to base#; create view base as select id from base#", "drop view base; alter table base# rename to base"},
	{"create rule r# as on delete to base do instead nothing", "drop rule r# on base"},
	{"copy base (id) from stdin;\n#\n\\.\n", "delete from base where id = #"},
	{"create table p# (id int) partition by range (id); create table p#x partition of p# for values from (0) to (9)", "drop table p#"},
	{"begin; create table own# (id int); commit", "begin; drop table own#; commit"},
}

// The places in pairs of what cannot come twice, since its undo knows of no earlier one, and of what takes a table and
// no view, so that it cannot follow the kind that puts a view in the place of base.
var (
	once       = []int{13, 14, viewOnBase}
	needsTable = []int{1, 2, 3, 11, 12, 13, 14, 16, 17}
)

const viewOnBase = 15

// TestUndoOfGeneratedPairs makes 50 projects of reversible migrations: after migrate, undo and migrate the schema is
// what it was after the first migrate, after the undo what it was where the undo stopped.
func TestUndoOfGeneratedPairs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			generated(t, rand.New(rand.NewPCG(seed, 3)))
		})
	}
}

func generated(t *testing.T, random *rand.Rand) {
	dir, n := t.TempDir(), 2+random.IntN(7)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("V1__base.sql", "create table base (id int);")
	var used []int
	fits := func(kind int) bool {
		return !(slices.Contains(once, kind) && slices.Contains(used, kind)) &&
			!(slices.Contains(needsTable, kind) && slices.Contains(used, viewOnBase))
	}
	for v := 2; v <= n+1; v++ {
		kind := random.IntN(len(pairs))
		for !fits(kind) {
			kind = random.IntN(len(pairs))
		}
		used = append(used, kind)
		for i, prefix := range []string{"V", "U"} {
			write(fmt.Sprintf("%s%d__%d.sql", prefix, v, kind), strings.ReplaceAll(pairs[kind][i], "#", fmt.Sprint(v)))
		}
	}
	u := &updown{db: pgtest.New(t), folder: dir, dir: dir}
	u.args = []string{"-outputType=json", "-mixed=true", "-locations=filesystem:" + dir, "-url=" + u.db.URL}
	stop := 2 + random.IntN(n)
	u.run(t, "migrate", fmt.Sprint("-target=", stop-1))
	low := shape(t, u.db, historyTable)
	u.run(t, "migrate")
	u.same(t, func() {
		var walk []int
		for v := n + 1; v >= stop; v-- {
			walk = append(walk, v)
		}
		u.down(t, walk, fmt.Sprint("-target=", stop))
		if d := cmp.Diff(low, shape(t, u.db, historyTable)); d != "" {
			t.Errorf("after undoing to %d (-before +after):\n%s", stop, head(d))
		}
		u.run(t, "migrate")
	})
}
