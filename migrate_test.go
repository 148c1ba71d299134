package skein_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// scripts makes a source of name, text, name, text …
func scripts(pairs ...string) source.Source {
	files := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		files["sql/"+pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return source.FS(files, "sql")
}

func migrate(t *testing.T, db *pgtest.DB, cfg skein.Config) (*skein.MigrateResult, error) {
	t.Helper()
	cfg.URL = db.URL
	return skein.Migrate(context.Background(), cfg)
}

func target(text string) migration.Target {
	v, err := migration.ParseTarget(text)
	if err != nil {
		panic(err)
	}
	return v
}

// history gives the rows as "rank|version|type|script|success" lines.
func history(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	var b strings.Builder
	for _, r := range db.Rows(t, "select installed_rank, version, type, script, success from flyway_schema_history order by 1") {
		fmt.Fprintln(&b, strings.Join(r, "|"))
	}
	return b.String()
}

func TestMigrateAppliesInOrderAndRecords(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts(
		"V1__one.sql", "create table a(id int);\ninsert into a values (1);\n",
		"V2__two.sql", "create index concurrently a_id on a(id);",
		"R__view.sql", "create or replace view v as select * from a;",
		"V1.1__copy.sql", "copy a from stdin;\n2\n3\n\\.\n",
	)
	res, err := migrate(t, db, skein.Config{Source: src})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Applied) != 4 || res.Version.String() != "2" {
		t.Errorf("applied %d, version %s", len(res.Applied), res.Version)
	}
	want := "1|1|SQL|V1__one.sql|t\n2|1.1|SQL|V1.1__copy.sql|t\n3|2|SQL|V2__two.sql|t\n4|" + pgtest.Null + "|SQL|R__view.sql|t\n"
	if got := history(t, db); got != want {
		t.Errorf("history:\n%swant:\n%s", got, want)
	}
	if n := db.Value(t, "select sum(id) from v"); n != "6" {
		t.Errorf("sum %s", n)
	}
	again, err := migrate(t, db, skein.Config{Source: src})
	if err != nil || len(again.Applied) != 0 {
		t.Errorf("second run: %d applied, %v", len(again.Applied), err)
	}
}

// With durableEach a script is on disk, and told to be, before the next one starts; else small ones travel together.
func TestDurableEach(t *testing.T) {
	t.Parallel()
	for durable, want := range map[bool]string{true: "start 1, done 1, start 2, done 2", false: "start 1, start 2, done 1, done 2"} {
		db := pgtest.New(t)
		var told []string
		_, err := migrate(t, db, skein.Config{DurableEach: durable, Source: scripts("V1__a.sql", "select 1;", "V2__b.sql", "select 2;"), Report: func(e skein.Event) {
			switch e := e.(type) {
			case skein.StepStarted:
				told = append(told, "start "+e.Script.Version.String())
			case skein.StepDone:
				told = append(told, "done "+e.Script.Version.String())
			}
		}})
		if got := strings.Join(told, ", "); err != nil || got != want {
			t.Errorf("durableEach=%t: %s, %v", durable, got, err)
		}
	}
}
