package skein_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// Secrets are psql variables in the file, wherever in a statement they stand, and psql does with them what migrate does.
func TestPlanHidesSecrets(t *testing.T) {
	t.Parallel()
	byMigrate, byPlan := pgtest.New(t), pgtest.New(t)
	password, table, word := `canary-$1-\:USER-5e1f`, "hidden_table_77", "owl"
	cfg := skein.Config{
		SecretPlaceholders: []string{"App.Password", "table", "word", "unused"},
		Placeholders:       migration.Placeholders{Values: map[string]string{"app.password": password, "table": table, "word": word, "unused": "never-in-a-script", "plain": "seen"}},
		InitSQL:            "set my.word = '${word}'",
		Source: scripts(
			"V1__a.sql", "create table ${table}(t text default '${app.password}', \"${table} x\" text default E'a\\'${word}\\n');\ncomment on table ${table} is 'it''s ${app.password} ${plain}';",
			"V2__f.sql", "-- ${app.password}\ncreate function f() returns text language plpgsql as $$\nbegin /* ${word} */ return '${app.password}'; end $$; -- ${table}",
			"V3__c.sql", "insert into ${table} select (array['${word}', 'b'])[1:2]::text, 'growl howls owl';",
			"R__v.sql", "create view v as select * from ${table}; select '${word}'",
			"afterMigrate.sql", "insert into ${table} values (current_setting('my.word'))",
		),
	}
	if _, err := migrate(t, byMigrate, cfg); err != nil {
		t.Fatal(err)
	}
	cfg.URL = byPlan.URL
	plan, err := skein.Plan(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := plan.WriteSQL(&b, time.Time{}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, s := range []string{password, table, "'owl", "-v unused", "never-in-a-script"} {
		if strings.Contains(text, s) {
			t.Errorf("%s is in the file:\n%s", s, text)
		}
	}
	if !strings.Contains(text, "--   app_password: the placeholder App.Password\n") || !strings.Contains(text, "growl howls") {
		t.Errorf("the head of\n%s", text)
	}
	before := whole(t, byPlan)
	if out, err := psql(t, byPlan, text, "-v", "app_password="+password, "-v", "table="+table); err == nil || !strings.Contains(out, "the psql variable word is not set") {
		t.Errorf("without a variable: %v\n%s", err, out)
	}
	if whole(t, byPlan) != before {
		t.Error("without a variable something is done")
	}
	if out, err := psql(t, byPlan, text, "-v", "app_password="+password, "-v", "table="+table, "-v", "word="+word); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, text)
	}
	if diff := cmp.Diff(dump(t, byMigrate), dump(t, byPlan)); diff != "" {
		t.Errorf("the SQL leaves something else: %s\n%s", diff, text)
	}
	if diff := cmp.Diff(historyRows(t, byMigrate, "public"), historyRows(t, byPlan, "public")); diff != "" {
		t.Errorf("the SQL leaves another history: %s", diff)
	}
}

func TestPlanRefusesSecretsInCopyData(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	plan, err := skein.Plan(context.Background(), skein.Config{
		URL: db.URL, SecretPlaceholders: []string{"s"}, Placeholders: migration.Placeholders{Values: map[string]string{"s": "canary-77ab"}},
		Source: scripts("V1__c.sql", "create table a(t text);\ncopy a from stdin;\n${s}\n\\.\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := plan.WriteSQL(&b, time.Time{}); err == nil || !strings.Contains(err.Error(), "V1__c.sql: a secret stands in the data of a COPY") || b.Len() > 0 {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// Other secrets and the password are variables too, also where Skein writes a secret as a literal: the session is brought
// back to what initSql has left. A password that is the user's name is none.
func TestPlanHidesOtherSecrets(t *testing.T) {
	t.Parallel()
	byMigrate, byPlan := pgtest.New(t), pgtest.New(t)
	key, password := "it's a can'ry key", "canary-of-the-login"
	cfg := skein.Config{
		Secrets: map[string]string{"initSql": key},
		InitSQL: "select set_config('my.key', $q$" + key + "$q$, false)",
		Source: scripts(
			"V1__a.sql", "create table a as select '"+password+"' as t, current_setting('my.key') as k, 'postgres' as u;",
			"V2__b.sql", "insert into a values ($$"+key+"$$, current_setting('my.key'), '')",
		),
	}
	with := func(url, password string) string {
		return strings.Replace(url, "postgres@", "postgres:"+password+"@", 1)
	}
	if cfg.URL = with(byMigrate.URL, password); cfg.URL == byMigrate.URL {
		t.Fatalf("no place for a password in %s", cfg.URL)
	}
	if _, err := skein.Migrate(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	write := func(url string) string {
		cfg.URL = url
		plan, err := skein.Plan(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := plan.WriteSQL(&b, time.Time{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if text := write(with(byPlan.URL, "postgres")); !strings.Contains(text, "'postgres'") {
		t.Errorf("the user's name is taken for a secret:\n%s", text)
	}
	text := write(with(byPlan.URL, password))
	for _, part := range []string{"can'", "can''", password} {
		if strings.Contains(text, part) {
			t.Errorf("%s is in the file:\n%s", part, text)
		}
	}
	if out, err := psql(t, byPlan, text, "-v", "password="+password, "-v", "initsql="+key); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, text)
	}
	const rows = "select string_agg(a::text, ' ' order by a) from a"
	if diff := cmp.Diff(byMigrate.Value(t, rows), byPlan.Value(t, rows)); diff != "" {
		t.Errorf("the SQL leaves something else: %s", diff)
	}
}
