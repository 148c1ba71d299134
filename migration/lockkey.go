package migration

import (
	"strings"
	"unicode/utf16"
)

// flywayLockBase is "Flyway" as six bytes of ASCII.
const flywayLockBase = 0x466C79776179

// LockKey is the number of the advisory lock that Flyway takes around work on a schema history table; taking the same
// one keeps a running Flyway and a running Skein apart.
func LockKey(schema, table string) int64 {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	var hash int32 // Java's string hash, which wraps
	for _, unit := range utf16.Encode([]rune(quote(schema) + "." + quote(table))) {
		hash = 31*hash + int32(unit)
	}
	return flywayLockBase + int64(hash)
}
