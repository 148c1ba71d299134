package lambda_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

// mostUnpacked is how large the program may be.
const mostUnpacked = 30 << 20

func TestBootstrapSize(t *testing.T) {
	t.Parallel()
	name, err := bootstrap()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Size() > mostUnpacked {
		t.Errorf("%d bytes, at most %d (%v)", info.Size(), mostUnpacked, err)
	}
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// TestMemory applies 1,000 scripts in one invocation and looks at the most memory that the process ever had.
func TestMemory(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("sql/V%d__table_%d.sql", i+1, i)] = fmt.Sprintf("create table t%d (id bigint primary key, name text not null, at timestamptz default now());\ninsert into t%d (id, name) values (1, 'one');\n", i, i)
	}
	f := start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{Timeout: 5 * time.Minute})
	if a := f.ask(`{"command": "migrate", "environment": "dev"}`); len(a.Applied) != 1000 || a.Status != lambda.StatusSucceeded {
		t.Fatalf("%s, %d applied: %+v", a.Status, len(a.Applied), a.Error)
	}
	pids := f.PIDs()
	if len(pids) != 1 {
		t.Fatalf("%d sandboxes", len(pids))
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pids[0]))
	if err != nil {
		t.Skip("this machine does not say how much memory a process had: ", err)
	}
	kb, err := strconv.Atoi(string(peak.FindSubmatch(status)[1]))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB at most", float64(kb)/1024)
	if kb > 128<<10 {
		t.Errorf("%d kB, at most 128 MB", kb)
	}
}

// TestStart compares the time from the start of a process to its answer after the first query with that of a bare program.
// It is a measurement, so make lambda-bench asks for it.
func TestStart(t *testing.T) {
	if os.Getenv("SKEIN_LAMBDA_BENCH") != "all" {
		t.Skip("make lambda-bench runs it")
	}
	db := pgtest.New(t)
	bare := filepath.Join(t.TempDir(), "bare")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", bare, "./testdata/bare")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	start(t, map[string]string{"dev": db.URL}, map[string]string{"sql/V1__a.sql": "select 1;"}, lambdatest.Options{}).ask(`{"command": "migrate", "environment": "dev"}`)
	const rounds = 60
	var ours, theirs []time.Duration
	cold := func(e *lambdatest.Emulator, payload string) time.Duration {
		if text, ok := e.Invoke(payload); !ok {
			t.Fatal(text)
		}
		return e.Invocations()[0].Took
	}
	files := map[string]string{"sql/V1__a.sql": "select 1;"}
	for range rounds {
		ours = append(ours, cold(start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{}).Emulator, `{"command": "info", "environment": "dev"}`))
		theirs = append(theirs, cold(lambdatest.Start(t, lambdatest.Options{Binary: bare, Dir: t.TempDir(), Env: []string{"DATABASE_URL=" + db.URL}}), `{}`))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	t.Logf("| %d cold starts | least | median |", rounds)
	t.Logf("| skein, info | %.1f ms | %.1f ms |", ms(ours[0]), ms(ours[rounds/2]))
	t.Logf("| bare, select 1 | %.1f ms | %.1f ms |", ms(theirs[0]), ms(theirs[rounds/2]))
	if ratio := ms(ours[rounds/2]) / ms(theirs[rounds/2]); ratio > 1.5 {
		t.Errorf("%.2f times the bare one, at most 1.5", ratio)
	} else {
		t.Logf("%.2f times the bare one", ratio)
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
