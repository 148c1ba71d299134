package postgres_test

import (
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func config(t *testing.T, url string) *pgx.ConnConfig {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func open(t *testing.T, url string, opt postgres.Options) *postgres.Conn {
	t.Helper()
	c, err := postgres.Open(t.Context(), config(t, url), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func run(t *testing.T, c *postgres.Conn, sql ...string) {
	t.Helper()
	for _, s := range sql {
		if err := c.Exec(t.Context(), s, nil); err != nil {
			t.Fatalf("%v\nin: %s", err, s)
		}
	}
}

// ask returns the one value of a query on this very connection, pgtest.Null for null.
func ask(t *testing.T, c *postgres.Conn, sql string) string {
	t.Helper()
	var got string
	err := c.ExecRows(t.Context(), sql, 2, func(r postgres.Result) {
		if len(r.Values) != 1 || len(r.Columns) != 1 {
			t.Errorf("%d rows of %q from: %s", len(r.Values), r.Columns, sql)
			return
		}
		got = pgtest.Null
		if v := r.Values[0][0]; v != nil {
			got = *v
		}
	})
	if err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
	return got
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
