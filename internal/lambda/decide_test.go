package lambda

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC)
	limits := Limits{Hops: 5, MaxTime: time.Hour, Idle: 3}
	for _, c := range []struct {
		name   string
		run    Run
		slice  slice
		after  time.Duration
		status string
		next   Run    // but for id and start
		words  string // of the error
	}{
		{"the first slice", Run{}, slice{applied: 4, left: 3}, time.Minute, StatusContinued, Run{Hop: 1, Applied: 4}, ""},
		{"a later one", Run{Hop: 3, Applied: 10, Idle: 2}, slice{applied: 1, left: 1}, time.Minute, StatusContinued, Run{Hop: 4, Applied: 11}, ""},
		{"a script is left to the server", Run{Hop: 1, Applied: 4}, slice{begun: []string{"V5"}, left: 2}, time.Minute, StatusContinued,
			Run{Hop: 2, Applied: 4, Idle: 1, Begun: []string{"V5"}}, ""},
		{"it still runs there", Run{Hop: 2, Idle: 1, Begun: []string{"V5"}}, slice{waiting: true, left: -1}, time.Minute, StatusWaiting,
			Run{Hop: 3, Idle: 1, Begun: []string{"V5"}}, ""},
		{"what was left behind has ended, and nothing else began", Run{Hop: 2, Idle: 1, Begun: []string{"V5"}}, slice{left: 2, applied: 1}, time.Minute,
			StatusContinued, Run{Hop: 3, Applied: 1}, ""},
		{"waiting is not idling", Run{Hop: 4}, slice{waiting: true, left: -1}, time.Minute, StatusWaiting, Run{Hop: 5}, ""},
		{"a script that ends with the function", Run{Hop: 1}, slice{begun: []string{"V5"}, attached: "it calls", left: 1}, time.Minute, StatusFailed, Run{},
			"V5 had the whole time of an invocation and did not end, and it cannot go on without the function: it calls"},
		{"it only waited", Run{Hop: 1}, slice{begun: []string{"V5"}, attached: "it calls", waiting: true, left: 1}, time.Minute, StatusWaiting,
			Run{Hop: 2, Idle: 1, Begun: []string{"V5"}}, ""},
		{"no progress", Run{Hop: 2, Idle: 2}, slice{begun: []string{"V5"}, left: 1}, time.Minute, StatusFailed, Run{},
			"3 invocations in a row have begun V5 and not seen its end"},
		{"too many hops", Run{Hop: 5, Applied: 9}, slice{applied: 1, left: 1}, time.Minute, StatusFailed, Run{}, "gone on 5 times"},
		{"too long", Run{Hop: 1}, slice{applied: 1, left: 1}, time.Hour, StatusFailed, Run{}, "began 1h0m0s ago, which is more than lambda.maxTime (1h0m0s) allows, and has not ended"},
		{"too long for a lock", Run{Hop: 1}, slice{waiting: true, left: -1}, 2 * time.Hour, StatusFailed, Run{}, "and waits for a lock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run.ID, c.run.Started = "r", start
			m := decide(c.run, c.slice, limits, start.Add(c.after))
			if m.status != c.status || !strings.Contains(m.words, c.words) || (m.hint == "") != (c.words == "") {
				t.Errorf("%s %q (%q)", m.status, m.words, m.hint)
			}
			if (m.next == nil) != (c.words != "") {
				t.Fatalf("next: %v", m.next)
			}
			if n := m.next; n != nil && (n.ID != "r" || !n.Started.Equal(start) || n.Hop != c.next.Hop || n.Applied != c.next.Applied || n.Idle != c.next.Idle ||
				strings.Join(n.Begun, " ") != strings.Join(c.next.Begun, " ")) {
				t.Errorf("next: %+v", *n)
			}
		})
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ margin, left, begin, letGo time.Duration }{
		{0, 900 * time.Second, 870 * time.Second, 885 * time.Second},
		{0, 60 * time.Second, 54 * time.Second, 57 * time.Second},
		{0, 3 * time.Second, 2 * time.Second, 2500 * time.Millisecond},
		{0, time.Second / 2, 0, 0},
		{20 * time.Second, 60 * time.Second, 40 * time.Second, 50 * time.Second},
	} {
		begin, letGo := Limits{Margin: c.margin}.window(c.left)
		if begin != c.begin || letGo != c.letGo {
			t.Errorf("margin %s of %s: begins until %s, lets go at %s", c.margin, c.left, begin, letGo)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attached        string
		expected, whole time.Duration
		want            string
	}{
		{"", time.Hour, time.Minute, ""}, // the server finishes it
		{"it calls", time.Minute, time.Minute, ""},
		{"it calls", 0, time.Minute, ""}, // not known
		{"it calls", 12 * time.Minute, 885 * time.Second, ""},
		{"it calls", 20 * time.Minute, 885 * time.Second, "it is expected to take 20m0s, the function has 14m45s, and it cannot go on without the function: it calls"},
	} {
		err := tooLong("V1__a.sql", c.attached, c.expected, c.whole)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestBehindProxy: by its name alone a proxy makes every script end with the function.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"shop.proxy-abc.eu-west-1.rds.amazonaws.com": "an RDS Proxy stands between here and the server", "shop.cluster-abc.eu-west-1.rds.amazonaws.com": "",
	} {
		var lines strings.Builder
		s := &Slice{log: newLog(&lines, time.Now)}
		cfg, err := pgx.ParseConfig("postgres://u@" + host + "/shop?sslmode=verify-full")
		if err != nil {
			t.Fatal(err)
		}
		s.warnOf(cfg)
		if got := s.attached(""); got != want || strings.Contains(lines.String(), "is an RDS Proxy") != (want != "") {
			t.Errorf("%s: %q, %s", host, got, lines.String())
		}
	}
}
