package skein_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// An autovacuum that would hold the table for hours ends once a script has waited for deadlock_timeout.
func TestAutovacuumIsSentAway(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a server of its own")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db := pgtest.On(t, pgtest.Server(t, map[string]string{"autovacuum": "on", "autovacuum_naptime": "1s", "autovacuum_vacuum_cost_delay": "100ms", "autovacuum_vacuum_cost_limit": "1"}))
	db.Exec(t, "create table t(a int, b text) with (fillfactor = 10); insert into t select i, repeat('x', 500) from generate_series(1, 3000) i; delete from t")
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for there := false; !there; {
		err := conn.QueryRow(ctx, `select exists (select from pg_locks join pg_stat_activity using (pid)
			where relation = 't'::regclass and mode = 'ShareUpdateExclusiveLock' and backend_type = 'autovacuum worker')`).Scan(&there)
		if err != nil {
			t.Fatalf("no autovacuum came: %v", err)
		}
		pause(ctx, 50*msec)
	}
	_, err = migrate(t, db, skein.Config{Source: scripts("V2__a.sql", "alter table t add column c int"), BaselineOnMigrate: true, StallBudget: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
}
