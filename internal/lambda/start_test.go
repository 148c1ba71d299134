package lambda_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
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
	info, err := os.Stat(lambdatest.Bootstrap(t))
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

// TestStart compares the time from the start of a process to its first query with that of a bare program that asks select 1,
// and both to their answers. It is a measurement, so make lambda-bench asks for it.
func TestStart(t *testing.T) {
	if os.Getenv("SKEIN_LAMBDA_BENCH") != "all" {
		t.Skip("make lambda-bench runs it")
	}
	db := pgtest.New(t)
	between := newGate(t, db.URL)
	bare := filepath.Join(t.TempDir(), "bare")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", bare, "./testdata/bare")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := map[string]string{"sql/V1__a.sql": "select 1;"}
	start(t, map[string]string{"dev": db.URL}, files, lambdatest.Options{}).ask(`{"command": "migrate", "environment": "dev"}`)
	const rounds = 60
	type times struct{ query, answer []time.Duration }
	var ours, theirs times
	cold := func(into *times, e *lambdatest.Emulator, payload string) {
		between.reset()
		began := time.Now()
		if text, ok := e.Invoke(payload); !ok {
			t.Fatal(text)
		}
		into.query, into.answer = append(into.query, between.first().Sub(began)), append(into.answer, time.Since(began))
	}
	for range rounds {
		cold(&ours, start(t, map[string]string{"dev": between.url}, files, lambdatest.Options{}).Emulator, `{"command": "info", "environment": "dev"}`)
		cold(&theirs, lambdatest.Start(t, lambdatest.Options{Binary: bare, Dir: t.TempDir(), Env: []string{"DATABASE_URL=" + between.url}}), `{}`)
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[rounds/2]) / 1e6
	}
	t.Logf("| %d cold starts, medians | to the first query | to the answer |", rounds)
	t.Logf("| skein, info | %.1f ms | %.1f ms |", median(ours.query), median(ours.answer))
	t.Logf("| bare, select 1 | %.1f ms | %.1f ms |", median(theirs.query), median(theirs.answer))
	t.Logf("to the first query it takes %.2f times as long as the bare one (aim: 1.5)", median(ours.query)/median(theirs.query))
}

// gate stands before a server and notes when the first query comes.
type gate struct {
	url string
	mu  sync.Mutex
	at  time.Time
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	u.Host = l.Addr().String()
	g := &gate{url: u.String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(client, server)
		}
	}()
	return g
}

func (g *gate) pass(client net.Conn, server string) {
	defer client.Close()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(client, conn) // until one of them goes
		_ = client.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if n > 0 && (buffer[0] == 'Q' || buffer[0] == 'P') { // Query, Parse
			g.mu.Lock()
			if g.at.IsZero() {
				g.at = time.Now()
			}
			g.mu.Unlock()
		}
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (g *gate) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = time.Time{}
}

func (g *gate) first() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at
}
