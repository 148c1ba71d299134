package migration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/migration"
)

const shared = "../../shared"

// set is what corpora/sets.json says of one public project's migrations.
type set struct {
	ID                string
	Locations         []string
	CallbackLocations []string               `json:"callback_locations"`
	Prefix            string                 `json:"sql_migration_prefix"`
	PlaceholderPrefix string                 `json:"placeholder_prefix"`
	PlaceholderSuffix string                 `json:"placeholder_suffix"`
	Placeholders      map[string]string      `json:"placeholders"`
	Skip              []string               `json:"skip"`
	Patch             map[string][][2]string `json:"patch"`
}

// golden is what Flyway left behind.
type golden struct {
	Exit    int
	History [][]any
	Info    [][]any
}

// TestGolden resolves the scripts of public projects and holds them against the history that the real Flyway wrote for
// them: names, descriptions, types, checksums, states, order.
func TestGolden(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(shared, "corpora/sets.json"))
	if err != nil {
		t.Skipf("the corpora are not beside the project: %v", err)
	}
	var all struct {
		Sets []set `json:"flyway_style_sets"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(shared, "golden/*/*.json"))
	if len(files) == 0 {
		t.Skip("no golden files beside the project")
	}
	for _, file := range files {
		id := strings.TrimSuffix(filepath.Base(file), ".json")
		i := slices.IndexFunc(all.Sets, func(s set) bool { return s.ID == id })
		if i < 0 {
			t.Errorf("%s: no such set", file)
			continue
		}
		t.Run(filepath.Base(filepath.Dir(file))+"/"+id, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(data, &g); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, all.Sets[i], g)
		})
	}
}

func compareGolden(t *testing.T, s set, g golden) {
	resolved, err := migration.Resolve(s.files(t, s.Locations), s.files(t, s.CallbackLocations), migration.ResolveOptions{
		Naming:        migration.Naming{Versioned: &s.Prefix},
		Placeholders:  migration.Placeholders{Values: s.Placeholders, Prefix: s.PlaceholderPrefix, Suffix: s.PlaceholderSuffix},
		CallbackFiles: len(s.CallbackLocations) > 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	var rows []migration.Row
	known := map[string]int32{}
	for _, script := range resolved.Scripts {
		known[script.Path] = *script.Checksum
	}
	for _, h := range g.History {
		row := migration.Row{Rank: int(h[0].(float64)), Description: h[2].(string), Type: migration.Type(h[3].(string)),
			Script: h[4].(string), Success: h[6].(bool)}
		if h[1] != nil {
			row.Version = migration.MustVersion(h[1].(string))
		}
		if h[5] != nil {
			sum := int32(h[5].(float64))
			row.Checksum = &sum
			if got, ok := known[row.Script]; !ok || got != sum {
				t.Errorf("%s: checksum %d (resolved: %t), Flyway's is %d", row.Script, got, ok, sum)
			}
		}
		rows = append(rows, row)
	}
	entries, err := migration.Reconcile(resolved.Scripts, rows, migration.ReconcileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for i := range entries {
		e := &entries[i]
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s", e.Category(), e.Version(), e.Description(), e.Type(), e.State))
	}
	for _, m := range g.Info {
		want = append(want, fmt.Sprintf("%s|%s|%s|%s|%s", m...))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("info differs (-Flyway +here)\n%s", diff)
	}
	if g.Exit == 0 {
		if problems := migration.Validate(entries, migration.DefaultIgnorePatterns); len(problems) > 0 {
			t.Errorf("validate: %v", migration.ValidationError(problems))
		}
	}
}

func (s set) files(t *testing.T, locations []string) []migration.File {
	var files []migration.File
	for _, location := range locations {
		root := filepath.Join(shared, "corpora", location)
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || slices.Contains(s.Skip, d.Name()) {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, p := range s.Patch[d.Name()] {
				content = bytes.ReplaceAll(content, []byte(p[0]), []byte(p[1]))
			}
			below, err := filepath.Rel(root, path)
			files = append(files, migration.File{Path: filepath.ToSlash(below), Location: "filesystem:" + location, Physical: path, Content: content})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
