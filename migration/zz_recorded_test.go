package migration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/skein-db/skein/migration"
)

func TestZZRecorded(t *testing.T) {
	dirs, _ := filepath.Glob("/tmp/flyway/cases/*")
	n := 0
	for _, dir := range dirs {
		args, _ := os.ReadFile(dir + "/args")
		a := strings.Fields(string(args))
		if len(a) == 0 {
			continue
		}
		verb := a[len(a)-1]
		if verb != "info" && verb != "validate" {
			continue
		}
		data, err := os.ReadFile(dir + "/13/json")
		if err != nil {
			continue
		}
		var g struct {
			Migrations []struct{ Category, Version, Description, Type, State, Undoable string }
			InvalidMigrations []struct {
				Version, Description string
				ErrorDetails         struct{ ErrorCode, ErrorMessage string }
			}
			Error *struct{ ErrorCode, Message string }
		}
		if err := json.Unmarshal(data, &g); err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		opt := migration.ReconcileOptions{}
		var ignore []string
		for _, x := range a {
			if v, ok := strings.CutPrefix(x, "-target="); ok {
				opt.Target, _ = migration.ParseTarget(v)
			}
			if x == "-outOfOrder=true" {
				opt.OutOfOrder = true
			}
			if v, ok := strings.CutPrefix(x, "-ignoreMigrationPatterns="); ok {
				ignore = strings.Split(v, ",")
			}
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			n++
			var files []migration.File
			root := dir + "/sql"
			filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return nil
				}
				b, _ := os.ReadFile(p)
				rel, _ := filepath.Rel(root, p)
				files = append(files, migration.File{Path: rel, Physical: p, Content: b})
				return nil
			})
			fail := func(err error) {
				if g.Error == nil || g.Error.Message != err.(*migration.Error).Message {
					t.Errorf("%v, Flyway: %+v", err, g.Error)
				}
			}
			res, err := migration.Resolve(files, nil, migration.ResolveOptions{})
			if err != nil {
				fail(err)
				return
			}
			tsv, _ := os.ReadFile(dir + "/13/history.tsv")
			var rows []migration.Row
			for _, l := range strings.Split(strings.TrimSpace(string(tsv)), "\n") {
				if l == "" || l[0] == '#' || !strings.Contains(l, "\t") {
					continue
				}
				f := strings.Split(l, "\t")
				r := migration.Row{Description: f[2], Type: migration.Type(f[3]), Script: f[4], Success: f[7] == "t"}
				r.Rank, _ = strconv.Atoi(f[0])
				if f[1] != `\N` {
					r.Version = migration.MustVersion(f[1])
				}
				if f[5] != `\N` {
					c, _ := strconv.ParseInt(f[5], 10, 32)
					s := int32(c)
					r.Checksum = &s
				}
				rows = append(rows, r)
			}
			entries, err := migration.Reconcile(res.Scripts, rows, opt)
			if err != nil {
				fail(err)
				return
			}
			if g.Error != nil {
				t.Errorf("Flyway fails: %+v", g.Error)
				return
			}
			var got, want []string
			if verb == "info" {
				for i := range entries {
					e := &entries[i]
					got = append(got, fmt.Sprint(e.Category(), "|", e.Version(), "|", e.Description(), "|", e.Type(), "|", e.State, "|", e.Undoable()))
				}
				for _, m := range g.Migrations {
					want = append(want, fmt.Sprint(m.Category, "|", m.Version, "|", m.Description, "|", m.Type, "|", m.State, "|", m.Undoable))
				}
			} else {
				p, err := migration.ParseIgnorePatterns(ignore)
				if err != nil {
					fail(err)
					return
				}
				for _, p := range migration.Validate(entries, p) {
					got = append(got, fmt.Sprint(p.Version, "|", p.Description, "|", p.Code, "|", p.Message))
				}
				for _, m := range g.InvalidMigrations {
					want = append(want, fmt.Sprint(m.Version, "|", m.Description, "|", m.ErrorDetails.ErrorCode, "|", m.ErrorDetails.ErrorMessage))
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
	t.Log(n, "cases")
}
