package killmatrix

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// Many processes start at once on an empty database: all end well, each migration happens once, and the server has
// nothing to complain about.
func TestCrowd(t *testing.T) {
	t.Parallel()
	n := 10
	if every > 0 {
		n = 50
	}
	server := pgtest.Server(t, map[string]string{"max_connections": "150"})
	db := pgtest.On(t, server)
	files := []string{
		"V1__a.sql", "create table a(id int primary key, name text);\ninsert into a select n, 'x' from generate_series(1, 1000) n;",
		"V2__b.sql", "create index concurrently a_name on a(name);\ncreate unique index concurrently on a(name, id);",
		"V3__c.sql", "insert into a select max(id) + 1 from a;",
		"V3__c.sql.conf", "executeInTransaction=false",
		"R__v.sql", "create or replace view v as select count(*) from a;",
	}
	for i := range 30 {
		files = append(files, fmt.Sprintf("V4.%d__more.sql", i), "insert into a select max(id) + 1 from a;")
	}
	dir := folder(t, files...)
	var all []*client
	for range n {
		all = append(all, command(t, db.URL, dir, "-schemas=public,crowd", "-defaultSchema=public", "migrate"))
	}
	for i, c := range all {
		if code := c.wait(); code != 0 {
			t.Errorf("process %d: exit code %d\n%s", i, code, c.output.String())
		}
	}
	if got := db.Value(t, "select max(id) || ' ' || count(*) from a"); got != "1031 1031" {
		t.Errorf("rows %s", got)
	}
	if got := db.Value(t, "select count(*) || ' ' || count(distinct script) || ' ' || bool_and(success) from flyway_schema_history"); got != "35 35 true" {
		t.Errorf("history %s", got)
	}
	log, err := server.Log()
	if err != nil {
		t.Fatal(err)
	}
	if bad := regexp.MustCompile(`(?m)^.*(ERROR|FATAL|PANIC|deadlock).*$`).FindAllString(log, 5); bad != nil {
		t.Errorf("the server's log: %q", bad)
	}
	t.Logf("%d processes", n)
}
