package stall

import "time"

// Fuse ends a statement behind which too many sessions wait for too long, whether it waits for a lock itself or works
// with the one that it has.
type Fuse struct {
	Limit  int           // so many may wait; 0 or less: any number
	Budget time.Duration // more of them for no longer than that

	over  bool
	since time.Duration
}

// Blown takes how many wait at a moment; times are since any fixed one. A look that shows fewer begins the count anew.
func (f *Fuse) Blown(now time.Duration, behind int) bool {
	if f.Limit <= 0 || behind <= f.Limit {
		f.over = false
		return false
	}
	if !f.over {
		f.over, f.since = true, now
	}
	return now-f.since >= f.Budget
}
