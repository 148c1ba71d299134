package postgres_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

func TestFactsOfTheServer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role, url := db.Role(t, "")
	db.Exec(t, "create role app_"+role+" in role pg_monitor; grant app_"+role+" to "+role)
	t.Cleanup(func() { db.Exec(t, "drop role app_"+role) })
	f, err := open(t, url, postgres.Options{Role: "app_" + role}).ReadFacts(t.Context(), postgres.Place{Table: "history", Side: "skein"})
	if err != nil {
		t.Fatal(err)
	}
	want := postgres.Facts{
		Database: db.Name, User: "app_" + role, SearchPath: `"$user", public`,
		Schema: "public", Existing: []string{"public"}, Version: f.Version, VersionNum: f.VersionNum,
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if major := pgtest.Major(t); f.VersionNum/10000 != major || !strings.HasPrefix(f.Version, strconv.Itoa(major)) {
		t.Errorf("version %s, %d of a server of major %d", f.Version, f.VersionNum, major)
	}
	frozen := pgtest.New(t)
	frozen.Exec(t, "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$")
	if f, err := open(t, frozen.URL, postgres.Options{}).ReadFacts(t.Context(), postgres.Place{Table: "history", Side: "skein"}); err != nil || !f.ReadOnly || f.InRecovery {
		t.Errorf("a read-only database: %+v, %v", f, err)
	}
}

func TestFactsOfSchemas(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create schema app; create schema "App"; create schema "we""ird.s"; create schema app_extra`)
	for _, c := range []struct {
		name, path, schema string
		managed            []string
		chosen             string
		existing           []string
	}{
		{"the first existing one of the path", "nowhere, app, public", "", nil, "app", []string{"app"}},
		{"the one asked for", "public", "app", []string{"app", "App", "gone"}, "app", []string{"app", "App"}},
		{"one that is missing", "public", "gone", []string{"gone", "app"}, "gone", []string{"app"}},
		{"names are not folded", "public", "APP", []string{"APP"}, "APP", nil},
		{"names with quotes and dots", "public", `we"ird.s`, []string{`we"ird.s`}, `we"ird.s`, []string{`we"ird.s`}},
		{"an empty path", "", "", nil, "", nil},
		{"an empty path beside a schema", "", "app", []string{"app", "app_extra"}, "app", []string{"app", "app_extra"}},
		{"a path of missing ones", "nowhere", "", nil, "nowhere", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := open(t, db.URL, postgres.Options{})
			run(t, conn, "select set_config('search_path', "+postgres.Literal(c.path)+", false)")
			f, err := conn.ReadFacts(t.Context(), postgres.Place{Schema: c.schema, Others: c.managed, Table: "flyway_schema_history", Side: "skein"})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(f.Existing)
			slices.Sort(c.existing)
			if f.Schema != c.chosen || f.SearchPath != c.path || !slices.Equal(f.Existing, c.existing) || f.HasHistory {
				t.Errorf("chosen %q, path %q, existing %q, history %t; want %+v", f.Schema, f.SearchPath, f.Existing, f.HasHistory, c)
			}
		})
	}
}

func TestFactsOfTheHistorysPlace(t *testing.T) {
	t.Parallel()
	for kind, sql := range map[string]string{
		"":                  "create table other(id int); create schema elsewhere; create table elsewhere.NAME(id int)",
		"table":             "create table NAME(id int)",
		"view":              "create view NAME as select 1",
		"materialized view": "create materialized view NAME as select 1 as installed_rank",
		"partitioned table": "create table NAME(id int) partition by range (id)",
		"foreign table":     "create foreign data wrapper w; create server s foreign data wrapper w; create foreign table NAME(id int) server s",
		"sequence":          "create sequence NAME",
		"composite type":    "create type NAME as (id int)",
	} {
		for _, name := range []string{"flyway_schema_history", `Odd "name".x`, `back\slash'`} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				db := pgtest.New(t)
				db.Exec(t, strings.ReplaceAll(sql, "NAME", postgres.Ident(name)))
				conn := open(t, db.URL, postgres.Options{})
				f, err := conn.ReadFacts(t.Context(), postgres.Place{Table: name, Side: "skein"})
				if err != nil || f.HasHistory != (kind != "") {
					t.Fatalf("history %t, %v; want %q", f.HasHistory, err, kind)
				}
				if kind == "" {
					return
				}
				_, err = conn.ReadHistory(t.Context(), postgres.History{Schema: "public", Table: name})
				shape, ok := errors.AsType[*postgres.ShapeError](err)
				switch {
				case !ok:
					t.Fatalf("error %v", err)
				case kind == "table":
					if !slices.Equal(shape.Missing, postgres.Columns) {
						t.Errorf("missing %q", shape.Missing)
					}
				case shape.Kind != kind:
					t.Errorf("kind %q, want %q", shape.Kind, kind)
				}
			})
		}
	}
}

func TestPartitioned(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create table p(id int) partition by range (id); create index p_id on p(id);
		create table "P 1" partition of p for values from (1) to (2); create table r(id int); create index r_id on r(id)`)
	c := open(t, db.URL, postgres.Options{})
	for name, want := range map[string]bool{"p": true, "p_id": true, "public.p": true, `"P 1"`: false, "r": false, "r_id": false, "nowhere": false, "no.where": false} {
		if got, err := c.Partitioned(t.Context(), name); err != nil || got != want {
			t.Errorf("%s is partitioned: %v, %v", name, got, err)
		}
	}
}
