package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// recording is what a tool left behind, in the form of the files in golden/.
type recording struct {
	Exit    int
	History [][]any // installed_rank version description type script checksum success
	Info    [][]any // category version description type state
	SHA256  string  `json:"schema_sha256"`
	Lines   int     `json:"schema_lines"`
}

// recordings gives what each Flyway left of the set, by version; none for a set that Flyway was not run on.
func recordings(t *testing.T, shared, id string) map[string]recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared, "golden", "*", id+".json"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]recording{}
	for _, file := range files {
		var r recording
		readJSON(t, file, &r)
		if len(r.History) == 0 || len(r.Info) == 0 || r.SHA256 == "" {
			t.Fatalf("%s records nothing", file)
		}
		out[filepath.Base(filepath.Dir(file))] = r
	}
	return out
}

// record reads the same from a database and from info's document.
func record(t *testing.T, db *pgtest.DB, exit int, schema, table string, info outcome) recording {
	t.Helper()
	r := recording{Exit: exit, History: history(t, db, schema, table), Info: states(t, info)}
	r.SHA256, r.Lines = fingerprint(dump(t, db, "*."+table))
	return r
}

// history reads a schema history table without the two columns that differ from run to run.
func history(t *testing.T, db *pgtest.DB, schema, table string) [][]any {
	t.Helper()
	text := db.Value(t, "select coalesce(json_agg(json_build_array(installed_rank, version, description, type, script, checksum, success) "+
		"order by installed_rank), '[]') from "+pgx.Identifier{schema, table}.Sanitize())
	var rows [][]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// states reads info's document.
func states(t *testing.T, info outcome) [][]any {
	t.Helper()
	if info.Exit != 0 {
		t.Fatalf("info: %s", info)
	}
	var doc infoDocument
	info.decode(t, &doc)
	return doc.states()
}

type infoDocument struct {
	Migrations []struct{ Category, Version, Description, Type, State string }
}

func (d infoDocument) states() [][]any {
	out := make([][]any, len(d.Migrations))
	for i, m := range d.Migrations {
		out[i] = []any{m.Category, m.Version, m.Description, m.Type, m.State}
	}
	return out
}

// dump is the database's schema without some tables, as pg_dump writes it.
func dump(t *testing.T, db *pgtest.DB, without ...string) string {
	t.Helper()
	args := []string{"--schema-only", "--no-owner", "--no-privileges", "-N", "skein"} // the journal is not the set's
	for _, table := range without {
		args = append(args, "--exclude-table="+table)
	}
	cmd := exec.CommandContext(t.Context(), pgDump(t), append(args, db.URL)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, stderr.String())
	}
	return string(out)
}

// shape is the schema as lines, for two databases of one test: it costs a fraction of a dump. Lines that name one of the
// tables without are left out.
func shape(t *testing.T, db *pgtest.DB, without ...string) []string {
	t.Helper()
	return slices.DeleteFunc(strings.Split(db.Describe(t, "skein", nil), "\n"), func(line string) bool {
		return slices.ContainsFunc(without, func(table string) bool { return strings.Contains(line, table) })
	})
}

// essence is what counts of a dump: its lines without comments, settings and psql commands.
func essence(dump string) []string {
	// The recordings' lines end wherever Unicode ends one.
	lines := strings.FieldsFunc(dump, func(r rune) bool {
		return strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", r)
	})
	return slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "--") || strings.HasPrefix(l, "SET ") || strings.HasPrefix(l, `\`) ||
			strings.HasPrefix(l, "SELECT pg_catalog.set_config")
	})
}

func fingerprint(dump string) (sum string, lines int) {
	kept := essence(dump)
	h := sha256.Sum256([]byte(strings.Join(kept, "\n")))
	return hex.EncodeToString(h[:]), len(kept)
}

// compareWithPsql holds a database against the schema and the numbers of rows that psql left when it ran the same
// files.
func compareWithPsql(t *testing.T, db *pgtest.DB, corpora string, s set, without []string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(corpora, s.GoldSchema))
	if err != nil {
		t.Fatal(err)
	}
	lines := essence(string(want))
	if len(lines) == 0 {
		t.Fatalf("%s is empty", s.GoldSchema)
	}
	if d := cmp.Diff(lines, essence(dump(t, db, without...))); d != "" {
		t.Errorf("the schema is not that of %s (-psql +skein):\n%s", s.GoldSchema, head(d))
	}
	var counts map[string]string
	readJSON(t, filepath.Join(corpora, strings.TrimSuffix(s.GoldSchema, ".sql")+".rowcounts.json"), &counts)
	if d := cmp.Diff(counts, rowCounts(t, db, slices.Collect(maps.Keys(counts)))); d != "" {
		t.Errorf("numbers of rows (-psql +skein):\n%s", head(d))
	}
}

func rowCounts(t *testing.T, db *pgtest.DB, tables []string) map[string]string {
	t.Helper()
	var parts []string
	for _, table := range tables {
		parts = append(parts, fmt.Sprintf("select '%s', count(*) from %s", table, table))
	}
	out := map[string]string{}
	if len(parts) > 0 {
		for _, row := range db.Rows(t, strings.Join(parts, " union all ")) {
			out[row[0]] = row[1]
		}
	}
	return out
}

// head keeps the start of a long difference.
func head(s string) string {
	const most = 6000
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
