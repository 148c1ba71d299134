// Package schedule says when: rate, cron and at expressions as EventBridge Scheduler and cron know them, and windows with freezes.
// All of it is about what a zone's clock shows, right over both changes of daylight saving. A time that the clock jumps over
// in spring counts as the first moment after the jump, a time that comes twice in autumn counts once, the first time.
package schedule

import (
	"time"
)

// Windows says when something may happen: inside one of the windows, and not on a frozen day. The zero value is always
// open. Windows that touch or overlap are one.
type Windows struct {
	Zone    *time.Location // whose clock the windows and freezes mean; nil: UTC
	List    []Window       // none: always open, but for the freezes
	Freezes []Freeze
}

// Window is a time that comes back each week, such as "mon-thu 20:00-23:00". It belongs to the day on which it opens:
// "fri 22:00-04:00" ends on Saturday.
type Window struct {
	Text string // as it was written
	days [7]bool
	from time.Duration // after midnight
	to   time.Duration // after midnight of the day on which it opens; above 24 h when it ends on the next day
}

// Freeze is a time without any window: whole days from First to Last, both included.
type Freeze struct {
	Text        string // as it was written
	First, Last time.Time
}
