// Package pgtest gives each test a PostgreSQL database of its own, on one real
// server per test process. A package that uses it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// and its tests call New. SKEIN_TEST_POSTGRES chooses the server: a folder of
// binaries, or a major version that is installed or was fetched with
// `go run ./internal/pgtest/fetch 17`. Otherwise it is the newest installed
// one, or a downloaded one.
package pgtest

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/pgserver"
)

const (
	envPostgres = "SKEIN_TEST_POSTGRES"
	envKeep     = "SKEIN_PGTEST_KEEP"
)

// limit bounds each thing done here for a test: starting the server (perhaps
// downloading it first), creating or dropping a database, stopping.
const limit = 5 * time.Minute

// settings make a server fast that need not survive a crash of the machine. It
// does survive a crash of its own: synchronous_commit stays on, which costs
// nothing without fsync.
var settings = map[string]string{
	"fsync":            "off",
	"full_page_writes": "off",
	"max_connections":  "200",
	"shared_buffers":   "32MB",
	"max_wal_size":     "256MB",
	"log_checkpoints":  "off", // each new database makes two
	// In the server's folder, which is removed, and not in the system's, where a
	// server that was killed leaves it.
	"dynamic_shared_memory_type": "mmap",
}

// shared is this process's server.
var shared struct {
	sync.Mutex
	underMain bool // Main will stop it
	tried     bool
	server    *pgserver.Server
	err       error
}

// Main runs a package's tests and then stops the process's server. With
// SKEIN_PGTEST_KEEP=1 and a failed test the server is left running, and Main
// says where. It does not return.
func Main(m *testing.M) {
	shared.Lock()
	shared.underMain = true
	shared.Unlock()
	flag.Parse()
	if err := atOnce(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := finish(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// atOnce lets more tests run at a time than there are processors, unless -parallel says how many: tests of databases wait for
// a server, and those of locks for each other.
func atOnce() error {
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}

func finish(failed bool) error {
	shared.Lock()
	defer shared.Unlock()
	s := shared.server
	if s == nil {
		return nil
	}
	if failed && keeping() {
		fmt.Fprintf(os.Stderr, "pgtest: the server is kept at %s (log: %s)\nend it with: kill %d; rm -r %s\n",
			s.URL("postgres"), s.LogFile, s.PID(), s.Dir)
		return nil
	}
	// Nobody needs this data any more, so there is no checkpoint to wait for.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Stop(ctx)
}

// keeping tells whether a failed test leaves the process's server running; only
// Main can end it when none fails.
func keeping() bool { return shared.underMain && os.Getenv(envKeep) == "1" }

// keep tells whether s is that server.
func keep(s *pgserver.Server) bool { return keeping() && s == shared.server }

// start returns the process's server and starts it the first time.
func start(t testing.TB) *pgserver.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.tried {
		shared.tried = true
		shared.server, shared.err = run(nil, keeping())
	}
	if shared.err != nil {
		t.Fatalf("pgtest: %v", shared.err)
	}
	return shared.server
}

func run(more map[string]string, detached bool) (*pgserver.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	binDir, err := chosenBinDir(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := pgserver.CacheDir()
	if err != nil {
		return nil, err
	}
	all := maps.Clone(settings)
	maps.Copy(all, more)
	return pgserver.Start(ctx, pgserver.Options{
		BinDir: binDir, Dir: pgserver.MemoryDir(), Settings: all, Detached: detached,
		InitCache: filepath.Join(cache, "pgtest"),
	})
}

// chosenBinDir is what SKEIN_TEST_POSTGRES means; "" leaves it to pgserver.
func chosenBinDir(ctx context.Context) (string, error) {
	choice := os.Getenv(envPostgres)
	major, notANumber := strconv.Atoi(choice)
	if notANumber != nil {
		return choice, nil //nolint:nilerr // it is a folder, then
	}
	found, err := pgserver.Find(ctx)
	if err != nil {
		return "", err
	}
	for _, in := range found {
		if in.Major == major {
			return in.BinDir, nil
		}
	}
	if dir, err := fetchedBinDir(major); err == nil {
		if _, err := pgserver.Inspect(ctx, dir); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s=%d, but PostgreSQL %d is neither installed nor fetched: run go run ./internal/pgtest/fetch %d", envPostgres, major, major, major)
}

// Server starts a server for one test that restarts or crashes it, with more
// settings beside the tests' own, and stops it after the test.
func Server(t testing.TB, more map[string]string) *pgserver.Server {
	t.Helper()
	s, err := run(more, false)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	stopAfter(t, s)
	return s
}

func stopAfter(t testing.TB, s *pgserver.Server) {
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // at once: the data is not needed
		if err := s.Stop(ctx); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
}

// Standby starts a hot standby of a server that Server gave, which is restarted for it, and stops it after the test.
func Standby(t testing.TB, primary *pgserver.Server) *pgserver.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s, err := pgserver.Start(ctx, pgserver.Options{BinDir: primary.BinDir, Dir: pgserver.MemoryDir(), StandbyOf: primary})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	stopAfter(t, s)
	return s
}

// ServerLog returns what the process's server has logged so far, for all tests.
func ServerLog(t testing.TB) string {
	t.Helper()
	log, err := start(t).Log()
	if err != nil {
		t.Fatalf("pgtest: read the server's log: %v", err)
	}
	return log
}

// Major is the server's major version, such as 16.
func Major(t testing.TB) int {
	t.Helper()
	return start(t).Major
}

// BinDir is the folder of the server's binaries, for a test that starts one of
// another kind than Server does.
func BinDir(t testing.TB) string {
	t.Helper()
	return start(t).BinDir
}
