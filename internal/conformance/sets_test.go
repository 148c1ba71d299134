package conformance

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// TestSets migrates every real set on a database of its own and compares what is left: with Flyway's history, states,
// exit code and schema where Flyway was recorded, and with the schema and the numbers of rows that psql left.
func TestSets(t *testing.T) {
	t.Parallel()
	shared := shared(t)
	needRecordedServer(t)
	sets := readSets(t, shared)
	passed := map[string]bool{}
	var lock sync.Mutex
	t.Cleanup(func() { // once the parallel ones have ended
		good := 0
		for _, s := range sets {
			if passed[s.ID] {
				good++
			} else {
				t.Errorf("%s did not pass", s.ID)
			}
		}
		t.Logf("%d of %d sets", good, len(sets))
	})
	for _, c := range chains(sets) {
		t.Run(c[0].ID, func(t *testing.T) {
			t.Parallel()
			results := (&chain{shared: shared, sets: c, db: database(t, c[0].DatabaseName), byPsql: pgtest.New(t)}).run(t)
			lock.Lock()
			defer lock.Unlock()
			maps.Copy(passed, results)
		})
	}
}

// database makes an empty database, of that name where the set's scripts count on one.
func database(t *testing.T, name string) *pgtest.DB {
	t.Helper()
	db := pgtest.New(t)
	if name == "" {
		return db
	}
	quoted := pgx.Identifier{name}.Sanitize()
	db.Exec(t, "create database "+quoted)
	t.Cleanup(func() { db.Exec(t, "drop database "+quoted+" with (force)") })
	named := *db
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	named.Name, named.URL = name, u.String()
	return &named
}

// chain is one database and the sets that run on it, one after another.
type chain struct {
	shared string
	sets   []set
	db     *pgtest.DB
	byPsql *pgtest.DB // where psql does what dry runs say
}

func (c *chain) corpora() string { return filepath.Join(c.shared, "corpora") }

func (c *chain) run(t *testing.T) map[string]bool {
	passed := map[string]bool{}
	var tables []string
	for _, s := range c.sets {
		passed[s.ID] = t.Run(s.ID, func(t *testing.T) { c.migrate(t, s) })
		tables = append(tables, "*."+s.table())
	}
	// The schemas of sets that share a database were all recorded after the last of them.
	for _, s := range c.sets {
		passed[s.ID] = t.Run(s.ID+"-against-psql", func(t *testing.T) {
			compareWithPsql(t, c.db, c.corpora(), s, tables)
		}) && passed[s.ID]
	}
	return passed
}

// prepare does to a database what the set wants done before it runs.
func prepare(t *testing.T, db *pgtest.DB, corpora string, s set) {
	t.Helper()
	if s.InitSQL != "" {
		db.Exec(t, strings.ReplaceAll(s.InitSQL, "c_ehrbase", pgx.Identifier{db.Name}.Sanitize()))
	}
	for _, file := range s.InitFiles {
		text, err := os.ReadFile(filepath.Join(corpora, file))
		if err != nil {
			t.Fatal(err)
		}
		db.Exec(t, string(text))
	}
}

// migrate prepares the database for one set, migrates, and compares.
func (c *chain) migrate(t *testing.T, s set) {
	prepare(t, c.db, c.corpora(), s)
	dir := t.TempDir()
	settings := s.arguments(t, s.materialise(t, c.corpora(), dir, false), dir)
	args := append(slices.Clone(settings), "-url="+c.at(t, s, c.db).URL)
	command := func(verb string) outcome { return runSkein(t.Context(), dir, append(args, verb)...) }

	recorded := recordings(t, c.shared, s.ID)
	reachesOut := s.ID == "mds" && c.prepareMDS(t)
	migrated := command("migrate")
	if migrated.Exit != 0 && !anyExits(recorded, migrated.Exit) {
		t.Fatalf("migrate: %s", migrated)
	}
	got := record(t, c.db, migrated.Exit, s.Schemas[0], s.table(), command("info"))
	for version, want := range recorded {
		if reachesOut {
			want.Exit, want.SHA256, want.Lines = 0, got.SHA256, got.Lines
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("not as %s left it (-flyway +skein):\n%s\n%s", version, head(d), migrated)
		}
	}
	if s.ID == "mds" && !reachesOut {
		migrated = c.finishMDS(t, migrated, command)
	}
	if migrated.Exit != 0 {
		t.Fatalf("migrate: %s", migrated)
	}
	if len(recorded) == 0 {
		c.complete(t, s, got)
	}
	if o := command("validate"); o.Exit != 0 {
		t.Errorf("validate: %s", o)
	}
	var again struct{ MigrationsExecuted *int }
	if command("migrate").decode(t, &again); again.MigrationsExecuted == nil || *again.MigrationsExecuted != 0 {
		t.Error("migrate found something to do the second time")
	}
	c.compareChecksums(t, s, got)
	c.dryRun(t, s, dir, settings)
}

func anyExits(recorded map[string]recording, code int) bool {
	for _, r := range recorded {
		if r.Exit == code {
			return true
		}
	}
	return false
}

// prepareMDS tells whether a server listens on the machine's default socket. A callback of mds wants to create the
// database mds_test there, unless our server has one. Flyway was recorded where none listened and that callback failed;
// where one does it is left alone, and only the exit code and the schema with all callbacks done cannot be compared
// with Flyway's.
func (c *chain) prepareMDS(t *testing.T) bool {
	t.Helper()
	probe := pgtest.New(t)
	probe.Exec(t, "create extension dblink")
	if _, err := probe.Conn(t).Exec(t.Context(), "select dblink_connect('')"); err != nil {
		return false
	}
	c.createTestDatabase(t)
	return true
}

// finishMDS lets the last callbacks of mds run, after the one that fails has failed as recorded.
func (c *chain) finishMDS(t *testing.T, first outcome, command func(string) outcome) outcome {
	t.Helper()
	if !strings.Contains(first.Stdout, "could not establish connection") {
		t.Errorf("want the callback to fail for want of a server on the default socket: %s", first)
	}
	c.createTestDatabase(t)
	return command("migrate")
}

func (c *chain) createTestDatabase(t *testing.T) {
	t.Helper()
	c.db.Exec(t, "create database mds_test")
	t.Cleanup(func() { c.db.Exec(t, "drop database mds_test") })
}

// at is a database as the set wants it to be reached.
func (c *chain) at(t *testing.T, s set, db *pgtest.DB) *pgtest.DB {
	t.Helper()
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	if s.SearchPathOptions != "" {
		q := u.Query()
		q.Set("options", s.SearchPathOptions)
		// Go writes a blank as "+", which is one in forms only.
		u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	}
	reached := *db
	reached.URL = u.String()
	return &reached
}

// complete checks what can be said of a set that Flyway was not run on: every script is in the history or below the
// baseline, and nothing is left to do.
func (c *chain) complete(t *testing.T, s set, got recording) {
	t.Helper()
	for _, row := range got.History {
		if row[6] != true {
			t.Errorf("not successful: %v", row)
		}
	}
	done := 0
	for _, line := range got.Info {
		switch category, kind, state := line[0], line[3], line[4]; {
		case kind == "SQL" && (state == "Success" || state == "Ignored (Baseline)" && s.BaselineVersion != ""):
			done++
		case kind == "SCHEMA", kind == "BASELINE" && state == "Baseline", category == "Undo" && state == "Available":
		default:
			t.Errorf("info: %v", line)
		}
	}
	if want := s.Expected.Applied + len(s.JavaStubs); done != want {
		t.Errorf("%d scripts are done, want %d", done, want)
	}
}

// compareChecksums holds the history against the checksums that the set's own authors published.
func (c *chain) compareChecksums(t *testing.T, s set, got recording) {
	t.Helper()
	if s.GoldChecksums == "" {
		return
	}
	file, err := os.Open(filepath.Join(c.corpora(), s.GoldChecksums))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := csv.NewReader(file)
	lines.Comma = '\t'
	rows, err := lines.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want, have := map[string]string{}, map[string]string{}
	for _, row := range rows { // location version script checksum older_checksums
		if row[0] == filepath.Base(s.Locations[0]) {
			want[row[2]] = row[3]
		}
	}
	for _, row := range got.History {
		if sum, ok := row[5].(float64); ok {
			have[fmt.Sprint(row[4])] = strconv.FormatInt(int64(sum), 10)
		}
	}
	if len(want) == 0 {
		t.Fatalf("%s lists nothing of %s", s.GoldChecksums, s.ID)
	}
	maps.DeleteFunc(have, func(script, _ string) bool { return want[script] == "" }) // the list is not of all scripts
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("checksums (-published +skein):\n%s", d)
	}
}
