package stall

import (
	"testing"
	"time"
)

func TestFuse(t *testing.T) {
	t.Parallel()
	type look struct {
		at     time.Duration
		behind int
		blown  bool
	}
	for name, c := range map[string]struct {
		limit int
		looks []look
	}{
		"few":       {5, []look{{0, 5, false}, {3 * time.Second, 5, false}}},
		"many":      {5, []look{{0, 6, false}, {900 * ms, 7, false}, {1000 * ms, 6, true}}},
		"in waves":  {5, []look{{0, 6, false}, {900 * ms, 5, false}, {1000 * ms, 6, false}, {1900 * ms, 6, false}, {2000 * ms, 9, true}}},
		"no limit":  {0, []look{{0, 99, false}, {time.Minute, 99, false}}},
		"seen late": {5, []look{{5 * time.Second, 6, false}, {6 * time.Second, 6, true}}},
	} {
		f := Fuse{Limit: c.limit, Budget: time.Second}
		for _, l := range c.looks {
			if got := f.Blown(l.at, l.behind); got != l.blown {
				t.Errorf("%s: at %s with %d: %t", name, l.at, l.behind, got)
			}
		}
	}
}
