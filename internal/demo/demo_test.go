package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	skein "github.com/skein-db/skein"
)

// TestKeep believes nothing that the demo printed: it asks both servers.
func TestKeep(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the command that ends the servers is for a Unix shell")
	}
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Out: &out, Keep: true}); err != nil {
		t.Fatalf("%v, after:\n%s", err, &out)
	}
	text := out.String()
	t.Logf("%s", text)
	_, stop, found := strings.Cut(text, "To end both and remove everything:\n")
	if !found {
		t.Fatal("the demo does not say how to end its servers")
	}
	stopped := false
	end := func() {
		if stopped {
			return
		}
		stopped = true
		if msg, err := exec.Command("sh", "-c", stop).CombinedOutput(); err != nil {
			t.Errorf("the printed command to end the servers: %v\n%s", err, msg)
		}
	}
	t.Cleanup(end)

	printed := printedTables(t, text)
	var catalogs [2][]string
	for i, name := range []string{"DEV", "QA"} {
		url := regexp.MustCompile(`export ` + name + `='(.*)'`).FindStringSubmatch(text)
		if url == nil {
			t.Fatalf("no URL of %s", name)
		}
		history := query(t, url[1], `select coalesce(version, '') || '|' || description || '|' || case when success then 'Success' else 'Failed' end
			from flyway_schema_history order by installed_rank`)
		if diff := cmp.Diff(printed[i], history); diff != "" {
			t.Errorf("%s: printed -, history +:\n%s", name, diff)
		}
		catalogs[i] = query(t, url[1], catalogForTest)
		if !slices.Contains(catalogs[i], "shop") || slices.Contains(catalogs[i], "by_hand") {
			t.Errorf("%s has not the schemas that it should have: %q", name, catalogs[i])
		}
	}
	if diff := cmp.Diff(catalogs[0], catalogs[1]); diff != "" || len(catalogs[0]) < 20 {
		t.Errorf("catalogs, dev -, qa +:\n%s", diff)
	}

	pids := regexp.MustCompile(`kill -QUIT (\d+) (\d+)`).FindStringSubmatch(stop)
	dirs := regexp.MustCompile(`rm -r (\S+) (\S+)`).FindStringSubmatch(stop)
	if pids == nil || dirs == nil {
		t.Fatalf("the command to end the servers is not understood: %s", stop)
	}
	end()
	for i := 1; i <= 2; i++ {
		pid, err := strconv.Atoi(pids[i])
		if err != nil || runs(pid) {
			t.Errorf("server %s still runs (%v)", pids[i], err)
		}
		if _, err := os.Stat(dirs[i]); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", dirs[i], err)
		}
	}
	fits(t, text, 80)
}

// catalogForTest asks for much the same as catalogQuery, but from other views.
const catalogForTest = `
	select concat_ws(' ', table_schema, table_name, column_name, ordinal_position, data_type, is_nullable, column_default, is_identity)
	from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
	union all select indexdef from pg_indexes where schemaname not in ('pg_catalog', 'information_schema')
	union all select concat_ws(' ', schema_name) from information_schema.schemata
	union all select concat_ws(' ', constraint_schema, constraint_name, check_clause) from information_schema.check_constraints
		where constraint_name !~ '_not_null$'
	union all select concat_ws(' ', viewname, definition) from pg_views where schemaname = 'shop'
	order by 1`

// printedTables reads both info tables of the screen, a row as "version|description|state".
func printedTables(t *testing.T, text string) (tables [2][]string) {
	t.Helper()
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 9 || strings.Contains(line, "Version") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		tables[0] = append(tables[0], strings.Join(cells[1:4], "|"))
		tables[1] = append(tables[1], strings.Join(cells[5:8], "|"))
	}
	if len(tables[0]) != 6 {
		t.Fatalf("no info tables of 6 rows side by side in:\n%s", text)
	}
	return tables
}

func query(t *testing.T, url, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fits checks the margin; a URL is one word and may stick out.
func fits(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if len([]rune(line)) > width && !strings.Contains(line, "postgres://") {
			t.Errorf("%d columns: %s", len([]rune(line)), line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("blanks at the end of %q", line)
		}
	}
}

var failing = map[string]struct {
	change func(cancel context.CancelFunc) []chapter
	opt    Options
	want   func(error) bool
	output string // must have been printed
	not    string // must not
}{
	"without the repair the second run fails": {
		change: func(context.CancelFunc) []chapter {
			return slices.DeleteFunc(story(), func(c chapter) bool { return c.name == "repair" })
		},
		want: func(err error) bool {
			failure, ok := errors.AsType[*skein.Error](err)
			return ok && failure.SQL != nil && failure.SQL.State == "42P07" && failure.At.Path == "V4__orders.sql"
		},
		output: "It goes on where it stopped.",
		not:    "They are equal",
	},
	"a difference in the catalogs is found": {
		change: before("equal", `drop index shop.orders_customer_idx; alter table shop.products alter name drop not null`),
		want: func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "only dev: index CREATE INDEX orders_customer_idx ") &&
				strings.Contains(err.Error(), "only qa: column shop.products.name text identity ")
		},
		not: "They are equal",
	},
	"a difference in the histories is found": {
		change: before("equal", `update flyway_schema_history set description = 'clients' where version = '2'`),
		want: func(err error) bool {
			return err != nil && strings.Contains(err.Error(), `version 2, description "clients"`)
		},
		not: "They are equal",
	},
	"rows that find no place are not dropped": {
		change: before("rows", `delete from shop.customers where email like 'bo@%'`),
		want: func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "by_hand.orders still has all")
		},
		not: "drop table",
	},
	"an interrupt ends it, with Keep too": {
		change: func(cancel context.CancelFunc) []chapter {
			return at("repair", chapter{play: func(*show, context.Context) error { cancel(); return nil }})
		},
		opt: Options{Keep: true},
		want: func(err error) bool {
			failure, ok := errors.AsType[*skein.Error](err)
			return ok && failure.Kind == skein.KindInterrupted && errors.Is(err, context.Canceled)
		},
		output: "Both servers are stopped",
	},
}

// Each case changes the story; every time the servers must be gone afterwards.
func TestStoriesThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range failing {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var dirs []string
			var pids []int
			look := chapter{name: "look", title: "what is running", play: func(s *show, _ context.Context) error {
				dirs = []string{s.dev.server.Dir, s.qa.server.Dir}
				pids = []int{s.dev.server.PID(), s.qa.server.PID()}
				return nil
			}}
			var out bytes.Buffer
			c.opt.Out = &out
			err := perform(ctx, c.opt, append([]chapter{look}, c.change(cancel)...))
			if !c.want(err) {
				t.Errorf("got error %v, after:\n%s", err, &out)
			}
			if !strings.Contains(out.String(), c.output) || c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("printed:\n%s", &out)
			}
			if len(dirs) != 2 {
				t.Fatalf("the servers did not start: %v", err)
			}
			for i := range dirs {
				if _, err := os.Stat(dirs[i]); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is still there (%v)", dirs[i], err)
				}
				if runs(pids[i]) {
					t.Errorf("server %d still runs", pids[i])
				}
			}
		})
	}
}

// runs reports whether there is such a process. On Windows finding it is enough, elsewhere a signal must reach it.
func runs(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && (runtime.GOOS == "windows" || p.Signal(syscall.Signal(0)) == nil)
}

// at puts a chapter before another.
func at(name string, c chapter) []chapter {
	chapters := story()
	i := slices.IndexFunc(chapters, func(c chapter) bool { return c.name == name })
	return slices.Insert(chapters, i, c)
}

// before runs SQL in qa before a chapter.
func before(name, sql string) func(context.CancelFunc) []chapter {
	return func(context.CancelFunc) []chapter {
		return at(name, chapter{title: "somebody interferes", play: func(s *show, ctx context.Context) error {
			_, err := execute(ctx, s.qa.url(), sql)
			return err
		}})
	}
}

func TestTablesOnANarrowTerminal(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"1", "create schema", "Success"}, {"", "daily sales", "Pending"}}
	var out bytes.Buffer
	for _, s := range []*screen{newScreen(Options{Out: &out, Width: 60}), newScreen(Options{Out: &out, Color: true})} {
		left, leftWidth := s.table("dev", rows)
		right, rightWidth := s.table("qa", rows)
		s.beside(left, leftWidth, right, rightWidth)
		s.gap()
	}
	want := `
  dev
  +---------+---------------+---------+
  | Version | Description   | State   |
  +---------+---------------+---------+
  | 1       | create schema | Success |
  |         | daily sales   | Pending |
  +---------+---------------+---------+

  qa
  +---------+---------------+---------+
  | Version | Description   | State   |
  +---------+---------------+---------+
  | 1       | create schema | Success |
  |         | daily sales   | Pending |
  +---------+---------------+---------+

  dev                                    qa
  +---------+---------------+---------+  +---------+---------------+---------+
  | Version | Description   | State   |  | Version | Description   | State   |
  +---------+---------------+---------+  +---------+---------------+---------+
  | 1       | create schema | <32>Success<0> |  | 1       | create schema | <32>Success<0> |
  |         | daily sales   | <33>Pending<0> |  |         | daily sales   | <33>Pending<0> |
  +---------+---------------+---------+  +---------+---------------+---------+

`
	got := "\n" + regexp.MustCompile("\x1b\\[(\\d+)m").ReplaceAllString(out.String(), "<$1>")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// A reader that goes away must not look like success.
func TestLostScreenIsAnError(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := perform(t.Context(), Options{Out: w}, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}
