package conformance

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// syntaxError is what the server's Parse says of text that is no statement, and of text that is several.
const syntaxError = "42601"

// Parse also looks for the objects that a query, INSERT, UPDATE or DELETE names, and on an empty database most are
// missing. With one of these codes the statement was read to its end.
var readButUnknown = []string{
	"3F000", // invalid_schema_name
	"42P01", // undefined_table
	"42883", // undefined_function
}

// TestParse gives every chunk that sqlsplit cuts from the scripts of the real sets to the server's Parse, which accepts
// at most one command at a time and does nothing but read it.
func TestParse(t *testing.T) {
	t.Parallel()
	shared := shared(t)
	needRecordedServer(t)
	// What the parser looks up while reading has to be there: types and operators of extensions.
	db := pgtest.New(t)
	db.Exec(t, "create extension postgis; create extension pgcrypto; create extension btree_gist; create extension pg_trgm")
	conn := db.Conn(t)
	if err := parse(t.Context(), conn, "select 1; select 2"); !refused(err) {
		t.Fatalf("the server's Parse accepts two commands: %v", err)
	}
	total, scripts := 0, 0
	for _, s := range readSets(t, shared) {
		f := s.materialise(t, filepath.Join(shared, "corpora"), t.TempDir(), true)
		inSet := 0
		for name, text := range s.texts(t, f) {
			inSet += parseScript(t, conn, s.ID+"/"+name, text)
			scripts++
		}
		if inSet == 0 {
			t.Errorf("%s has no statements", s.ID)
		}
		total += inSet
	}
	t.Logf("%d statements of %d scripts are one command each", total, scripts)
}

// texts gives the text of each script and callback of the set as it is sent, placeholders replaced.
func (s set) texts(t *testing.T, f folders) map[string]string {
	t.Helper()
	placeholders := migration.Placeholders{Prefix: s.PlaceholderPrefix, Suffix: s.PlaceholderSuffix, Values: s.Placeholders}
	load := func(dirs []string) []migration.File {
		if len(dirs) == 0 {
			return nil
		}
		var locations []string
		for _, dir := range dirs {
			locations = append(locations, "filesystem:"+dir)
		}
		src, err := source.Locations(locations, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		release, err := src.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return release.Files
	}
	resolved, err := migration.Resolve(load(f.locations), load(f.callbacks), migration.ResolveOptions{
		Placeholders: placeholders, Naming: migration.Naming{Versioned: &s.Prefix}, CallbackFiles: len(f.callbacks) > 0,
	})
	if err != nil {
		t.Fatalf("%s: %v", s.ID, err)
	}
	texts := map[string]string{}
	add := func(name, text string, config migration.ScriptConfig) {
		replaced, err := placeholders.For(path.Base(name), config).Replace(text)
		if err != nil {
			t.Fatalf("%s/%s: %v", s.ID, name, err)
		}
		texts[name] = replaced
	}
	for _, script := range resolved.Scripts {
		add(script.Path, script.Text, script.Config)
	}
	for _, callback := range resolved.Callbacks {
		add(callback.Path, callback.Text, callback.Config)
	}
	return texts
}

// parseScript gives one script's statements to the server and returns their number.
func parseScript(t *testing.T, conn *pgx.Conn, name, text string) int {
	t.Helper()
	statements, err := sqlsplit.Split(text)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, st := range statements {
		sql := text[st.Start:st.End]
		err := parse(t.Context(), conn, sql)
		if err == nil {
			continue
		}
		if pe, ok := errors.AsType[*pgconn.PgError](err); !ok || !slices.Contains(readButUnknown, pe.Code) {
			t.Errorf("%s:%d: %v\n%s", name, st.Line, err, head(sql))
		}
	}
	return len(statements)
}

func parse(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Prepare(ctx, "", sql, nil)
	return err
}

func refused(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == syntaxError
}
