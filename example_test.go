package skein_test

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/source"
)

//go:embed internal/demo/sql
var shop embed.FS

// The scripts travel inside the program, which brings its database up to date when it starts.
func ExampleMigrate() {
	result, err := skein.Migrate(context.Background(), skein.Config{
		URL:    os.Getenv("DATABASE_URL"),
		Source: source.FS(shop, "internal/demo/sql"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.Applied), "scripts applied, now at version", result.Version)
}

// Info changes nothing. Its entries are what the command info prints.
func ExampleInfo() {
	info, err := skein.Info(context.Background(), skein.Config{
		URL:    os.Getenv("DATABASE_URL"),
		Source: source.FS(shop, "internal/demo/sql"),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range info.Entries {
		fmt.Printf("%s %s: %s\n", e.Version(), e.Description(), e.State)
	}
}

// What SQL cannot do well can be written in Go. It takes its place among the scripts by its version, and its work and
// its history row are one transaction.
func ExampleMigration() {
	backfill := skein.Migration{
		Version:     "3.1",
		Description: "first products",
		Run: func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"shop", "products"}, []string{"sku", "name", "price"},
				pgx.CopyFromRows([][]any{{"P1", "pencil", 1.20}, {"P2", "paper", 4.50}}))
			return err
		},
	}
	result, err := skein.Migrate(context.Background(), skein.Config{
		URL:        os.Getenv("DATABASE_URL"),
		Source:     source.FS(shop, "internal/demo/sql"),
		Migrations: []skein.Migration{backfill},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range result.Applied {
		fmt.Println(a.Script.Path)
	}
}

// Report hears what happens while it happens, one event at a time. Nothing is printed by the library itself.
func ExampleConfig_report() {
	_, err := skein.Migrate(context.Background(), skein.Config{
		URL:    os.Getenv("DATABASE_URL"),
		Source: source.FS(shop, "internal/demo/sql"),
		Report: func(event skein.Event) {
			switch e := event.(type) {
			case skein.StepStarted:
				fmt.Printf("%d of %d: %s, in a transaction: %t\n", e.Index+1, e.Total, e.Script.Path, e.Transactional)
			case skein.Notice:
				fmt.Println(e.Severity, e.Text)
			case skein.Warning:
				fmt.Println("warning:", e.Text)
			case skein.Migrated:
				fmt.Println(e.Applied, "scripts applied, now at version", e.Version)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Every error is an *skein.Error: its Kind says what to do about it, At where it happened, Kept what stays.
func ExampleError() {
	_, err := skein.Migrate(context.Background(), skein.Config{
		URL:        os.Getenv("DATABASE_URL"),
		Source:     source.FS(shop, "internal/demo/sql"),
		Migrations: []skein.Migration{{Version: "1.5", Run: func(context.Context, pgx.Tx) error { return errors.New("no stock list") }}},
	})
	if e, ok := errors.AsType[*skein.Error](err); ok {
		fmt.Println(e.Kind, e.Code)
		fmt.Println(e.Message)
		fmt.Println(e.Kept)
	}
}

// TestExamples runs the examples of the package, which need a database. It is not parallel: they write to stdout.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		name    string
		example func()
		want    string
	}{
		{"Migrate", ExampleMigrate, "6 scripts applied, now at version 5\n"},
		{"Info", ExampleInfo, "1 create schema: Pending\n2 customers: Pending\n3 products: Pending\n4 orders: Pending\n5 order index: Pending\n daily sales: Pending\n"},
		{"Migration", ExampleMigration, "V1__create_schema.sql\nV2__customers.sql\nV3__products.sql\ngo:3.1 first products\nV4__orders.sql\nV5__order_index.sql\nR__daily_sales.sql\n"},
		{"Config_report", ExampleConfig_report, reported},
		{"Error", ExampleError, "sql FAILED_VERSIONED_MIGRATION\nno stock list\nnothing of V1.5 was kept (it ran in a transaction); 1 earlier script stays applied\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("DATABASE_URL", pgtest.URL(t))
			if diff := cmp.Diff(c.want, printed(t, c.example)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const reported = `1 of 6: V1__create_schema.sql, in a transaction: true
2 of 6: V2__customers.sql, in a transaction: true
3 of 6: V3__products.sql, in a transaction: true
4 of 6: V4__orders.sql, in a transaction: true
5 of 6: V5__order_index.sql, in a transaction: false
6 of 6: R__daily_sales.sql, in a transaction: true
6 scripts applied, now at version 5
`

// printed gives what f writes to stdout.
func printed(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "stdout")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout }()
	f()
	out, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
