package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// set is one real migration set as sets.json describes it.
type set struct {
	ID                string
	Locations         []string
	CallbackLocations []string `json:"callback_locations"`
	Prefix            string   `json:"sql_migration_prefix"`
	PlaceholderPrefix string   `json:"placeholder_prefix"`
	PlaceholderSuffix string   `json:"placeholder_suffix"`
	Placeholders      map[string]string
	Schemas           []string
	SearchPathOptions string   `json:"search_path_options"`
	DatabaseName      string   `json:"database_name"`
	InitSQL           string   `json:"init_sql"`
	InitFiles         []string `json:"init_files"`
	BaselineVersion   string   `json:"baseline_version"`
	Target            string
	Skip              []string
	PreSteps          map[string]any         `json:"pre_steps"`
	JavaStubs         [][2]string            `json:"java_stubs"` // version; SQL, or @ and a file with it
	Patch             map[string][][2]string // by file: text and what replaces it
	RunsAfter         string                 `json:"runs_after"`
	Expected          struct{ Applied int }
	GoldSchema        string `json:"gold_schema"`
	GoldChecksums     string `json:"gold_checksums"`
}

func readSets(t *testing.T, shared string) []set {
	t.Helper()
	var doc struct {
		Sets []set `json:"flyway_style_sets"`
	}
	readJSON(t, filepath.Join(shared, "corpora", "sets.json"), &doc)
	if len(doc.Sets) == 0 {
		t.Fatal("sets.json lists no sets")
	}
	for _, s := range doc.Sets {
		if len(s.PreSteps) > 0 {
			t.Fatalf("%s wants pre_steps, which these tests do not know", s.ID)
		}
	}
	return doc.Sets
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// chains puts sets that share a database together, in their order.
func chains(sets []set) [][]set {
	var out [][]set
	for _, s := range sets {
		if s.RunsAfter != "" && len(out) > 0 {
			out[len(out)-1] = append(out[len(out)-1], s)
		} else {
			out = append(out, []set{s})
		}
	}
	return out
}

// folders are a set's files on disk, ready to be run.
type folders struct{ locations, callbacks []string }

// materialise copies the set's files below dir, patched, with its stubs, and without what it skips unless all are
// wanted.
func (s set) materialise(t *testing.T, corpora, dir string, all bool) folders {
	t.Helper()
	var f folders
	for i, loc := range s.Locations {
		f.locations = append(f.locations, copyFolder(t, filepath.Join(corpora, loc), filepath.Join(dir, fmt.Sprint("loc", i))))
	}
	for i, loc := range s.CallbackLocations {
		f.callbacks = append(f.callbacks, copyFolder(t, filepath.Join(corpora, loc), filepath.Join(dir, fmt.Sprint("cb", i))))
	}
	for name, changes := range s.Patch {
		s.patch(t, f.find(t, name), changes)
	}
	if !all {
		for _, name := range s.Skip {
			if err := os.Remove(f.find(t, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, stub := range s.JavaStubs {
		text := []byte(stub[1])
		if name, isFile := strings.CutPrefix(stub[1], "@"); isFile {
			var err error
			if text, err = os.ReadFile(filepath.Join(corpora, name)); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(f.locations[0], "V"+stub[0]+"__stub_of_a_Java_migration.sql")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func copyFolder(t *testing.T, from, to string) string {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// find gives the one file of that name.
func (f folders) find(t *testing.T, name string) string {
	t.Helper()
	var found []string
	for _, dir := range f.locations {
		for _, pattern := range []string{name, "*/" + name, "*/*/" + name} {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, files...)
		}
	}
	if len(found) != 1 {
		t.Fatalf("sets.json names %s, and there are %d such files", name, len(found))
	}
	return found[0]
}

func (s set) patch(t *testing.T, file string, changes [][2]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		if !bytes.Contains(text, []byte(change[0])) {
			t.Fatalf("%s: nothing to patch: it does not contain %q", file, change[0])
		}
		text = bytes.ReplaceAll(text, []byte(change[0]), []byte(change[1]))
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// arguments are the settings under which the set runs, all but the database. Placeholders go into a file below dir.
func (s set) arguments(t *testing.T, f folders, dir string) []string {
	t.Helper()
	args := []string{"-outputType=json", "-locations=" + filesystem(f.locations), "-sqlMigrationPrefix=" + s.Prefix,
		"-placeholderPrefix=" + s.PlaceholderPrefix, "-placeholderSuffix=" + s.PlaceholderSuffix}
	if len(f.callbacks) > 0 {
		args = append(args, "-callbackLocations="+filesystem(f.callbacks))
	}
	if len(s.Placeholders) > 0 {
		var conf strings.Builder
		for name, value := range s.Placeholders {
			fmt.Fprintf(&conf, "flyway.placeholders.%s=%s\n", name, value)
		}
		file := filepath.Join(dir, "placeholders.conf")
		if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-configFiles="+file)
	}
	if !slices.Equal(s.Schemas, []string{"public"}) {
		args = append(args, "-schemas="+strings.Join(s.Schemas, ","))
	}
	if s.Target != "" {
		args = append(args, "-target="+s.Target)
	}
	if s.BaselineVersion != "" {
		args = append(args, "-baselineOnMigrate=true", "-baselineVersion="+s.BaselineVersion)
	}
	return append(args, further[s.ID]...)
}

// further settings of a set. Each module of oskari keeps a history of its own in the schema that all of them share,
// named as the application names it.
var further = map[string][]string{
	"oskari-myplaces":   {"-table=oskari_status_myplaces", "-baselineOnMigrate=true", "-baselineVersion=0"},
	"oskari-userlayer":  {"-table=oskari_status_userlayer", "-baselineOnMigrate=true", "-baselineVersion=0"},
	"oskari-myfeatures": {"-table=oskari_status_myfeatures", "-baselineOnMigrate=true", "-baselineVersion=0"},
}

// table is the name of the set's history table.
func (s set) table() string {
	for _, arg := range further[s.ID] {
		if name, ok := strings.CutPrefix(arg, "-table="); ok {
			return name
		}
	}
	return "flyway_schema_history"
}

func filesystem(dirs []string) string {
	out := make([]string, len(dirs))
	for i, dir := range dirs {
		out[i] = "filesystem:" + dir
	}
	return strings.Join(out, ",")
}
