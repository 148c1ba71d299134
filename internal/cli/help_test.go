package cli

import (
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/config"
)

// loadSettings reads settings from flags alone.
func loadSettings(t *testing.T, args ...string) *config.Settings {
	t.Helper()
	line, err := config.Parse(args, grammar(false))
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := config.Load(config.Input{Args: line, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHelpPages(t *testing.T) {
	t.Parallel()
	all := usage("skein")
	for _, v := range verbs {
		page := v.page("skein") // panics where a setting does not exist
		for _, s := range v.Settings {
			if k, _ := config.Lookup(strings.TrimSuffix(s, "*") + map[bool]string{true: "x"}[strings.HasSuffix(s, "*")]); k.Standing != config.Honoured {
				t.Errorf("help %s offers %s, which is %s", v.Name, s, k.Standing)
			}
		}
		if !strings.Contains(all, "\n  "+v.Name+" ") || !strings.Contains(all, v.Summary) {
			t.Errorf("the usage does not list %s", v.Name)
		}
		for _, e := range v.Example {
			// What help shows must be taken.
			line, err := config.Parse(strings.Fields(strings.ReplaceAll(e, "'", "")), grammar(false))
			if err != nil && !strings.Contains(e, "'") {
				t.Errorf("the example %q is refused: %v", e, err)
			}
			if err == nil && checkVerbs(line.Verbs) != nil {
				t.Errorf("the example %q is refused: %v", e, checkVerbs(line.Verbs))
			}
			if !strings.Contains(page, e) {
				t.Errorf("help %s lacks its example", v.Name)
			}
		}
	}
	for _, line := range strings.Split(all, "\n") {
		if units(line) > 120 {
			t.Errorf("wider than 120: %s", line)
		}
	}
}

func TestLaterVerbsAreNoVerbs(t *testing.T) {
	t.Parallel()
	for _, w := range laterVerbs {
		if _, ok := lookupVerb(w); ok {
			t.Errorf("%s is in both lists", w)
		}
		if err := checkVerbs([]string{"info", w}); err == nil || !strings.Contains(err.Error(), w+" is not part of this release") {
			t.Errorf("%s: %v", w, err)
		}
	}
}
