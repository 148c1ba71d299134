package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/postgres"
)

func sent(statements ...string) []postgres.Sent {
	all := make([]postgres.Sent, len(statements))
	for i, s := range statements {
		all[i] = postgres.Sent{SQL: s, Live: i%2 == 0}
	}
	return all
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statements []string
		want       []string // the answers
		failed     int
		state      string
	}{
		"all":       {[]string{"begin", "create table a(id int)", "insert into a values (1), (2)", "select id from a order by 1", "-- nothing", "commit"}, []string{"BEGIN", "CREATE TABLE", "INSERT 0 2", "SELECT 2 [1 2]", "", "COMMIT"}, 0, ""},
		"syntax":    {[]string{"begin", "create table a(id int)", "commit", "begin", "selec", "commit"}, []string{"BEGIN", "CREATE TABLE", "COMMIT", "BEGIN"}, 4, "42601"},
		"execution": {[]string{"select 1/0", "create table a(id int)"}, nil, 0, "22012"},
		"in a row":  {[]string{"select 2/(2 - n) from generate_series(0, 5) n", "create table a(id int)"}, nil, 0, "22012"},
		"settings":  {[]string{"set standard_conforming_strings = off", `select 'a\'b'`, "reset all"}, []string{"SET", `SELECT 1 [a'b]`, "RESET"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := open(t, pgtest.New(t).URL, postgres.Options{})
			var got []string
			err := conn.Pipeline(context.Background(), sent(c.statements...), 10, func(r postgres.Result) {
				text := r.Tag
				if len(r.Values) > 0 {
					var values []string
					for _, row := range r.Values {
						values = append(values, *row[0])
					}
					text += " [" + strings.Join(values, " ") + "]"
				}
				if got = append(got, text); r.Index != len(got)-1 {
					t.Errorf("index %d of answer %d", r.Index, len(got))
				}
			})
			var refused *postgres.StatementError
			if errors.As(err, &refused) {
				if refused.Index != c.failed || refused.Err.Code != c.state {
					t.Errorf("statement %d: %v", refused.Index, err)
				}
			} else if err != nil || c.state != "" {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if err := conn.Rollback(context.Background()); err != nil {
				t.Error(err)
			}
			if err := conn.Exec(context.Background(), "select 1", nil); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestDurable(t *testing.T) {
	t.Parallel()
	conn := open(t, pgtest.New(t).URL, postgres.Options{})
	ctx := context.Background()
	h := postgres.History{Schema: "public", Table: "h"}
	if err := conn.Exec(ctx, strings.Join(h.CreateSQL(), ";"), nil); err != nil {
		t.Fatal(err)
	}
	behind := 0
	for range 20 {
		at := ""
		err := conn.ExecRows(ctx, "begin; set local synchronous_commit to off; create table if not exists a(id int); insert into a values (1); commit; select pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()", 1, func(r postgres.Result) {
			if len(r.Values) == 1 {
				at = *r.Values[0][0]
				if *r.Values[0][1] == "t" {
					behind++
				}
			}
		})
		if err == nil {
			err = conn.Durable(ctx, h)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = conn.ExecRows(ctx, "select pg_current_wal_flush_lsn() >= '"+at+"'::pg_lsn, (select count(*) from h)", 1, func(r postgres.Result) {
			if *r.Values[0][0] != "t" || *r.Values[0][1] != "0" {
				t.Errorf("on disk %s, rows %s", *r.Values[0][0], *r.Values[0][1])
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if behind == 0 {
		t.Error("each commit was on disk before: nothing was shown")
	}
}
