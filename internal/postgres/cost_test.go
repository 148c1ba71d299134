package postgres_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// What Skein itself sends with each run is nothing that the server takes for long work: above jit_above_cost, 100,000 unless
// it is set, it would compile the statement first, which takes longer than the whole run. Tables of which nothing is known
// yet are taken to be of a thousand rows.
func TestOwnStatementsCostLittle(t *testing.T) {
	t.Parallel()
	c := open(t, knownDB(t).URL, postgres.Options{})
	for name, sql := range map[string]string{
		"audit":    known.AuditSQL(migration.AuditEntry{Who: "ana", What: "migrate", Detail: `{"from":"1"}`}),
		"after":    known.AuditAfterSQL(migration.AuditEntry{Seq: 1, Who: "ana", What: "migrate", Detail: `{"from":"1"}`}),
		"recorded": known.AppliedSQL(postgres.Applied{Rank: 9}, false),
		"new":      known.AppliedSQL(postgres.Applied{Rank: 9}, true),
		"journal":  known.WriteSQL("V1__a.sql", migration.JournalEntry{}),
		"forget":   known.ForgetAllSQL(),
		"history":  known.History.InsertSQL(migration.Row{Rank: 9, Type: migration.TypeSQL}),
		"ends at":  "select " + known.History.EndsAtSQL(3),
		"pin":      known.PinSQL(migration.Pin{}),
	} {
		var plan string
		if err := c.ExecRows(t.Context(), "explain "+sql, 1, func(r postgres.Result) { plan = *r.Values[0][0] }); err != nil {
			t.Fatal(name, err)
		}
		cost, err := strconv.ParseFloat(regexp.MustCompile(`cost=\S+\.\.([0-9.]+) `).FindStringSubmatch(plan)[1], 64)
		if err != nil || cost > 1000 {
			t.Errorf("%s: %s", name, plan)
		}
	}
}
