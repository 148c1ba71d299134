package watch

import (
	"fmt"
	"time"
)

// Verdict is what a look from outside says of a run.
type Verdict string

// The verdicts.
const (
	Nothing  Verdict = "nothing running"
	Working  Verdict = "working"
	Blocked  Verdict = "blocked"
	Stalled  Verdict = "stalled"
	Orphaned Verdict = "orphaned"
	Unseen   Verdict = "unseen" // something holds the migration lock, and the role may not see what it does
)

// Look is what can be seen of a run from outside.
type Look struct {
	Lock   Session // who holds the migration lock; PID 0: nobody
	Fence  Session // whose transaction records a step; PID 0: none
	Worker Facts   // who works on the scripts
	// Runner says that the run itself looks at its work, which it does while a statement is longer than a second; Silent
	// is how long ago it did so last.
	Runner  bool
	Silent  time.Duration
	Program bool // what runs is a program or Go code: that no statement is running is as it should be
}

// Judge tells a run that comes on from one that stands still, which takes more than one look. The zero value is ready.
type Judge struct {
	pid   int
	work  Work
	since time.Time
}

// Verdict judges a look that was taken at that moment; patience is how long nothing may happen before the run counts as
// stalled. still is how long the counters have not moved, 0 where they have or there are none.
func (j *Judge) Verdict(at time.Time, l Look, patience time.Duration) (v Verdict, reason string, still time.Duration) {
	w := l.Worker.Session
	if w.PID != j.pid || l.Worker.Work != j.work || j.since.IsZero() {
		*j = Judge{pid: w.PID, work: l.Worker.Work, since: at}
	}
	if work := l.Worker.Work; work.All > 0 && work.Done < work.All {
		still = at.Sub(j.since)
	}
	switch {
	case l.Lock.PID == 0 && w.PID == 0 && l.Fence.PID == 0:
		return Nothing, "nobody holds the migration lock", 0
	case l.Lock.PID == 0 && !(l.Runner && l.Silent < patience): // before a callback the lock need not be there yet
		pid := w.PID
		if pid == 0 {
			pid = l.Fence.PID
		}
		return Orphaned, fmt.Sprintf("pid %d still works for a run whose client is gone: nobody holds the migration lock; the next run waits for it", pid), still
	case len(l.Worker.Blockers) > 0:
		return Blocked, "it waits for " + who(l.Worker.Blockers), still
	case w.PID == 0 && l.Lock.Hidden() || w.Hidden():
		return Unseen, "the migration lock is held, and this role may not see what the holder does", still
	}
	v, reason = moving(l, still, patience)
	return v, reason, still
}

// moving judges a run that waits for nobody.
func moving(l Look, still, patience time.Duration) (Verdict, string) {
	w := l.Worker.Session
	switch {
	case l.Runner && l.Silent >= patience:
		reason := fmt.Sprintf("the run itself has not been heard of for %s", l.Silent.Round(time.Second))
		if w.State == "active" {
			reason += "; its statement goes on in the server"
		}
		return Stalled, reason
	case l.Program && l.Runner:
		return Working, "a program or Go code is running"
	case w.PID == 0 && l.Lock.StateAge >= patience:
		return Stalled, fmt.Sprintf("the migration lock is held, and nothing has been done for %s", l.Lock.StateAge.Round(time.Second))
	case w.PID != 0 && w.State != "active" && w.StateAge >= patience:
		return Stalled, fmt.Sprintf("pid %d has been %s for %s: the run sends nothing", w.PID, w.State, w.StateAge.Round(time.Second))
	case still >= patience:
		return Stalled, fmt.Sprintf("%s has not come on for %s, and waits for nobody", l.Worker.Work.Command, still.Round(time.Second))
	case w.PID == 0:
		return Working, "the migration lock is held, and no statement is running at this moment"
	}
	return Working, ""
}

func who(sessions []Session) string {
	text := ""
	for i, s := range sessions {
		if i > 0 {
			text += ", "
		}
		switch {
		case s.PID == 0:
			text += "a prepared transaction"
		case s.Application == "":
			text += fmt.Sprintf("pid %d", s.PID)
		default:
			text += fmt.Sprintf("pid %d (%s)", s.PID, s.Application)
		}
	}
	return text
}
