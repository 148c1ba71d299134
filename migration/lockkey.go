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
	return flywayLockBase + int64(tableHash(schema, table))
}

// skeinFenceBase is "Skein" and a zero byte.
const skeinFenceBase = 0x536B65696E00

// FenceKey is the number of Skein's second lock on a schema history table, which each transaction of a step takes and
// which lives as long as that transaction works, also when the lock of LockKey is lost.
func FenceKey(schema, table string) int64 {
	return skeinFenceBase + int64(tableHash(schema, table))
}

func tableHash(schema, table string) int32 {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	var hash int32 // Java's string hash, which wraps
	for _, unit := range utf16.Encode([]rune(quote(schema) + "." + quote(table))) {
		hash = 31*hash + int32(unit)
	}
	return hash
}
