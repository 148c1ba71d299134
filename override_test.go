package skein_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

func overrides(t *testing.T, rules ...string) []migration.ErrorOverride {
	t.Helper()
	o, err := migration.ParseErrorOverrides(rules)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// told gathers what overrides make of errors and messages, one line each.
func told(into *[]string) func(skein.Event) {
	return func(e skein.Event) {
		switch e := e.(type) {
		case skein.Warning:
			*into = append(*into, fmt.Sprintf("W %s:%d: %s", e.Path, e.Line, e.Text))
		case skein.Note:
			*into = append(*into, "I "+e.Text)
		case skein.Detail:
			*into = append(*into, "D "+e.Text)
		case skein.Notice:
			*into = append(*into, "notice "+e.Text)
		}
	}
}

const duplicate = `V1__a.sql:2: relation "a" already exists`

func TestErrorOverrides(t *testing.T) {
	t.Parallel()
	twice := "create table a(id int);\ncreate table a(x text);\ninsert into a values (1);"
	for _, c := range []struct {
		name, script string
		conf         string
		rules        []string
		told         []string
		state        string // of the error; "": none
		kept         string // count of the table's rows; "": there is no table
	}{
		{name: "warning", script: twice, rules: []string{"42P07:0:W"}, told: []string{"W " + duplicate + " (SQL State: 42P07 - Error Code: 0)"}, kept: "1"},
		{name: "info, brief", script: twice, rules: []string{"42*:*:I-"}, told: []string{"I " + duplicate}, kept: "1"},
		{name: "debug", script: twice, rules: []string{"*:*:D"}, told: []string{"D " + duplicate + " (SQL State: 42P07 - Error Code: 0)"}, kept: "1"},
		{name: "the first rule counts", script: twice, rules: []string{"42P07:0:E", "*:*:D"}, state: "42P07"},
		{name: "another state", script: twice, rules: []string{"22012:0:W"}, state: "42P07"},
		{name: "outside a transaction", script: twice, conf: "executeInTransaction=false", rules: []string{"42P07:0:D-"}, told: []string{"D " + duplicate}, kept: "1"},
		{name: "a syntax error", script: "create table a(id int);\nselekt 1;\ninsert into a values (1);", rules: []string{"42601:0:D-"},
			told: []string{`D V1__a.sql:2: syntax error at or near "selekt"`}, kept: "1"},
		{name: "the first statement", script: "select 1/0;\ncreate table a(id int);", rules: []string{"22012:0:D-"}, told: []string{"D V1__a.sql:1: division by zero"}, kept: "0"},
		{name: "a first statement with a syntax error", script: "selekt 1;\ncreate table a(id int);", rules: []string{"42601:0:D-"},
			told: []string{`D V1__a.sql:1: syntax error at or near "selekt"`}, kept: "0"},
		{name: "COPY", script: "create table a(id int);\ncopy a from stdin;\n1\nx\n\\.\ninsert into a values (1);", rules: []string{"22P02:0:D-"},
			told: []string{`D V1__a.sql:4: invalid input syntax for type integer: "x"`}, kept: "1"},
		{name: "a deferred constraint", script: "create table a(id int primary key, r int references a deferrable initially deferred);\ninsert into a values (1, 2);",
			rules: []string{"*:*:D"}, state: "23503"},
		{name: "savepoints of the script's own", script: "create table a(id int);\nsavepoint mine;\ninsert into a values (1);\nselect 1/0;\nrollback to mine;\ninsert into a values (2);",
			rules: []string{"22012:0:D-"}, told: []string{"D V1__a.sql:4: division by zero"}, kept: "1"},
		{name: "a transaction of the script's own", script: "begin;\ncreate table a(id int);\nselect 1/0;\ninsert into a values (2);\ncommit;\nselect 1/0;",
			rules: []string{"22012:0:D-"}, told: []string{
				"W V1__a.sql:0: the script begins and commits transactions of its own: it runs statement by statement, and an error leaves what it has committed",
				"D V1__a.sql:3: division by zero", "D V1__a.sql:6: division by zero",
			}, kept: "1"},
		{name: "a notice becomes an error", script: "create table a(id int);\ncreate table if not exists a(id int);\ninsert into a values (1);", rules: []string{"42P07:0:E"}, state: "42P07"},
		{name: "a notice becomes nothing", script: "create table a(id int);\ncreate table if not exists a(id int);", rules: []string{"42P07:0:D-"},
			told: []string{"D " + duplicate + ", skipping"}, kept: "0"},
		{name: "a warning becomes an error", script: "do $$begin raise warning 'careful'; end$$;", rules: []string{"01*:0:E"}, state: "01000"},
		{name: "what no rule is about", script: "do $$begin raise notice 'plain'; end$$;create table a(id int);", rules: []string{"01*:0:E"}, told: []string{"notice plain"}, kept: "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			var got []string
			files := []string{"V1__a.sql", c.script}
			if c.conf != "" {
				files = append(files, "V1__a.sql.conf", c.conf)
			}
			_, err := migrate(t, db, skein.Config{Source: scripts(files...), ErrorOverrides: overrides(t, c.rules...), Report: told(&got)})
			var e *skein.Error
			if errors.As(err, &e) && e.SQL != nil && c.state != "" {
				if e.SQL.State != c.state || e.Code != "FAILED_VERSIONED_MIGRATION" {
					t.Errorf("state %s, code %s: %v", e.SQL.State, e.Code, err)
				}
			} else if err != nil || c.state != "" {
				t.Fatalf("error %v", err)
			}
			if !slices.Equal(got, c.told) {
				t.Errorf("told %q\nwant %q", got, c.told)
			}
			kept := ""
			if db.Value(t, "select to_regclass('a') is not null") == "t" {
				kept = db.Value(t, "select count(*) from a")
			}
			if kept != c.kept {
				t.Errorf("kept %q, want %q", kept, c.kept)
			}
			if applied := strings.Contains(history(t, db), "V1__a.sql"); applied != (c.state == "") {
				t.Errorf("recorded: %t", applied)
			}
		})
	}
}

// Rules hold for callbacks too, and for the members of a group.
func TestErrorOverridesElsewhere(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Group: true, ErrorOverrides: overrides(t, "22012:0:D"),
		Source: scripts("V1__a.sql", "create table a(id int); select 1/0;", "V2__b.sql", "select 1/0; insert into a values (1);", "beforeMigrate.sql", "select 1/0;", "afterEachMigrate.sql", "select 1/0;")}
	if _, err := migrate(t, db, cfg); err != nil || db.Value(t, "select count(*) from a") != "1" {
		t.Errorf("error %v", err)
	}
}

// A statement that somebody stops is no error that a rule could turn away.
func TestErrorOverridesDoNotHideInterruption(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := skein.Migrate(ctx, skein.Config{URL: db.URL, ErrorOverrides: overrides(t, "*:*:D"),
		Source: scripts("V1__a.sql", "do $$begin raise notice 'ready'; perform pg_sleep(600); end$$; create table a(id int);"),
		Report: func(e skein.Event) {
			if _, ready := e.(skein.Detail); ready {
				cancel()
			}
		}})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindInterrupted || history(t, db) != "" {
		t.Errorf("error %v", err)
	}
}

func TestIdleOverrideIsTold(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	res, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "select 1;"), ErrorOverrides: overrides(t, "S1:0:W", "42P07:0:W")})
	if err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "S1:0:W never applies") {
		t.Errorf("%v, warnings %q", err, res.Warnings)
	}
}
