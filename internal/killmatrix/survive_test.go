package killmatrix

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgtest"
)

// A client is killed while the server works on what it had sent, and others start at once: one effect, one row. The
// work lasts until the test opens a gate, so that nothing depends on how fast the machine is.
var survivals = map[string]struct {
	script, conf string
	gate         string // what the test holds meanwhile
	working      string // which backend shows that the work has begun
	effect       string // a question whose answer is 1
}{
	"transaction": {
		"insert into rows values (0);\nselect at_gate();\ncreate table effect as select count(*) as n from rows where id = 0;", "",
		"insert into gate default values", "query like '%at_gate()%' and wait_event = 'PgSleep'",
		"select n from effect",
	},
	"index": {
		"-- the index that the new page needs\n\ncreate index concurrently rows_name on rows(name);", "",
		"insert into rows values (-1, 'open')", "query like '%create index concurrently%' and wait_event_type = 'Lock'",
		"select count(*) from pg_index where indrelid = 'rows'::regclass and not indisprimary and indisvalid",
	},
	"unnamed unique index": {
		"/* none\n has a name */ create unique index concurrently on rows(id);", "",
		"insert into rows values (-1, 'open')", "query like '%create unique index concurrently%' and wait_event_type = 'Lock'",
		"select count(*) from pg_index where indrelid = 'rows'::regclass and not indisprimary and indisvalid",
	},
	"outside a transaction": {
		"insert into rows values (0);\ninsert into rows select 5000 from at_gate();\ncreate table effect as select count(*) as n from rows where id = 0;", "executeInTransaction=false",
		"insert into gate default values", "query like '%at_gate()%' and wait_event = 'PgSleep'",
		"select n from effect",
	},
}

// folder is a folder with scripts.
func folder(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const rowsAndGate = "create table rows(id int, name text);\ninsert into rows select n, 'name ' || n from generate_series(1, 1000) n;\ncreate table gate();\n" +
	"create function at_gate() returns void language plpgsql as 'begin while not exists (select from gate) loop perform pg_sleep(0.01); end loop; end';"

func TestKilledWhileTheServerWorks(t *testing.T) {
	t.Parallel()
	for name, s := range survivals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			files := []string{"V1__a.sql", rowsAndGate, "V2__b.sql", s.script, "V3__c.sql", "create table last();"}
			if s.conf != "" {
				files = append(files, "V2__b.sql.conf", s.conf)
			}
			survive(t, db, db.URL, folder(t, files...), s.gate, s.working)
			onceEach(t, db, s.effect)
		})
	}
}

// survive kills a migrate at the gate, starts another and whatever more starts at once, opens the gate when the other has
// the lock, or waits for it because the session at work has it, and waits for the end of all.
func survive(t *testing.T, db *pgtest.DB, url, dir, gate, working string, more ...func()) {
	t.Helper()
	goesOn(t, db, url, dir, killedAtTheGate(t, db, url, dir, gate, working), more...)
}

// goesOn is the second half of survive; it gives what the second run printed.
func goesOn(t *testing.T, db *pgtest.DB, url, dir string, holder *pgx.Conn, more ...func()) string {
	t.Helper()
	second := command(t, url, dir, "-lockRetryCount=-1", "migrate") // a real Flyway takes its time to come
	var others sync.WaitGroup
	for _, f := range more {
		others.Go(f)
	}
	soon(t, db, "select "+lockHeld+" or "+lockAwaited)
	if len(more) > 0 {
		soon(t, db, "select exists (select from pg_stat_activity where datname = current_database() and application_name ilike any ('{%flyway%,%jdbc%}'))")
	}
	if _, err := holder.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	if code := second.wait(); code != 0 {
		t.Errorf("the second: exit code %d\n%s", code, second.output.String())
	}
	others.Wait()
	return second.output.String()
}

// lockHeld asks whether somebody has the migration lock.
const lockHeld = "exists (select from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted and" +
	" a.state = 'idle in transaction' and a.datname = current_database())"

// lockAwaited asks whether a session that is at work has the migration lock, and another run has come for it, whose sessions
// are two.
const lockAwaited = "exists (select from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted and a.state = 'active' and" +
	" a.datname = current_database()) and (select count(*) > 2 from pg_stat_activity a where a.application_name like 'skein%' and a.datname = current_database())"

// killedAtTheGate leaves a backend at work whose client is dead, until what the connection holds is given free.
func killedAtTheGate(t *testing.T, db *pgtest.DB, url, dir, gate, working string, args ...string) *pgx.Conn {
	t.Helper()
	if c := command(t, url, dir, "migrate", "-target=1"); c.wait() != 0 {
		t.Fatal(c.output.String())
	}
	holder := db.Conn(t)
	if _, err := holder.Exec(t.Context(), "begin; "+gate); err != nil {
		t.Fatal(err)
	}
	first := command(t, url, dir, append(args, "migrate")...)
	soon(t, db, "select exists (select from pg_stat_activity where datname = current_database() and "+working+")")
	first.kill()
	soon(t, db, "select not "+lockHeld)
	return holder
}

// An index build that looks for old transactions at the very moment when the next run takes the lock waits for that
// run, which waits for the build. Here the lock's first transaction keeps its snapshot, so that it always is that moment.
func TestBuildThatWaitsForTheNextRun(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := survivals["index"]
	dir := folder(t, "V1__a.sql", rowsAndGate, "V2__b.sql", s.script, "V3__c.sql", "create table last();")
	holder := killedAtTheGate(t, db, db.URL, dir, s.gate, s.working)
	p := startProxy(t, address(db), point{}, nil)
	var once sync.Once
	p.change = func(m []byte) []byte {
		const old, other = "begin isolation level read committed;\nset", "begin isolation level repeatable read;set" // as long
		if bytes.Contains(m, []byte(old)) {
			once.Do(func() { m = bytes.Replace(m, []byte(old), []byte(other), 1) })
		}
		return m
	}
	second := command(t, through(db, p), dir, "migrate")
	soon(t, db, "select exists (select from pg_stat_activity where datname = current_database() and backend_xmin is not null and state = 'idle in transaction')")
	if _, err := holder.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	if code := second.wait(); code != 0 {
		t.Errorf("exit code %d\n%s", code, second.output.String())
	}
	onceEach(t, db, s.effect)
}

// onceEach checks the effect and that each script is recorded once.
func onceEach(t testing.TB, db *pgtest.DB, effect string) {
	t.Helper()
	if got := db.Value(t, effect); got != "1" {
		t.Errorf("effect %s", got)
	}
	if got := db.Value(t, "select string_agg(version || case when success then '' else ' failed' end, ',' order by installed_rank) from flyway_schema_history"); got != "1,2,3" {
		t.Errorf("history %s", got)
	}
	if got := db.Value(t, "select count(*) from pg_index where not indisvalid"); got != "0" {
		t.Errorf("%s invalid indexes", got)
	}
}

// soon asks until the answer is true.
func soon(t testing.TB, db *pgtest.DB, question string) {
	t.Helper()
	conn := db.Conn(t)
	err := eventually(question, func() (bool, error) {
		var yes bool
		err := conn.QueryRow(t.Context(), question, pgx.QueryExecModeSimpleProtocol).Scan(&yes)
		return yes, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// With a real Flyway beside the second Skein: FLYWAY names its launcher.
func TestKilledWithFlywayBeside(t *testing.T) {
	t.Parallel()
	flyway := os.Getenv("FLYWAY")
	if flyway == "" {
		t.Skip("set FLYWAY to the launcher of a real Flyway")
	}
	db := pgtest.New(t)
	s := survivals["transaction"]
	dir := folder(t, "V1__a.sql", rowsAndGate, "V2__b.sql", s.script, "V3__c.sql", "create table last();")
	user, host, _ := strings.Cut(strings.TrimPrefix(db.URL, "postgres://"), "@")
	run := func() {
		cmd := exec.CommandContext(t.Context(), flyway, "-url=jdbc:postgresql://"+host, "-user="+user, "-locations=filesystem:"+dir, "migrate")
		out, err := cmd.CombinedOutput()
		t.Logf("Flyway ended with %v\n%s", err, out)
	}
	survive(t, db, db.URL, dir, s.gate, s.working, run)
	onceEach(t, db, s.effect)
}
