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

// faithful is the oldest version of the set apihub-undo from which on each undo script takes back exactly what its
// migration did.
const faithful = 27

// TestUndoOfARealSet goes up, down and up again with the one real set that has undo scripts. From version 27 on what
// comes up again is what was there before; the older scripts leave things behind, and then Skein leaves what psql leaves.
func TestUndoOfARealSet(t *testing.T) {
	t.Parallel()
	shared := shared(t)
	needRecordedServer(t)
	sets := readSets(t, shared)
	s := sets[slices.IndexFunc(sets, func(s set) bool { return s.ID == "apihub-undo" })]
	open := func(t *testing.T) *updown {
		dir := t.TempDir()
		f := s.materialise(t, filepath.Join(shared, "corpora"), dir, false)
		u := &updown{db: pgtest.New(t), folder: f.locations[0], dir: dir}
		u.args = append(s.arguments(t, f, dir), "-url="+u.db.URL)
		return u
	}
	t.Run("faithful", func(t *testing.T) {
		t.Parallel()
		open(t).faithful(t, s.Expected.Applied)
	})
	t.Run("older", func(t *testing.T) {
		t.Parallel()
		open(t).older(t, pgtest.New(t))
	})
}

// faithful takes each version down and up, then several at once.
func (u *updown) faithful(t *testing.T, top int) {
	u.run(t, "migrate", fmt.Sprint("-target=", faithful-1))
	var walk []int // what one undo with a target reaches
	for v := faithful; v <= top; v++ {
		to := fmt.Sprint("-target=", v)
		start := shape(t, u.db, historyTable)
		u.run(t, "migrate", to)
		if len(u.files(t, "U", v)) == 0 {
			walk = nil
			continue
		}
		walk = append(walk, v)
		u.same(t, func() {
			u.down(t, []int{v})
			if d := cmp.Diff(start, shape(t, u.db, historyTable)); d != "" {
				t.Errorf("undoing %d does not give back what was there before it (-before +after):\n%s", v, head(d))
			}
			u.run(t, "migrate", to)
		})
	}
	slices.Reverse(walk)
	u.same(t, func() {
		u.down(t, walk, fmt.Sprint("-target=", walk[len(walk)-1]))
		u.run(t, "migrate")
	})
	u.same(t, func() {
		o := u.down(t, walk, fmt.Sprint("-target=", faithful))
		if !strings.Contains(o.Stdout, "undo does not reach the target 27: it stops before version 31, for it has no undo script") {
			t.Errorf("the target is not reached, and that is not told: %s", o)
		}
		u.run(t, "migrate")
	})
}

// same checks that the schema is afterwards what it was before.
func (u *updown) same(t *testing.T, do func()) {
	t.Helper()
	before := shape(t, u.db, historyTable)
	do()
	if d := cmp.Diff(before, shape(t, u.db, historyTable)); d != "" {
		t.Errorf("after down and up (-before +after):\n%s", head(d))
	}
}

// older does the same below, with psql beside it.
func (u *updown) older(t *testing.T, psql *pgtest.DB) {
	differ := 0
	for v := 1; v < faithful; v++ {
		to := fmt.Sprint("-target=", v)
		up := func() {
			u.run(t, "migrate", to)
			u.byPsql(t, psql, "V", v)
		}
		compare := func(what string) {
			t.Helper()
			if d := cmp.Diff(shape(t, psql), shape(t, u.db, historyTable)); d != "" {
				t.Errorf("after %s %d the schema is not psql's (-psql +skein):\n%s", what, v, head(d))
			}
		}
		before := shape(t, psql)
		up()
		if len(u.files(t, "U", v)) == 0 {
			continue
		}
		u.down(t, []int{v})
		u.byPsql(t, psql, "U", v)
		compare("undoing")
		if !slices.Equal(before, shape(t, psql)) {
			differ++
		}
		up()
		compare("migrating again")
	}
	if differ == 0 {
		t.Error("no undo script leaves anything behind: there is nothing here that psql is needed for")
	}
	t.Logf("%d undo scripts below version %d leave something behind", differ, faithful)
}

const historyTable = "flyway_schema_history"

// updown is a database that Skein takes down and up.
type updown struct {
	db          *pgtest.DB
	folder, dir string
	args        []string
}

func (u *updown) run(t *testing.T, args ...string) outcome {
	t.Helper()
	o := runSkein(t.Context(), u.dir, append(slices.Clone(u.args), args...)...)
	if o.Exit != 0 {
		t.Fatalf("%v: %s", args, o)
	}
	return o
}

// down undoes and checks that the document and the history say that these versions were undone.
func (u *updown) down(t *testing.T, versions []int, args ...string) outcome {
	t.Helper()
	o := u.run(t, append(args, "undo")...)
	var got struct {
		MigrationsUndone int
		UndoneMigrations []struct{ Version, Filepath string }
	}
	o.decode(t, &got)
	n := len(versions)
	if got.MigrationsUndone != n || len(got.UndoneMigrations) != n {
		t.Fatalf("want %v to be undone: %s", versions, o)
	}
	rows := history(t, u.db, "public", "flyway_schema_history")
	descriptions := map[any]any{}
	for _, row := range rows {
		if row[3] == "SQL" {
			descriptions[row[1]] = row[2]
		}
	}
	for i, row := range rows[len(rows)-n:] {
		version, script := fmt.Sprint(versions[i]), filepath.Base(u.file(t, "U", versions[i]))
		want := []any{float64(len(rows) - n + i + 1), version, descriptions[version], "UNDO_SQL", script, row[5], true}
		if d := cmp.Diff(want, row); d != "" || row[5] == nil {
			t.Errorf("row of undoing %s (-want +got):\n%s", version, d)
		}
		if m := got.UndoneMigrations[i]; m.Version != version || filepath.Base(m.Filepath) != script {
			t.Errorf("the document tells of %v where %s was undone", m, script)
		}
	}
	return o
}

func (u *updown) files(t *testing.T, prefix string, v int) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(u.folder, fmt.Sprintf("%s%d__*.sql", prefix, v)))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (u *updown) file(t *testing.T, prefix string, v int) string {
	t.Helper()
	found := u.files(t, prefix, v)
	if len(found) != 1 {
		t.Fatalf("%d files %s%d__…", len(found), prefix, v)
	}
	return found[0]
}

// byPsql runs a file with psql, in one transaction.
func (u *updown) byPsql(t *testing.T, db *pgtest.DB, prefix string, v int) {
	t.Helper()
	psql := filepath.Join(filepath.Dir(pgDump(t)), "psql")
	cmd := exec.CommandContext(t.Context(), psql, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", u.file(t, prefix, v), db.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql, %s%d: %v\n%s", prefix, v, err, strings.TrimSpace(string(out)))
	}
}
