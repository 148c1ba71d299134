package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/internal/conformance/flywaylive"
	"github.com/skein-db/skein/internal/pgtest"
)

// project is a folder of scripts and the settings to run it with, under Flyway and under Skein alike.
type project struct {
	name    string
	dir     string
	args    []string
	schema  string
	targets []string // versions at which one tool hands over to the other
	reads   string   // a query whose rows must also be alike; may be ""
}

// projects are the small one of testdata and some real sets, among them two with CREATE INDEX CONCURRENTLY.
func projects(t *testing.T) []project {
	t.Helper()
	all := []project{shop(t)}
	dir, err := filepath.Abs("../../../shared")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Logf("without the real sets: there is no %s", dir)
		return all
	}
	targets := map[string][]string{
		"kestra": {"1.5", "1.20", "latest"},
		"uaa":    {"2.4.1", "4.99.1575367461", "latest"},
		"webapi": {"1.0.11.1", "2.7.0.20190213161124", "latest"},
	}
	for _, s := range readSets(t, dir) {
		if targets[s.ID] == nil {
			continue
		}
		work := t.TempDir()
		f := s.materialise(t, filepath.Join(dir, "corpora"), work, false)
		all = append(all, project{name: s.ID, dir: work, args: s.arguments(t, f, work), schema: s.Schemas[0], targets: targets[s.ID]})
	}
	return all
}

func shop(t *testing.T) project {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/shop.txtar")
	if err != nil {
		t.Fatal(err)
	}
	p := project{name: "shop", dir: t.TempDir(), schema: "shop", targets: []string{"1", "2", "10", "11", "latest"},
		reads: "select nr, event, versions from shop.told order by nr"}
	for _, f := range archive.Files {
		if f.Name == "settings" {
			p.args = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			continue
		}
		file := filepath.Join(p.dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.args = append(p.args, "-locations=filesystem:"+filepath.Join(p.dir, "sql"), "-outputType=json")
	return p
}

// tool runs Flyway's verbs on a project's database.
type tool func(ctx context.Context, t *testing.T, p project, url string, args ...string) outcome

func bySkein(ctx context.Context, _ *testing.T, p project, url string, args ...string) outcome {
	return runSkein(ctx, p.dir, slices.Concat(p.args, []string{"-url=" + url}, args)...)
}

func byFlyway(f flywaylive.Flyway) tool {
	return func(_ context.Context, t *testing.T, p project, url string, args ...string) outcome {
		r := f.Run(t, flywaylive.Call{
			Dir: p.dir, URL: url, Args: slices.Concat(p.args, args),
			// Its other kind of lock keeps a snapshot, for which CREATE INDEX CONCURRENTLY waits without end. As a flag
			// 8.5.4 would refuse this setting, which it does not know.
			Env: []string{"FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK=false"},
		})
		if !r.Ended {
			t.Fatalf("flyway did not end by itself:\n%s\n%s", r.Stdout, r.Stderr)
		}
		return outcome{Stdout: r.Stdout, Stderr: r.Stderr, Exit: r.Exit}
	}
}

// verbs is the document of several verbs in one command line.
type verbs struct {
	Individual []struct {
		infoDocument
		Operation            string
		MigrationsExecuted   *int
		ValidationSuccessful *bool
	} `json:"individualResults"`
}

// look is what one command line of `validate migrate info` or `migrate validate info` told.
type look struct {
	Executed int
	Valid    bool
	States   [][]any
}

func see(t *testing.T, o outcome) look {
	t.Helper()
	var doc verbs
	o.decode(t, &doc)
	seen := look{Executed: -1}
	for _, r := range doc.Individual {
		switch {
		case r.Operation == "validate" && r.ValidationSuccessful != nil:
			seen.Valid = *r.ValidationSuccessful
		case r.Operation == "migrate" && r.MigrationsExecuted != nil:
			seen.Executed = *r.MigrationsExecuted
		case r.Operation == "info":
			seen.States = r.states()
		}
	}
	if o.Exit != 0 || seen.States == nil || seen.Executed < 0 {
		t.Fatalf("want three documents and exit code 0: %s", o)
	}
	return seen
}

// left is what a project's way through its targets left.
type left struct {
	Steps   []look
	History [][]any
	Who     [][]string // installed_by
	Schema  []string
	Rows    [][]string
}

// walk migrates the project from target to target. At each the next of the tools migrates, and the one after it has to
// accept what it finds: it validates, has nothing to migrate, and sees the same states.
func walk(t *testing.T, p project, tools ...tool) left {
	t.Helper()
	db := pgtest.New(t)
	var out left
	for i, target := range p.targets {
		mine, other := tools[i%len(tools)], tools[(i+1)%len(tools)]
		did := see(t, mine(t.Context(), t, p, db.URL, "-target="+target, "migrate", "validate", "info"))
		found := see(t, other(t.Context(), t, p, db.URL, "-target="+target, "validate", "migrate", "info"))
		if did.Executed == 0 || !did.Valid {
			t.Errorf("to %s: %d migrations, valid: %v", target, did.Executed, did.Valid)
		}
		if d := cmp.Diff(look{Valid: true, States: did.States}, found); d != "" {
			t.Errorf("at %s the other tool does not accept what it finds (-want +found):\n%s", target, head(d))
		}
		out.Steps = append(out.Steps, did)
	}
	out.History = history(t, db, p.schema, "flyway_schema_history")
	out.Who = db.Rows(t, fmt.Sprintf("select installed_by from %q.flyway_schema_history order by installed_rank", p.schema))
	out.Schema = essence(dump(t, db))
	if p.reads != "" {
		out.Rows = db.Rows(t, p.reads)
	}
	return out
}

// TestTakingTurns starts each project with one tool, goes on with the other and so back and forth, and compares what
// is left, the history table's own definition included, with what Flyway leaves when it goes the same way alone.
func TestTakingTurns(t *testing.T) {
	t.Parallel()
	flyways := flywaylive.All(t)
	needRecordedServer(t)
	for _, p := range projects(t) {
		for _, f := range flyways {
			t.Run(p.name+"/"+f.Name, func(t *testing.T) {
				t.Parallel()
				flyway := byFlyway(f)
				alone := walk(t, p, flyway)
				for name, tools := range map[string][]tool{
					"flyway-first": {flyway, bySkein},
					"skein-first":  {bySkein, flyway},
				} {
					t.Run(name, func(t *testing.T) {
						if d := cmp.Diff(alone, walk(t, p, tools...)); d != "" {
							t.Errorf("not as Flyway alone leaves it (-flyway +both):\n%s", head(d))
						}
					})
				}
			})
		}
	}
}
