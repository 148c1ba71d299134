package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/migration"
)

// History speaks of one schema history table, whose shape is Flyway's (flyway.md §3.1).
type History struct {
	Schema, Table, Tablespace string
}

// Columns are the columns of the history table, in order.
var Columns = []string{
	"installed_rank", "version", "description", "type", "script", "checksum",
	"installed_by", "installed_on", "execution_time", "success",
}

var columnList = `"` + strings.Join(Columns, `", "`) + `"`

func (h History) name() string { return Qualified(h.Schema, h.Table) }

// CreateSQL lists the statements that make the table; they belong into one transaction.
func (h History) CreateSQL() []string {
	space, indexSpace := "", ""
	if h.Tablespace != "" {
		space = " tablespace " + Ident(h.Tablespace)
		indexSpace = " using index" + space
	}
	return []string{
		"create table " + h.name() + ` (
	"installed_rank" int not null,
	"version" varchar(50),
	"description" varchar(200) not null,
	"type" varchar(20) not null,
	"script" varchar(1000) not null,
	"checksum" integer,
	"installed_by" varchar(100) not null,
	"installed_on" timestamp not null default now(),
	"execution_time" integer not null,
	"success" boolean not null
)` + space,
		"alter table " + h.name() + " add constraint " + Ident(h.Table+"_pk") + ` primary key ("installed_rank")` + indexSpace,
		"create index " + Ident(h.Table+"_s_idx") + " on " + h.name() + ` ("success")` + space,
	}
}

// ServerMillis stands for "the milliseconds since this transaction began" as an execution time.
const ServerMillis = -1

// InsertSQL is the text that records a row. installed_on is left to the column's default. An ExecutionTime of
// ServerMillis is measured by the server's clock.
func (h History) InsertSQL(r migration.Row) string {
	version, checksum, took := "null", "null", strconv.Itoa(r.ExecutionTime)
	if !r.Version.IsZero() {
		version = Literal(r.Version.String())
	}
	if r.Checksum != nil {
		checksum = strconv.Itoa(int(*r.Checksum))
	}
	if r.ExecutionTime == ServerMillis {
		took = "(1000 * pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() operator(pg_catalog.-) pg_catalog.transaction_timestamp()))::pg_catalog.int4"
	}
	return fmt.Sprintf(`insert into %s ("installed_rank", "version", "description", "type", "script", "checksum", "installed_by", "execution_time", "success") values (%d, %s, %s, %s, %s, %s, %s, %s, %t)`,
		h.name(), r.Rank, version, Literal(migration.AbbreviateDescription(r.Description)), Literal(string(r.Type)),
		Literal(migration.AbbreviateScript(r.Script)), checksum, Literal(r.InstalledBy), took, r.Success)
}

// Durable returns when all that was committed before is on disk, however those commits were made. A commit waits for
// the disk only if its transaction wrote something: here a row that is taken back at once.
func (c *Conn) Durable(ctx context.Context, h History) error {
	row := h.InsertSQL(migration.Row{Rank: math.MinInt32, Type: migration.TypeSQL})
	return c.Exec(ctx, "begin; savepoint skein_durable; "+row+"; rollback to savepoint skein_durable; commit", nil)
}

// DeleteFailedSQL removes the failed rows of a version or, without one, of a description.
func (h History) DeleteFailedSQL(r migration.Row) string {
	what := `"version" = ` + Literal(r.Version.String())
	if r.Version.IsZero() {
		what = `"description" = ` + Literal(r.Description)
	}
	return "delete from " + h.name() + ` where "success" = false and ` + what
}

// EndsAtSQL is the condition that the history's highest rank is the given one, 0 for none.
func (h History) EndsAtSQL(rank int) string {
	return fmt.Sprintf(`coalesce((select pg_catalog.max("installed_rank") from %s), 0) operator(pg_catalog.=) %d`, h.name(), rank)
}

// AlignSQL gives the row of that rank the script's description, type and checksum.
func (h History) AlignSQL(rank int, description string, t migration.Type, checksum *int32) string {
	sum := "null"
	if checksum != nil {
		sum = strconv.Itoa(int(*checksum))
	}
	return fmt.Sprintf(`update %s set "description" = %s, "type" = %s, "checksum" = %s where "installed_rank" = %d`,
		h.name(), Literal(migration.AbbreviateDescription(description)), Literal(string(t)), sum, rank)
}

// ReadHistory reads the whole table in the order of its ranks. installed_on is given in the client's zone. What is no
// history table gives a *ShapeError.
func (c *Conn) ReadHistory(ctx context.Context, h History) ([]migration.Row, error) {
	// COPY tells the same as a query at half the price: no plan, no description, no sort.
	rows, err := c.historyRows(ctx, h.name()+" ("+columnList+")")
	if shape, ok := errors.AsType[*ShapeError](err); ok && shape.Column == "installed_on" {
		// initSql has changed DateStyle.
		columns := strings.Replace(columnList, `"installed_on"`, `pg_catalog.to_char("installed_on", 'YYYY-MM-DD HH24:MI:SS.US')`, 1)
		rows, err = c.historyRows(ctx, "(select "+columns+" from "+h.name()+")")
	}
	if state := sqlState(err); state == "42703" || state == "42809" { // undefined_column, wrong_object_type
		kind, ask := c.relationKind(ctx, h.name())
		if ask == nil && kind != 'r' {
			return nil, &ShapeError{Kind: relationKinds[kind], Err: err}
		}
		if missing, ask := c.MissingColumns(ctx, h); ask == nil && len(missing) > 0 {
			return nil, &ShapeError{Missing: missing, Err: err}
		}
	}
	return rows, err
}

// fewRows is how many rows a history may have before its list is made anew, twice as long. In a program that has just begun
// what is not used of it was never touched, and costs nothing.
const fewRows = 1024

func (c *Conn) historyRows(ctx context.Context, what string) ([]migration.Row, error) {
	rows := make([]migration.Row, 0, fewRows)
	if err := c.copyOut(ctx, copyHistory(what, &rows)); err != nil {
		return nil, err
	}
	sortRows(rows)
	return rows, nil
}

// copyRows asks for the rows in no order: see sortRows.
func (h History) copyRows(out *[]migration.Row) copied {
	return copyHistory(h.name()+" ("+columnList+")", out)
}

func copyHistory(what string, out *[]migration.Row) copied {
	return copied{what, len(Columns), func(values []string) error {
		row, err := historyRow(values)
		if len(*out) == cap(*out) {
			*out = slices.Grow(*out, len(*out))
		}
		*out = append(*out, row)
		return err
	}}
}

func sortRows(rows []migration.Row) {
	slices.SortFunc(rows, func(a, b migration.Row) int { return cmp.Compare(a.Rank, b.Rank) })
}

func historyRow(r []string) (migration.Row, error) {
	row := migration.Row{Description: r[2], Script: r[4], InstalledBy: r[6], Success: r[9] == "t"}
	var err error
	if row.Type, err = migration.ParseType(r[3]); err != nil {
		return row, &ShapeError{Column: "type", Err: err}
	}
	if row.Rank, err = strconv.Atoi(r[0]); err != nil {
		return row, &ShapeError{Column: "installed_rank", Err: err}
	}
	if v := r[1]; v != "" {
		if row.Version, err = migration.ParseVersion(v); err != nil {
			return row, &ShapeError{Column: "version", Err: fmt.Errorf("the row of rank %d: %w", row.Rank, err)}
		}
	}
	if s := r[5]; s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return row, &ShapeError{Column: "checksum", Err: err}
		}
		sum := int32(n)
		row.Checksum = &sum
	}
	if row.ExecutionTime, err = strconv.Atoi(r[8]); err != nil {
		return row, &ShapeError{Column: "execution_time", Err: err}
	}
	row.InstalledOn, err = time.ParseInLocation("2006-01-02 15:04:05.999999", r[7], time.Local)
	if err != nil {
		return row, &ShapeError{Column: "installed_on", Err: err}
	}
	return row, nil
}

// ShapeError says that the history table is not one.
type ShapeError struct {
	Column  string
	Missing []string // columns that are not there
	Kind    string   // what it is instead of a table
	Err     error
}

func (e *ShapeError) Error() string {
	if e.Kind != "" {
		return "it is no table but a " + e.Kind
	}
	if len(e.Missing) > 0 {
		return "it lacks the columns " + strings.Join(e.Missing, ", ")
	}
	return "its column " + e.Column + " holds what is no such value: " + e.Err.Error()
}

var relationKinds = map[byte]string{
	'v': "view", 'm': "materialized view", 'p': "partitioned table", 'f': "foreign table", 'S': "sequence",
	'i': "index", 'I': "partitioned index", 'c': "composite type", 't': "TOAST table",
}

func (e *ShapeError) Unwrap() error { return e.Err }
