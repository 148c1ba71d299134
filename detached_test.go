package skein_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// With Detach every script finds the session quiet, whatever the one before it, initSql and afterConnect did with it, and
// is told to be attached where it is.
func TestDetachedSessions(t *testing.T) {
	t.Parallel()
	// The names are put together: a script that has them is taken to set them.
	const look = " create table seen%d as select current_setting('client_min' || '_messages') || ' ' || coalesce(current_setting('client_connection' || '_check_interval', true), '0') as it"
	seen := func(n string) string { return strings.ReplaceAll(look, "%d", n) }
	for name, c := range map[string]skein.Config{
		"alone":    {},
		"initSql":  {InitSQL: "set client_min_messages = warning; set client_connection_check_interval = '1s'"},
		"callback": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if pgtest.Major(t) < 14 && name == "initSql" {
				t.Skip("there is no client_connection_check_interval")
			}
			db := pgtest.New(t)
			files := []string{
				"V1__a.sql", seen("1"),
				"V2__b.sql", "set client_min_messages = debug1;" + seen("2"),
				"V3__c.sql", seen("3"),
				"V4__d.sql", "copy seen1 from stdin;\nx\n\\.\n",
				"V5__e.sql", "create table seen5(it text); insert into seen5 select 'y';\nvalues (1);",
				"V5__e.sql.conf", "executeInTransaction=false",
				"V6__f.sql", "create index concurrently on seen1(it);",
			}
			if name == "callback" {
				files = append(files, "afterConnect.sql", "set client_min_messages = warning")
			}
			c.Source, c.Detach = scripts(files...), true
			got := map[string]string{}
			c.Report = func(e skein.Event) {
				if s, ok := e.(skein.StepStarted); ok {
					got[s.Script.Version.String()] = s.Attached
				}
			}
			if _, err := migrate(t, db, c); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"1": "", "2": "statement 1 (set client_min_messages debug1): it sets what keeps the server quiet", "3": "",
				"4": "statement 1 (copy seen1 from): its data comes from the client",
				"5": "statement 3 (values): it returns rows that nobody counts beforehand", "6": "",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if got := db.Value(t, "select seen1.it || ', ' || seen3.it from seen1, seen3 where seen1.it <> 'x'"); got != "error 0, error 0" {
				t.Error(got)
			}
			c.Report = nil
			plan, err := skein.Plan(t.Context(), skein.Config{URL: db.URL, Source: scripts("V7__g.sql", "values (1)"), SkipValidate: true})
			if err != nil || len(plan.Steps) != 1 || !strings.Contains(plan.Steps[0].Attached, "rows") {
				t.Errorf("%+v, %v", plan.Steps, err)
			}
		})
	}
}

// Admit keeps a script from being started; what came before it stays.
func TestAdmit(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Source: scripts("V1__a.sql", "create table a(id int)", "V2__b.sql", "call p()", "V3__c.sql", "create table c(id int)")}
	var asked []string
	cfg.Admit = func(u skein.Upcoming) error {
		asked = append(asked, u.Script.Path)
		if u.Attached != "" {
			return errors.New("it would take longer than this function may: " + u.Attached)
		}
		return nil
	}
	_, err := migrate(t, db, cfg)
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindRefused || e.At == nil || e.At.Path != "V2__b.sql" || e.Kept != "nothing of V2 ran; 1 earlier script stays applied" ||
		e.Message != "it would take longer than this function may: statement 1 (call p): what it calls may commit, which sends" {
		t.Errorf("%+v", err)
	}
	if diff := cmp.Diff([]string{"V1__a.sql", "V2__b.sql"}, asked); diff != "" {
		t.Error(diff)
	}
	if got := db.Value(t, "select string_agg(version, ' ') from flyway_schema_history"); got != "1" {
		t.Errorf("recorded %s", got)
	}
}

// What keeps a session quiet takes PL/pgSQL. A database without it is migrated all the same, and says what it cannot have.
func TestNothingIsDetachedWithoutPLpgSQL(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "drop extension plpgsql")
	var attached string
	cfg := skein.Config{Source: scripts("V1__a.sql", "create table a(id int)"), Detach: true, Report: func(e skein.Event) {
		if s, ok := e.(skein.StepStarted); ok {
			attached = s.Attached
		}
	}}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	if want := "the session cannot be kept quiet without PL/pgSQL"; attached != want {
		t.Errorf("%q", attached)
	}
}
