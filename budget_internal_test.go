package skein

import (
	"testing"
	"time"
)

func TestFittingScripts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		left, longest time.Duration
		want          int
	}{
		{-time.Second, 0, 0}, {0, 0, 0}, {time.Nanosecond, 0, 1}, {time.Hour, 0, 1},
		{time.Second, 2 * time.Second, 0}, {time.Second, time.Second, 1}, {10 * time.Second, 3 * time.Second, 3},
		{time.Hour, time.Millisecond, sliceSteps},
	} {
		if got := fitting(c.left, c.longest); got != c.want {
			t.Errorf("%s left, longest %s: %d, not %d", c.left, c.longest, got, c.want)
		}
	}
}
