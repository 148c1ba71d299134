package skein_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/source"
)

// untouched is a source that must not be asked.
type untouched struct{ t *testing.T }

func (u untouched) Load(context.Context) (source.Release, error) {
	u.t.Error("the scripts were read")
	return source.Release{}, nil
}

func pin(t *testing.T, url, environment string, opt skein.PinOptions) *skein.PinResult {
	t.Helper()
	result, err := skein.Pin(context.Background(), skein.Config{URL: url, Environment: environment, Releaser: "ana"}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// refusedAs checks that the database was refused and that nothing is there that was not before.
func refusedAs(t *testing.T, db *pgtest.DB, err error, want string) {
	t.Helper()
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindRefused || !strings.Contains(e.Message, want) || e.Kept != "nothing was changed" || e.Hint == "" {
		t.Errorf("error %v, want %q", err, want)
	}
	if got := db.Value(t, "select count(*) from pg_class where relnamespace = 'public'::regnamespace"); got != "0" {
		t.Errorf("%s relations were made", got)
	}
}

// What the configuration expects is looked at before initSql, before scripts are read and before anything is written.
func TestAnotherDatabaseIsRefusedFirst(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	is := survey(t, db.URL, skein.Config{}).Identity
	system := is
	system.System = "7000000000000000001"
	for name, c := range map[string]struct {
		cfg  skein.Config
		want string
	}{
		"pinned in the file": {skein.Config{Identity: system}, "the system identifier is " + is.System + ", expected 7000000000000000001"},
		"expected":           {skein.Config{Expect: &skein.Expect{Identity: skein.Identity{Database: "other"}}}, "the database is " + db.Name + ", expected other"},
		"production's":       {skein.Config{Environment: "qa", OtherIdentities: []skein.Identity{{Environment: "production", System: is.System, Database: db.Name}}}, "is pinned as environment production, expected qa"},
	} {
		c.cfg.URL, c.cfg.Source, c.cfg.InitSQL, c.cfg.AllowClean, c.cfg.ConnectRetries = db.URL, untouched{t}, "create table written(id int)", true, 5
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // it is no failure to connect, to be tried again
		for verb, run := range map[string]func(context.Context, skein.Config) error{
			"migrate": doMigrate, "clean": doClean, "info": doInfo, "baseline": doBaseline, "repair": doRepair,
			"undo":     func(ctx context.Context, cfg skein.Config) error { _, err := skein.Undo(ctx, cfg); return err },
			"validate": func(ctx context.Context, cfg skein.Config) error { _, err := skein.Validate(ctx, cfg); return err },
			"plan":     func(ctx context.Context, cfg skein.Config) error { _, err := skein.Plan(ctx, cfg); return err },
			"ping":     func(ctx context.Context, cfg skein.Config) error { _, err := skein.Ping(ctx, cfg); return err },
		} {
			t.Log(name, verb)
			refusedAs(t, db, run(ctx, c.cfg), c.want)
		}
		cancel()
	}
	if _, err := migrate(t, db, skein.Config{Identity: is, Source: scripts(one...)}); err != nil {
		t.Error(err)
	}
}

// A pin in the database stops what is meant for another environment, whoever comes, and initSql too.
func TestPinnedForAnotherEnvironment(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	made := pin(t, db.URL, "production", skein.PinOptions{})
	if !made.Written || made.Before != nil || made.Identity.Environment != "production" {
		t.Errorf("pinned %+v", made)
	}
	if again := pin(t, db.URL, "production", skein.PinOptions{}); again.Written || again.Before == nil || again.Before.By != "ana" || again.Before.At.IsZero() {
		t.Errorf("again %+v", again)
	}
	role, url := db.Role(t, "") // without any privilege it may read the pin
	for _, cfg := range []skein.Config{{URL: db.URL, Environment: "qa"}, {URL: db.URL}, {URL: url, Environment: "qa", InitSQL: "create table written(id int)"}} {
		cfg.Source = scripts(one...)
		refusedAs(t, db, doMigrate(t.Context(), cfg), "this database is pinned as environment production, expected ")
	}
	_ = role
	_, err := skein.Pin(t.Context(), skein.Config{URL: db.URL, Environment: "qa"}, skein.PinOptions{})
	refusedAs(t, db, err, "pinned as environment production, expected qa")
	if s := survey(t, db.URL, skein.Config{Environment: "qa"}); s.Misplaced == nil || s.Pin == nil || s.Pin.Environment != "production" {
		t.Errorf("survey %+v", s)
	}
	if _, err := migrate(t, db, skein.Config{Environment: "production", Source: scripts(one...)}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(installed_rank || script || environment, ' ') from skein.applied"); got != "1V1__one.sqlproduction" {
		t.Errorf("applied: %s", got)
	}
	if replaced := pin(t, db.URL, "qa", skein.PinOptions{Replace: true}); !replaced.Written || replaced.Before.Environment != "production" {
		t.Errorf("replaced %+v", replaced)
	}
}

// A physical copy has the system identifier and the pin of its original.
func TestCopyOfProductionIsRefused(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, nil)
	db := pgtest.On(t, server)
	is := pin(t, db.URL, "production", skein.PinOptions{}).Identity
	plain := pgtest.On(t, server)
	plainIs := survey(t, plain.URL, skein.Config{}).Identity
	copied := pgtest.Standby(t, server)
	at := func(name string) string { return copied.URL(name) }
	if got := query(t, at(db.Name), "select pg_promote(true)"); got != "true" {
		t.Fatal(got)
	}
	migrateAt := func(name string, cfg skein.Config) error {
		cfg.URL, cfg.Source, cfg.Environment = at(name), scripts(one...), "qa"
		return doMigrate(t.Context(), cfg)
	}
	// Production pinned itself; and where only the file knows of production, the file says it.
	refusedAs(t, db, migrateAt(db.Name, skein.Config{}), "pinned as environment production, expected qa")
	plainIs.Environment = "production"
	refusedAs(t, plain, migrateAt(plain.Name, skein.Config{OtherIdentities: []skein.Identity{plainIs}}), "or the one that it is a copy of, is pinned as environment production, expected qa")
	// production's own URL that leads to the copy: only the host tells.
	err := doMigrate(t.Context(), skein.Config{URL: at(db.Name), Environment: "production", Identity: is, Source: untouched{t}})
	refusedAs(t, db, err, "the host is ")
	// A person may say that the copy is qa from now on.
	pin(t, at(db.Name), "qa", skein.PinOptions{Replace: true})
	if err := migrateAt(db.Name, skein.Config{OtherIdentities: []skein.Identity{is}}); err != nil {
		t.Error(err)
	}
}

// On Aurora the cluster's instances say which cluster it is.
func TestIdentityOnAurora(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "set allow_system_table_mods = on; create function pg_catalog.aurora_replica_status(out server_id text) returns setof text language sql as $$values ('shop-2'), ('shop-1')$$")
	got := survey(t, db.URL, skein.Config{}).Identity
	if got.Cluster != "shop-1,shop-2" || got.System == "" || !strings.HasPrefix(got.Key(), "cluster shop-1,shop-2/") {
		t.Errorf("identity %+v", got)
	}
	if _, err := migrate(t, db, skein.Config{Identity: skein.Identity{Cluster: "shop-2,shop-3"}, Source: scripts(one...)}); err != nil {
		t.Error(err)
	}
}

// What an approval was bound to holds under the lock, or nothing is written.
func TestExpectations(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{Source: scripts(one...)}
	before := survey(t, db.URL, cfg)
	_, err := migrate(t, db, skein.Config{Source: scripts("V1__one.sql", "create table other(id int);"), Expect: &skein.Expect{Fingerprint: before.Fingerprint}})
	refusedAs(t, db, err, "the plan is not what was approved: expected "+before.Fingerprint+", found ")
	_, err = migrate(t, db, skein.Config{Source: scripts(one...), Expect: &skein.Expect{HistoryHash: "00"}})
	refusedAs(t, db, err, "the schema history is not what was approved: expected 00, found "+before.HistoryHash)
	// A callback that changes the history behind the approval's back.
	sly := scripts("V1__one.sql", one[1], "V2__two.sql", "create table two(id int);",
		"beforeMigrate.sql", "insert into flyway_schema_history values (1, '1', 'one', 'SQL', 'V1__one.sql', null, 'x', now(), 1, true);")
	approved := survey(t, db.URL, skein.Config{Source: sly})
	_, err = migrate(t, db, skein.Config{Source: sly, Expect: &skein.Expect{Fingerprint: approved.Fingerprint}})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindRefused || !strings.Contains(e.Message, "what is to run is not what was approved: expected 2 scripts, found 1 scripts") {
		t.Errorf("error %v", err)
	}
}

// Production refuses what would be lost on it, whatever else allows it.
func TestProductionRefuses(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg := skein.Config{URL: db.URL, Production: true, AllowProduction: true, AllowClean: true, BaselineOnMigrate: true, DefaultSchema: "s", Source: scripts(one...)}
	db.Exec(t, "create schema s; create table s.there(id int)")
	refusedAs(t, db, doClean(t.Context(), cfg), "production=true is set")
	refusedAs(t, db, doMigrate(t.Context(), cfg), "baselineOnMigrate is on")
	if got := db.Value(t, "select count(*) from pg_class where relnamespace = 's'::regnamespace"); got != "1" {
		t.Errorf("%s relations", got)
	}
}
