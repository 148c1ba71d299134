package skein_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// endLock ends the backend that holds the migration lock, and the next statement finds it gone.
const endLock = `select pg_terminate_backend(pid, 60000) from pg_stat_activity where application_name = 'skein/lock' and datname = current_database();`

// A script that is no single transaction stops at the statement before which the lock is gone, and the next run goes on
// with it: were it to run, so would that of whoever has the lock by now.
func TestLosingTheLockInsideAScript(t *testing.T) {
	t.Parallel()
	outside := []string{"V2__b.sql.conf", "executeInTransaction=false"}
	for name, files := range map[string][]string{
		"plain":       append([]string{"V2__b.sql", endLock + "\ninsert into a values (1);"}, outside...),
		"alone":       append([]string{"V2__b.sql", endLock + "\nvacuum a;\ninsert into a values (1);"}, outside...),
		"steered":     {"V2__b.sql", "begin; insert into a values (0); commit;\n" + endLock + "\ncommit;\nbegin; set transaction isolation level serializable; insert into a values (1); commit;"},
		"steered out": {"V2__b.sql", "begin; " + endLock + " commit;\ninsert into a values (1);"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			src := scripts(append([]string{"V1__a.sql", "create table a(id int);"}, files...)...)
			_, err := migrate(t, db, skein.Config{ReconnectDeadline: -1, Source: src})
			var e *skein.Error
			if !errors.As(err, &e) || e.Kind != skein.KindConnection || !strings.Contains(e.Message, "the migration lock was lost") {
				t.Fatalf("error %v", err)
			}
			if got := db.Value(t, "select count(*) from a where id = 1"); got != "0" {
				t.Error("it went on without the lock")
			}
			if name == "plain" && !strings.Contains(e.Kept, "what V2 did before stays") {
				t.Errorf("kept: %s", e.Kept)
			}
			// What ended the lock is done: the next run goes on with the statement after it.
			if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
				t.Fatal(err)
			}
			if got := db.Value(t, "select count(*) from a where id = 1"); got != "1" {
				t.Errorf("%s rows", got)
			}
		})
	}
}

// IF NOT EXISTS over an index that a failed build of somebody else left is no success.
func TestInvalidIndexIsNotTakenForDone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	one := []string{"V1__a.sql", "create table a(id int); insert into a values (1), (1);"}
	if _, err := migrate(t, db, skein.Config{Source: scripts(one...)}); err != nil {
		t.Fatal(err)
	}
	conn := db.Conn(t)
	if _, err := conn.Exec(t.Context(), "create unique index concurrently i on a(id)"); err == nil {
		t.Fatal("no error")
	}
	src := scripts(append(one, "V2__b.sql", "-- the index\ncreate index concurrently if not exists i on a(id);")...)
	_, err := migrate(t, db, skein.Config{Source: src})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindRefused || !strings.Contains(e.Message, "CREATE UNIQUE INDEX i ON public.a") || e.At == nil || e.At.Line != 2 {
		t.Fatalf("error %v", err)
	}
	if _, err := conn.Exec(t.Context(), "drop index concurrently public.i"); err != nil {
		t.Fatal(err)
	}
	if _, err := migrate(t, db, skein.Config{Source: src}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select indisvalid and not indisunique from pg_index where indexrelid = 'i'::regclass"); got != "t" {
		t.Errorf("valid: %s", got)
	}
}

// AT-15c: a partition that somebody's cancelled DETACH CONCURRENTLY left half detached is detached to the end.
func TestHalfDetachedPartitionIsFinished(t *testing.T) {
	t.Parallel()
	if pgtest.Major(t) < 14 {
		t.Skip("there is no DETACH CONCURRENTLY")
	}
	db := pgtest.New(t)
	db.Exec(t, "create table p(a int) partition by list (a); create table p1 partition of p for values in (1); create table p2 partition of p for values in (2)")
	reader, other := session(t, db), session(t, db)
	do(t, reader, "begin isolation level repeatable read", "select from p")
	if _, err := other.Exec(t.Context(), "set lock_timeout = '50ms'"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), "alter table p detach partition p1 concurrently"); err == nil || db.Value(t, "select count(*) from pg_inherits where inhdetachpending") != "1" {
		t.Fatalf("nothing is half detached: %v", err)
	}
	do(t, reader, "commit")
	if _, err := migrate(t, db, skein.Config{Source: scripts("V2__d.sql", "alter table p detach partition p1 concurrently;"), BaselineOnMigrate: true}); err != nil {
		t.Fatal(err)
	}
	if got := db.Value(t, "select string_agg(inhrelid::regclass::text, ' ') from pg_inherits where inhparent = 'p'::regclass"); got != "p2" {
		t.Errorf("partitions %s", got)
	}
}
