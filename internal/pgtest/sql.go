package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Conn opens a connection as the database's owner; it is closed after the test.
func (db *DB) Conn(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		t.Fatalf("pgtest: connect to %s: %v", db.URL, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		_ = conn.Close(ctx) // the test may have broken it
	})
	return conn
}

// Exec runs SQL as the owner on a connection of its own and fails the test if
// that fails. Without arguments it may be several statements.
func (db *DB) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	db.sql(t, db.URL, sql, args...)
}

// Rows runs one query as the owner and returns its rows as PostgreSQL's own
// text, with Null for null.
func (db *DB) Rows(t testing.TB, sql string, args ...any) [][]string {
	t.Helper()
	return db.sql(t, db.URL, sql, args...)
}

// Value is Rows for a query with exactly one row of one column.
func (db *DB) Value(t testing.TB, sql string, args ...any) string {
	t.Helper()
	rows := db.Rows(t, sql, args...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("pgtest: want one row of one column, got %q\nfrom: %s", rows, sql)
	}
	return rows[0][0]
}

// Session opens a connection as the owner, which is closed after the test, and returns what Rows does, on that one
// connection: for a test that asks many things of a database.
func (db *DB) Session(t testing.TB) func(sql string, args ...any) [][]string {
	t.Helper()
	conn := db.Conn(t)
	return func(sql string, args ...any) [][]string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return ask(ctx, t, conn, sql, args)
	}
}

// sql uses the simple protocol: several statements at once, results as text.
func (db *DB) sql(t testing.TB, url, sql string, args ...any) (out [][]string) {
	t.Helper()
	db.once(t, url, func(ask func(string, ...any) [][]string) { out = ask(sql, args...) })
	return out
}

// once opens a connection and closes it when do has returned.
func (db *DB) once(t testing.TB, url string, do func(ask func(sql string, args ...any) [][]string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("pgtest: connect to %s: %v", url, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	do(func(sql string, args ...any) [][]string {
		t.Helper()
		return ask(ctx, t, conn, sql, args)
	})
}

func ask(ctx context.Context, t testing.TB, conn *pgx.Conn, sql string, args []any) (out [][]string) {
	t.Helper()
	var err error
	if len(args) == 0 {
		out, err = runText(ctx, conn, sql)
	} else {
		out, err = queryText(ctx, conn, sql, args)
	}
	if err != nil {
		t.Fatalf("pgtest: %v\nin: %s", err, sql)
	}
	return out
}

func queryText(ctx context.Context, conn *pgx.Conn, sql string, args []any) ([][]string, error) {
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for rows.Next() {
		out = append(out, texts(rows.RawValues()))
	}
	return out, rows.Err()
}

// Unlocked asks whether nobody holds an advisory lock in the database: those of a connection that was closed go a moment later.
const Unlocked = "select count(*) = 0 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"

// runText returns the rows of the last statement that has columns.
func runText(ctx context.Context, conn *pgx.Conn, sql string) ([][]string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	var out [][]string
	for _, r := range results {
		if len(r.FieldDescriptions) == 0 {
			continue
		}
		out = nil
		for _, row := range r.Rows {
			out = append(out, texts(row))
		}
	}
	return out, err
}

func texts(row [][]byte) []string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = string(v)
		if v == nil {
			out[i] = Null
		}
	}
	return out
}
