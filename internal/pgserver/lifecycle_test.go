package pgserver

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestRunsKeepData shuts one server down in every way; what was committed must
// be there on the next run, on the same port.
func TestRunsKeepData(t *testing.T) {
	t.Parallel()
	s := begin(t, Options{Settings: map[string]string{"fsync": "off"}})
	url, port := s.URL("postgres"), s.Port
	execute(t, url, "create table kept (how text)")
	for _, how := range []string{"smart", "fast", "immediate", "kill"} {
		execute(t, url, "insert into kept values ('"+how+"')")
		pid := s.PID()
		if how == "kill" {
			s.Kill()
		} else if err := s.Halt(testContext(t), Mode(how)); err != nil {
			t.Fatal(err)
		}
		if s.PID() != 0 {
			t.Fatalf("after %s the server still runs as %d", how, s.PID())
		}
		if err := s.Restart(testContext(t), Fast); err != nil {
			t.Fatal(err)
		}
		if s.PID() == pid || s.Port != port {
			t.Fatalf("after %s: pid %d again, or port %d in place of %d", how, pid, s.Port, port)
		}
	}
	want := "smart fast immediate kill"
	if got := query(t, url, "select string_agg(how, ' ') from kept"); got != want {
		t.Errorf("kept %q, want %q", got, want)
	}
}

func TestSmartHaltWaitsForClients(t *testing.T) {
	t.Parallel()
	s := begin(t, Options{})
	conn := connect(t, s.URL("postgres"))
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Halt(short, Smart); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("smart halt with a client there: %v, want the deadline", err)
	}
	var one int
	if err := conn.QueryRow(testContext(t), "select 1").Scan(&one); err != nil {
		t.Fatalf("the client was cut off: %v", err)
	}
	if err := conn.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Exited():
	case <-testContext(t).Done():
		t.Fatal("the server did not end with its last client")
	}
}

// A busy backend outlives its killed postmaster for a while, and PostgreSQL
// refuses to start until it is gone.
func TestRestartAfterKillWithABusyBackend(t *testing.T) {
	t.Parallel()
	s := begin(t, Options{Settings: map[string]string{"fsync": "off"}})
	conn := connect(t, s.URL("postgres"))
	if _, err := conn.Exec(testContext(t), "set client_connection_check_interval = 0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // computes without ever waiting, so it does not see the postmaster go
		defer close(done)
		_, _ = conn.Exec(t.Context(), "do $$ declare t timestamptz := clock_timestamp() + '300 ms'; begin while clock_timestamp() < t loop null; end loop; end $$")
	}()
	awaitActive(t, s)
	s.Kill()
	if err := s.Restart(testContext(t), Fast); err != nil {
		t.Fatal(err)
	}
	<-done // finished, or cut off
	query(t, s.URL("postgres"), "select ''")
}

func awaitActive(t *testing.T, s *Server) {
	t.Helper()
	sql := "select count(*)::text from pg_stat_activity where state = 'active' and query like 'do $$%'"
	for ctx := testContext(t); query(t, s.URL("postgres"), sql) != "1"; {
		if ctx.Err() != nil {
			t.Fatal("the backend never got busy")
		}
	}
}

func TestInvalidMode(t *testing.T) {
	t.Parallel()
	s := begin(t, Options{})
	if err := s.Halt(testContext(t), "gently"); err == nil || s.PID() == 0 {
		t.Errorf("Halt in an invented mode: %v, pid %d; want an error and a running server", err, s.PID())
	}
}
