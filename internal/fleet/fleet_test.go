package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func connect(url string) (func(context.Context) (*pgx.ConnConfig, error), error) {
	cfg, err := pgx.ParseConfig(url)
	return func(context.Context) (*pgx.ConnConfig, error) { return cfg.Copy(), nil }, err
}

// prepared are scripts in files, given as name and text in turn, and the release of them.
func prepared(t *testing.T, files ...string) (*skein.Prepared, pipeline.Release) {
	t.Helper()
	fsys := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	p, err := skein.Prepare(context.Background(), skein.Config{Source: source.FS(fsys)})
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := migration.Resolve(p.Files(), nil, migration.ResolveOptions{Placeholders: migration.Placeholders{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	rel := pipeline.Release{Name: "r1", Digest: "sha256:1"}
	for i := range resolved.Scripts {
		rel.Scripts = append(rel.Scripts, fleet.ScriptOf(&resolved.Scripts[i]))
	}
	return p, rel
}

// schemas makes targets out of schemas of one database, each with its own history: a fleet that costs nothing.
func schemas(t *testing.T, db *pgtest.DB, n int) []fleet.Target {
	t.Helper()
	to, err := connect(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	var out []fleet.Target
	for i := range n {
		name := fmt.Sprintf("s%02d", i)
		out = append(out, fleet.Target{Name: name, Config: skein.Config{Connection: to, DefaultSchema: name, Schemas: []string{name}, Environment: "qa"}})
	}
	return out
}

// deployment is one of a script that makes a table and one that makes another.
func deployment(t *testing.T, e pipeline.Environment, targets []fleet.Target, files ...string) *fleet.Deployment {
	t.Helper()
	if files == nil {
		files = []string{"V1__one.sql", "create table one (id int);", "V2__two.sql", "create table two (id int);"}
	}
	e.Name = "qa"
	d := &fleet.Deployment{ID: "d-1", Releaser: "ana", Environment: "qa", Targets: targets, Pipeline: pipeline.Pipeline{Environments: []pipeline.Environment{e}}}
	d.Scripts, d.Release = prepared(t, files...)
	return d
}

// log writes down what is reported, in a line each. Nothing guards it: events come one at a time.
type log struct {
	lines []string
	hook  func(fleet.Event)
}

func (l *log) report(e fleet.Event) {
	if l.hook != nil {
		l.hook(e)
	}
	switch e := e.(type) {
	case fleet.WaveStarted:
		l.lines = append(l.lines, fmt.Sprintf("wave %d of %d %v", e.Wave, e.Waves, e.Targets))
	case fleet.TargetStarted:
		l.lines = append(l.lines, fmt.Sprintf("start %s %d", e.Target, e.Scripts))
	case fleet.TargetDone:
		l.lines = append(l.lines, fmt.Sprintf("done %s %d %v", e.Target, e.Applied, e.Err != nil))
	case fleet.HealthAsked:
		l.lines = append(l.lines, fmt.Sprintf("health %d %v", e.Wave, e.Answer.Yes))
	}
}

func decide(t *testing.T, d *fleet.Deployment) (pipeline.Rollout, []pipeline.TargetFacts) {
	t.Helper()
	decision, facts, err := d.Decide(context.Background(), time.Now)
	if err != nil || decision.Blocked() {
		t.Fatalf("decision %+v, %v", decision.Reasons, err)
	}
	return decision.Rollout, facts
}

func run(t *testing.T, d *fleet.Deployment, rollout pipeline.Rollout) fleet.Result {
	t.Helper()
	result, err := d.Run(context.Background(), rollout)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Waves come one after the other, the health query after each but the last, and a deployment of the same finds nothing.
func TestWavesInOrder(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := deployment(t, pipeline.Environment{Waves: []pipeline.Wave{{Count: 1}, {Percent: 50}}, Health: true}, schemas(t, db, 4))
	d.HealthQuery = "select true"
	var l log
	d.Report, d.Concurrency = l.report, 1
	rollout, _ := decide(t, d)
	result := run(t, d, rollout)
	want := `wave 0 of 3 [s00]
start s00 2
done s00 2 false
health 0 true
wave 1 of 3 [s01 s02]
start s01 2
done s01 2 false
start s02 2
done s02 2 false
health 1 true
wave 2 of 3 [s03]
start s03 2
done s03 2 false`
	if got := strings.Join(l.lines, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if result.State != pipeline.Finished || len(result.Done) != 4 || len(result.Left) != 0 || !slices.Equal(result.Done[0].Applied, []string{"V1__one.sql", "V2__two.sql"}) {
		t.Errorf("result %+v", result)
	}
	if got := db.Value(t, "select count(*) || ' ' || min(release) || ' ' || min(releaser) || ' ' || min(deployment) from skein.applied where script <> ''"); got != "8 r1 ana d-1" {
		t.Errorf("recorded %s", got)
	}
	if again, _ := decide(t, d); len(again.Waves) != 0 || len(again.Done) != 4 {
		t.Errorf("again: %+v", again)
	}
}

func TestHealthStopsAWave(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := deployment(t, pipeline.Environment{Waves: []pipeline.Wave{{Count: 1}}, Health: true}, schemas(t, db, 3))
	d.HealthQuery = "select count(*) > 5 as enough from pg_tables where schemaname = 's00'"
	rollout, _ := decide(t, d)
	result := run(t, d, rollout)
	if result.State != pipeline.Stopped || result.Reasons[0].Gate != pipeline.GateHealth || !strings.Contains(result.Reasons[0].Text, "s00: enough = f") || !slices.Equal(result.Left, []string{"s01", "s02"}) {
		t.Errorf("%+v", result)
	}
}

// A target that fails uses up the budget; what has begun ends, what has not is left, and the next deployment does that only.
func TestBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		budget, done int
		state        pipeline.State
		left         string
	}{{0, 2, pipeline.Stopped, "[s01 s02 s03]"}, {1, 4, pipeline.Finished, "[s01]"}} {
		t.Run(fmt.Sprint(c.budget), func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			db.Exec(t, "create schema s01; create domain s01.two as int")
			d := deployment(t, pipeline.Environment{Budget: pipeline.Budget{Count: c.budget}}, schemas(t, db, 4))
			d.Concurrency = 1
			d.Targets[1].Config.BaselineOnMigrate, d.Targets[1].Config.BaselineVersion = true, version(t, "0")
			rollout, _ := decide(t, d)
			result := run(t, d, rollout)
			if result.State != c.state || len(result.Done) != c.done || fmt.Sprint(result.Left) != c.left || fmt.Sprint(result.Failed) != "[s01]" {
				t.Errorf("%+v", result)
			}
			if failed := result.Done[1]; failed.Err == nil || !slices.Equal(failed.Applied, []string{"V1__one.sql"}) {
				t.Errorf("%+v", failed)
			}
			db.Exec(t, "drop domain s01.two")
			rollout, _ = decide(t, d)
			if result = run(t, d, rollout); result.State != pipeline.Finished || len(result.Done) != 4-(c.done-1) {
				t.Errorf("the rest: %+v", result)
			}
		})
	}
}

func version(t *testing.T, text string) migration.Version {
	t.Helper()
	v, err := migration.ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What was decided on is what runs: a history that has changed since is refused, and the others go on.
func TestHistoryChangedMeanwhile(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := deployment(t, pipeline.Environment{Budget: pipeline.Budget{Count: 1}}, schemas(t, db, 3))
	rollout, _ := decide(t, d)
	other := d.Targets[1].Config
	other.Source = source.FS(fstest.MapFS{"V0.5__half.sql": &fstest.MapFile{Data: []byte("select 1;")}})
	if _, err := skein.Migrate(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	result := run(t, d, rollout)
	if result.State != pipeline.Finished || fmt.Sprint(result.Failed) != "[s01]" || len(result.Done) != 3 {
		t.Errorf("%+v", result)
	}
	for _, done := range result.Done {
		e, refused := errors.AsType[*skein.Error](done.Err)
		if done.Target == "s01" && (!refused || e.Kind != skein.KindRefused || !strings.Contains(e.Message, "history")) {
			t.Errorf("%v", done.Err)
		}
	}
	if n := db.Value(t, "select count(*) from s01.flyway_schema_history where version in ('1', '2')"); n != "0" {
		t.Errorf("%s scripts ran on what was not decided on", n)
	}
}

// Stopped from outside: what runs ends between two scripts with all it has recorded, nothing new starts, and the rest can
// be done later. Being stopped is no failure.
func TestStop(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := deployment(t, pipeline.Environment{}, schemas(t, db, 5), "V1__one.sql", "create table one (id int);", "V2__two.sql", "select pg_sleep(60);")
	d.Concurrency = 2
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var steps atomic.Int32
	var l log
	l.hook = func(e fleet.Event) {
		if told, ok := e.(fleet.TargetTold); ok {
			if step, ok := told.Event.(skein.StepStarted); ok && step.Script.Path == "V2__two.sql" && steps.Add(1) == 2 {
				stop()
			}
		}
	}
	d.Report = l.report
	rollout, _ := decide(t, d)
	result, err := d.Run(ctx, rollout)
	if !fleet.Stopped(err) || result.State != pipeline.Stopped || len(result.Done) != 2 || len(result.Left) != 5 || len(result.Failed) != 0 {
		t.Errorf("%v: %+v", err, result)
	}
	if got := db.Value(t, "select count(*) from pg_tables where tablename = 'one'"); got != "2" {
		t.Errorf("%s targets have the first script, want 2", got)
	}
	if got := db.Value(t, "select count(*) from pg_stat_activity where datname = current_database() and query ~ 'pg_sleep' and state = 'active' and pid <> pg_backend_pid()"); got != "0" {
		t.Errorf("%s scripts run on", got)
	}
	if _, _, err := d.Decide(ctx, time.Now); !fleet.Stopped(err) {
		t.Errorf("decide: %v", err)
	}
}

// counter counts the connections that are open, from dialling to closing.
type counter struct{ open, most, dialled atomic.Int32 }

type counted struct {
	net.Conn
	once sync.Once
	of   *counter
}

func (c *counter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.dialled.Add(1)
	for now := c.open.Add(1); ; {
		if most := c.most.Load(); now <= most || c.most.CompareAndSwap(most, now) {
			return &counted{Conn: conn, of: c}, nil
		}
	}
}

func (c *counted) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}

// No more targets than concurrency are worked on, and no more connections to one server are open than maxConnections,
// when surveying, asking and running; a run cannot do with less than two.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ concurrency, connections, targets, asking, running int32 }{{3, 0, 3, 3, 6}, {8, 4, 2, 4, 4}, {8, 1, 1, 1, 2}} {
		t.Run(fmt.Sprintf("%d %d", c.concurrency, c.connections), func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			watch := db.Conn(t)
			d := deployment(t, pipeline.Environment{Gates: pipeline.Gates{Query: "select true"}}, schemas(t, db, 9))
			d.Concurrency, d.Connections = int(c.concurrency), int(c.connections)
			var n counter
			for i := range d.Targets {
				to := d.Targets[i].Config.Connection
				d.Targets[i].Config.Connection = func(ctx context.Context) (*pgx.ConnConfig, error) {
					cfg, err := to(ctx)
					cfg.DialFunc = n.dial
					return cfg, err
				}
				d.Targets[i].Config.InitSQL = "select pg_sleep(0.05)" // so that they meet
			}
			working, targets, server := map[string]bool{}, int32(0), int32(0)
			d.Report = func(e fleet.Event) {
				switch e := e.(type) {
				case fleet.TargetStarted:
					working[e.Target] = true
					targets = max(targets, int32(len(working)))
				case fleet.TargetTold:
					var now int32
					if err := watch.QueryRow(context.Background(), "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'skein%'").Scan(&now); err != nil {
						t.Error(err)
					}
					server = max(server, now)
				case fleet.TargetDone:
					delete(working, e.Target)
				}
			}
			rollout, _ := decide(t, d)
			if asking := n.most.Swap(0); asking > c.asking || asking == 0 || n.open.Load() != 0 {
				t.Errorf("%d connections at once to ask, at most %d; %d were left open", asking, c.asking, n.open.Load())
			}
			if result := run(t, d, rollout); result.State != pipeline.Finished {
				t.Fatalf("%+v", result)
			}
			// Where connections are the bound, a target that has given its back is told to be over a moment later.
			if c.connections == 0 && targets > c.targets || targets == 0 {
				t.Errorf("%d targets at once, at most %d", targets, c.targets)
			}
			if most := n.most.Load(); most > c.running || most < 2 || n.open.Load() != 0 {
				t.Errorf("%d connections at once, at most %d; %d were left open", most, c.running, n.open.Load())
			}
			if server < 2 || server > 2*c.running { // one that was closed is there a moment longer
				t.Errorf("the server had %d sessions, want about %d", server, c.running)
			}
		})
	}
}
