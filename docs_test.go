package skein_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/cli"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/demo"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/txblock"
)

var update = flag.Bool("update", false, "write the generated tables of docs/")

// pages gives the text of every Markdown file, by its path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"bin", "testdata", "tmpdeps"}, d.Name())):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(path)] = string(text)
		return err
	})
	if err != nil || len(found) < 8 {
		t.Fatalf("%d pages, %v", len(found), err)
	}
	return found
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	span    = regexp.MustCompile("`([^`\n]+)`")
	fence   = regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$")
)

// TestDocsLinks follows every relative link, to its heading if it names one.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	count := 0
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			count++
			file, anchor, hasAnchor := strings.Cut(m[1], "#")
			to := filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			if file == "" {
				to = page
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if hasAnchor && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("%s: %s has no heading of that name", page, m[1])
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d links found", count)
	}
}

// anchors are the headings of a page as links name them.
func anchors(page string) []string {
	var found []string
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				return r
			}
			return -1
		}, strings.ToLower(m[1])))
	}
	return found
}

// code gives what a page shows as code: the lines of its blocks and its spans.
func code(page string) []string {
	var found []string
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		found = append(found, strings.Split(m[2], "\n")...)
	}
	for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		found = append(found, m[1])
	}
	return found
}

var (
	commandLine = regexp.MustCompile(`(?:^|&& |; |\$ )(?:\./bin/|\./|bin/|go run \./cmd/)?(?:skein|flyway) ([^#|<…]*)`)
	makeLine    = regexp.MustCompile(`^make ([a-z-]+)`)
)

// TestDocsCommandLines reads every command line in the pages as the command would.
func TestDocsCommandLines(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	grammar := cli.Grammar()
	count := 0
	for page, text := range pages(t) {
		for _, line := range code(text) {
			if m := makeLine.FindStringSubmatch(line); m != nil && !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: the Makefile has no target %s", page, m[1])
			}
			for _, m := range commandLine.FindAllStringSubmatch(line, -1) {
				count++
				if _, err := config.Parse(words(m[1]), grammar); err != nil {
					t.Errorf("%s: %s\n%v", page, line, err)
				}
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d command lines found", count)
	}
}

// words splits a line as a shell does, as far as the pages need it.
func words(line string) []string {
	var found []string
	var word strings.Builder
	quote := rune(0)
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && r == ' ':
			if word.Len() > 0 {
				found = append(found, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return found
}

var (
	assignment = regexp.MustCompile(`^-?([a-z][A-Za-z]+(?:\.[a-zA-Z]+)*)=`)
	variable   = regexp.MustCompile(`\b(?:SKEIN|FLYWAY)_[A-Z_]+[A-Z]\b`)
)

// notSettings are names before an equals sign that belong to something else.
var notSettings = []string{
	"shouldExecute", "success", "standard_conforming_strings", // script configuration, a column, the server's
	"currentSchema", "ssl", "sslmode", "targetServerType", "socketTimeout", // the URL's
	"client_min_messages", "name", "key",
}

// TestDocsSettings looks up each setting and variable that the pages name.
func TestDocsSettings(t *testing.T) {
	t.Parallel()
	variables := []string{"SKEIN_TEST_POSTGRES", "SKEIN_PGTEST_KEEP", "SKEIN_TEST_S3"}
	for _, k := range config.Keys() {
		variables = append(variables, k.Variable, k.SkeinVariable)
	}
	for page, text := range pages(t) {
		for _, c := range code(text) {
			m := assignment.FindStringSubmatch(strings.TrimSpace(c))
			if m == nil || slices.Contains(notSettings, m[1]) {
				continue
			}
			name := strings.TrimPrefix(m[1], "flyway.")
			_, theirs := config.Lookup(name)
			ours := slices.ContainsFunc([]string{"", "gates.", "notify.", "identity."}, func(table string) bool {
				_, known := config.Lookup("skein." + table + name)
				return known
			})
			if !theirs && !ours {
				t.Errorf("%s: %s is no setting, in %q", page, name, c)
			}
		}
		for _, name := range variable.FindAllString(text, -1) {
			known := slices.ContainsFunc(variables, func(v string) bool {
				stem, family := strings.CutSuffix(v, "*")
				return v == name || family && strings.HasPrefix(name+"_", stem)
			})
			if !known {
				t.Errorf("%s: %s is no variable", page, name)
			}
		}
	}
}

// TestDocsTables compares what the pages say with what the code says. -update writes it.
func TestDocsTables(t *testing.T) {
	t.Parallel()
	generated(t, "docs/exit-codes.md", "exit codes", exitCodeTable())
	generated(t, "docs/configuration.md", "settings", settingsTable())
	generated(t, "docs/flyway.md", "differences", differenceTable(t))
	generated(t, "docs/flyway.md", "keys", compatibilityTable())
}

// generated compares the part of a page between two marks.
func generated(t *testing.T, page, name, want string) {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+name+": written by go test -run TestDocsTables -update . -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(string(raw), begin)
	have, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no marks for %q", page, name)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s is out of date, write it with -update (-want +have):\n%s", page, diff)
	}
}

func exitCodeTable() string {
	var b strings.Builder
	b.WriteString("| code | name | when | what to do |\n|---:|---|---|---|\n")
	for _, c := range cli.ExitCodes {
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", c.Code, c.Name, c.Meaning, c.Next)
	}
	return b.String()
}

// settingsTable is a table for each standing.
func settingsTable() string {
	var b strings.Builder
	for _, part := range []struct {
		standing config.Standing
		title    string
	}{
		{config.Honoured, "Settings that have their effect"},
		{config.NoEffect, "Accepted, and there is nothing in Skein that they could change"},
		{config.NotYet, "Not in this release: any value but the default is an error"},
		{config.Refused, "Not planned: any value but the default is an error"},
		{config.OtherVerb, "For verbs that Skein does not have: let pass in files, an error elsewhere"},
	} {
		fmt.Fprintf(&b, "### %s\n\n| setting | value | default | variables | note |\n|---|---|---|---|---|\n", part.title)
		for _, k := range config.Keys() {
			if k.Standing == part.standing {
				b.WriteString(settingRow(k))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// compatibilityTable says of each setting of Flyway's what becomes of it here. internal/config tests hold it against
// the list of Flyway's keys.
func compatibilityTable() string {
	var b strings.Builder
	b.WriteString("Honoured: ")
	comma := ""
	for _, k := range config.Keys() {
		if k.Standing == config.Honoured && !strings.HasPrefix(k.Name, "skein.") {
			b.WriteString(comma + "`" + k.Name + "`")
			comma = ",\n"
		}
	}
	b.WriteString(".\n\n| key | here | why |\n|---|---|---|\n")
	here := map[config.Standing]string{
		config.NoEffect: "accepted, without effect", config.NotYet: "an error, not in this release",
		config.Refused: "an error", config.OtherVerb: "passed over in files, an error elsewhere",
	}
	for _, k := range config.Keys() {
		if k.Standing == config.Honoured {
			continue
		}
		what := here[k.Standing]
		if k.Loud {
			what = "a warning, without effect"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, what, strings.ReplaceAll(k.Note, "*:", `\*:`))
	}
	return b.String()
}

func settingRow(k config.Key) string {
	tick := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	kind, variables := k.Kind.String(), tick(k.Variable)
	if name := k.Shape.String(); name != "" {
		kind = map[bool]string{true: "list: "}[k.Kind == config.List] + name
	}
	if len(k.Words) > 0 {
		kind = map[bool]string{true: "list: "}[k.Kind == config.List] + strings.Join(k.Words, ", ")
	}
	if k.SkeinVariable != "" {
		variables = strings.TrimPrefix(variables+", "+tick(k.SkeinVariable), ", ")
	}
	note := strings.ReplaceAll(k.Note, "*:", `\*:`)
	if k.Forms&config.EnvironmentTOML != 0 {
		note = strings.TrimSuffix("in TOML under `[environments.<name>]`; "+note, "; ")
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", strings.TrimPrefix(k.Name, "skein."), kind, tick(k.Default), variables, note)
}

// TestDocsStatements holds the list of docs/flyway.md against the code, both ways.
func TestDocsStatements(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("docs/flyway.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(raw), "<!-- statements -->\n```sql\n")
	list, _, _ = strings.Cut(list, "```")
	listed := map[string]bool{}
	for line := range strings.Lines(list) {
		statement, _, _ := strings.Cut(strings.TrimSpace(line), "  --")
		v := txblock.Of(statement, 0)
		switch v.Class {
		case txblock.Refused, txblock.AskTable, txblock.AskIndex:
			listed[v.What] = true
		default:
			t.Errorf("%q does not run outside a transaction", statement)
		}
	}
	measured, err := os.ReadFile("internal/txblock/testdata/transaction.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(measured)) {
		cells := strings.Split(strings.TrimSpace(line), "\t")
		if what := cells[len(cells)-1]; !strings.HasPrefix(line, "#") && what != "-" && !listed[what] {
			t.Errorf("docs/flyway.md lists no %s, which the server refuses in a transaction block", what)
		}
	}
}

// TestReadmeProgram builds the README's program beside the module's packages and runs it.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	dir := t.TempDir()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	add := func(name, text string) {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(root, "docs", "program", filepath.FromSlash(name))] = file
	}
	for _, m := range fence.FindAllStringSubmatch(pages(t)["README.md"], -1) {
		if m[1] == "go" && strings.HasPrefix(m[2], "package main") {
			add("main.go", m[2])
		}
	}
	if len(overlay) != 1 {
		t.Fatalf("%d programs in README.md", len(overlay))
	}
	add("sql/V1__one.sql", "create table one (id int);")
	raw, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program.exe")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./docs/program")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), program)
	run.Env = append(os.Environ(), "DATABASE_URL="+db.URL)
	out, err := run.CombinedOutput()
	if err != nil || string(out) != "1 scripts applied, now at version 1\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestReadmeDemo plays the demo and looks for the lines that README.md shows of it, in their order. Times may differ.
func TestReadmeDemo(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := demo.Run(t.Context(), demo.Options{Out: &out}); err != nil {
		t.Fatal(err)
	}
	took := regexp.MustCompile(` *\d+ ms`)
	rest := took.ReplaceAllString(out.String(), " n ms")
	count := 0
	for _, m := range fence.FindAllStringSubmatch(pages(t)["README.md"], -1) {
		if m[1] != "demo" {
			continue
		}
		for _, part := range strings.Split(m[2], "…\n") {
			count++
			_, after, found := strings.Cut(rest, took.ReplaceAllString(part, " n ms"))
			if !found {
				t.Errorf("the demo does not print this, or not there:\n%s\nit prints:\n%s", part, out.String())
			}
			rest = after
		}
	}
	if count != 3 {
		t.Errorf("%d parts of the demo in README.md", count)
	}
}
