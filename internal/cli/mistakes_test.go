package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/internal/pgtest"
)

var update = flag.Bool("update", false, "record what the command says in testdata/mistakes/*.txtar")

// TestMistakes runs testdata/mistakes/*.txtar: settings and scripts that are wrong, each with all that the command says
// and its exit code. But for a callback that fails nothing may have begun: the database is as empty as before. A line
// "verb …" is the command line, "env …" a variable, "touches" says that scripts had begun.
func TestMistakes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, want := mistake(t, archive)
			if *update {
				archive.Files = append(archive.Files[:len(archive.Files)-1], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// mistake runs one case; its last file is what is wanted.
func mistake(t *testing.T, a *txtar.Archive) (got, want string) {
	t.Helper()
	db := pgtest.New(t)
	dir := t.TempDir()
	for _, f := range a.Files[:len(a.Files)-1] {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env, touches := []string{"SKEIN_URL=" + db.URL}, false
	args := []string{"skein"}
	for line := range strings.Lines(string(a.Comment)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "verb":
			args = append(args, strings.Fields(rest)...)
		case "env":
			env = append(env, rest)
		case "touches":
			touches = true
		}
	}
	var stdout, stderr bytes.Buffer
	code := Main(t.Context(), Process{Args: args, Env: env, Dir: dir, Home: dir, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr})
	if code == 0 {
		t.Errorf("the command succeeds:\n%s%s", &stdout, &stderr)
	}
	const left = `select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname !~ '^pg_|^information_schema$'`
	if found := db.Value(t, left) != "0"; found != touches {
		t.Errorf("something was begun: %v, want %v", found, touches)
	}
	text := strings.NewReplacer(db.Name, "DATABASE", dir, "DIR").Replace(stderr.String() + stdout.String())
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Database: ") || strings.HasPrefix(line, "Skein ") || strings.Contains(line, "execution time") {
			lines[i] = "…"
		}
	}
	return fmt.Sprintf("exit %d\n%s", code, strings.Join(lines, "\n")), string(a.Files[len(a.Files)-1].Data)
}
