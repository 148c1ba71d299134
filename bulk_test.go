package skein_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// longScript is 1 + 2000 + 4 + 60 statements, a line for each.
func longScript() string {
	var b strings.Builder
	b.WriteString("create table ${t}(id int primary key, t text);\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "insert into ${t} values (%d, '%s');\n", i, strings.Repeat("x", 500))
	}
	b.WriteString("with x as (select 1) insert into ${t} select 3000;\nupdate ${t} set id = 3001 where id = 3000;\ndelete from ${t} where id = 3001;\nselect count(*) from ${t};\n")
	for i := range 30 {
		fmt.Fprintf(&b, "insert into ${t} select %d;\ncreate table ${t}%d();\n", 4000+i, i)
	}
	return b.String()
}

func TestLongScriptTravelsInParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old, new string
		line, column   int // of the error; 0: none
		source         string
	}{
		{name: "whole"},
		{"a value twice", "(1200, '", "(1199, '", 1202, 0, "insert into ${t} values (1199, '"},
		{"a syntax error among rows", "values (1200", "valuez (1200", 1202, 18, "insert into ${t} valuez (1200, '"},
		{"no such column among rows", "values (1200, '", "values (y, '", 1202, 26, "insert into ${t} values (y, '"},
		{"no such column in a pipeline", "id = 3001 where", "ix = 3001 where", 2003, 17, "update ${t} set ix = 3001 where id = 3000;"},
		{"a syntax error in a pipeline", "delete from ${t} where", "delete form ${t} where", 2004, 8, "delete form ${t} where id = 3001;"},
		{"there already", "create table ${t}29()", "create table ${t}28()", 2065, 0, "create table ${t}28();"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			var lines, rows, alone int
			cfg := skein.Config{Source: scripts("V1__a.sql", strings.Replace(longScript(), c.old, c.new, 1)), Report: func(e skein.Event) {
				switch e := e.(type) {
				case skein.StatementDone:
					if lines++; e.Line != lines || e.Index != lines-1 {
						t.Errorf("statement %d: line %d, index %d", lines, e.Line, e.Index)
					}
					if e.Took > 0 {
						alone++
					}
				case skein.QueryResult:
					rows += len(e.Rows)
				}
			}}
			cfg.Placeholders.Values = map[string]string{"t": "the_table"}
			cfg, trips := counted(t, db, cfg)
			_, err := skein.Migrate(t.Context(), cfg)
			if c.line > 0 {
				var e *skein.Error
				if !errors.As(err, &e) || e.At == nil || e.At.Line != c.line || e.At.Column != c.column || !strings.HasPrefix(e.At.Source, c.source) {
					t.Errorf("error %v at %+v", err, e.At)
				}
				if got := history(t, db); got != "" || lines >= c.line {
					t.Errorf("%d statements, history %s", lines, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, "select count(*) from the_table"); got != "2030" || lines != 2065 || rows != 1 || alone != 65 {
				t.Errorf("%s rows, %d statements, %d results, %d with a time of their own", got, lines, rows, alone)
			}
			if got := trips.Load(); got > 30 {
				t.Errorf("%d round trips", got)
			}
		})
	}
}

// COPY and a program between two statements travel alone, and what stands around them keeps its order.
func TestLongScriptWithOthersBetween(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	rows := strings.Repeat("insert into a values (1);\n", 40)
	text := "set transaction isolation level serializable;\ncreate table a(i int);\n" + rows + "copy a from stdin;\n2\n\\.\nsavepoint s;\n" + rows +
		"rollback to s;\ncreate table b as select sum(i), current_setting('transaction_isolation') from a;\n"
	var tags []string
	_, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", text), Report: func(e skein.Event) {
		if s, ok := e.(skein.StatementDone); ok && !strings.HasPrefix(s.Tag, "INSERT") {
			tags = append(tags, fmt.Sprintf("%d %s", s.Line, s.Tag))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select format('%s', b) from b"); got != "(42,serializable)" {
		t.Error(got)
	}
	if got, want := strings.Join(tags, ", "), "1 SET, 2 CREATE TABLE, 43 COPY 1, 46 SAVEPOINT, 87 ROLLBACK, 88 SELECT 1"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// With Account each statement is asked for by itself.
func TestLongScriptWithTimes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	timed := 0
	_, err := migrate(t, db, skein.Config{Account: true, Source: scripts("V1__a.sql", "create table a(i int);"+strings.Repeat("\ninsert into a values (1);", 100)), Report: func(e skein.Event) {
		if s, ok := e.(skein.StatementDone); ok && s.Took > 0 {
			timed++
		}
	}})
	if err != nil || timed != 101 {
		t.Errorf("%d statements have a time, error %v", timed, err)
	}
}
