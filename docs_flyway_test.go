package skein_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testNames are the test functions of the whole module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "tmpdeps") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const scenarioDir = "internal/conformance/testdata/scenarios"

// TestDocsTraps holds the table of docs/flyway.md against the list of what a replacement of Flyway gets wrong, and
// follows what it names to tests and scenarios.
func TestDocsTraps(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/flyway.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## The traps, one by one\n")
	table, _, _ = strings.Cut(table, "\n## ")
	tests, listed := testNames(t), map[int]bool{}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		n, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil {
			continue
		}
		listed[n] = true
		if len(cells) != 5 {
			t.Fatalf("trap %d: %d cells", n, len(cells))
		}
		if verdict := cells[2]; verdict != "same" && verdict != "better" || verdict == "better" && len(cells[3]) < 10 {
			t.Errorf("trap %d: %q, how %q: want same, or better and how", n, verdict, cells[3])
		}
		shown := span.FindAllStringSubmatch(cells[4], -1)
		for _, m := range shown {
			if _, err := os.Stat(filepath.Join(scenarioDir, m[1]+".txtar")); err != nil && !tests[m[1]] {
				t.Errorf("trap %d: %s is neither a test nor a scenario", n, m[1])
			}
		}
		if len(shown) == 0 {
			t.Errorf("trap %d: nothing shows it", n)
		}
	}
	facts, err := os.ReadFile("../shared/flyway.md")
	if err != nil {
		t.Skipf("whether all traps are listed is not known: %v", err)
	}
	_, section, _ := strings.Cut(string(facts), "\n## 12. ")
	section, _, _ = strings.Cut(section, "\n## ")
	traps := regexp.MustCompile(`(?m)^(\d+)\. `).FindAllStringSubmatch(section, -1)
	for _, m := range traps {
		if n, _ := strconv.Atoi(m[1]); !listed[n] {
			t.Errorf("trap %d is not in the table", n)
		}
	}
	if len(traps) < 40 || len(traps) != len(listed) {
		t.Errorf("%d traps, %d in the table", len(traps), len(listed))
	}
}

// differenceTable is the list of internal/conformance/testdata/differences.txt for people.
func differenceTable(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("internal/conformance/testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(scenarioDir + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	count := 0
	where, why := "", ""
	var scenarios []string
	flush := func() {
		if len(scenarios) > 0 {
			fmt.Fprintf(&rows, "| %s | %s | %s |\n", where, why, strings.Join(scenarios, ", "))
		}
		count += len(scenarios)
		scenarios = nil
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if reason, ok := strings.CutPrefix(line, "= "); ok {
			flush()
			where, why = placeOf(reason)
		} else if name, kinds, ok := strings.Cut(line, ": "); ok && line[0] != '#' {
			scenarios = append(scenarios, fmt.Sprintf("`%s` (%s)", name, strings.Join(families(kinds), ", ")))
		}
	}
	flush()
	return fmt.Sprintf("%d scenarios were recorded with Flyway; Skein ends as it did in all but these %d. In brackets: what is not the same.\n\n"+
		"| section | what and why | scenarios |\n|---|---|---|\n%s", len(files), count, rows.String())
}

// placeOf splits a reason into the section that it names, as a link, and the rest.
func placeOf(reason string) (where, why string) {
	if why, ok := strings.CutPrefix(reason, "not part of this release: "); ok {
		return "[What is not there yet](#what-is-not-there-yet)", "`" + strings.ReplaceAll(why, ", ", "`, `") + "`"
	}
	heading, why, _ := strings.Cut(strings.TrimPrefix(reason, "docs/flyway.md, "), ": ")
	return fmt.Sprintf("[%s](#%s)", heading, anchors("# " + heading)[0]), why
}

// families puts the many facts of a JSON document together.
func families(kinds string) []string {
	found := map[string]bool{}
	for _, kind := range strings.Fields(kinds) {
		family, _, _ := strings.Cut(kind, ".")
		switch family {
		case "json":
			family = "JSON"
		case "exit", "json-exit":
			family = "exit code"
		case "relation":
			family = "tables"
		}
		found[family] = true
	}
	return slices.Sorted(maps.Keys(found))
}
