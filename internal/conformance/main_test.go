// Package conformance holds Skein against what others recorded: Flyway's histories and psql's schemas of real
// migration sets, the server's own parser, and, where one is named, a running Flyway.
package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/skein-db/skein/internal/cli"
	"github.com/skein-db/skein/internal/pgserver"
	"github.com/skein-db/skein/internal/pgtest"
)

// The real sets were recorded on this major version, with contrib and PostGIS.
const recordedOn = 15

// TestMain prefers an installed server of the version that the recordings come from to a newer one.
func TestMain(m *testing.M) {
	if os.Getenv("SKEIN_TEST_POSTGRES") == "" {
		found, _ := pgserver.Find(context.Background()) // pgtest tells the error, if one matters
		for _, in := range found {
			if in.Major == recordedOn {
				_ = os.Setenv("SKEIN_TEST_POSTGRES", in.BinDir)
				break
			}
		}
	}
	pgtest.Main(m)
}

// shared is the folder with the recordings, beside the checkout.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../shared")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "corpora", "sets.json")); err != nil {
		t.Skipf("the real migration sets are not there: there is no %s", filepath.Join(dir, "corpora", "sets.json"))
	}
	return dir
}

// needRecordedServer skips the test on another server than the one of the recordings, and fails it where
// SKEIN_CONFORMANCE=all says that everything has to be there.
func needRecordedServer(t *testing.T) {
	t.Helper()
	lack := ""
	if major := pgtest.Major(t); major != recordedOn {
		lack = fmt.Sprintf("PostgreSQL %d, and this is %d", recordedOn, major)
	} else {
		db := pgtest.New(t)
		for _, name := range []string{"postgis", "btree_gist", "dblink", "pg_trgm", "pgcrypto", "tablefunc", "uuid-ossp"} {
			if len(db.Rows(t, "select from pg_available_extensions where name = $1", name)) == 0 {
				lack = "the extension " + name
			}
		}
		if _, err := os.Stat(pgDump(t)); err != nil {
			lack = err.Error()
		}
	}
	switch {
	case lack == "":
	case os.Getenv("SKEIN_CONFORMANCE") == "all":
		t.Fatalf("the real migration sets need %s; SKEIN_CONFORMANCE=all does not let them be skipped (.ci/install installs it)", lack)
	default:
		t.Skipf("the real migration sets need %s (.ci/install installs it)", lack)
	}
}

// pgDump is the pg_dump that belongs to the server: the server knows where it was installed, where its folder may hold links.
func pgDump(t *testing.T) string {
	t.Helper()
	binDir.Do(func() {
		binDir.path = pgtest.New(t).Value(t, "select setting from pg_config where name = 'BINDIR'")
	})
	return filepath.Join(binDir.path, "pg_dump")
}

var binDir struct {
	sync.Once
	path string
}

// outcome is what a command line left to see.
type outcome struct {
	Stdout, Stderr string
	Exit           int
}

func (o outcome) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", o.Exit, tail(o.Stdout), tail(o.Stderr))
}

// tail keeps the last lines of an output, where the error is.
func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// decode reads the JSON document of a run.
func (o outcome) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.Stdout), v); err != nil {
		t.Fatalf("not a JSON document: %v\n%s", err, o)
	}
}

// runSkein runs the command line in this process, under the name flyway and without any environment.
func runSkein(ctx context.Context, dir string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	exit := cli.Main(ctx, cli.Process{
		Args: append([]string{"flyway"}, args...), Dir: dir,
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
	})
	return outcome{Stdout: stdout.String(), Stderr: stderr.String(), Exit: exit}
}
