package skein_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/adoption"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// recorded loads a database that a real tool left, and gives its scripts.
func recorded(t *testing.T, db *pgtest.DB, history, folder string) source.Source {
	t.Helper()
	text, err := os.ReadFile("testdata/adopt/" + history + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, string(text))
	return source.FS(os.DirFS("testdata/adopt/scripts"), folder)
}

// everyRow is every row of the catalogs that a user can change and of every table, with the transaction that wrote it.
func everyRow(t *testing.T, db *pgtest.DB) []string {
	t.Helper()
	var out []string
	tables := []string{"pg_catalog.pg_namespace", "pg_catalog.pg_class", "pg_catalog.pg_attribute", "pg_catalog.pg_proc", "pg_catalog.pg_type",
		"pg_catalog.pg_index", "pg_catalog.pg_constraint", "pg_catalog.pg_attrdef"}
	for _, r := range db.Rows(t, "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname !~ '^(pg_|information_schema)' order by 1") {
		tables = append(tables, r[0])
	}
	for _, table := range tables {
		row := "t::text"
		if strings.HasPrefix(table, "pg_catalog.") {
			row = "ctid::text"
		}
		for _, r := range db.Rows(t, "select xmin::text || ' ' || "+row+" from "+table+" t order by ctid") {
			out = append(out, table+" "+r[0])
		}
	}
	if len(out) < 1000 {
		t.Fatalf("only %d rows seen", len(out))
	}
	return out
}

func TestAdoptChangesNothing(t *testing.T) {
	t.Parallel()
	for history, folder := range map[string]string{
		"flyway-3.2.1": "flyway", "flyway-4.2.0-and-13.0.0": "flyway", "flyway-8.5.4-failed": "flyway", "flyway-13.0.0": "flyway",
		"golang-migrate-4.20.1-dirty": "golang-migrate", "goose-3.29.0": "goose", "liquibase-4.33.0": "liquibase",
	} {
		t.Run(history, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			src := recorded(t, db, history, folder)
			for _, cfg := range []skein.Config{
				{}, {DefaultSchema: "nowhere"}, {Schemas: []string{"app", "more"}, BaselineOnMigrate: true}, {Table: "schema_version"},
				{InitSQL: "create table written (id int)", CallbackSource: scripts("afterConnect.sql", "create table written2 (id int);", "beforeInfo__x.sql", "create table written3 (id int);")},
			} {
				before := everyRow(t, db)
				cfg.URL, cfg.Source = db.URL, src
				cfg.Placeholders = migration.Placeholders{Values: map[string]string{"greeting": "hello"}}
				if _, err := skein.Adopt(context.Background(), cfg); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, everyRow(t, db)); diff != "" {
					t.Errorf("adopt has changed the database (-before +after)\n%s", diff)
				}
			}
		})
	}
}

// TestAdoptPrivileges goes from a role that may only connect to one that may read, each time doing what is said.
func TestAdoptPrivileges(t *testing.T) {
	t.Parallel()
	for history, c := range map[string]struct {
		folder   string
		cfg      skein.Config
		standing adoption.Standing
		grants   int
	}{
		"flyway-4.2.0":          {"flyway", skein.Config{Schemas: []string{"app"}, Table: "schema_version"}, adoption.Recorded, 2},
		"flyway-13.0.0":         {"flyway", skein.Config{DefaultSchema: "app"}, adoption.Recorded, 2},
		"golang-migrate-4.20.1": {"golang-migrate", skein.Config{}, adoption.Foreign, 2},
		"liquibase-4.33.0":      {"liquibase", skein.Config{}, adoption.Foreign, 2},
	} {
		t.Run(history, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			src := recorded(t, db, history, c.folder)
			db.Exec(t, "revoke all on schema public from public")
			_, url := db.Role(t, "")
			cfg := c.cfg
			cfg.URL, cfg.Source = url, src
			cfg.Placeholders = migration.Placeholders{Values: map[string]string{"greeting": "hello"}}
			var given []string
			for {
				got, err := skein.Adopt(context.Background(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				if got.Standing != adoption.Unreadable {
					if got.Standing != c.standing || len(given) != c.grants {
						t.Errorf("%s after %q, want %s after %d", got.Standing, given, c.standing, c.grants)
					}
					return
				}
				before := len(given)
				for _, s := range got.Next {
					if s.Kind == adoption.SQL && !slices.Contains(given, s.Text) {
						if !strings.HasPrefix(s.Text, "grant usage on schema") && !strings.HasPrefix(s.Text, "grant select on ") {
							t.Fatalf("adopt asks for %s", s.Text)
						}
						db.Exec(t, s.Text)
						given = append(given, s.Text)
					}
				}
				if len(given) == before {
					t.Fatalf("nothing new to grant: %+v", got)
				}
			}
		})
	}
}

// TestAdoptErrors: what migrate would not even begin with is an error here too.
func TestAdoptErrors(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for name, c := range map[string]struct {
		cfg  skein.Config
		kind skein.Kind
	}{
		"no database":     {skein.Config{}, skein.KindConfig},
		"no server":       {skein.Config{URL: "postgres://127.0.0.1:1/x"}, skein.KindConnection},
		"twice a version": {skein.Config{URL: db.URL, Source: scripts("V1__a.sql", "", "V1__b.sql", "")}, skein.KindScript},
	} {
		_, err := skein.Adopt(context.Background(), c.cfg)
		var e *skein.Error
		if !errors.As(err, &e) || e.Kind != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAdoptWarnings: odd names are told, unless they are those of the tool whose history is there.
func TestAdoptWarnings(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{URL: db.URL, ValidateNaming: true, Source: scripts("V1__a.sql", "select 1;", "v2__b.sql", "select 2;")}
	got, err := skein.Adopt(context.Background(), cfg)
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "capitals and small letters") {
		t.Errorf("%v, warnings %q", err, got.Warnings)
	}
	cfg.Source = recorded(t, db, "golang-migrate-4.20.1", "golang-migrate")
	if got, err = skein.Adopt(context.Background(), cfg); err != nil || len(got.Warnings) != 0 {
		t.Errorf("%v, warnings %q", err, got.Warnings)
	}
	if got.Standing != adoption.Foreign || got.Database == "" || got.ServerVersion == "" {
		t.Errorf("%+v", got)
	}
}

// TestAdoptManySchemas: each table that is read stays locked to the end, so that there is a bound to them.
func TestAdoptManySchemas(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := recorded(t, db, "flyway-13.0.0", "flyway")
	db.Exec(t, `do $$ begin for i in 1..130 loop
		execute format('create schema tenant%s; create table tenant%s.flyway_schema_history as table app.flyway_schema_history', i, i);
	end loop; end $$`)
	for _, c := range []struct {
		schema   string
		standing adoption.Standing
		found    int
		note     string
	}{
		{"", adoption.Several, 100, "31 tables in schemas that are not managed look like histories too"},
		{"app", adoption.Recorded, 1, "130 tables in schemas that are not managed look like histories too"},
		{"tenant7", adoption.Recorded, 1, "130 tables in schemas that are not managed look like histories too"},
		{"new", adoption.Empty, 0, "131 tables in schemas that are not managed look like histories too"},
	} {
		got, err := skein.Adopt(context.Background(), skein.Config{URL: db.URL, Source: src, DefaultSchema: c.schema,
			Placeholders: migration.Placeholders{Values: map[string]string{"greeting": "hello"}}})
		if err != nil || got.Standing != c.standing || len(got.Found) != c.found || !strings.HasPrefix(strings.Join(got.Notes, "\n"), c.note) {
			t.Errorf("schema %q: %v, %s, %d found, notes %q", c.schema, err, got.Standing, len(got.Found), got.Notes)
		}
	}
}
