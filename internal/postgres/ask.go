package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table is what a query of the user's returned.
type Table struct {
	Columns []string
	Rows    [][]*string // nil: null
}

// Ask runs queries of the user's, one after the other, on a connection of its own whose transactions are read only, and
// gives the rows of the last that returned any. The error is the server's.
func Ask(ctx context.Context, cfg *pgx.ConnConfig, sql string) (Table, error) {
	conn, err := Open(ctx, cfg, Options{ApplicationName: "skein", ReadOnly: true})
	if err != nil {
		return Table{}, err
	}
	defer conn.Close()
	var out Table
	err = conn.send(ctx, sql, 1<<20, func(r Result) {
		if len(r.Columns) > 0 {
			out = Table{Columns: r.Columns, Rows: r.Values}
		}
	})
	return out, err
}

// Schemas lists the schemas of a database that are not PostgreSQL's own, by name.
func Schemas(ctx context.Context, cfg *pgx.ConnConfig) ([]string, error) {
	table, err := Ask(ctx, cfg, "select nspname from pg_catalog.pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 1")
	var out []string
	for _, row := range table.Rows {
		out = append(out, *row[0])
	}
	return out, err
}

// Says reads an answer: the first column of the first row, true for "t", "true", "yes", "on" and numbers other than 0.
// Nothing, null and all else is no. text is the row, for people.
func (t Table) Says() (yes bool, text string) {
	if len(t.Rows) == 0 || len(t.Columns) == 0 {
		return false, "it returned no row"
	}
	var parts []string
	for i, v := range t.Rows[0] {
		value := "null"
		if v != nil {
			value = *v
		}
		if t.Columns[i] != "?column?" { // which is what PostgreSQL calls a column without a name
			value = t.Columns[i] + " = " + value
		}
		parts = append(parts, value)
	}
	text = strings.Join(parts, ", ")
	if v := t.Rows[0][0]; v != nil {
		switch strings.ToLower(strings.TrimSpace(*v)) {
		case "t", "true", "yes", "y", "on":
			return true, text
		case "", "f", "false", "no", "n", "off":
			return false, text
		}
		return strings.Trim(*v, "-+0.") != "" && strings.Trim(*v, "-+0123456789.") == "", text
	}
	return false, text
}
