package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pgtest"
)

// Targets come from URLs, from a query or from the schemas of a database.
func TestListings(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, `create schema tenant_b; create schema tenant_a; create schema "tenant.c"; create schema other; create table fleet (name text, url text, database text, schema text)`)
	to, _ := connect(db.URL)
	url := "postgres://ana:geheim@db1:5433/"
	for name, c := range map[string]struct {
		listing fleet.Listing
		want    string // a line for each target: name, host, database, schema; or what the error has
	}{
		"one":   {fleet.Listing{}, "qa HERE public"},
		"urls":  {fleet.Listing{URLs: []string{"eu = " + url + "eu", url + "us?sslmode=disable&application_name=a%3Db"}}, "eu db1:5433/eu public; db1:5433/us db1:5433/us public"},
		"twice": {fleet.Listing{URLs: []string{"a=" + url + "x", "a=" + url + "y"}}, `! environment qa: two targets are named "a"`},
		"bad":   {fleet.Listing{URLs: []string{"a=postgres://h:99999999/x"}}, "! environment qa: target a: "},
		"query": {fleet.Listing{Query: "select 'x' as name, null as url, 'shop' as database union all select 'y', '" + url + "eu', null"}, "x HOST/shop public; y db1:5433/eu public"},
		"query of schemas": {fleet.Listing{Query: "select nspname as name, nspname as schema from pg_namespace where nspname like 'tenant\\_%' order by 1"},
			"tenant_a HERE tenant_a; tenant_b HERE tenant_b"},
		"query of databases with schemas": {fleet.Listing{Query: "select 'x' as name, 'shop' as database, 's' as schema"}, "x HOST/shop s"},
		"query without name":              {fleet.Listing{Query: "select 'x' as database"}, "! environment qa: row 1 of targetsQuery has no name"},
		"query without place":             {fleet.Listing{Query: "select 'x' as name"}, "! environment qa: targetsQuery says nothing of target x"},
		"query without rows":              {fleet.Listing{Query: "select name, url from fleet"}, "! environment qa: targetsQuery returned no row"},
		"query that fails":                {fleet.Listing{Query: "select name from nowhere"}, `! environment qa: targetsQuery failed: ERROR: relation "nowhere" does not exist`},
		"query that writes":               {fleet.Listing{Query: "insert into fleet values ('x') returning name"}, "! environment qa: targetsQuery failed: ERROR: cannot execute INSERT in a read-only transaction"},
		"schemas":                         {fleet.Listing{Schemas: []string{"tenant*"}}, "tenant.c HERE tenant.c; tenant_a HERE tenant_a; tenant_b HERE tenant_b"},
		"schemas by name":                 {fleet.Listing{Schemas: []string{"tenant.a", "tenant.c", "oth*r"}}, "other HERE other; tenant.c HERE tenant.c"},
		"no schema":                       {fleet.Listing{Schemas: []string{"tenant"}}, "! environment qa: no schema matches tenant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := c.listing
			l.Environment, l.Connect = "qa", connect
			l.Base = skein.Config{Connection: to, Environment: "qa", DefaultSchema: "public"}
			here, _ := to(context.Background())
			host := fmt.Sprintf("%s:%d", here.Host, here.Port)
			want := strings.NewReplacer("HERE", host+"/"+db.Name, "HOST", host).Replace(c.want)
			targets, err := l.Targets(context.Background())
			if e, ok := errors.AsType[*skein.Error](err); ok {
				if got := "! " + e.Message; !strings.HasPrefix(got, want) || strings.Contains(got, "geheim") {
					t.Errorf("%s\nwant\n%s", got, want)
				}
				return
			}
			var lines []string
			for _, target := range targets {
				cfg, err := target.Config.Connection(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, fmt.Sprintf("%s %s:%d/%s %s", target.Name, cfg.Host, cfg.Port, cfg.Database, target.Config.DefaultSchema))
				if target.Config.Environment != "qa" {
					t.Errorf("%+v", target.Config)
				}
			}
			if got := strings.Join(lines, "; "); err != nil || got != want {
				t.Errorf("%s, %v\nwant\n%s", got, err, want)
			}
		})
	}
}

// The catalog may be another database than the targets'.
func TestTargetsFromACatalog(t *testing.T) {
	t.Parallel()
	catalog, db := pgtest.New(t), pgtest.New(t)
	catalog.Exec(t, "create table customers (name text, db text); insert into customers values ('acme', '"+db.Name+"')")
	base, _ := connect(db.URL)
	from, _ := connect(catalog.URL)
	l := fleet.Listing{Environment: "qa", Base: skein.Config{Connection: base}, From: from, Query: "select name, db as database from customers"}
	targets, err := l.Targets(context.Background())
	if err != nil || len(targets) != 1 || targets[0].Name != "acme" {
		t.Fatalf("%+v, %v", targets, err)
	}
	if cfg, _ := targets[0].Config.Connection(context.Background()); cfg.Database != db.Name {
		t.Errorf("database %s", cfg.Database)
	}
}
