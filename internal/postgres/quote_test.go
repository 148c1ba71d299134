package postgres_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

// The server reads a literal back as the value, and a quoted name as the name, whatever
// standard_conforming_strings says.
func TestQuotingAsTheServerReadsIt(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, conforming := range []string{"on", "off"} {
		c := open(t, db.URL, postgres.Options{InitSQL: "set standard_conforming_strings = " + conforming})
		texts := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(`'"\\EU&$;%{}a0`+"\n\t")), rapid.Rune()))
		for seed := range 300 {
			value := strings.ReplaceAll(strings.ToValidUTF8(texts.Example(seed), ""), "\x00", "")
			name := "n" + cut(value, 50)
			sql := "select " + postgres.Literal(value) + " as " + postgres.Ident(name) + ", 1 as one"
			err := c.ExecRows(t.Context(), sql, 1, func(res postgres.Result) {
				if got := *res.Values[0][0]; got != value || res.Columns[0] != name {
					t.Errorf("with standard_conforming_strings %s the server reads %q as %q by the name %q, want %q by %q", conforming, sql, got, res.Columns[0], value, name)
				}
			})
			if err != nil {
				t.Fatalf("%v\nin: %q", err, sql)
			}
		}
	}
}

// cut keeps whole characters within n bytes: a name has 63.
func cut(s string, n int) string {
	return strings.ToValidUTF8(s[:min(n, len(s))], "")
}

func TestSearchPath(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, c := range []struct{ schema, before, after string }{
		{"public", `"$user", public`, `"public","$user", public`},
		{"public", "public", "public"},
		{"public", "public,other", "public,other"},
		{"public", `"public"`, `"public"`},
		{"public", `"public", other`, `"public", other`},
		{"public", "", `"public"`},
		{"public", "publicity", `"public",publicity`},
		{"Mixed", "mixed", `"Mixed",mixed`},
		{`we"ird, 'x\`, "public", `"we""ird, 'x\",public`},
	} {
		conn := open(t, db.URL, postgres.Options{})
		run(t, conn, "select set_config('search_path', "+postgres.Literal(c.before)+", false)")
		if sql := postgres.SearchPath(c.schema, c.before); sql != "" {
			run(t, conn, "select "+sql)
		}
		if got := ask(t, conn, "show search_path"); got != c.after {
			t.Errorf("%s before %q makes %q, want %q", c.schema, c.before, got, c.after)
		}
	}
}
