package conformance

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/internal/pgtest"
)

// A scenario is one file of testdata/scenarios: a project, what happens to it, and what each Flyway left.
//
// The first line says what it is about, the next ones what happens, one step a line. Words are divided by blanks; one
// with blanks in it, or nothing, is written as a Go string.
//
//	put PATH TEXT      writes a file that a txtar archive cannot hold as it is
//	folder PATH        makes an empty folder
//	change N           writes the files below N/
//	delete PATH        removes a file or folder
//	sql STATEMENT      runs in the database
//	hold STATEMENT     runs on a connection that stays open until the end
//	env NAME=VALUE     for all that follows; stdin TEXT likewise
//	limit SECONDS      ends a Flyway that does not end by itself
//	flyway ARGUMENT…   runs it, whatever comes of it
//	record ARGUMENT…   the last step: runs it once as it is, once with -outputType=json on a second database that went
//	                   the same way, and records the facts. `record-text` leaves the second run out.
//
// The files of the archive below project/ are there from the start. The files 13.0.0 and 8.5.4 hold the facts that these
// Flyways left. In files and arguments @URL@, @USER@, @PASSWORD@, @HOST@ and @DB@ stand for the database, and the
// argument @ALL@ for -url, -user, -password and -locations=filesystem:sql, as far as the line does not name them.
type scenario struct {
	name, about string
	script      []byte // the first line and the steps as they are written
	steps       []step
	files       []txtar.File
	recorded    map[string]facts // by version
}

type step struct {
	verb  string
	words []string
}

// versions are the Flyways that scenarios are recorded with. The first that a scenario has is what Skein is compared with.
var versions = []string{"13.0.0", "8.5.4"}

func readScenarios(t *testing.T) []scenario {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "scenarios", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	out := make([]scenario, len(files))
	for i, file := range files {
		if out[i], err = readScenario(file); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return out
}

func readScenario(file string) (scenario, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return scenario{}, err
	}
	s := scenario{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), script: archive.Comment, recorded: map[string]facts{}}
	about, script, _ := strings.Cut(string(archive.Comment), "\n")
	s.about = about
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		if verb, sql, _ := strings.Cut(line, " "); verb == "sql" || verb == "hold" {
			s.steps = append(s.steps, step{verb, []string{sql}})
			continue
		}
		words, err := divide(line)
		if err != nil {
			return s, err
		}
		s.steps = append(s.steps, step{words[0], words[1:]})
	}
	for _, f := range archive.Files {
		if !slices.Contains(versions, f.Name) {
			s.files = append(s.files, f)
		} else if s.recorded[f.Name], err = parseFacts(string(f.Data)); err != nil {
			return s, err
		}
	}
	last := s.steps[len(s.steps)-1].verb
	if last != "record" && last != "record-text" || len(s.recorded) == 0 {
		return s, fmt.Errorf("it has to end with record, and to hold what a Flyway left")
	}
	return s, nil
}

// divide cuts a line into words.
func divide(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && rest[0] == '"' {
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			words, rest = append(words, word), rest[len(quoted):]
			continue
		}
		word, after, _ := strings.Cut(rest, " ")
		words, rest = append(words, word), after
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("an empty line among the steps")
	}
	return words, nil
}

// call is one command line of a scenario.
type call struct {
	dir, stdin string
	env, args  []string
	all        bool // @ALL@ was among the arguments
	limit      time.Duration
}

// runner runs the command line of a tool. The exit code noEnd means that it had to be ended.
type runner func(context.Context, *testing.T, call) outcome

const noEnd = -1

// play is a scenario on its way: its folder, its database, and what the steps have set.
type play struct {
	scenario
	db   *pgtest.DB
	call call
	run  runner
}

// perform goes through the steps, in a new folder and database, and gives what the last one told.
func (s scenario) perform(t *testing.T, run runner, json bool) (*play, outcome) {
	t.Helper()
	p := &play{scenario: s, db: pgtest.New(t), run: run}
	p.call.dir = t.TempDir()
	p.change(t, "project")
	var told outcome
	for _, st := range s.steps {
		told = p.step(t, st, json)
	}
	return p, told
}

func (p *play) step(t *testing.T, st step, json bool) (told outcome) {
	t.Helper()
	one := ""
	if len(st.words) > 0 {
		one = p.fill(st.words[0])
	}
	path := filepath.Join(p.call.dir, filepath.FromSlash(one))
	var err error
	switch st.verb {
	case "put":
		p.write(t, one, st.words[1])
	case "folder":
		err = os.MkdirAll(path, 0o700)
	case "change":
		p.change(t, one)
	case "delete":
		err = os.RemoveAll(path)
	case "sql":
		p.db.Exec(t, st.words[0])
	case "hold":
		p.hold(t, st.words[0])
	case "env":
		p.call.env = append(p.call.env, one)
	case "stdin":
		p.call.stdin = one
	case "limit":
		p.call.limit, err = time.ParseDuration(one + "s")
	case "flyway", "record", "record-text":
		c := p.call
		c.args, c.all = p.arguments(st.words)
		if json && st.verb == "record" {
			c.args = append([]string{"-outputType=json"}, c.args...)
		}
		told = p.run(t.Context(), t, c)
	default:
		err = fmt.Errorf("there is no step %s", st.verb)
	}
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// arguments fills the places in a command line.
func (p *play) arguments(words []string) (args []string, all bool) {
	for _, w := range words {
		if w != "@ALL@" {
			args = append(args, p.fill(w))
			continue
		}
		all = true
		for _, flag := range []string{"-url=@URL@", "-user=@USER@", "-password=@PASSWORD@", "-locations=filesystem:sql"} {
			key, _, _ := strings.Cut(flag, "=")
			if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
				args = append(args, p.fill(flag))
			}
		}
	}
	return args, all
}

// places are what stands for the database in a scenario's files.
func (p *play) places() map[string]string {
	config, err := pgx.ParseConfig(p.db.URL)
	if err != nil {
		panic(err) // pgtest printed it
	}
	host := config.Host + ":" + strconv.Itoa(int(config.Port))
	return map[string]string{
		"@URL@": "jdbc:postgresql://" + host + "/" + p.db.Name, "@HOST@": host, "@DB@": p.db.Name,
		"@USER@": p.db.Owner, "@PASSWORD@": "x",
	}
}

func (p *play) fill(text string) string {
	var pairs []string
	for place, with := range p.places() {
		pairs = append(pairs, place, with)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// change writes the archive's files below a folder into the project.
func (p *play) change(t *testing.T, folder string) {
	t.Helper()
	for _, f := range p.files {
		if name, ok := strings.CutPrefix(f.Name, folder+"/"); ok {
			p.write(t, name, string(f.Data))
		}
	}
}

func (p *play) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(p.call.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(p.fill(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *play) hold(t *testing.T, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// left plays the scenario and gives the facts of it.
func (s scenario) left(t *testing.T, run runner) facts {
	t.Helper()
	out := facts{}
	p, told := s.perform(t, run, false)
	out.add("exit", exitFact(told))
	out.database(t, p.db)
	if s.steps[len(s.steps)-1].verb == "record" {
		p, told = s.perform(t, run, true)
		out.add("json-exit", exitFact(told))
		out.document(told.Stdout, names{dir: p.call.dir, db: p.db.Name, user: p.db.Owner})
	}
	return out
}

func exitFact(o outcome) string {
	if o.Exit == noEnd {
		return "none"
	}
	return strconv.Itoa(o.Exit)
}

// format gives the scenario's file.
func (s scenario) format() []byte {
	archive := &txtar.Archive{Comment: s.script, Files: slices.Clone(s.files)}
	for _, v := range slices.Sorted(maps.Keys(s.recorded)) {
		archive.Files = append(archive.Files, txtar.File{Name: v, Data: []byte(s.recorded[v].String())})
	}
	return txtar.Format(archive)
}
