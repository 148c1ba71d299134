package config_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

var update = flag.Bool("update", false, "record what Load gives in testdata/*.txtar")

var grammar = config.Grammar{
	Verbs: []string{"migrate", "info", "clean", "demo", "config explain", "help"},
	Flags: []config.VerbFlag{{Verb: "demo", Name: "keep"}},
}

// Every testdata file is a set of files (work/, home/ and install/ are the three
// directories; stdin is stdin), "arg" and "env" lines, and what comes of them.
func TestLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, want := outcome(t, archive), section(archive, "want")
			if strings.Contains(got, "canary") { // AT-16a: secrets of the cases are called canary
				t.Errorf("a secret is shown:\n%s", got)
			}
			if *update {
				record(t, file, archive, got)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func record(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	var kept []txtar.File
	for _, f := range a.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	a.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// input reads the lines "arg …", "env …" and "dir …" of a case.
func input(a *txtar.Archive) (args []string, in config.Input) {
	dirs, answers := map[string]bool{}, map[string]string{}
	for _, line := range strings.Split(string(a.Comment), "\n") {
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "arg":
			args = append(args, rest)
		case "env":
			in.Env = append(in.Env, rest)
		case "dir":
			dirs["/"+rest] = true
		case "answer": // answer resolver.key=value
			name, value, _ := strings.Cut(rest, "=")
			answers[name] = value
		case "secret": // secret path field=value …
			path, fields, _ := strings.Cut(rest, " ")
			answers["secret "+path] = fields
		}
	}
	files := map[string][]byte{}
	for _, f := range a.Files {
		files["/"+f.Name] = f.Data
	}
	in.WorkDir, in.HomeDir, in.InstallDir = "/work", "/home", "/install"
	in.Stdin = strings.NewReader(section(a, "stdin"))
	in.Resolve = func(ref config.Reference) (secret.Text, error) {
		value, ok := answers[ref.Resolver+"."+ref.Key]
		if !ok {
			return secret.Text{}, fmt.Errorf("%s has no %s", ref.Resolver, ref.Key)
		}
		if value == "SETTINGS" {
			value = fmt.Sprint(ref.Settings)
		}
		return secret.New(value), nil
	}
	in.Fields = func(ref config.Reference) (map[string]secret.Text, error) {
		text, ok := answers["secret "+ref.Key]
		if !ok || ref.Settings["url"] == "" {
			return nil, fmt.Errorf("%s has no %s", ref.Settings["url"], ref.Key)
		}
		fields := map[string]secret.Text{}
		for _, field := range strings.Fields(text) {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = secret.New(value)
		}
		return fields, nil
	}
	in.OwnVariables = []string{"SKEIN_SERVER_KEY"}
	in.IsDir = func(path string) bool { return dirs[path] }
	in.ReadFile = func(path string) ([]byte, error) {
		if data, ok := files[path]; ok {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return args, in
}

func outcome(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	args, in := input(a)
	var out strings.Builder
	line, err := config.Parse(args, grammar)
	printMistakes(t, &out, err)
	in.Args = line
	settings, warnings, err := config.Load(in)
	for _, w := range warnings {
		fmt.Fprintf(&out, "warning: %s\n", w)
	}
	printMistakes(t, &out, err)
	if settings == nil {
		return out.String()
	}
	if len(line.Verbs)+len(line.Flags) > 0 {
		fmt.Fprintf(&out, "verbs %q flags %q\n", line.Verbs, line.Flags)
	}
	fmt.Fprintf(&out, "files: %s\n", strings.Join(settings.Files(), " "))
	for _, s := range settings.Explain() {
		if s.Origin.Kind == config.FromDefault && s.Key != "locations" {
			continue
		}
		fmt.Fprintf(&out, "%s = %q from %s\n", s.Key, s.Value, s.From)
		if s.Note != "" {
			fmt.Fprintf(&out, "    %s\n", s.Note)
		}
		for _, o := range s.Overrode {
			fmt.Fprintf(&out, "    not %q from %s\n", o.Value, o.From)
		}
	}
	return out.String()
}

func printMistakes(t *testing.T, out *strings.Builder, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var mistakes config.Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("%T is not Mistakes: %v", err, err)
	}
	for _, m := range mistakes {
		fmt.Fprintf(out, "error: %s\n", m)
	}
}
