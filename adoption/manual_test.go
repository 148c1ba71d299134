package adoption_test

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/adoption"
	"github.com/skein-db/skein/migration"
)

var update = flag.Bool("update", false, "record the answers in testdata/*.txtar")

// TestManual runs the files of testdata. "case: …" starts over and its text is for the reader; "settings", "file NAME" and
// "table TOOL SCHEMA.NAME" are facts; "adopt" is what is decided from them.
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
			c, name := newCase(), "start"
			for i, section := range archive.Files {
				if title, ok := strings.CutPrefix(section.Name, "case: "); ok {
					c, name = newCase(), title
					continue
				}
				got, err := c.section(section.Name, string(section.Data))
				if err != nil {
					t.Fatalf("%s, case %q, section %q: %v", file, name, section.Name, err)
				}
				archive.Files[i].Data = []byte(got)
				if diff := cmp.Diff(string(section.Data), got); diff != "" && !*update {
					t.Errorf("%s, case %q (-want +got)\n%s", file, name, diff)
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

// situation is what the sections of a case have said so far.
type situation struct{ facts adoption.Facts }

func newCase() *situation {
	patterns, err := migration.ParseIgnorePatterns(nil)
	if err != nil {
		panic(err)
	}
	return &situation{adoption.Facts{Schema: "public", Table: "flyway_schema_history", Managed: []string{"public"}, Ignore: patterns, RequireScripts: true}}
}

func (c *situation) section(name, text string) (string, error) {
	word, rest, _ := strings.Cut(name, " ")
	switch word {
	case "settings":
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if err := c.set(key, value); err != nil {
				return "", err
			}
		}
	case "file":
		c.facts.Files = append(c.facts.Files, migration.File{Path: rest, Location: "filesystem:sql", Physical: "/sql/" + rest, Content: []byte(text)})
	case "table":
		tool, place, _ := strings.Cut(rest, " ")
		schema, table, _ := strings.Cut(place, ".")
		t := adoption.Table{Tool: adoption.Tool(tool), Schema: schema, Name: table}
		err := c.rows(&t, text)
		c.facts.Tables = append(c.facts.Tables, t)
		c.facts.Occupied = c.facts.Occupied || t.Schema == c.facts.Schema && t.Name == c.facts.Table
		return text, err
	case "adopt":
		if err := c.resolve(); err != nil {
			return "", err
		}
		report, err := adoption.Decide(c.facts)
		return show(report), err
	default:
		return "", fmt.Errorf("no such section")
	}
	return text, nil
}

func (c *situation) set(key, value string) (err error) {
	f := &c.facts
	switch key {
	case "schema":
		f.Schema, f.Managed, f.Chosen = value, []string{value}, true
	case "table":
		f.Table = value
	case "filled":
		f.Filled = strings.Split(value, ",")
	case "missing":
		f.Missing = strings.Split(value, ",")
	case "grants":
		f.Grants = strings.Split(value, ",")
	case "occupied":
		f.Occupied = true
	case "baselineOnMigrate":
		f.BaselineOnMigrate = true
	case "baselineVersion":
		f.BaselineVersion, err = migration.ParseVersion(value)
	case "createSchemas":
		f.NoCreateSchemas = value == "false"
	case "validateOnMigrate":
		f.SkipValidate = value == "false"
	case "outOfOrder":
		f.Reconcile.OutOfOrder = true
	case "target":
		f.Reconcile.Target, err = migration.ParseTarget(value)
	case "versionedPrefix":
		f.Naming.Versioned = &value
	default:
		return fmt.Errorf("no such fact: %s", key)
	}
	return err
}

// resolve gives the scripts among the files.
func (c *situation) resolve() error {
	resolved, err := migration.Resolve(c.facts.Files, nil, migration.ResolveOptions{Naming: c.facts.Naming})
	c.facts.Scripts = resolved.Scripts
	for i := range c.facts.Tables {
		for j := range c.facts.Tables[i].Rows {
			row := &c.facts.Tables[i].Rows[j]
			at := slices.IndexFunc(c.facts.Scripts, func(s migration.Script) bool { return s.Path == row.Script })
			if row.Checksum == nil || at < 0 {
				continue
			}
			switch *row.Checksum {
			case match:
				row.Checksum = c.facts.Scripts[at].Checksum
			case bytewise:
				sum := int32(crc32.ChecksumIEEE([]byte(c.facts.Scripts[at].Text)))
				row.Checksum = &sum
			}
		}
	}
	return err
}

// Checksums of the script, and of its bytes, until the scripts are known.
const (
	match    = -1
	bytewise = -2
)

func (c *situation) rows(t *adoption.Table, text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if what, value, ok := strings.Cut(line, ": "); ok && what == "grant" {
			t.Grants = append(t.Grants, value)
			continue
		} else if ok && what == "fault" {
			t.Fault = value
			continue
		}
		switch line {
		case "version_rank":
			t.Ranked = true
			continue
		case "not looked into":
			t.Unread = true
			continue
		case "locked":
			t.LockedBy = "ada's laptop"
			continue
		}
		if err := row(t, strings.Split(line, " | ")); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func row(t *adoption.Table, cells []string) error {
	switch t.Tool {
	case adoption.Flyway: // rank | version | description | type | script | checksum | success
		r := migration.Row{Description: cells[2], Script: cells[4], Success: cells[6] == "t", InstalledBy: "ada",
			InstalledOn: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
		var err error
		if r.Rank, err = strconv.Atoi(cells[0]); err != nil {
			return err
		}
		if cells[1] != "-" {
			r.Version = migration.MustVersion(cells[1])
		}
		if r.Type, err = migration.ParseType(cells[3]); err != nil {
			return err
		}
		if n, err := strconv.ParseInt(cells[5], 10, 32); err == nil {
			sum := int32(n)
			r.Checksum = &sum
		} else if at := slices.Index([]string{"bytes", "match"}, cells[5]); at >= 0 {
			sum := int32(at + bytewise)
			r.Checksum = &sum
		}
		t.Rows = append(t.Rows, r)
	case adoption.Liquibase: // file::id::author | type
		parts := strings.Split(cells[0], "::")
		t.Changesets = append(t.Changesets, adoption.Changeset{File: parts[0], ID: parts[1], Author: parts[2], Type: cells[1]})
	default: // version | applied, taken back or dirty
		n, err := strconv.ParseInt(cells[0], 10, 64)
		t.Marks = append(t.Marks, adoption.Mark{Version: n, Applied: cells[1] != "taken back", Dirty: cells[1] == "dirty"})
		return err
	}
	return nil
}

func show(r adoption.Report) string {
	var b strings.Builder
	ready := "not ready"
	if r.Ready {
		ready = "ready"
	}
	fmt.Fprintf(&b, "%s, %s\n%s\n", r.Standing, ready, r.Summary)
	for _, f := range r.Found {
		fmt.Fprintf(&b, "found %s %s.%s, %d rows, version %q, %d match: %s\n", f.Tool, f.Schema, f.Table, f.Rows, f.Version, f.Matches, f.Remark)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "problem: %s\n", strings.ReplaceAll(p, "\n", " / "))
	}
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "%s %s: %s\n", c.Do, c.What, c.Detail)
	}
	for i, s := range r.Next {
		fmt.Fprintf(&b, "%d. %s: %s\n", i+1, s.Kind, s.Text)
		if s.Why != "" {
			fmt.Fprintf(&b, "   (%s)\n", s.Why)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}
