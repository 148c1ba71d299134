package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/secret"
)

func TestProgressLines(t *testing.T) {
	t.Parallel()
	reader := skein.Holder{PID: 7, Application: "psql", State: "idle in transaction", Since: 5 * time.Minute, Query: "select 1"}
	for want, e := range map[string]skein.Progress{
		"script 2 of 9, V2__x.sql:3, statement 1 of 4: 8 s, 42 %, 12 rows, about 1 min 5 s left, CREATE INDEX, building index\n   create index x": {
			Index: 1, Total: 9, Path: "V2__x.sql", Line: 3, Statement: 1, Statements: 4, Took: 8 * time.Second, Command: "CREATE INDEX", Phase: "building index",
			Done: 42, All: 100, Unit: "blocks", Rows: 12, Left: 65 * time.Second, SQL: "create index x",
		},
		"afterMigrate.sql: 3 h 2 min, 10 bytes, COPY": {Path: "afterMigrate.sql", Took: 3*time.Hour + 2*time.Minute, Command: "COPY", Done: 10, Unit: "bytes"},
		"V1.sql: 2 min\n   waits for pid 7 (psql, idle in transaction, its transaction 5 min old): select 1; 2 sessions wait behind it": {
			Path: "V1.sql", Took: 2 * time.Minute, SQL: "alter table x", Blockers: []skein.Holder{reader}, Behind: 2,
		},
		"V1.sql: 0 s\n   waits for pid 1 (not to be seen by this role) and a prepared transaction and pid 1 (not to be seen by this role) and 1 more": {
			Path: "V1.sql", Blockers: []skein.Holder{{PID: 1}, {}, {PID: 1}, reader},
		},
		"V1.sql: 0 s\n   100 or more sessions wait behind it": {Path: "V1.sql", Behind: 100},
	} {
		if got := strings.Join(progressLines(e), "\n"); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

// Plain lines come seldom, and at once when the statement begins or ends to wait.
func TestPlainProgressIsSeldom(t *testing.T) {
	t.Parallel()
	var p plainProgress
	var printed []int
	for second := 1; second <= 200; second++ {
		e := skein.Progress{Path: "a", ScriptTook: time.Duration(second) * time.Second}
		if second > 100 { // another script
			e.Index, e.ScriptTook = 1, time.Duration(second-100)*time.Second
		}
		if second >= 103 && second < 105 {
			e.Blockers = []skein.Holder{{PID: 1}}
		}
		if p.due(e) {
			printed = append(printed, second)
		}
	}
	if want := []int{10, 40, 70, 100, 103, 105, 135, 165, 195}; !slices.Equal(printed, want) {
		t.Errorf("printed after %v s, want %v", printed, want)
	}
}

// What is painted is replaced in place, never wider than the terminal, and gone in the end.
func TestLiveBlock(t *testing.T) {
	t.Parallel()
	columns := 10
	l := &live{columns: func() int { return columns }}
	for _, c := range []struct {
		name  string
		width int
		lines []string
		want  string
	}{
		{"first", 10, []string{"short", "much too long"}, "short\x1b[K\r\nmuch too…\x1b[K\r\n\x1b[J"},
		{"again", 10, []string{"x"}, "\x1b[A\x1b[Ax\x1b[K\r\n\x1b[J"},
		{"wide characters", 10, []string{"表表表表表表"}, "\x1b[A表表表表…\x1b[K\r\n\x1b[J"},
		{"narrower", 5, []string{"a\x1b[2Jb"}, "\x1b[A\x1b[Aa [\u2026\x1b[K\r\n\x1b[J"},
		{"who is waited for", 40, []string{"   waits for x"}, "\x1b[A\x1b[33m   waits for x\x1b[0m\x1b[K\r\n\x1b[J"},
		{"unknown", 0, []string{"x"}, "\x1b[Ax\x1b[K\r\n\x1b[J"},
	} {
		columns = c.width
		if got := l.paint(c.lines, true); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := l.erase() + l.erase(); got != "\x1b[A\x1b[J" {
		t.Errorf("erased by %q", got)
	}
}

// On a terminal the lines stay as long as nothing else is printed; what stays then is what a file would hold.
func TestProgressOnTerminalsAndElsewhere(t *testing.T) {
	t.Parallel()
	e := skein.Progress{Path: "V1.sql", ScriptTook: time.Minute, Took: time.Minute, SQL: "select 'c4n4ry'"}
	secrets := &secret.Redactor{}
	secrets.Add("c4n4ry")
	for name, c := range map[string]struct {
		console *console
		want    string
	}{
		"terminal": {&console{live: &live{}}, "V1.sql: 1 min\x1b[K\r\n   select '" + secret.Mask + "'\x1b[K\r\n\x1b[J\x1b[A\x1b[A\x1b[Jafter\n"},
		"file":     {&console{}, "V1.sql: 1 min\n   select '" + secret.Mask + "'\nafter\n"},
		"flyway":   {&console{flyway: true}, "after\n"},
		"never":    {&console{noProgress: true}, "after\n"},
		"quiet":    {&console{quiet: true, live: &live{}}, ""},
	} {
		var out bytes.Buffer
		c.console.stdout, c.console.stderr, c.console.redactor = &out, &out, secrets
		n := &narrator{console: c.console}
		n.report(e)
		n.report(skein.Note{Text: "after"})
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
	}
}
