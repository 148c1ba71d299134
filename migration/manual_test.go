package migration_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/migration"
)

var update = flag.Bool("update", false, "record the answers in testdata/*.txtar")

// TestManual runs the files of testdata. A section either sets facts for the sections behind it (scripts, history,
// options) or holds what is decided from them. "case: …" starts over and its text is for the reader.
func TestManual(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, name := &facts{}, "start"
			for i, section := range archive.Files {
				if title, ok := strings.CutPrefix(section.Name, "case: "); ok {
					c, name = &facts{}, title
					continue
				}
				got, err := c.section(section.Name, string(section.Data))
				if err != nil {
					t.Fatalf("%s, case %q, section %q: %v", file, name, section.Name, err)
				}
				archive.Files[i].Data = []byte(got)
				if diff := cmp.Diff(string(section.Data), got); diff != "" && !*update {
					t.Errorf("%s, case %q: %s differs (-want +got)\n%s", file, name, section.Name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// facts are what the sections of a case have said so far.
type facts struct {
	scripts, history string
	options          map[string]string
}

// section returns what the section should hold; facts stay as they are.
func (c *facts) section(name, body string) (string, error) {
	switch name {
	case "scripts":
		c.scripts = body
		return body, nil
	case "history":
		c.history = body
		return body, nil
	case "options":
		c.options = map[string]string{}
		for line := range lines(body) {
			key, value, ok := strings.Cut(line, "=")
			if !ok || !strings.Contains(knownOptions, " "+strings.SplitN(key, ".", 2)[0]+" ") {
				return "", fmt.Errorf("unknown option %q", line)
			}
			c.options[key] = value
		}
		return body, nil
	}
	decide, ok := map[string]func(string) (string, error){
		"resolve": c.resolveSection, "names": c.namesSection, "versions": c.versionsSection, "replace": c.replaceSection,
		"info": c.infoSection, "validate": c.validateSection, "plan": c.planSection, "undo": c.undoSection, "repair": c.repairSection,
		"baseline": c.baselineSection, "current": c.currentSection,
	}[name]
	if !ok {
		return "", fmt.Errorf("unknown section")
	}
	out, err := decide(body)
	if err != nil {
		return "error " + describe(err) + "\n", nil
	}
	return out, nil
}

func describe(err error) string {
	if _, several := err.(interface{ Unwrap() []error }); several {
		return err.Error()
	}
	if e, ok := errors.AsType[*migration.Error](err); ok {
		text := string(e.Code) + ": " + strings.ReplaceAll(e.Error(), "\r", "<CR>")
		if e.Hint != "" {
			text += "\nhint: " + e.Hint
		}
		return text
	}
	return err.Error()
}

const knownOptions = " target outOfOrder cherryPick ignore ignoreJava placeholders placeholderPrefix placeholderSuffix placeholderReplacement " +
	"versioned undo repeatable baseline separator suffixes encoding detectEncoding validateNaming skipDefaultCallbacks " +
	"callbackFiles tableExists baselineVersion baselineDescription "

func (c *facts) naming() migration.Naming {
	var n migration.Naming
	for key, to := range map[string]**string{"versioned": &n.Versioned, "undo": &n.Undo, "repeatable": &n.Repeatable, "baseline": &n.Baseline} {
		if v, ok := c.options[key]; ok {
			*to = &v
		}
	}
	n.Separator = c.options["separator"]
	if v, ok := c.options["suffixes"]; ok {
		n.Suffixes = strings.Split(v, ",")
	}
	return n
}

func (c *facts) placeholders() migration.Placeholders {
	p := migration.Placeholders{Values: map[string]string{}, Prefix: c.options["placeholderPrefix"],
		Suffix: c.options["placeholderSuffix"], Off: c.options["placeholderReplacement"] == "false"}
	for key, value := range c.options {
		if name, ok := strings.CutPrefix(key, "placeholders."); ok {
			p.Values[name] = value
		}
	}
	return p
}

// resolve makes files of the lines "path text" and resolves them. A text that is a number is a checksum instead; no
// text gives each file one of its own.
func (c *facts) resolve() (migration.Resolved, error) {
	sums := map[string]int32{}
	var files, callbacks []migration.File
	for line := range lines(c.scripts) {
		path, text, _ := strings.Cut(line, " ")
		location, rest, ok := strings.Cut(path, ":")
		if !ok {
			location, rest = "sql", path
		}
		f := migration.File{Path: rest, Location: "filesystem:/" + location, Physical: "/" + location + "/" + rest}
		if sum, err := strconv.ParseInt(text, 10, 32); err == nil {
			sums[f.Physical] = int32(sum)
			text = ""
		}
		if text == "" {
			text = "select '" + rest + "';"
		}
		if strings.Contains(text, `\`) {
			unquoted, err := strconv.Unquote(`"` + text + `"`)
			if err != nil {
				return migration.Resolved{}, fmt.Errorf("%s: %w", line, err)
			}
			text = unquoted
		}
		f.Content = []byte(text)
		if location == "callbacks" {
			callbacks = append(callbacks, f)
		} else {
			files = append(files, f)
		}
	}
	resolved, err := migration.Resolve(files, callbacks, migration.ResolveOptions{Naming: c.naming(), Placeholders: c.placeholders(),
		Encoding: c.options["encoding"], DetectEncoding: c.options["detectEncoding"] == "true",
		ValidateNaming: c.options["validateNaming"] == "true", SkipDefaultCallbacks: c.options["skipDefaultCallbacks"] == "true",
		CallbackFiles: c.options["callbackFiles"] == "true"})
	for i := range resolved.Scripts {
		s := &resolved.Scripts[i]
		if sum, ok := sums[s.Physical]; ok {
			s.Checksum, s.RawChecksum = &sum, sum
		}
	}
	return resolved, err
}

// rows reads the lines "rank|version|description|type|script|checksum|success". The checksum "=" is the script's own.
func (c *facts) rows(scripts []migration.Script) ([]migration.Row, error) {
	var rows []migration.Row
	for line := range lines(c.history) {
		f := strings.Split(line, "|")
		if len(f) != 7 {
			return nil, fmt.Errorf("history line with %d fields: %s", len(f), line)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		rank, err := strconv.Atoi(f[0])
		if err != nil {
			return nil, err
		}
		row := migration.Row{Rank: rank, Description: f[2], Type: migration.Type(f[3]), Script: f[4], Success: f[6] == "true"}
		if f[1] != "" {
			row.Version = migration.MustVersion(f[1])
		}
		switch f[5] {
		case "", "null":
		case "=":
			for _, s := range scripts {
				if s.Path == row.Script {
					row.Checksum = s.Checksum
				}
			}
		default:
			n, err := strconv.ParseInt(f[5], 10, 32)
			if err != nil {
				return nil, err
			}
			sum := int32(n)
			row.Checksum = &sum
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func lines(body string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(body, "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !yield(line) {
				return
			}
		}
	}
}
