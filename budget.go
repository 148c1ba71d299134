package skein

import (
	"fmt"
	"time"
)

// timeLeft is what remains of the time budget; ok says that there is one.
func (r *run) timeLeft() (left time.Duration, ok bool) {
	if r.cfg.TimeBudget == 0 || r.cfg.instead != nil {
		return 0, false
	}
	return r.cfg.TimeBudget - time.Since(r.began), true
}

// outOfTime is the error of a run that must not begin another script, else nil. How long the next one takes nobody
// knows; what is known is how long the longest of this run took.
func (r *run) outOfTime() error {
	left, bounded := r.timeLeft()
	if !bounded || fitting(left, r.longest) > 0 {
		return nil
	}
	e := &Error{Kind: KindInterrupted, Code: "ERROR", Hint: runAgain, Message: fmt.Sprintf("the time budget of %s is used up", r.cfg.TimeBudget)}
	if left > 0 {
		e.Message = fmt.Sprintf("of the time budget of %s there is %s left, less than the longest script of this run took (%s)",
			r.cfg.TimeBudget, left.Round(time.Millisecond), r.longest.Round(time.Millisecond))
	}
	return e
}

// slice is how many scripts may travel together.
func (r *run) slice() int {
	if left, bounded := r.timeLeft(); bounded {
		return max(1, fitting(left, r.longest))
	}
	return sliceSteps
}

// fitting is how many scripts may be begun when so much time is left: one if nothing is known of how long they take, and
// none that would not fit if it took as long as the longest so far.
func fitting(left, longest time.Duration) int {
	switch {
	case left <= 0:
		return 0
	case longest <= 0:
		return 1
	}
	return int(min(left/longest, sliceSteps))
}
