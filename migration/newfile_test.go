package migration_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skein-db/skein/migration"
)

var noon = time.Date(2026, 3, 4, 12, 30, 15, 0, time.UTC)

func TestNewName(t *testing.T) {
	t.Parallel()
	kinds := map[string]migration.Kind{"V": migration.Versioned, "U": migration.Undo, "R": migration.Repeatable, "B": migration.Baseline}
	for _, c := range []struct{ there, kind, version, stamp, description, want string }{
		{"", "V", "", "", "create customer", "V001__create_customer.sql"},
		{"", "V", "", "always", "x", "V001_20260304123015__x.sql"},
		{"V1__a.sql", "V", "", "", "x", "V2__x.sql"},
		{"V9__a.sql V2__b.sql", "V", "", "", "x", "V10__x.sql"},
		{"V009__a.sql", "V", "", "", "x", "V010__x.sql"},
		{"V099__a.sql", "V", "", "never", "x", "V100__x.sql"},
		{"V1.2__a.sql V1.10__b.sql", "V", "", "", "x", "V1.11__x.sql"},
		{"V1_09__a.sql", "V", "", "", "x", "V1_10__x.sql"},
		{"V2__a.sql", "V", "", "always", "x", "V3_20260304123015__x.sql"},
		{"V1.2__a.sql", "V", "", "always", "x", "V1.3.20260304123015__x.sql"},
		{"V002_20250101000000__a.sql", "V", "", "", "x", "V003_20260304123015__x.sql"},
		{"V002.202501010000__a.sql", "V", "", "", "x", "V003.202603041230__x.sql"},
		{"V20250101000000__a.sql", "V", "", "", "x", "V20260304123015__x.sql"},
		{"V20260304123015__a.sql", "V", "", "", "x", "V20260304123016__x.sql"},
		{"V20250101000000__a.sql", "V", "", "never", "x", "V20250101000001__x.sql"},
		{"V99999999999999999999999__a.sql", "V", "", "", "x", "V100000000000000000000000__x.sql"},
		{"V1__a.sql U7__a.sql R__v.sql beforeMigrate.sql readme.md", "V", "", "", "x", "V2__x.sql"},
		{"V1__a.sql", "V", "7.1", "", "x y", "V7.1__x_y.sql"},
		{"V1__a.sql V2__two_words.sql", "U", "", "", "", "U2__two_words.sql"},
		{"V01__one.sql V2__two.sql", "U", "1", "", "", "U01__one.sql"},
		{"V1__a.sql", "R", "", "", "all views", "R__all_views.sql"},
		{"V1__a.sql", "B", "", "", "start", "B001__start.sql"},
		{"V1__a.sql", "B", "1", "", "start", "B1__start.sql"},
		{"V1__a.sql", "V", "1.0", "", "x", "version 1.0 is taken by V1__a.sql"},
		{"V1__a.sql", "V", "x", "", "x", "Version may only contain"},
		{"V1__a.sql", "U", "3", "", "", "no versioned migration to undo: 3"},
		{"", "U", "", "", "", "no versioned migration to undo"},
		{"", "R", "1", "", "x", "a repeatable migration has no version"},
		{"", "V", "", "", " ", "has no description"},
		{"", "V", "", "", "../x", `cannot hold "/"`},
		{"", "V", "", "", "a\nb", `cannot hold "\n"`},
	} {
		got, err := migration.Naming{}.NewName(strings.Fields(c.there), migration.NewFile{
			Kind: kinds[c.kind], Version: c.version, Stamp: migration.Stamp(c.stamp), Description: c.description, Now: noon,
		})
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err == nil && got != c.want {
			t.Errorf("beside %q, %s %q: %s; want %s", c.there, c.kind, c.version, got, c.want)
		}
	}
}

// TestNewNameIsNext: whatever versions there are, the new one is the highest, and is read as what was asked for.
func TestNewNameIsNext(t *testing.T) {
	t.Parallel()
	version := rapid.StringMatching(`[0-9]{1,15}([._][0-9]{1,14}){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.SliceOf(version).Draw(t, "versions")
		var names []string
		for _, v := range versions {
			names = append(names, "V"+v+"__a.sql")
		}
		stamp := rapid.SampledFrom([]migration.Stamp{"", "auto", "always", "never"}).Draw(t, "stamp")
		file, err := migration.Naming{}.NewName(names, migration.NewFile{Description: "x y", Stamp: stamp, Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		got, err := migration.Naming{}.Parse(file)
		if err != nil || got.Description != "x y" {
			t.Fatalf("%s: %+v, %v", file, got, err)
		}
		for _, v := range versions {
			if migration.MustVersion(v).Compare(got.Version) >= 0 {
				t.Fatalf("%s is not above %s", file, v)
			}
		}
	})
}
