package skein_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// A script whose shouldExecute is false is Ignored: not run, not recorded, no fault for validate, and run once it is
// true.
func TestShouldExecute(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{
		URL: db.URL,
		Source: scripts(
			"V1__plain.sql", "create table seen(what text);",
			"V2__false.sql", "insert into seen values ('V2');", "V2__false.sql.conf", "shouldExecute=false",
			"V3__lines.sql", "insert into seen values ('V3');", "V3__lines.sql.conf", "shouldExecute=(${env}==dev && ${region}!=us) || \\\n   ${env}==test || \\\n   ${flyway:database}==nowhere\n",
			"V4__program.sh", "exit 1", "V4__program.sh.conf", "shouldExecute=${env}==windows",
			"R__view.sql", "insert into seen values ('R');", "R__view.sql.conf", "shouldExecute=${env}!=prod",
			"beforeMigrate__no.sql", "select 1/0;", "beforeMigrate__no.sql.conf", "shouldExecute=false",
			"afterEachMigrate__no.sh", "exit 1", "afterEachMigrate__no.sh.conf", "shouldExecute=${env}==nobody",
			"beforeConnect__no.sh", "exit 1", "beforeConnect__no.sh.conf", "shouldExecute=${env}==nobody",
			"afterMigrate.sql", "insert into seen values ('after');", "afterMigrate.sql.conf", "shouldExecute=${env}==test",
		),
	}
	for _, c := range []struct{ env, region, states, seen, history string }{
		{"prod", "eu", "1 Success,2 Ignored,3 Ignored,4 Ignored, Ignored", "", "1"},
		{"dev", "us", "1 Success, Success,2 Ignored,3 Ignored,4 Ignored", "R", "1,R"},
		{"dev", "eu", "1 Success, Success,3 Success,2 Ignored,4 Ignored", "R,V3", "1,R,3"},
		{"test", "us", "1 Success, Success,3 Success,2 Ignored,4 Ignored", "R,V3,after", "1,R,3"},
	} {
		cfg.Placeholders = migration.Placeholders{Values: map[string]string{"env": c.env, "region": c.region}}
		if _, err := skein.Migrate(t.Context(), cfg); err != nil {
			t.Fatalf("%s %s: %v", c.env, c.region, err)
		}
		if seen := db.Value(t, "select coalesce(string_agg(what, ',' order by ctid), '') from seen"); seen != c.seen {
			t.Errorf("%s %s: seen %s, want %s", c.env, c.region, seen, c.seen)
		}
		if got := db.Value(t, "select string_agg(coalesce(version, 'R'), ',' order by installed_rank) from flyway_schema_history"); got != c.history {
			t.Errorf("%s %s: history %s, want %s", c.env, c.region, got, c.history)
		}
		valid, err := skein.Validate(t.Context(), cfg)
		if err != nil || len(valid.Problems) > 0 {
			t.Errorf("%s %s: validate: %v, %v", c.env, c.region, valid.Problems, err)
		}
		info, err := skein.Info(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, e := range info.Entries {
			states = append(states, e.Version().String()+" "+string(e.State))
		}
		if got := strings.Join(states, ","); got != c.states {
			t.Errorf("%s %s: states %q, want %q", c.env, c.region, got, c.states)
		}
	}
}

func TestShouldExecuteThatCannotBeRead(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for conf, want := range map[string]string{
		"shouldExecute=maybe": "neither true nor false", "shouldExecute=${none}==x": "No value provided for placeholder", "shouldExcute=true": "Unknown configuration property: shouldExcute",
	} {
		for _, file := range []string{"V1__a.sql", "V1__a.sh", "beforeMigrate.sql", "beforeConnect.sh"} {
			_, err := migrate(t, db, skein.Config{Source: scripts(file, "exit 1", file+".conf", conf)})
			var e *skein.Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, want) || !strings.Contains(err.Error(), file+".conf:1") {
				t.Errorf("%s with %s: %v", file, conf, err)
			}
		}
	}
}
