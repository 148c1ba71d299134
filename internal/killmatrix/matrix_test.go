package killmatrix

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// every asks for more than a sample (make kill-matrix): one point in so many, from 1; 0 is the sample.
var every, _ = strconv.Atoi(os.Getenv("SKEIN_KILL_MATRIX"))

// tally counts the points by scenario and way.
type tally struct {
	sync.Mutex
	points, refused map[string]map[way]int
}

// add counts a point whose test has not failed.
func (y *tally) add(t testing.TB, name string, w way, refused bool) {
	y.Lock()
	defer y.Unlock()
	if t.Failed() {
		return
	}
	to := y.points
	if refused {
		to = y.refused
	}
	if to[name] == nil {
		to[name] = map[way]int{}
	}
	to[name][w]++
}

// A run that is broken anywhere, and then run again, ends as one that was not.
func TestKillMatrix(t *testing.T) { //nolint:tparallel // the table waits for its parts
	t.Parallel()
	y := &tally{points: map[string]map[way]int{}, refused: map[string]map[way]int{}}
	t.Run("points", func(t *testing.T) {
		for i, s := range scenarios(t) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				points, want := (&trial{pgtest.New(t), nil, &s}).whole(t)
				for j, w := range ways[:3] {
					for _, at := range chosen(points, w, i*len(ways)+j) {
						t.Run(string(w)+"/"+at.String(), func(t *testing.T) {
							t.Parallel()
							y.add(t, s.name, w, (&trial{pgtest.New(t), nil, &s}).broken(t, w, at, want))
						})
					}
				}
			})
		}
		t.Run("restart", func(t *testing.T) {
			t.Parallel()
			restarts(t, y)
		})
	})
	t.Log("\n" + y.table())
}

// restarts breaks runs by restarting a server of their own, one after another. The WAL writer is slow there, so that
// what was committed without waiting for the disk is lost.
func restarts(t *testing.T, y *tally) {
	server := pgtest.Server(t, map[string]string{"wal_writer_delay": "10s", "wal_writer_flush_after": "100MB", "max_connections": "20"})
	for i, s := range scenarios(t) {
		if every == 0 && i%5 != 0 {
			continue
		}
		points, want := (&trial{pgtest.On(t, server), server, &s}).whole(t)
		for _, at := range chosen(points, restart, i) {
			t.Run(s.name+"/"+at.String(), func(t *testing.T) {
				y.add(t, s.name, restart, (&trial{pgtest.On(t, server), server, &s}).broken(t, restart, at, want))
			})
		}
	}
}

// chosen are the points at which a run is broken in a way. Restarts take long and are fewer; for backends that are ended
// it does not matter whether a message was on its way. Each seed chooses others.
func chosen(points []point, w way, seed int) []point {
	points = slices.DeleteFunc(slices.Clone(points), func(p point) bool {
		return w == terminate && p.when == after || w == restart && (p.when == before || p.conn == "lock")
	})
	if every == 0 {
		at := seed * 37 % len(points)
		return points[at : at+1]
	}
	step := every
	if w == restart {
		step *= 3
	}
	var some []point
	for i := seed % step; i < len(points); i += step {
		some = append(some, points[i])
	}
	return some
}

// table prints the tally for people and for docs/reliability.md.
func (y *tally) table() string {
	var b strings.Builder
	b.WriteString("| scripts |")
	for _, w := range ways {
		fmt.Fprintf(&b, " %s |", w)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(ways)) + "\n")
	sum, refused := 0, 0
	names := slices.Collect(maps.Keys(y.points))
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, w := range ways {
			fmt.Fprintf(&b, " %d", y.points[name][w])
			if n := y.refused[name][w]; n > 0 {
				fmt.Fprintf(&b, " (+ %d refused)", n)
				refused += n
			}
			b.WriteString(" |")
			sum += y.points[name][w]
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n%d points ended as an undisturbed run, %d in the documented refusal\n", sum, refused)
	return b.String()
}
