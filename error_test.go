package skein_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// Each case fails; its error is compared whole, because errors are interface.
var failures = []struct {
	name    string
	scripts []string
	cfg     skein.Config
	kind    skein.Kind
	code    string
	want    string
	applied int // rows in the history afterwards
}{
	{
		name:    "an unknown column",
		scripts: []string{"V1__a.sql", "create table account(id int);", "V7__add_owner.sql", "-- who owns it\n\ncreate index on account\n  (owner_id);\n"},
		kind:    skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION", applied: 1,
		want: `V7__add_owner.sql:3: column "owner_id" does not exist (42703)
    3 | create index on account
nothing of V7 was kept (it ran in a transaction); 1 earlier script stays applied
hint: fix the script, then run: skein migrate`,
	},
	{
		name:    "a syntax error after a tab and a multi-byte letter",
		scripts: []string{"V1__a.sql", "select 1;\n\tselect 'é' frm x y;\n"},
		kind:    skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION",
		want: `V1__a.sql:2: syntax error at or near "x" (42601)
    2 | 	select 'é' frm x y;
      | 	               ^
nothing of V1 was kept (it ran in a transaction)
hint: fix the script, then run: skein migrate`,
	},
	{
		name:    "a position behind a placeholder",
		scripts: []string{"V1__a.sql", "create table ${name} (id int);\nselect nothing from ${name};\n"},
		cfg:     skein.Config{}, kind: skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION",
		want: `V1__a.sql:2: column "nothing" does not exist (42703)
    2 | select nothing from ${name};
      |        ^
nothing of V1 was kept (it ran in a transaction)
hint: fix the script, then run: skein migrate`,
	},
	{
		name:    "a deferred constraint",
		scripts: []string{"V1__a.sql", "create table p(id int primary key); create table c(p int references p deferrable initially deferred);\ninsert into c values (1);"},
		kind:    skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION",
		want: `after the last statement of V1__a.sql: insert or update on table "c" violates foreign key constraint "c_p_fkey" (23503)
detail: Key (p)=(1) is not present in table "p".
nothing of V1 was kept (it ran in a transaction)
hint: fix the script, then run: skein migrate`,
	},
	{
		name:    "a COPY with a bad row",
		scripts: []string{"V1__a.sql", "create table t(id int);\ncopy t from stdin;\n1\nx\n\\.\n"},
		kind:    skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION",
		want: `V1__a.sql:4: invalid input syntax for type integer: "x" (22P02)
    4 | x
where: COPY t, line 2, column id: "x"
nothing of V1 was kept (it ran in a transaction)
hint: fix the script, then run: skein migrate`,
	},
	{
		name:    "outside a transaction what was done stays",
		scripts: []string{"V1__a.sql", "create table t(id int);", "V2__b.sql", "create index concurrently t_a on t(id);\ncreate index concurrently t_b on nowhere(id);"},
		kind:    skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION", applied: 1,
		want: `V2__b.sql:2: relation "nowhere" does not exist (42P01)
    2 | create index concurrently t_b on nowhere(id);
the statement of V2 before it stays (it ran outside a transaction), and the next run goes on with this one; it is not recorded as applied; 1 earlier script stays applied
hint: fix the script, then run: skein migrate`,
	},
	{
		name:    "a procedure that commits",
		scripts: []string{"V1__a.sql", "do $$ begin commit; end $$;"},
		kind:    skein.KindSQL, code: "FAILED_VERSIONED_MIGRATION",
		want: `V1__a.sql:1: invalid transaction termination (2D000)
    1 | do $$ begin commit; end $$;
where: PL/pgSQL function inline_code_block line 1 at COMMIT
nothing of V1 was kept (it ran in a transaction)
hint: to run it outside a transaction, put executeInTransaction=false into V1__a.sql.conf beside the script`,
	},
	{
		name:    "both kinds of statements",
		scripts: []string{"V1__a.sql", "create table t(id int);\nvacuum t;"},
		kind:    skein.KindScript, code: "ERROR",
		want: `V1__a.sql:2: Detected both transactional and non-transactional statements within the same migration (even though mixed is false): VACUUM cannot run in a transaction, line 1 belongs into one
    2 | vacuum t;
nothing of V1__a.sql ran
hint: move VACUUM into a script of its own, or set mixed=true to run the whole script without a transaction`,
	},
	{
		name:    "an unterminated dollar quote",
		scripts: []string{"V1__a.sql", "create table t(id int);\ncreate function f() returns int as $body$ select 1;\n"},
		kind:    skein.KindScript, code: "ERROR",
		want: `V1__a.sql:2: unterminated dollar quote $body$
    2 | create function f() returns int as $body$ select 1;
      |                                    ^
nothing of V1__a.sql ran
hint: close it with $body$, spelled exactly so`,
	},
	{
		name:    "an unknown placeholder",
		scripts: []string{"V1__a.sql", "create table t(id int);\ncomment on table t is '${nmae}';\n"},
		kind:    skein.KindScript, code: "ERROR",
		want: `V1__a.sql:2: No value provided for placeholder: ${nmae}.  Check your configuration! (did you mean name?)
    2 | comment on table t is '${nmae}';
      |                        ^
nothing of V1__a.sql ran
hint: set it as placeholders.nmae, or switch replacement off with placeholderReplacement=false in V1__a.sql.conf`,
	},
	{
		name:    "a psql command",
		scripts: []string{"V1__a.sql", "create table t(id int);\n\\copy t from 'x'\n"},
		kind:    skein.KindScript, code: "ERROR",
		want: `V1__a.sql:2: psql command \copy is not SQL
    2 | \copy t from 'x'
      | ^
nothing of V1__a.sql ran
hint: \copy belongs to psql: use COPY ... FROM STDIN; with the rows on the lines below and a line \. behind them`,
	},
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, c := range failures {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			cfg := c.cfg
			cfg.Source = scripts(c.scripts...)
			cfg.Placeholders.Values = map[string]string{"name": "customer"}
			_, err := migrate(t, db, cfg)
			var e *skein.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Kind != c.kind || e.Code != c.code {
				t.Errorf("kind %s code %s, want %s %s", e.Kind, e.Code, c.kind, c.code)
			}
			if got := e.Error(); got != c.want {
				t.Errorf("error:\n%s\nwant:\n%s", got, c.want)
			}
			if got := strings.Count(history(t, db), "\n"); got != c.applied {
				t.Errorf("%d rows in the history, want %d", got, c.applied)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	one := []string{"V1__a.sql", "create table a(id int);"}
	cases := []struct {
		name, before string
		cfg          skein.Config
		kind         skein.Kind
		want         string // part of the error
	}{
		{"a non-empty schema", "create table x(id int)", skein.Config{}, skein.KindRefused, "Found non-empty schema"},
		{"a history that is a view", "create view flyway_schema_history as select 1", skein.Config{}, skein.KindRefused, "is no table but a view"},
		{"a history of the wrong shape", "create table flyway_schema_history(id int)", skein.Config{}, skein.KindRefused, "it lacks the columns installed_rank, version"},
		{"a read-only database", "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$", skein.Config{}, skein.KindRefused, "are read only"},
		{"an unknown target", "", skein.Config{TargetVersion: target("9")}, skein.KindScript, "9"},
		{"a failed row", "create table flyway_schema_history(installed_rank int, version text, description text, type text, script text, checksum int, installed_by text, installed_on timestamp default now(), execution_time int, success bool); insert into flyway_schema_history values (1, '1', 'a', 'SQL', 'V1__a.sql', null, 'x', now(), 1, false)", skein.Config{SkipValidate: true}, skein.KindRefused, "contains a failed migration to version 1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			if c.before != "" {
				db.Exec(t, c.before)
			}
			cfg := c.cfg
			cfg.Source = scripts(one...)
			_, err := migrate(t, db, cfg)
			var e *skein.Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Message, c.want) {
				t.Fatalf("error %v (%+v), want kind %s and %q", err, e, c.kind, c.want)
			}
			if n := db.Value(t, "select count(*) from pg_class where relname = 'a'"); n != "0" {
				t.Error("the script ran")
			}
		})
	}
}

func TestConnectionFailures(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://nobody@127.0.0.1:1/x": "Unable to obtain connection from database at 127.0.0.1:1 for user 'nobody'",
		"postgres://u:geheim@[::1/x":      "the URL cannot be read",
	} {
		_, err := skein.Migrate(context.Background(), skein.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
