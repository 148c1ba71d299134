package skein_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

func TestCherryPickRunsTheListInItsOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		cfg     skein.Config
		history string
		tables  string
	}{
		{
			name: "versions and descriptions", cfg: skein.Config{CherryPick: []string{"2", "v", "1"}},
			history: "1|2|SQL|V2__b.sql|t\n2|" + pgtest.Null + "|SQL|R__v.sql|t\n3|1|SQL|V1__a.sql|t\n", tables: "a b",
		},
		{name: "grouped", cfg: skein.Config{CherryPick: []string{"2", "1"}, Group: true}, history: "1|2|SQL|V2__b.sql|t\n2|1|SQL|V1__a.sql|t\n", tables: "a b"},
		{
			name: "recorded only", cfg: skein.Config{CherryPick: []string{"2", "1"}, SkipExecutingMigrations: true},
			history: "1|2|SQL|V2__b.sql|t\n2|1|SQL|V1__a.sql|t\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			c.cfg.Source = scripts(three...)
			if _, err := migrate(t, db, c.cfg); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.history, history(t, db)); d != "" || tables(t, db) != c.tables {
				t.Errorf("tables %q, history (-want +got):\n%s", tables(t, db), d)
			}
		})
	}
}

func TestCherryPickLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "select 1;", "V2__b.sql", "select 1;")}); err != nil {
		t.Fatal(err)
	}
	changed := scripts("V1__a.sql", "select 10;", "V2__b.sql", "select 20;", "V3__c.sql", "select 1;", "V4__d.sql", "select 1;")
	if _, err := migrate(t, db, skein.Config{Source: changed, CherryPick: []string{"4"}}); err != nil {
		t.Errorf("what is not picked is not validated: %v", err)
	}
	if _, err := migrate(t, db, skein.Config{Source: changed, CherryPick: []string{"2"}}); err == nil || strings.Count(err.Error(), "mismatch") != 1 {
		t.Errorf("want the mismatch of version 2 alone: %v", err)
	}
	cfg := skein.Config{URL: db.URL, Source: changed, CherryPick: []string{"2", "3"}}
	if got := states(t, db, cfg); got != "Versioned 1 a Success\nVersioned 2 b Success\nVersioned 4 d Success\nVersioned 3 c Ignored\n" {
		t.Error(got)
	}
	cfg.CherryPick = []string{"2"}
	fixed, err := skein.Repair(context.Background(), cfg)
	if err != nil || len(fixed.Aligned) != 1 || fixed.Aligned[0].Row.Script != "V2__b.sql" {
		t.Errorf("repair: %v, aligned %v", err, fixed.Aligned)
	}
	if _, err := migrate(t, db, skein.Config{Source: changed, CherryPick: []string{"9"}}); err == nil || !strings.Contains(err.Error(), "cherryPick '9'") {
		t.Errorf("an item that names nothing: %v", err)
	}
}
