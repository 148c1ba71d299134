package postgres_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

func sum(n int32) *int32 { return &n }

var oddHistory = postgres.History{Schema: `we"ird`, Table: `the 'history' \.`}

// What InsertSQL writes is what ReadHistory reads, apart from what does not fit the columns.
func TestHistoryRoundTrip(t *testing.T) {
	t.Parallel()
	rows := []migration.Row{
		{Rank: 0, Description: "<< Flyway Schema Creation >>", Type: migration.TypeSchema, Script: `"we""ird"`, InstalledBy: "me", Success: true},
		{Rank: 1, Version: migration.MustVersion("1.02"), Description: `it's \ "quoted" $$ é`, Type: migration.TypeSQL, Script: `dir\V1__it's.sql`, Checksum: sum(-2147483648), InstalledBy: `o'\brien`, ExecutionTime: 7, Success: true},
		{Rank: 2, Description: "", Type: migration.TypeSQL, Script: "R__.sql", Checksum: sum(0), InstalledBy: "", ExecutionTime: 2147483647, Success: false},
		{Rank: 3, Version: migration.MustVersion("20260101120000.000.7"), Description: strings.Repeat("é", 200), Type: migration.TypeJDBC, Script: strings.Repeat("s", 1000), Checksum: sum(2147483647), InstalledBy: strings.Repeat("u", 100), Success: true},
		{Rank: 4, Version: migration.MustVersion("5"), Description: strings.Repeat("d", 201), Type: migration.TypeDelete, Script: strings.Repeat("s/", 600) + "end.sql", InstalledBy: "me", Success: true},
	}
	want := slices.Clone(rows)
	want[4].Description = migration.AbbreviateDescription(want[4].Description)
	want[4].Script = migration.AbbreviateScript(want[4].Script)
	if len(want[4].Description) != 200 || len(want[4].Script) != 1000 {
		t.Fatalf("abbreviated to %d and %d", len(want[4].Description), len(want[4].Script))
	}
	for _, setting := range []string{
		"set standard_conforming_strings = on", "set standard_conforming_strings = off",
		"set datestyle = 'German'", "set datestyle = 'SQL, DMY'", "set datestyle = 'Postgres, MDY'", "set intervalstyle = 'sql_standard'",
		"set search_path = ''", "set extra_float_digits = 0", "set bytea_output = escape", "set default_transaction_isolation = serializable",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			c := open(t, db.URL, postgres.Options{InitSQL: setting})
			run(t, c, "create schema "+postgres.Ident(oddHistory.Schema))
			run(t, c, "begin; "+strings.Join(oddHistory.CreateSQL(), ";")+"; commit")
			before := time.Now().Add(-time.Minute)
			for _, i := range []int{3, 0, 4, 1, 2} {
				run(t, c, oddHistory.InsertSQL(rows[i]))
			}
			got, err := c.ReadHistory(t.Context(), oddHistory)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(migration.Row{}, "InstalledOn"), cmp.Comparer(func(a, b migration.Version) bool { return a.String() == b.String() })); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for _, r := range got {
				if r.InstalledOn.Before(before) || r.InstalledOn.After(time.Now().Add(time.Minute)) {
					t.Errorf("rank %d was installed on %s", r.Rank, r.InstalledOn)
				}
			}
		})
	}
}

// installed_on has no zone; it is written and read in the client's, as Flyway does it, and a reader elsewhere reads
// the same digits.
func TestInstalledOnIsTheClientsTime(t *testing.T) {
	db := pgtest.New(t)
	h := postgres.History{Schema: "public", Table: "h"}
	t.Setenv("TZ", "Asia/Kolkata")
	before := time.Local
	t.Cleanup(func() { time.Local = before })
	time.Local = mustZone(t, "Asia/Kolkata")

	c := open(t, db.URL, postgres.Options{})
	run(t, c, h.CreateSQL()...)
	run(t, c, h.InsertSQL(migration.Row{Rank: 1, Type: migration.TypeSQL}))
	if away := ask(t, c, "select abs(extract(epoch from installed_on - now() at time zone 'Asia/Kolkata')) < 300 from h"); away != "t" {
		t.Errorf("installed_on is not Kolkata's time: %s", ask(t, c, "select installed_on from h"))
	}
	run(t, c, "update h set installed_on = '2026-03-29 02:30:00.123456'")
	for zone, want := range map[string]string{"Asia/Kolkata": "2026-03-28T21:00:00.123456Z", "America/St_Johns": "2026-03-29T05:00:00.123456Z", "UTC": "2026-03-29T02:30:00.123456Z"} {
		t.Setenv("TZ", zone)
		time.Local = mustZone(t, zone)
		rows, err := open(t, db.URL, postgres.Options{}).ReadHistory(t.Context(), h)
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		if got := rows[0].InstalledOn.UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("in %s the row is of %s, want %s", zone, got, want)
		}
	}
}

func TestServerMillis(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	c := open(t, db.URL, postgres.Options{})
	h := postgres.History{Schema: "public", Table: "h"}
	run(t, c, h.CreateSQL()...)
	run(t, c, "begin; select pg_sleep(0.2); "+h.InsertSQL(migration.Row{Rank: 1, Type: migration.TypeSQL, ExecutionTime: postgres.ServerMillis})+"; commit")
	if ms, err := strconv.Atoi(ask(t, c, "select execution_time from h")); err != nil || ms < 200 || ms > 60_000 {
		t.Errorf("execution_time %d, %v; want the transaction's 200 ms and a little", ms, err)
	}
}

func TestRepairStatements(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	c := open(t, db.URL, postgres.Options{})
	run(t, c, "create schema "+postgres.Ident(oddHistory.Schema))
	run(t, c, oddHistory.CreateSQL()...)
	v1, odd := migration.MustVersion("1"), `it's \ odd`
	for _, r := range []migration.Row{
		{Rank: 1, Version: v1, Description: "a", Success: true},
		{Rank: 2, Version: v1, Description: "a", Success: false},
		{Rank: 3, Description: odd, Success: false},
		{Rank: 4, Description: odd, Success: true},
		{Rank: 5, Version: migration.MustVersion("2"), Description: odd, Success: false},
	} {
		r.Type = migration.TypeSQL
		run(t, c, oddHistory.InsertSQL(r))
	}
	run(t, c, oddHistory.DeleteFailedSQL(migration.Row{Version: v1, Description: odd}))
	left := func() string {
		return ask(t, c, "select string_agg(installed_rank::text, ',' order by installed_rank) from "+postgres.Qualified(oddHistory.Schema, oddHistory.Table))
	}
	if got := left(); got != "1,3,4,5" {
		t.Errorf("after removing the failed version 1: %s", got)
	}
	// Without a version the description counts; Flyway's own statement takes those of versions along.
	run(t, c, oddHistory.DeleteFailedSQL(migration.Row{Description: odd}))
	if got := left(); got != "1,4" {
		t.Errorf("after removing the failed repeatable: %s", got)
	}
	run(t, c, oddHistory.AlignSQL(4, "new's", migration.TypeScript, sum(-9)))
	run(t, c, oddHistory.AlignSQL(1, "gone", migration.TypeSQL, nil))
	rows, err := c.ReadHistory(t.Context(), oddHistory)
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	if r := rows[1]; r.Description != "new's" || r.Type != migration.TypeScript || *r.Checksum != -9 || !rows[0].Success || rows[0].Checksum != nil {
		t.Errorf("aligned %+v", rows)
	}
}

func TestHistoryOfAnotherShape(t *testing.T) {
	t.Parallel()
	const columns = "installed_rank int, version text, description text, type text, script text, checksum bigint, installed_by text, installed_on timestamp, execution_time int, success bool"
	const row = "1, '1', 'a', 'SQL', 's', null, 'me', '2026-01-01', 0, true"
	for name, c := range map[string]struct{ columns, row, want string }{
		"columns lacking":     {strings.Replace(strings.Replace(columns, "checksum bigint, ", "", 1), "success", "ok", 1), "1, '1', 'a', 'SQL', 's', 'me', '2026-01-01', 0, true", "it lacks the columns checksum, success"},
		"an unknown type":     {columns, strings.Replace(row, "SQL", "COBOL", 1), "its column type holds what is no such value: unknown migration type 'COBOL'"},
		"no version":          {columns, strings.Replace(row, "'1'", "'one'", 1), "its column version holds what is no such value: the row of rank 1"},
		"a checksum too long": {columns, strings.Replace(row, "null", "3000000000", 1), "its column checksum holds what is no such value"},
		"no rank":             {columns, strings.Replace(row, "1", "null", 1), "its column installed_rank holds what is no such value"},
		"an endless time":     {columns, strings.Replace(row, "2026-01-01", "infinity", 1), "its column installed_on holds what is no such value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create table h("+c.columns+"); insert into h values ("+c.row+")")
			_, err := open(t, db.URL, postgres.Options{}).ReadHistory(t.Context(), postgres.History{Schema: "public", Table: "h"})
			if shape, ok := errors.AsType[*postgres.ShapeError](err); !ok || !strings.HasPrefix(shape.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	db := pgtest.New(t)
	db.Exec(t, "create table h(extra int, "+columns+", more text); insert into h values (9, "+row+", 'x')")
	h := postgres.History{Schema: "public", Table: "h"}
	if rows, err := open(t, db.URL, postgres.Options{}).ReadHistory(t.Context(), h); err != nil || len(rows) != 1 || rows[0].Script != "s" {
		t.Errorf("with further columns: %+v, %v", rows, err)
	}
	h.Table = "gone"
	if rows, err := open(t, db.URL, postgres.Options{}).ReadHistory(t.Context(), h); err == nil {
		t.Errorf("a missing table has rows: %+v", rows)
	}
}
