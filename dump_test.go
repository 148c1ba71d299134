package skein_test

import (
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// dump is the database as text, the history's times and the journal aside.
func dump(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	return db.Describe(t, "skein", func(table string) bool { return table != "flyway_schema_history" })
}

// whole is all of the database as text.
func whole(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	return db.Describe(t, "", func(string) bool { return true })
}
