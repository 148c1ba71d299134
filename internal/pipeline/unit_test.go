package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWavesAndBudgets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		of   int
		want int
	}{{"1", 10, 1}, {"10%", 10, 1}, {"10%", 11, 2}, {"100%", 7, 7}, {"0.5%", 1000, 5}, {"rest", 7, 7}, {"33.3%", 1000, 333}} {
		w, err := ParseWave(c.text)
		if err != nil || w.size(c.of) != c.want || w.String() != c.text {
			t.Errorf("wave %s (%s) of %d is %d, not %d (%v)", c.text, w, c.of, w.size(c.of), c.want, err)
		}
	}
	for _, c := range []struct {
		text string
		of   int
		want int
	}{{"0", 10, 0}, {"5", 10, 5}, {"2%", 49, 0}, {"2%", 50, 1}, {"2%", 1000, 20}, {"29%", 100, 29}} {
		b, err := ParseBudget(c.text)
		if err != nil || b.Of(c.of) != c.want {
			t.Errorf("budget %s of %d is %d, not %d (%v)", c.text, c.of, b.Of(c.of), c.want, err)
		}
	}
	for _, text := range []string{"", "0", "0%", "-1", "x", "101%", "NaN%", "1.5", "+1"} {
		if w, err := ParseWave(text); err == nil {
			t.Errorf("wave %q is %+v", text, w)
		}
	}
	for _, text := range []string{"", "-1", "x", "101%", "-1%", "NaN%", "1.5"} {
		if b, err := ParseBudget(text); err == nil {
			t.Errorf("budget %q is %+v", text, b)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := Pipeline{People: map[string][]string{"ana": {"k"}}, Environments: []Environment{
		{Name: "qa", Gates: Gates{Approvals: 2}}, {Name: "qa", Waves: []Wave{{}, {Count: 1}}}, {Name: "production", Gates: Gates{Soak: -time.Hour}}}}
	want := []string{
		"qa wants 2 approvals, and only 1 person has keys in [skein.people]",
		"environment qa is in the pipeline twice",
		"qa has a wave after the rest",
		"production has a negative duration",
	}
	if diff := cmp.Diff(want, p.Check()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	good := Pipeline{Environments: []Environment{{Name: "dev"}, {Name: "qa", Waves: []Wave{{Count: 1}, {}}}}}
	if faults := good.Check(); len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
}

func TestTwoTargetsWithOneName(t *testing.T) {
	t.Parallel()
	p := Pipeline{Environments: []Environment{{Name: "qa"}}}
	twice := []TargetFacts{{Name: "a", Environment: "qa"}, {Name: "a", Environment: "qa"}}
	d := Next(p, "qa", Release{}, twice, Evidence{}, time.Time{})
	if !d.Blocked() || !strings.Contains(d.Reasons[0].Text, "two targets have the name a") {
		t.Errorf("%+v", d)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	is := Identity{System: "7", Cluster: "c", Database: "app", Host: "h"}
	for _, c := range []struct {
		pin  Identity
		want []string
	}{
		{Identity{}, nil},
		{is, nil},
		{Identity{Environment: "qa", System: "7"}, nil},
		{Identity{Cluster: "d"}, []string{"cluster d was pinned, it is c"}},
		{Identity{Database: "other", Host: "g"}, []string{"database other was pinned, it is app", "host g was pinned, it is h"}},
	} {
		if diff := cmp.Diff(c.want, differences(c.pin, is)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.pin, diff)
		}
	}
	if got := differences(Identity{System: "7"}, Identity{}); len(got) != 1 || !strings.Contains(got[0], "cannot be read") {
		t.Errorf("an identity that cannot be read: %v", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0s", 40 * time.Second: "40s", 125 * time.Second: "2m 5s", 2 * time.Hour: "2h",
		26 * time.Hour: "1d 2h", 24*time.Hour + 5*time.Minute: "1d", 90 * time.Minute: "1h 30m"} {
		if got := span(d); got != want {
			t.Errorf("%s is %q, not %q", d, got, want)
		}
	}
	if got := list(strings.Split("a b c d e f g", " ")); got != "a, b, c, d, e and 2 more" {
		t.Error(got)
	}
	if got := list(strings.Split("a b c d e f", " ")); got != "a, b, c, d, e and f" {
		t.Error(got)
	}
}
