package skein_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// grantCase is a command for which docs/grants.md lists privileges.
type grantCase struct {
	name string // behind "grants:" in the page
	// prepare is done by the superuser; with scripts, those are applied before by the superuser too.
	prepare string
	applied []string // name, text
	config  skein.Config
	run     func(context.Context, skein.Config) error
}

var grantCases = []grantCase{
	{
		name: "info", prepare: "create schema app", applied: one, config: skein.Config{Source: scripts(one...)},
		run: func(ctx context.Context, cfg skein.Config) error {
			_, info := skein.Info(ctx, cfg)
			_, validate := skein.Validate(ctx, cfg)
			_, migrate := skein.Migrate(ctx, cfg) // nothing is pending
			return errors.Join(info, validate, migrate)
		},
	},
	{
		name: "wait", prepare: "create schema app", applied: one, config: skein.Config{},
		run: func(ctx context.Context, cfg skein.Config) error {
			_, err := skein.Wait(ctx, cfg, migration.MustVersion("1"), time.Minute)
			return err
		},
	},
	{name: "migrate first", prepare: "create schema app", config: skein.Config{Source: scripts(one...)}, run: runMigrate},
	{name: "migrate schema", config: skein.Config{Source: scripts(one...)}, run: runMigrate},
	{
		name: "migrate", prepare: "create schema app", applied: one,
		config: skein.Config{Source: scripts(append([]string{"V2__two.sql", "create table b (id int);"}, one...)...)}, run: runMigrate,
	},
	{
		name: "migrate journal", prepare: "create schema app",
		config: skein.Config{Source: scripts(append([]string{"V2__two.sql", "create index concurrently i on a(id);"}, one...)...)}, run: runMigrate,
	},
	{
		name: "undo", prepare: "create schema app", applied: one, config: skein.Config{Source: scripts(append([]string{"U1__one.sql", "select 1;"}, one...)...)},
		run: func(ctx context.Context, cfg skein.Config) error { _, err := skein.Undo(ctx, cfg); return err },
	},
	{
		name: "baseline", prepare: "create schema app; create table app.old (id int)", config: skein.Config{},
		run: func(ctx context.Context, cfg skein.Config) error { _, err := skein.Baseline(ctx, cfg); return err },
	},
	{
		// One row to remove, one to mark as deleted, one to align.
		name: "repair", prepare: "create schema app", applied: append([]string{"V0.5__gone.sql", "select 1;"}, one...),
		config: skein.Config{Source: scripts("V1__one.sql", "create table a (id bigint);")},
		run: func(ctx context.Context, cfg skein.Config) error {
			result, err := skein.Repair(ctx, cfg)
			if err == nil && (len(result.Removed) != 1 || len(result.Deleted) != 1 || len(result.Aligned) != 1) {
				return fmt.Errorf("%d removed, %d deleted, %d aligned", len(result.Removed), len(result.Deleted), len(result.Aligned))
			}
			return err
		},
	},
	{
		name: "clean", prepare: "create schema app", applied: one, config: skein.Config{AllowClean: true},
		run: func(ctx context.Context, cfg skein.Config) error { _, err := skein.Clean(ctx, cfg); return err },
	},
	{name: "role", config: skein.Config{Source: scripts(one...), Role: "shop_owner"}, run: runMigrate},
}

var one = []string{"V1__one.sql", "create table a (id int);"}

func runMigrate(ctx context.Context, cfg skein.Config) error {
	_, err := skein.Migrate(ctx, cfg)
	return err
}

// TestGrants runs each command with the privileges that docs/grants.md lists for it, and with each of them missing.
func TestGrants(t *testing.T) {
	t.Parallel()
	blocks := grantBlocks(t)
	for _, c := range grantCases {
		statements := blocks[c.name]
		delete(blocks, c.name)
		if len(statements) == 0 {
			t.Errorf("docs/grants.md lists nothing for %q", c.name)
		}
		for without := -1; without < len(statements); without++ {
			name := c.name
			if without >= 0 {
				name += " without " + statements[without]
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c.check(t, statements, without)
			})
		}
	}
	for name := range blocks {
		t.Errorf("docs/grants.md has a block %q that no case tries", name)
	}
}

// check tries the command with all statements but one.
func (c grantCase) check(t *testing.T, statements []string, without int) {
	db := pgtest.New(t)
	role, url := db.Role(t, "")
	owner, _ := db.Role(t, "")
	names := strings.NewReplacer("deploy", role, "shop_owner", owner, "shop", db.Name)
	c.setUp(t, db, owner)
	for i, statement := range statements {
		if i != without {
			db.Exec(t, names.Replace(statement))
		}
	}
	cfg := c.config
	cfg.URL, cfg.DefaultSchema = url, "app"
	if cfg.Role != "" {
		cfg.Role = owner
	}
	err := c.run(context.Background(), cfg)
	if without < 0 {
		if err != nil {
			t.Errorf("with all that the page lists: %v", err)
		}
		return
	}
	e, ok := errors.AsType[*skein.Error](err)
	switch {
	case err == nil:
		t.Error("it succeeds without that, so the page lists too much")
	case !ok || e.SQL == nil || e.SQL.State != "42501":
		t.Errorf("not for want of a privilege: %v", err)
	case e.At != nil:
		// Refused while a script ran: the script is told, and TestHistoryNeedsInsert looks at what was kept.
	case !strings.Contains(e.Hint, "docs/grants.md"):
		t.Errorf("the hint does not lead to docs/grants.md: %v", err)
	}
}

func (c grantCase) setUp(t *testing.T, db *pgtest.DB, owner string) {
	t.Helper()
	if c.prepare != "" {
		db.Exec(t, c.prepare)
	}
	if c.config.Role != "" {
		db.Exec(t, "create schema app authorization "+owner)
	}
	if len(c.applied) == 0 {
		return
	}
	if _, err := skein.Migrate(context.Background(), skein.Config{URL: db.URL, DefaultSchema: "app", Source: scripts(c.applied...)}); err != nil {
		t.Fatal(err)
	}
	if c.name == "repair" {
		db.Exec(t, `insert into app.flyway_schema_history (installed_rank, version, description, type, script, installed_by, execution_time, success)
			values (3, '3', 'three', 'SQL', 'V3__three.sql', 'somebody', 1, false)`)
	}
}

// grantBlocks gives the statements of the blocks of docs/grants.md that stand below a "grants:" mark.
func grantBlocks(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("docs/grants.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for _, part := range strings.Split(string(page), "<!-- grants: ")[1:] {
		name, rest, _ := strings.Cut(part, " -->\n```sql\n")
		block, _, _ := strings.Cut(rest, "```")
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
				blocks[name] = append(blocks[name], line)
			}
		}
	}
	return blocks
}

// TestHistoryNeedsInsert is the privilege that is missed last: after the script, in the transaction that records it.
func TestHistoryNeedsInsert(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role, url := db.Role(t, "")
	db.Exec(t, "create schema app")
	if _, err := skein.Migrate(context.Background(), skein.Config{URL: db.URL, DefaultSchema: "app", Source: scripts(one...)}); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "grant usage, create on schema app to "+role+"; grant select on app.flyway_schema_history to "+role)
	_, err := skein.Migrate(context.Background(), skein.Config{
		URL: url, DefaultSchema: "app", Source: scripts("V1__one.sql", one[1], "V2__two.sql", "create table b (id int);"),
	})
	if err == nil {
		t.Fatal("it was recorded without insert on the history table")
	}
	if n := db.Value(t, "select count(*) from pg_class where relname = 'b'"); n != "0" {
		t.Error("the script's table stays though it could not be recorded")
	}
	info, err := skein.Info(context.Background(), skein.Config{URL: url, DefaultSchema: "app", Source: scripts(one...)})
	if err != nil || info.Version.Compare(migration.MustVersion("1")) != 0 {
		t.Errorf("version %s, %v", info.Version, err)
	}
}

// TestSchemaNeedsUsage is the privilege that is missed first: without it the server does not even say whether there is a
// history table.
func TestSchemaNeedsUsage(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role, url := db.Role(t, "")
	db.Exec(t, "create schema app")
	for _, in := range []skein.Config{{URL: url}, {URL: db.URL, Role: role}} {
		in.DefaultSchema, in.Source = "app", scripts(one...)
		if in.Role != "" {
			db.Exec(t, "grant "+role+" to "+db.Owner)
		}
		_, err := skein.Migrate(context.Background(), in)
		var e *skein.Error
		if !errors.As(err, &e) || e.Kind != skein.KindRefused || e.SQL == nil || e.SQL.State != "42501" || e.Message != "permission denied for schema app" {
			t.Fatalf("error %v", err)
		}
		if want := `its owner can run: grant usage on schema "app" to "` + role + `"; docs/grants.md lists what each command needs`; e.Hint != want {
			t.Errorf("hint %s", e.Hint)
		}
	}
}
