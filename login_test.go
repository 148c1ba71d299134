package skein_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// guarded is a server that asks the role app for its password: a session of the superuser's there, and the parameters of
// app's login.
func guarded(t *testing.T) (admin *pgx.Conn, login func(password string) (*pgx.ConnConfig, error)) {
	t.Helper()
	server := pgtest.Server(t, nil)
	hba := []byte("local all all trust\nhost all app all scram-sha-256\nhost all all all trust\n")
	if err := os.WriteFile(filepath.Join(server.DataDir, "pg_hba.conf"), hba, 0o600); err != nil {
		t.Fatal(err)
	}
	db := pgtest.On(t, server)
	admin = session(t, db)
	do(t, admin, "select pg_reload_conf()", "create role app login password 'one'", "grant all on schema public to app")
	return admin, func(password string) (*pgx.ConnConfig, error) {
		cfg, err := pgx.ParseConfig(db.URL)
		if err != nil {
			return nil, err
		}
		cfg.User, cfg.Password = "app", password
		return cfg, nil
	}
}

// The password is changed in the middle of a run, and all of the run's sessions end. Whoever hands out the parameters is
// a step behind each time, as a cache is: asked once more they are right, for the working connection and the lock's.
func TestPasswordIsRotatedInTheMiddle(t *testing.T) {
	t.Parallel()
	admin, login := guarded(t)
	rotated, stale := false, 0
	cfg := skein.Config{Source: scripts("V1__a.sql", "create table a(id int);", "V2__b.sql", "insert into a values (1);", "V3__c.sql", "insert into a values (2);"), DurableEach: true, NoProgress: true}
	cfg.Connection = func(context.Context) (*pgx.ConnConfig, error) {
		if !rotated {
			return login("one")
		}
		if stale++; stale%2 == 1 {
			return login("one")
		}
		return login("two")
	}
	cfg.Report = func(e skein.Event) {
		if s, ok := e.(skein.StepStarted); ok && s.Index == 1 && !rotated {
			do(t, admin, "alter role app password 'two'", "select pg_terminate_backend(pid, 60000) from pg_stat_activity where usename = 'app'")
			rotated = true
		}
	}
	result, err := skein.Migrate(context.Background(), cfg)
	if err != nil || len(result.Applied) != 3 {
		t.Fatalf("%+v, %v", result, err)
	}
	if stale != 4 {
		t.Errorf("asked %d times after the change, not twice for each of two connections", stale)
	}
	var rows, scripts int
	if err := admin.QueryRow(t.Context(), "select (select count(*) from a), (select count(*) from flyway_schema_history)").Scan(&rows, &scripts); err != nil || rows != 2 || scripts != 3 {
		t.Errorf("%d rows, %d scripts, %v", rows, scripts, err)
	}
}

// What is wrong twice is an error: no account is to be locked by trying. Asked a third time, for another way in, there is none
// but the same.
func TestWrongPasswordIsTriedTwice(t *testing.T) {
	t.Parallel()
	_, login := guarded(t)
	asked, dialled := 0, 0
	_, err := skein.Migrate(context.Background(), skein.Config{Connection: func(context.Context) (*pgx.ConnConfig, error) {
		asked++
		cfg, err := login("wrong")
		if err == nil {
			cfg.Fallbacks = nil
			cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dialled++
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
		}
		return cfg, err
	}})
	var e *skein.Error
	if !errors.As(err, &e) || e.Kind != skein.KindConnection || asked != 3 || dialled != 2 {
		t.Errorf("asked %d times, dialled %d times, error %v", asked, dialled, err)
	}
}

// A store of secrets that is ahead of the server: what it held before is the third way in.
func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	_, login := guarded(t)
	cfg := skein.Config{Source: scripts("V1__a.sql", "create table a(id int);"), Connection: func(ctx context.Context) (*pgx.ConnConfig, error) {
		return login([]string{"two", "two", "one"}[skein.Refusals(ctx)])
	}}
	if result, err := skein.Migrate(context.Background(), cfg); err != nil || len(result.Applied) != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	cfg.Connection = func(ctx context.Context) (*pgx.ConnConfig, error) {
		if skein.Refusals(ctx) == 2 {
			return nil, errors.New("no version before this one")
		}
		return login("two")
	}
	var e *skein.Error
	if _, err := skein.Migrate(context.Background(), cfg); !errors.As(err, &e) || !strings.Contains(e.Error(), "28P01") {
		t.Errorf("error %v, want the server's refusal", err)
	}
}
