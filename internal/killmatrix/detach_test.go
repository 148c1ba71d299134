package killmatrix

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// What a killed client leaves behind with --detach is finished, history row and all: the next run finds it done. Each
// case would be rolled back, or go on as far as its statement only, without it: the server has something to say, looks
// after its client, or has not got all of the script.
var detached = map[string]struct{ script, conf, before string }{
	"a notice":              {script: "do $$ begin perform at_gate(); for i in 1..5 loop raise notice '%', i; perform pg_sleep(0.02); end loop; end $$;\ncreate table effect as select 1 as n;"},
	"looked after":          {script: "select at_gate();\ncreate table effect as select 1 as n;", before: "alter database %s set client_connection_check_interval = '1ms'"},
	"a long one":            {script: "insert into rows select 0, 'x' from at_gate();\n" + strings.Repeat("insert into rows values (0, 'y');\n", 70) + "create table effect as select 1 as n;"},
	"outside a transaction": {script: "insert into rows select 0, 'once' from at_gate();\ncreate table effect as select count(*) as n from rows where name = 'once';", conf: "executeInTransaction=false"},
}

func TestDetached(t *testing.T) {
	t.Parallel()
	for name, d := range detached {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			if d.before != "" {
				if pgtest.Major(t) < 14 {
					t.Skip("there is no client_connection_check_interval")
				}
				db.Exec(t, fmt.Sprintf(d.before, db.Name))
			}
			files := []string{"V1__a.sql", rowsAndGate, "V2__b.sql", d.script, "V3__c.sql", "create table last();"}
			if d.conf != "" {
				files = append(files, "V2__b.sql.conf", d.conf)
			}
			second := outlived(t, db, folder(t, files...))
			onceEach(t, db, "select n from effect")
			// Outside a transaction the row comes from the second, which finds the first statement done.
			again := strings.Contains(second, "version \"2 - b\"")
			if resumed := strings.Contains(second, "V2__b.sql: 1 of 2 statements were carried out by an earlier run"); resumed != (d.conf != "") || again != resumed {
				t.Errorf("the second run:\n%s", second)
			}
		})
	}
}

// outlived kills a client at the gate, lets others start, opens the gate, and gives what the second printed.
func outlived(t *testing.T, db *pgtest.DB, dir string, more ...func()) string {
	t.Helper()
	holder := killedAtTheGate(t, db, db.URL, dir, "insert into gate default values", "query like '%at_gate()%' and wait_event = 'PgSleep'", "--detach")
	return goesOn(t, db, db.URL, dir, holder, more...)
}

// Beside a real Flyway, which knows nothing of the fence: FLYWAY names its launcher.
func TestDetachedWithFlywayBeside(t *testing.T) {
	t.Parallel()
	flyway := os.Getenv("FLYWAY")
	if flyway == "" {
		t.Skip("set FLYWAY to the launcher of a real Flyway")
	}
	db := pgtest.New(t)
	dir := folder(t, "V1__a.sql", rowsAndGate, "V2__b.sql", detached["a notice"].script, "V3__c.sql", "create table last();")
	user, host, _ := strings.Cut(strings.TrimPrefix(db.URL, "postgres://"), "@")
	second := outlived(t, db, dir, func() {
		out, err := exec.CommandContext(t.Context(), flyway, "-url=jdbc:postgresql://"+host, "-user="+user, "-locations=filesystem:"+dir, "migrate").CombinedOutput()
		t.Logf("Flyway ended with %v\n%s", err, out)
	})
	onceEach(t, db, "select n from effect")
	if regexp.MustCompile(`version "2 - b"`).MatchString(second) {
		t.Errorf("the second run:\n%s", second)
	}
}

// Behind a pooler nothing is detached, and the session of others is left as it is.
func TestNothingIsDetachedBehindPgBouncer(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url := bouncer(t, db)
	dir := folder(t, "V1__a.sql", "create table seen as select current_setting('client_min_messages') as it;")
	c := command(t, url, dir, "--detach", "migrate")
	if code := c.wait(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, c.output.String())
	}
	if got := db.Value(t, "select it from seen"); got != "notice" {
		t.Errorf("client_min_messages %s", got)
	}
	if want := "V1__a.sql stays attached to this process: a proxy stands between"; !strings.Contains(c.output.String(), want) {
		t.Errorf("%q is not in\n%s", want, c.output.String())
	}
}

// Nor does a pooled session hold the migration lock, which it would keep for whoever has it next.
func TestLockIsNotInAPooledSession(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	url := bouncer(t, db)
	for _, target := range []string{"1", "2"} { // small scripts, the second on a history that is there
		dir := folder(t, "V1__a.sql", "create table a();", "V2__b.sql", "create table b();")
		if c := command(t, url, dir, "migrate", "-target="+target); c.wait() != 0 {
			t.Fatal(c.output.String())
		}
	}
	// The pooler ends the lock's own session when its client is gone; what a session of its pool holds, it keeps.
	soon(t, db, pgtest.Unlocked)
}
