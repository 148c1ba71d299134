package cli

import (
	"strings"
	"time"

	"github.com/skein-db/skein"
)

// workObject is the JSON of a Progress: times in milliseconds, null for what is not known.
func workObject(e skein.Progress) object {
	percent := any(nil)
	if p, known := e.Percent(); known {
		percent = int(p)
	}
	return object{
		"path": e.Path, "line": orNull(int64(e.Line)), "sql": textOrNull(e.SQL),
		"script": orNull(scriptNumber(e)), "scripts": orNull(int64(e.Total)), "statement": orNull(int64(e.Statement)), "statements": orNull(int64(e.Statements)),
		"elapsedMillis": e.Took.Milliseconds(), "scriptMillis": e.ScriptTook.Milliseconds(),
		"command": textOrNull(e.Command), "phase": textOrNull(e.Phase), "relation": textOrNull(e.Relation),
		"done": orNull(e.Done), "all": orNull(e.All), "unit": textOrNull(e.Unit), "percent": percent, "rows": orNull(e.Rows),
		"leftMillis": orNull(e.Left.Milliseconds()), "wait": textOrNull(e.Wait), "sessionsBehind": e.Behind,
	}
}

func scriptNumber(e skein.Progress) int64 {
	if e.Total == 0 {
		return 0
	}
	return int64(e.Index + 1)
}

// sessionObject is the JSON of a session.
func sessionObject(h skein.Holder) object {
	return object{
		"pid": int(h.PID), "user": textOrNull(h.User), "application": textOrNull(h.Application), "host": textOrNull(h.Host), "state": textOrNull(h.State),
		"transactionMillis": orNull(int64(h.Since / time.Millisecond)), "query": textOrNull(h.Query),
	}
}

func orNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// oneLine is a document on one line. Line feeds of texts are escaped in it, so that all of them are the layout's.
func oneLine(v any) string {
	lines := strings.Split(document(v), "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], " ")
	}
	return strings.Join(lines, " ")
}
