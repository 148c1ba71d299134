package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// recordings are databases as the real tools left them (testdata/adopt/record.sh), the scripts that belong to them, and what
// adopt makes of both.
var recordings = []struct {
	history, scripts string // scripts: folders joined by +
	flags            string
	standing         string
	code             int
}{
	{"flyway-3.2.1", "flyway", "-schemas=app", "outdated", 8},
	{"flyway-3.2.1-baselined", "flyway", "", "outdated", 8},
	{"flyway-4.2.0", "flyway", "-schemas=app", "elsewhere", 8},
	{"flyway-4.2.0", "flyway", "", "elsewhere", 8},
	{"flyway-4.2.0", "flyway", "-schemas=app -table=schema_version", "recorded", 0},
	{"flyway-4.2.0-baselined", "flyway", "", "elsewhere", 8},
	{"flyway-4.2.0-failed", "flyway+flyway-failed", "-table=schema_version", "disagrees", 4},
	{"flyway-4.2.0-then-5.2.4", "flyway+flyway-later", "-schemas=app", "elsewhere", 8},
	{"flyway-4.2.0-and-13.0.0", "flyway", "-schemas=app", "several", 8},
	{"flyway-5.2.4", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-5.2.4", "flyway+flyway-later", "-schemas=app", "recorded", 0},
	{"flyway-6.5.7", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-6.5.7-failed", "flyway+flyway-failed", "", "disagrees", 4},
	{"flyway-7.7.3", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-8.5.4", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-8.5.4", "flyway", "-defaultSchema=app", "recorded", 0},
	{"flyway-8.5.4-failed", "flyway+flyway-failed", "", "disagrees", 4},
	{"flyway-9.22.3", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-10.22.0", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-11.14.1", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-12.4.0", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-13.0.0", "flyway", "-schemas=app", "recorded", 0},
	{"flyway-13.0.0", "flyway", "", "elsewhere", 8},
	{"flyway-13.0.0-baselined", "flyway", "", "recorded", 0},
	{"golang-migrate-4.20.1", "golang-migrate", "", "foreign", 8},
	{"golang-migrate-4.20.1-dirty", "golang-migrate", "", "foreign", 8},
	{"goose-3.29.0", "goose", "", "foreign", 8},
	{"goose-3.29.0-down", "goose", "", "foreign", 8},
	{"liquibase-4.33.0", "liquibase", "", "foreign", 8},
}

// advice is what the document of adopt says, as far as the tests look at it.
type advice struct {
	Ready             bool
	Standing, Summary string
	Next              []struct{ Kind, Text, Why string }
}

// TestAdviceWorks does what adopt says, step by step, and looks again: then nothing may stand in the way, and scripts and
// history have to agree. What is left to a person's hands is done here by hand.
func TestAdviceWorks(t *testing.T) {
	t.Parallel()
	for _, c := range recordings {
		t.Run(c.history+"/"+c.scripts+"/"+c.flags, func(t *testing.T) {
			t.Parallel()
			a := &adopter{db: pgtest.New(t), dir: t.TempDir(), flags: strings.Fields(c.flags)}
			a.db.Exec(t, read(t, "../../testdata/adopt/"+c.history+".sql"))
			for folder := range strings.SplitSeq(c.scripts, "+") {
				if err := os.CopyFS(a.dir, os.DirFS("../../testdata/adopt/scripts/"+folder)); err != nil {
					t.Fatal(err)
				}
			}
			got, code := a.adopt(t)
			if got.Standing != c.standing || code != c.code || got.Ready != (code == 0) {
				t.Fatalf("%s, ready %v, code %d: want %s and %d\n%s", got.Standing, got.Ready, code, c.standing, c.code, got.Summary)
			}
			for range 3 { // some advice ends in looking again
				a.follow(t, got)
				if got, code = a.adopt(t); code == 0 {
					break
				}
			}
			if code != 0 {
				t.Errorf("after following the advice adopt ends with %d, %s: %s %+v", code, got.Standing, got.Summary, got.Next)
			}
			for _, verb := range []string{"migrate", "validate"} {
				if code, out := a.run(t, append([]string{verb}, a.flags...)...); code != 0 {
					t.Errorf("%s ends with %d\n%s", verb, code, out)
				}
			}
		})
	}
}

// adopter follows advice in one database and one folder of scripts.
type adopter struct {
	db    *pgtest.DB
	dir   string
	flags []string // settings that belong into the configuration
}

func (a *adopter) run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	line := append([]string{"skein", "-url=" + a.db.URL, "-locations=filesystem:" + a.dir, "-placeholders.greeting=hello"}, args...)
	code := Main(t.Context(), Process{Args: line, Dir: a.dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
	return code, out.String()
}

func (a *adopter) adopt(t *testing.T) (advice, int) {
	t.Helper()
	var got advice
	code, out := a.run(t, append([]string{"adopt", "-outputType=json"}, a.flags...)...)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return got, code
}

// follow does the steps. Flags of the last command of Skein's are those that belong into the configuration.
func (a *adopter) follow(t *testing.T, got advice) {
	t.Helper()
	for _, step := range got.Next {
		switch step.Kind {
		case "sql":
			a.db.Exec(t, step.Text)
		case "shell":
			a.shell(t, step.Text)
		case "hand":
			if strings.HasPrefix(step.Text, "remove what V3__unique_names.sql left") {
				a.db.Exec(t, "drop index if exists customer_name; update customer set name = name || id")
			}
		case "skein":
			words := strings.Fields(step.Text)
			if words[0] == "baseline" {
				words = append(words, a.flags...)
			} else {
				words = append(words, with(a.flags, words[1:])...)
			}
			code, out := a.run(t, words...)
			if code != 0 && words[0] != "adopt" {
				t.Fatalf("%s ends with %d\n%s", step.Text, code, out)
			}
			if words[0] == "adopt" || words[0] == "migrate" {
				a.flags = words[1:]
			}
		default:
			t.Fatalf("a step of the kind %q", step.Kind)
		}
	}
}

// with leaves out flags that are given anew.
func with(flags, given []string) []string {
	var out []string
	for _, f := range flags {
		key, _, _ := strings.Cut(f, "=")
		if !strings.Contains(" "+strings.Join(given, " "), " "+key+"=") {
			out = append(out, f)
		}
	}
	return out
}

func (a *adopter) shell(t *testing.T, command string) {
	t.Helper()
	path := pgtest.BinDir(t) + string(filepath.ListSeparator) + os.Getenv("PATH")
	if strings.HasPrefix(command, "pg_dump ") {
		if _, err := os.Stat(filepath.Join(pgtest.BinDir(t), "pg_dump")); err != nil {
			t.Skip("this PostgreSQL comes without pg_dump")
		}
	}
	cmd := exec.Command("sh", "-e", "-c", command)
	cmd.Dir, cmd.Env = a.dir, append(os.Environ(), "PATH="+path, "DATABASE_URL="+a.db.URL)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestAdoptedScriptsBuildTheSame: what is renamed, split or dumped on the way makes the same tables in an empty database.
func TestAdoptedScriptsBuildTheSame(t *testing.T) {
	t.Parallel()
	for history, columns := range map[string]string{
		"golang-migrate-4.20.1": "customer.email customer.id customer.name orders.id",
		"goose-3.29.0":          "customer.email customer.id customer.name orders.id tags.id",
		"liquibase-4.33.0":      "customer.email customer.id customer.name names.name orders.id",
	} {
		t.Run(history, func(t *testing.T) {
			t.Parallel()
			tool := history[:strings.LastIndex(history, "-")]
			a := &adopter{db: pgtest.New(t), dir: t.TempDir()}
			a.db.Exec(t, read(t, "../../testdata/adopt/"+history+".sql"))
			if err := os.CopyFS(a.dir, os.DirFS("../../testdata/adopt/scripts/"+tool)); err != nil {
				t.Fatal(err)
			}
			got, _ := a.adopt(t)
			a.follow(t, got)
			a.db = pgtest.New(t)
			if code, out := a.run(t, "migrate"); code != 0 {
				t.Fatalf("migrate on an empty database ends with %d\n%s", code, out)
			}
			made := a.db.Value(t, `select string_agg(table_name || '.' || column_name, ' ' order by 1) from information_schema.columns
				where table_schema = 'public' and table_name <> 'flyway_schema_history'`)
			if words := strings.Fields(made); strings.Join(sorted(words), " ") != columns {
				t.Errorf("made %s, want %s", made, columns)
			}
			if tool == "goose" {
				if code, out := a.run(t, "undo", "-cherryPick=2,3"); code != 0 || strings.Contains(a.db.Value(t, "select count(*) from pg_proc where proname = 'shout'"), "1") {
					t.Errorf("undo of what was split ends with %d\n%s", code, out)
				}
			}
		})
	}
}

func sorted(words []string) []string { return slices.Sorted(slices.Values(words)) }

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
