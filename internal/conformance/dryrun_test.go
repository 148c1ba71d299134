package conformance

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
)

// dryRun is a dry run on a database, whose SQL psql then runs there.
type dryRun struct {
	db            *pgtest.DB
	schema, table string
	dir           string
	args          []string // settings and verb
}

// compare carries the dry run out and holds what it leaves against the database where Skein did the same by itself.
func (d dryRun) compare(t *testing.T, want *pgtest.DB) {
	t.Helper()
	before, catalogs := shape(t, d.db), written(t, d.db)
	file := filepath.Join(d.dir, "dryrun.sql")
	if o := runSkein(t.Context(), d.dir, append(slices.Clone(d.args), "-url="+d.db.URL, "-dryRunOutput="+file)...); o.Exit != 0 {
		t.Fatalf("dry run: %s", o)
	}
	if diff := cmp.Diff(before, shape(t, d.db)); diff != "" || catalogs != written(t, d.db) {
		t.Fatalf("the dry run has changed the database:\n%s", head(diff))
	}
	psql := filepath.Join(filepath.Dir(pgDump(t)), "psql")
	cmd := exec.CommandContext(t.Context(), psql, "-X", "-q", "-o", "/dev/null", "-f", file, d.db.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, tail(string(out)))
	}
	if diff := cmp.Diff(history(t, want, d.schema, d.table), history(t, d.db, d.schema, d.table)); diff != "" {
		t.Errorf("psql leaves another history (-skein +psql):\n%s", head(diff))
	}
	if diff := cmp.Diff(shape(t, want), shape(t, d.db)); diff != "" {
		t.Errorf("psql leaves another schema (-skein +psql):\n%s", head(diff))
	}
	if diff := cmp.Diff(rowCounts(t, want, tablesOf(t, want)), rowCounts(t, d.db, tablesOf(t, d.db))); diff != "" {
		t.Errorf("psql leaves other numbers of rows (-skein +psql):\n%s", head(diff))
	}
}

// tablesOf are the tables but Skein's own, which only Skein has a use for.
func tablesOf(t *testing.T, db *pgtest.DB) []string {
	t.Helper()
	var out []string
	for _, row := range db.Rows(t, `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'skein')`) {
		out = append(out, row[0])
	}
	return out
}

// written says which rows of the catalogs there are, and which transactions wrote them.
func written(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	var parts []string
	for _, catalog := range []string{"pg_class", "pg_attribute", "pg_type", "pg_proc", "pg_namespace", "pg_constraint", "pg_depend", "pg_extension"} {
		parts = append(parts, fmt.Sprintf("select '%s' as c, ctid::text as at, xmin::text as by from %[1]s", catalog))
	}
	return db.Value(t, "select md5(string_agg(c || at || by, ' ' order by c, at)) from ("+strings.Join(parts, " union all ")+") all_rows")
}

// dryRun does on the chain's second database what the first has gone through, by psql.
func (c *chain) dryRun(t *testing.T, s set, dir string, args []string) {
	t.Helper()
	prepare(t, c.byPsql, c.corpora(), s)
	dryRun{db: c.at(t, s, c.byPsql), schema: s.Schemas[0], table: s.table(), dir: dir, args: append(args, "migrate")}.compare(t, c.db)
}

// TestDryRunOfUndo takes the one real set that has undo scripts down by psql.
func TestDryRunOfUndo(t *testing.T) {
	t.Parallel()
	shared := shared(t)
	needRecordedServer(t)
	sets := readSets(t, shared)
	s := sets[slices.IndexFunc(sets, func(s set) bool { return s.ID == "apihub-undo" })]
	dir := t.TempDir()
	args := s.arguments(t, s.materialise(t, filepath.Join(shared, "corpora"), dir, false), dir)
	bySkein, byPsql := pgtest.New(t), pgtest.New(t)
	run := func(db *pgtest.DB, more ...string) {
		t.Helper()
		if o := runSkein(t.Context(), dir, slices.Concat(args, []string{"-url=" + db.URL}, more)...); o.Exit != 0 {
			t.Fatalf("%v: %s", more, o)
		}
	}
	for _, db := range []*pgtest.DB{bySkein, byPsql} {
		run(db, "migrate")
	}
	for _, verb := range [][]string{{"undo"}, {"undo", "-target=32"}, {"migrate", "-target=34"}} {
		run(bySkein, verb...)
		dryRun{db: byPsql, schema: "public", table: s.table(), dir: dir, args: append(slices.Clone(args), verb...)}.compare(t, bySkein)
	}
	if n := len(history(t, byPsql, "public", s.table())); n < s.Expected.Applied+3 {
		t.Errorf("%d rows: nothing was undone", n)
	}
}
