// Package watch says what PostgreSQL's own counters mean: how far a statement is, how long it will take, whether a run
// works, waits or has been left alone. It is given what was read and decides; it reads nothing itself.
package watch

import (
	"strconv"
	"strings"
	"time"
)

// Session is a backend as pg_stat_activity shows it.
type Session struct {
	PID         int    // 0: a prepared transaction, which belongs to no session
	User        string // "" where the role may not see it, like the texts below
	Application string // the kind of backend where it is no client's
	Host        string
	State       string // "active", "idle in transaction" …
	Query       string // the statement that runs, or ran last
	Wait        string // "Lock:relation"; "" when it waits for nothing
	// How long ago the statement, the transaction and the state began. 0: unknown, or there is none.
	StatementAge, TransactionAge, StateAge time.Duration
}

// Hidden reports whether the role that looked may not see what the session does.
func (s Session) Hidden() bool { return s.PID != 0 && s.State == "" }

// Facts is one look at a working backend.
type Facts struct {
	Session  Session   // its PID is 0 when it was not found
	Blockers []Session // who it waits for
	Behind   int       // sessions that wait for a lock that it holds or waits for; at most BehindLimit are counted
	Work     Work
}

// BehindLimit is the highest number of waiting sessions that is counted.
const BehindLimit = 100

// Work is what a pg_stat_progress view says of a command. The zero value says that no view knows the backend.
type Work struct {
	Command  string // "CREATE INDEX CONCURRENTLY"
	Phase    string // PostgreSQL's words; "" for COPY, which has none
	Relation string // the table
	// Done of All units of this phase are behind it. All is 0 where the whole is not known.
	Done, All int64
	Unit      string // "blocks", "rows", "bytes", "lockers" (transactions to wait for), "tables", "indexes"
	Rows      int64  // rows so far; 0 where PostgreSQL does not count them
}

// Percent is how much of the phase is done, from 0 to 100; false where the whole is not known.
func (w Work) Percent() (float64, bool) {
	if w.All <= 0 {
		return 0, false
	}
	return 100 * float64(min(w.Done, w.All)) / float64(w.All), true
}

// Read says what a row of a view means. view is its name without "pg_stat_progress_", row its columns as text; columns
// that the server's version does not have may be missing.
func Read(view string, row map[string]string) Work {
	n := func(column string) int64 {
		v, _ := strconv.ParseInt(row[column], 10, 64) // absent or null: 0
		return v
	}
	w := Work{Command: row["command"], Phase: row["phase"], Relation: strings.TrimPrefix(row["relation"], "-")}
	of := func(done, all, unit string) { w.Done, w.All, w.Unit = n(done), n(all), unit }
	switch view {
	case "create_index":
		readIndex(&w, of)
		w.Rows = n("tuples_done")
	case "vacuum":
		w.Command = "VACUUM"
		switch w.Phase {
		case "vacuuming indexes", "cleaning up indexes":
			of("indexes_processed", "indexes_total", "indexes")
		case "vacuuming heap":
			of("heap_blks_vacuumed", "heap_blks_total", "blocks")
		default:
			of("heap_blks_scanned", "heap_blks_total", "blocks")
		}
	case "cluster", "repack":
		if w.Command == "" {
			w.Command = strings.ToUpper(view)
		}
		of("heap_blks_scanned", "heap_blks_total", "blocks")
		w.Rows = max(n("heap_tuples_scanned"), n("heap_tuples_written"))
	case "analyze":
		w.Command = "ANALYZE"
		if w.Phase == "computing extended statistics" {
			of("ext_stats_computed", "ext_stats_total", "statistics")
		} else {
			of("sample_blks_scanned", "sample_blks_total", "blocks")
		}
	case "copy":
		if w.Command == "" || strings.HasPrefix(w.Command, "COPY") {
			w.Command = "COPY"
		}
		of("bytes_processed", "bytes_total", "bytes")
		w.Rows = n("tuples_processed")
	}
	if w.All == 0 && w.Done == 0 {
		w.Unit = ""
	}
	return w
}

// readIndex chooses the counter of the phase: the others keep what an earlier phase has left in them.
func readIndex(w *Work, of func(done, all, unit string)) {
	switch {
	case strings.HasPrefix(w.Phase, "waiting"):
		of("lockers_done", "lockers_total", "lockers")
	case strings.Contains(w.Phase, "sorting"): // says nothing until it is over
	case strings.Contains(w.Phase, "loading"):
		of("tuples_done", "tuples_total", "rows")
	default:
		of("blocks_done", "blocks_total", "blocks")
	}
}

// Redact takes the values out of a statement that is not ours: each text in quotes becomes '…'. The result is one line of
// at most limit characters.
func Redact(query string, limit int) string {
	var b strings.Builder
	for i := 0; i < len(query); {
		switch quote := dollar(query[i:]); {
		case quote != "":
			b.WriteString("'…'")
			end := strings.Index(query[i+len(quote):], quote)
			if end < 0 {
				return OneLine(b.String(), limit)
			}
			i += end + 2*len(quote)
		case query[i] == '\'':
			b.WriteString("'…'")
			i = closing(query, i, i > 0 && (query[i-1] == 'e' || query[i-1] == 'E'))
		default:
			b.WriteByte(query[i])
			i++
		}
	}
	return OneLine(b.String(), limit)
}

// closing is the offset after the text that opens at i.
func closing(query string, i int, escapes bool) int {
	for i++; i < len(query); i++ {
		switch {
		case escapes && query[i] == '\\':
			i++
		case query[i] == '\'' && i+1 < len(query) && query[i+1] == '\'':
			i++
		case query[i] == '\'':
			return i + 1
		}
	}
	return len(query)
}

// dollar is the quote that s begins with, $$ or $name$; "" if it begins with none.
func dollar(s string) string {
	if !strings.HasPrefix(s, "$") {
		return ""
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '$':
			return s[:i+1]
		case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80, i > 1 && c >= '0' && c <= '9':
		default:
			return ""
		}
	}
	return ""
}

// OneLine joins a text's lines and cuts it to at most limit characters.
func OneLine(text string, limit int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:max(limit-1, 0)]) + "…"
}
