//go:build unix

package skein_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/migration"
)

// Programs undo and are undone; each undo has its row, and the version is pending again.
func TestUndoByPrograms(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	db.Exec(t, "create table heard(n serial, event text)")
	src := scripts("V1__a.sql", "create table if not exists a (id int);", "U1__a.sh", "echo back one as $FP__who__",
		"V2__p.sh", "echo forth", "U2__p.sql", "create table if not exists undone (id int);", "V3__q.sh", "echo forth", "U3__other.py", "print('back three')",
		"beforeEachUndo.sql", note("beforeEachUndo"), "afterEachUndo.sql", note("afterEachUndo"), "beforeEachMigrate.sql", note("beforeEachMigrate"))
	var heard []string
	cfg := skein.Config{Source: src, Report: outputs(&heard), BaselineOnMigrate: true, BaselineVersion: migration.MustVersion("0")}
	cfg.Placeholders.Values = map[string]string{"who": "me"}
	if _, err := migrate(t, db, cfg); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "truncate heard")
	heard = nil
	cfg.TargetVersion = target("1")
	if res, err := undo(t, db, cfg); err != nil || versions(res) != "3 2 1" {
		t.Fatalf("undone %s, %v", versions(res), err)
	}
	if want := []string{"U3__other.py: back three", "U1__a.sh: back one as me"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q", heard)
	}
	want := "5|3|UNDO_SCRIPT|U3__other.py|t\n6|2|UNDO_SQL|U2__p.sql|t\n7|1|UNDO_SCRIPT|U1__a.sh|t\n"
	if got := history(t, db); !strings.HasSuffix(got, want) {
		t.Errorf("history\n%swant at its end\n%s", got, want)
	}
	if got := db.Value(t, "select string_agg(event, ',' order by n) from heard"); got != strings.Repeat("beforeEachUndo,afterEachUndo,", 2)+"beforeEachUndo,afterEachUndo" {
		t.Errorf("events %s", got)
	}
	cfg.TargetVersion = target("latest")
	if res, err := migrate(t, db, cfg); err != nil || len(res.Applied) != 3 {
		t.Errorf("again: %+v, %v", res, err)
	}
}

func TestUndoByAProgramThatFails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	src := scripts("V1__a.sql", "create table a (id int);", "U1__a.sh", "exit 7")
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	_, err := undo(t, db, skein.Config{Source: src})
	want := `U1__a.sh: exit status 7
what U1 did before stays (a program cannot be rolled back); it is not recorded as undone
hint: fix the script, then run: skein undo`
	if err == nil || err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}
	if got := history(t, db); got != "1|1|SQL|V1__a.sql|t\n" {
		t.Errorf("history %s", got)
	}
}

func TestUndoByAProgramAndByAScript(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	_, err := undo(t, db, skein.Config{Source: scripts("V1__a.sql", "select 1;", "U1__a.sh", "echo", "U1__a.sql", "select 1;")})
	var e *skein.Error
	if !errors.As(err, &e) || e.Code != "DUPLICATE_UNDO_MIGRATION" || !strings.Contains(e.Message, "U1__a.sh (UNDO_SCRIPT)") {
		t.Errorf("error %v", err)
	}
}
