package cli

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/migration"
)

// TestEveryEventIsRendered reads the closed set of events from the library's source and the cases from the renderer's:
// a new event without a case fails here.
func TestEveryEventIsRendered(t *testing.T) {
	t.Parallel()
	events := map[string]bool{}
	for _, decl := range parse(t, "../../event.go").Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "event" {
			events[f.Recv.List[0].Type.(*ast.Ident).Name] = false
		}
	}
	if len(events) < 20 {
		t.Fatalf("only %d events found in event.go", len(events))
	}
	ast.Inspect(parse(t, "narrate.go"), func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, expr := range clause.List {
			if s, ok := expr.(*ast.SelectorExpr); ok {
				if _, known := events[s.Sel.Name]; known {
					events[s.Sel.Name] = true
				}
			}
		}
		return true
	})
	for name, rendered := range events {
		if !rendered {
			t.Errorf("narrate.go has no case for skein.%s", name)
		}
	}
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// narrate renders events under skein and returns stderr; nothing may reach stdout.
func narrate(t *testing.T, debug bool, events ...skein.Event) string {
	t.Helper()
	var out, errs bytes.Buffer
	n := &narrator{console: &console{stdout: &out, stderr: &errs, redactor: &secret.Redactor{}, debug: debug}}
	for _, e := range events {
		n.report(e)
	}
	if out.Len() > 0 {
		t.Errorf("on stdout: %s", out.String())
	}
	return errs.String()
}

func TestNarrationUnderSkein(t *testing.T) {
	t.Parallel()
	s := script("sql", "7", "add owner", "V7__add_owner.sql")
	for _, c := range []struct {
		name  string
		event []skein.Event
		want  string
	}{
		{"AT-10c: the target first", tell(connected), "Database: shop on db:5432 as app (PostgreSQL 15.18)\n"},
		{"warning with a place", tell(skein.Warning{Text: "odd name", Path: "V4_x.sql", Line: 3, Hint: "call it V4__x.sql"}),
			"warning: V4_x.sql:3: odd name\nhint: call it V4__x.sql\n"},
		{"warning without one", tell(skein.Warning{Text: "newer server"}), "warning: newer server\n"},
		{"AT-1g: who holds the lock", tell(skein.LockWaiting{Waited: 10 * time.Second, Left: 40 * time.Second, Holder: skein.Holder{
			PID: 4711, User: "app", Application: "skein", Host: "10.0.0.7", State: "idle in transaction", Since: 75 * time.Second, Query: "alter table\n  a"}}),
			"Waiting for the migration lock, held by pid 4711 (user app, application \"skein\", host 10.0.0.7, idle in transaction, transaction open for 01:15.000s); " +
				"waited 00:10.000s so far, giving up after 00:40.000s more\n   its last statement: alter table a\n"},
		{"who holds a table", tell(skein.LockWaiting{Path: "V2__a.sql", Line: 3, Relation: "app.t", Waited: time.Second, Left: time.Minute,
			Holder: skein.Holder{PID: 7, User: "app", Application: "web", Host: "db", State: "active", Since: time.Second}, Others: make([]skein.Holder, 2)}),
			"V2__a.sql:3 waits, outside the queue, for a lock on app.t, held by pid 7 (user app, application \"web\", host db, active, transaction open for 00:01.000s) " +
				"and 2 more; waited 00:01.000s so far, giving up after 01:00.000s more\n"},
		{"gave way", tell(skein.GaveWay{Path: "V2__a.sql", Line: 3, Attempt: 1, Why: "deadlock detected"}, skein.GaveWay{Path: "V2__a.sql", Attempt: 2, Why: "x"}),
			"V2__a.sql:3 gave way (deadlock detected): rolled back, and tried again; attempt 2\nV2__a.sql gave way (x): rolled back, and tried again; attempt 3\n"},
		{"holder unknown", tell(skein.LockWaiting{}), "Waiting for the migration lock, held by another session\n"},
		{"marks in Flyway's order", tell(skein.StepStarted{Schema: `s"1`, Script: s, OutOfOrder: true}),
			"Migrating schema \"s\"\"1\" to version \"7 - add owner\" [out of order] [non-transactional]\n"},
		{"only recorded: no line", tell(skein.StepStarted{Schema: "s", Script: s, Skipped: true}), ""},
		{"only repeatables ran", tell(skein.Migrated{Schema: "s", Applied: 1, Took: 65 * time.Millisecond}),
			"Successfully applied 1 migration to schema \"s\" (execution time 00:00.065s)\n"},
		{"failed rows removed", tell(connected, skein.RepairRemoved{Row: *row(s)}, skein.Repaired{Schema: "public", Table: "t", Removed: 1}),
			"Database: shop on db:5432 as app (PostgreSQL 15.18)\nSuccessfully repaired schema history table \"public\".\"t\" (execution time 00:00.000s).\n"},
		{"more rows than shown", tell(skein.QueryResult{Columns: []string{"n"}, Rows: [][]*string{{nil}}, Total: 1001}),
			"+---+\n| n |\n+---+\n|   |\n+---+\n(1000 more rows)\n\n"},
		{"statements are for -X", tell(skein.StatementDone{Path: "a", Tag: "SELECT"}, skein.StepDone{Script: s}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := narrate(t, false, c.event...); got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
	got := narrate(t, true, skein.StatementDone{Path: "V1.sql", Line: 3, Tag: "INSERT 0 2", Rows: 2, Took: time.Second})
	if want := "debug: V1.sql:3: INSERT 0 2, 2 rows, 00:01.000s\n"; got != want {
		t.Errorf("-X: %q, want %q", got, want)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "00:00.000s", 65 * time.Millisecond: "00:00.065s", 61*time.Second + 7*time.Millisecond: "01:01.007s", 100 * time.Minute: "100:00.000s",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %s, want %s", d, got, want)
		}
	}
}

// TestFilter has a line for each rule of flyway.md §4.3.
func TestFilter(t *testing.T) {
	t.Parallel()
	entries := []migration.Entry{
		{Script: first, Applied: row(first), State: migration.StateSuccess}, {Script: second, State: migration.StatePending},
		{Script: third, State: migration.StateAboveTarget}, {Script: view, State: migration.StatePending},
	}
	for _, c := range []struct{ flag, want string }{
		{"-infoOfState=pending,ABOVE_TARGET", "1.1,3,my view"},
		{"-infoSinceVersion=1.1", "1.1,3,my view"},
		{"-infoUntilVersion=1.1", "1,1.1"},
		{"-infoSinceDate=23/11/2026 00:00", "1.1,3,my view"},
		{"-infoSinceDate=22/11/2026 17:18", "1,1.1,3,my view"},
		{"-infoUntilDate=22/11/2026 17:19", "1"},
		{"-infoUntilDate=22/11/2026 17:18", ""},
		{"-infoOfState=", "1,1.1,3,my view"},
	} {
		f, err := readFilter(loadSettings(t, c.flag), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if got := migrationIDs(f.apply(entries)); got != c.want {
			t.Errorf("%s leaves %q, want %q", c.flag, got, c.want)
		}
	}
	_, err := readFilter(loadSettings(t, "-infoSinceDate=x", "-infoUntilVersion=y", "-infoOfState=nope"), time.UTC)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three mistakes give %v", err)
	}
}

func TestTableCountsJavaCharacters(t *testing.T) {
	t.Parallel()
	got := table{Header: []string{"a"}, Rows: [][]string{{"é😀"}, {"abcd"}}}.String()
	want := "+------+\n| a    |\n+------+\n| é😀  |\n| abcd |\n+------+\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if cut := fit("a😀b", 2); cut != "a " {
		t.Errorf("a character was cut in two: %q", cut)
	}
	if !slices.Equal([]string{fit("No rows returned", 2), fit("", 3)}, []string{"No", "   "}) {
		t.Error("fit")
	}
}
