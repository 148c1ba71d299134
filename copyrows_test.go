package skein_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// TestCopyIsCounted: the server's own count is held against the lines in the script, whatever form they have.
func TestCopyIsCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statement, data string
		server          int // the first version that takes it
		warns           bool
	}{
		"text":                           {"copy t from stdin;", "1\ta\n2\tb\n", 0, false},
		"no rows":                        {"copy t from stdin;", "", 0, false},
		"a value of two lines":           {"copy t from stdin;", "1\ta\\\nb\n2\tc\\\\\n", 0, false},
		"CSV with a header":              {"copy t from stdin with (format csv, header);", "i,s\n1,a\n2,\"b\nc \"\"d\"\"\"\n", 0, false},
		"CSV, the old way":               {"copy t from stdin csv header;", "i,s\n1,a\n", 0, false},
		"no header":                      {"copy t (i, s) from stdin with (format 'csv', header false);", "1,a\n2,b\n", 0, false},
		"a header of text":               {"copy t from stdin with (header match);", "i\ts\n1\ta\n", 15, false},
		"rows that the statement leaves": {"copy t from stdin where i > 1;", "1\ta\n2\tb\n", 0, false},
		"quotes of another kind":         {"copy t from stdin with (format csv, quote '''');", "1,'a\nb'\n", 0, false},
		"rows that may be wrong":         {"copy t from stdin with (on_error ignore);", "1\ta\nx\tb\n", 17, false},
		"a trigger leaves one out":       {"copy guarded from stdin;", "1\ta\n2\tb\n3\tc\n", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if pgtest.Major(t) < c.server {
				t.Skipf("PostgreSQL %d and newer", c.server)
			}
			db := pgtest.New(t)
			db.Exec(t, `create table t (i int, s text); create table guarded (like t);
				create function f() returns trigger language plpgsql as 'begin if new.i = 2 then return null; end if; return new; end';
				create trigger g before insert on guarded for each row execute function f()`)
			result, err := migrate(t, db, skein.Config{Source: scripts("V1__a.sql", "select 1;\n"+c.statement+"\n"+c.data+"\\.\n"), BaselineOnMigrate: true, BaselineVersion: migration.MustVersion("0")})
			if err != nil {
				t.Fatal(err)
			}
			said := fmt.Sprint(result.Warnings)
			if strings.Contains(said, "COPY has 3 rows of data here, and the server took 2 of them") != c.warns || !c.warns && strings.Contains(said, "COPY") {
				t.Errorf("warnings %q", said)
			}
		})
	}
}
