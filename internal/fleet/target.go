package fleet

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/postgres"
)

// Target is one database (or schema) of an environment, with everything but the scripts.
type Target struct {
	Name   string // unique within the environment
	Config skein.Config

	undo bool // it is asked for what undo would do; an empty cherryPick then stands for nothing to do
}

// Listing says how the targets of an environment are found. The zero value is one target, named like the environment.
type Listing struct {
	Environment string
	// Base is the environment's own Config; each target is a copy of it with another connection or schema.
	Base skein.Config
	// URLs are the targets themselves, each name=URL or a URL, which is then named after its host and database.
	URLs []string
	// Query is SQL that returns a row for each target. Its columns, by name: name (needed), and url, database or schema,
	// which say what differs from Base. From makes the connection that it runs on; nil: Base's own.
	Query string
	From  func(context.Context) (*pgx.ConnConfig, error)
	// Schemas are patterns of schemas, each of which is a target; * stands for any characters.
	Schemas []string
	// Connect makes a connection's parameters out of a URL, with the environment's user, password and TLS settings where
	// the URL has none.
	Connect func(url string) (func(context.Context) (*pgx.ConnConfig, error), error)
}

// Targets finds them, in the order in which they are listed or returned, schemas by name.
func (l Listing) Targets(ctx context.Context) ([]Target, error) {
	var out []Target
	var err error
	switch {
	case len(l.URLs) > 0:
		out, err = l.listed()
	case l.Query != "":
		out, err = l.queried(ctx)
	case len(l.Schemas) > 0:
		out, err = l.schemas(ctx)
	default:
		out = []Target{{Name: l.Environment, Config: l.Base}}
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, t := range out {
		if seen[t.Name] {
			return nil, l.mistake(fmt.Sprintf("two targets are named %q", t.Name), "give each a name of its own: name=URL")
		}
		seen[t.Name] = true
	}
	return out, nil
}

func (l Listing) mistake(message, hint string) error {
	return &skein.Error{Kind: skein.KindConfig, Code: "CONFIGURATION", Message: "environment " + l.Environment + ": " + message, Hint: hint}
}

func (l Listing) listed() ([]Target, error) {
	var out []Target
	for _, item := range l.URLs {
		name, url := cutName(item)
		t, err := l.at(name, url)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// cutName splits name=URL; a URL's own = comes after its colon.
func cutName(item string) (name, url string) {
	if name, rest, ok := strings.Cut(item, "="); ok && !strings.ContainsAny(name, ":/?") {
		return strings.TrimSpace(name), strings.TrimSpace(rest)
	}
	url = strings.TrimSpace(item)
	return urlName(url), url
}

// urlName names a target after its host and database, without user, password and parameters.
func urlName(url string) string {
	rest := url[strings.LastIndex(url, "://")+1:]
	rest, _, _ = strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

func (l Listing) at(name, url string) (Target, error) {
	connect, err := l.Connect(url)
	if err != nil {
		return Target{}, l.mistake("target "+name+": "+err.Error(), "write a postgres:// or jdbc:postgresql: URL")
	}
	t := Target{Name: name, Config: l.Base}
	t.Config.Connection = connect
	return t, nil
}

// catalog is the database that is asked for targets.
func (l Listing) catalog(ctx context.Context) (*pgx.ConnConfig, error) {
	if l.From != nil {
		return l.From(ctx)
	}
	return l.Base.Connection(ctx)
}

func (l Listing) queried(ctx context.Context) ([]Target, error) {
	cfg, err := l.catalog(ctx)
	if err != nil {
		return nil, err
	}
	table, err := postgres.Ask(ctx, cfg, l.Query)
	if err != nil {
		return nil, &skein.Error{
			Kind: skein.KindConnection, Code: "ERROR", Err: err, Message: "environment " + l.Environment + ": targetsQuery failed: " + err.Error(),
			Hint: "it runs in a read-only transaction on targetsFrom (default: the environment's url) and returns name, and url, database or schema",
		}
	}
	column := func(row []*string, name string) string {
		if i := slices.Index(table.Columns, name); i >= 0 && row[i] != nil {
			return *row[i]
		}
		return ""
	}
	var out []Target
	for n, row := range table.Rows {
		name, url, database, schema := column(row, "name"), column(row, "url"), column(row, "database"), column(row, "schema")
		switch {
		case name == "":
			return nil, l.mistake(fmt.Sprintf("row %d of targetsQuery has no name", n+1), "return a column name, and url, database or schema")
		case url == "" && database == "" && schema == "":
			return nil, l.mistake("targetsQuery says nothing of target "+name, "return url, database or schema beside its name")
		}
		t := Target{Name: name, Config: l.Base}
		if url != "" {
			if t, err = l.at(name, url); err != nil {
				return nil, err
			}
		}
		if database != "" {
			t.Config.Connection = inDatabase(t.Config.Connection, database)
		}
		if schema != "" {
			t.Config.DefaultSchema, t.Config.Schemas = schema, []string{schema}
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, l.mistake("targetsQuery returned no row, so there is nothing to deploy to", "look at the query with psql")
	}
	return out, nil
}

// inDatabase is another database of the same server.
func inDatabase(connect func(context.Context) (*pgx.ConnConfig, error), database string) func(context.Context) (*pgx.ConnConfig, error) {
	return func(ctx context.Context) (*pgx.ConnConfig, error) {
		cfg, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		cfg = cfg.Copy()
		cfg.Database = database
		return cfg, nil
	}
}

func (l Listing) schemas(ctx context.Context) ([]Target, error) {
	cfg, err := l.catalog(ctx)
	if err != nil {
		return nil, err
	}
	names, err := postgres.Schemas(ctx, cfg)
	if err != nil {
		return nil, &skein.Error{Kind: skein.KindConnection, Code: "ERROR", Err: err, Message: "environment " + l.Environment + ": its schemas cannot be listed: " + err.Error()}
	}
	var patterns []string
	for _, p := range l.Schemas {
		patterns = append(patterns, strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*"))
	}
	wanted, err := regexp.Compile("^(?:" + strings.Join(patterns, "|") + ")$")
	if err != nil {
		return nil, l.mistake("targetSchemas: "+err.Error(), "")
	}
	var out []Target
	for _, schema := range names {
		if wanted.MatchString(schema) {
			t := Target{Name: schema, Config: l.Base}
			t.Config.DefaultSchema, t.Config.Schemas = schema, []string{schema}
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, l.mistake("no schema matches "+strings.Join(l.Schemas, ", "), "a pattern is a name in which * stands for any characters")
	}
	return out, nil
}
