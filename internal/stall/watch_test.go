package stall

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// A line of a case is what is seen at a moment and what is decided: "at: pid=age ... -> action". An age of ? is one that
// the role may not see, a v behind the age is an autovacuum. "refused" tells that the try before was in vain.
func TestDecisions(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/decisions.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			w := Watch{Budget: time.Second, Deadline: time.Minute}
			var got strings.Builder
			for line := range strings.Lines(string(f.Data)) {
				if strings.TrimSpace(line) == "refused" {
					w.Refused()
					got.WriteString(line)
					continue
				}
				before, _, ok := strings.Cut(line, " ->")
				at, seen, _ := strings.Cut(before, ":")
				if !ok {
					t.Fatalf("not a line: %s", line)
				}
				fmt.Fprintf(&got, "%s -> %s\n", before, told(w.Decide(parse(t, at), holders(t, seen), time.Second)))
			}
			if diff := cmp.Diff(string(f.Data), got.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func parse(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func holders(t *testing.T, s string) []Holder {
	var all []Holder
	for word := range strings.FieldsSeq(s) {
		var h Holder
		pid, age, _ := strings.Cut(word, "=")
		if _, err := fmt.Sscan(pid, &h.PID); err != nil {
			t.Fatal(err)
		}
		age, h.Autovacuum = strings.CutSuffix(age, "v")
		if h.Age = -1; age != "?" {
			h.Age = parse(t, age)
		}
		all = append(all, h)
	}
	return all
}

func told(d Decision) string {
	switch d.Action {
	case Try:
		return "try " + d.Timeout.String()
	case GiveUp:
		return "give up"
	}
	return "wait"
}

// A try never holds others up for longer than the budget, but for the one that an autovacuum is worth; and past the
// deadline there is none.
func TestTriesFitTheBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := Watch{Budget: time.Duration(rapid.IntRange(1, 3000).Draw(t, "budget")) * ms, Deadline: time.Minute}
		vacuums := map[int32]int{}
		now := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now += time.Duration(rapid.IntRange(1, 4000).Draw(t, "later")) * ms
			var seen []Holder
			for pid := range rapid.Int32Range(0, 3).Draw(t, "holders") {
				seen = append(seen, Holder{pid + 1, time.Duration(rapid.IntRange(-1, 5000).Draw(t, "age")) * ms, rapid.IntRange(0, 4).Draw(t, "kind") == 0})
			}
			d := w.Decide(now, seen, time.Second)
			if d.Action != Try {
				continue
			}
			if d.Timeout > w.Budget {
				vacuums[vacuumOf(seen)]++
			}
			if now >= w.Deadline || d.Timeout <= 0 {
				t.Fatalf("%s at %s", told(d), now)
			}
			w.Refused()
		}
		for pid, n := range vacuums {
			if pid == 0 || n > 1 {
				t.Fatalf("%d tries over the budget because of %d", n, pid)
			}
		}
	})
}

func vacuumOf(seen []Holder) (pid int32) {
	for _, h := range seen {
		if h.Autovacuum {
			pid = h.PID
		}
	}
	return pid
}

// simulate runs a watch against transactions that lie one after another in lanes, each of them a gap after the one
// before, and gives when the lock was had and the longest that others were held up. All holders that are there when the
// try begins have to end; later ones queue behind it.
func simulate(w *Watch, rnd *rand.Rand, lanes int, length, gap, shift time.Duration, until time.Duration) (had, stalled time.Duration) {
	period := length + gap
	oldest := func(now time.Duration) (seen []Holder, wait time.Duration) {
		for lane := range lanes {
			at := now + shift*time.Duration(lane)
			if age := at % period; age < length {
				seen = append(seen, Holder{PID: int32(lane)*1e6 + int32(at/period) + 1, Age: age})
				wait = max(wait, length-age)
			}
		}
		return seen, wait
	}
	for now := time.Duration(0); now < until; {
		seen, wait := oldest(now)
		switch d := w.Decide(now, seen, time.Second); {
		case d.Action == GiveUp:
			return 0, stalled
		case d.Action == Try && wait <= d.Timeout:
			return now + wait, max(stalled, wait)
		case d.Action == Try:
			w.Refused()
			stalled = max(stalled, d.Timeout)
			now += d.Timeout + 100*ms + time.Duration(rnd.Int64N(int64(200*ms)))
		default:
			now += 25*ms + time.Duration(rnd.Int64N(int64(50*ms)))
		}
	}
	return 0, stalled
}

// The workloads that the rule was made for (one transaction after another, overlapping ones, ones without a gap).
func TestWorkloads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lanes              int
		length, gap, shift time.Duration
		in, stalls         time.Duration // at most; in 0: never
	}{
		"short":                          {16, 5 * ms, 0, 1 * ms, 10 * ms, 10 * ms},
		"one long with gaps":             {1, 3000 * ms, 200 * ms, 0, 12 * time.Second, 110 * ms},
		"six of 300 ms, overlapping":     {6, 300 * ms, 1 * ms, 50 * ms, 2500 * ms, 360 * ms},
		"four of 800 ms, overlapping":    {4, 800 * ms, 1 * ms, 200 * ms, 4 * time.Second, 860 * ms},
		"two of 3 s without a gap":       {2, 3000 * ms, 1 * ms, 1500 * ms, 0, 110 * ms},
		"four of 1.2 s: over the budget": {4, 1200 * ms, 1 * ms, 300 * ms, 0, 110 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				w := &Watch{Budget: time.Second, Deadline: time.Minute}
				had, stalled := simulate(w, rand.New(rand.NewPCG(seed, 1)), c.lanes, c.length, c.gap, c.shift, 2*time.Minute)
				if (had == 0) != (c.in == 0) || had > c.in || stalled > c.stalls {
					t.Fatalf("seed %d: in after %s, held others up for %s", seed, had, stalled)
				}
			}
		})
	}
}
