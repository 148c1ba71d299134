package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// facts is what a scenario left, by kind:
//
//	exit, json-exit    exit codes of the two runs
//	schemas            those of the database, in one line
//	relation           each with its pg_class.relkind
//	history            a row of a history table: table, rank, version, description, type, script, checksum, installed_by,
//	                   success
//	json.KEY           a value of the document, an array's elements a line each; json.N.KEY in the document of the Nth of
//	                   several verbs; json alone says that there is no document
//
// Texts for people, times and versions of programs are left out; DIR, DB and USER stand for the project's folder, the
// database and its user.
type facts map[string][]string

func (f facts) add(kind, fact string) { f[kind] = append(f[kind], fact) }

func (f facts) String() string {
	order := []string{"exit", "json-exit", "schemas", "relation", "history"}
	for _, kind := range slices.Sorted(maps.Keys(f)) {
		if !slices.Contains(order, kind) {
			order = append(order, kind)
		}
	}
	var b strings.Builder
	for _, kind := range order {
		for _, fact := range f[kind] {
			fmt.Fprintf(&b, "%s %s\n", kind, fact)
		}
	}
	return b.String()
}

func parseFacts(text string) (facts, error) {
	f := facts{}
	for line := range strings.Lines(text) {
		kind, fact, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !ok {
			return nil, fmt.Errorf("no fact: %s", line)
		}
		f.add(kind, fact)
	}
	return f, nil
}

// differ gives the kinds in which two sets of facts are not alike.
func (f facts) differ(other facts) []string {
	var kinds []string
	for kind := range f {
		if !slices.Equal(f[kind], other[kind]) {
			kinds = append(kinds, kind)
		}
	}
	for kind := range other {
		if f[kind] == nil {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// database reads the facts that a run left in the database.
func (f facts) database(t *testing.T, db *pgtest.DB) {
	t.Helper()
	const own = "nspname !~ '^pg_|information_schema|^skein$'" // the journal's schema is Skein's alone
	ask := db.Session(t)
	f.add("schemas", ask("select string_agg(nspname, ' ' order by nspname) from pg_namespace where " + own)[0][0])
	rows := ask("select nspname||'.'||relname||' '||relkind::text from pg_class c join pg_namespace n on n.oid = relnamespace where " +
		own + " and relkind in ('r','v','m','p','S')")
	for _, row := range rows {
		f.add("relation", row[0])
	}
	slices.Sort(f["relation"])
	tables := ask("select quote_ident(nspname)||'.'||quote_ident(relname) from pg_class c join pg_namespace n on n.oid = relnamespace " +
		"join pg_attribute a on attrelid = c.oid where attname = 'installed_rank' and relkind = 'r' order by 1")
	for _, table := range tables {
		text := ask("select coalesce(json_agg(json_build_array(installed_rank, version, description, type, script, checksum, " +
			"installed_by, success) order by installed_rank), '[]') from " + table[0])[0][0]
		var history [][]any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&history); err != nil {
			t.Fatal(err)
		}
		for _, row := range history {
			f.historyRow(table[0], row, db.Owner)
		}
		if len(history) == 0 {
			f.add("history", compact([]any{table[0]}))
		}
	}
}

func (f facts) historyRow(table string, row []any, user string) {
	const installedBy = 6
	if row[installedBy] == user {
		row[installedBy] = "USER"
	}
	f.add("history", compact(slices.Concat([]any{table}, row)))
}

// compact is JSON in one line, with letters left as they are.
func compact(v any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // it came out of a decoder
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// names are what differs from one run to the next and has a word that stands for it.
type names struct{ dir, db, user string }

// silent are the keys whose values are texts for people, times, or versions of a program.
var silent = []string{
	"message", "cause", "stackTrace", "exception", "allErrorMessages", "errorMessage", "warnings", "reason",
	"timestamp", "executionTime", "totalMigrationTime", "flywayVersion",
}

// document adds the facts of what was printed with -outputType=json.
func (f facts) document(stdout string, n names) {
	var doc map[string]any
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.UseNumber()
	err := dec.Decode(&doc)
	switch {
	case strings.TrimSpace(stdout) == "":
		f.add("json", "nothing")
	case err != nil || dec.More():
		f.add("json", "text")
	default:
		f.object("json.", doc, n)
	}
}

func (f facts) object(prefix string, doc map[string]any, n names) {
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		if slices.Contains(silent, key) {
			continue
		}
		list, ok := doc[key].([]any)
		if !ok || len(list) == 0 {
			f.add(prefix+key, compact(n.plain(key, doc[key])))
			continue
		}
		for i, e := range list {
			if one, ok := e.(map[string]any); ok && key == "individualResults" {
				f.object(fmt.Sprintf("json.%d.", i+1), one, n)
			} else {
				f.add(prefix+key, compact(n.plain(key, e)))
			}
		}
	}
}

// plain takes out of a value what differs from run to run.
func (n names) plain(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if slices.Contains(silent, k) {
				delete(v, k)
			} else {
				v[k] = n.plain(k, e)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = n.plain(key, e)
		}
	case string:
		switch {
		case key == "installedOnUTC" && v != "":
			return "TIME"
		case key == "database" && v == n.db:
			return "DB"
		case key == "installedBy" && v == n.user:
			return "USER"
		}
		return strings.ReplaceAll(strings.ReplaceAll(v, n.dir, "DIR"), `\`, "/")
	}
	return v
}
