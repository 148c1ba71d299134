package stall

import "time"

// Measured on workloads of short, overlapping and long transactions (testdata/workloads.txtar).
const (
	young     = 150 * time.Millisecond // who has held a lock no longer than that is expected to be gone soon
	shortTry  = 100 * time.Millisecond // how long to wait for those
	settled   = time.Second            // how long to watch before the transactions seen count as all there are
	slack     = 60 * time.Millisecond  // for a transaction that lasts a little longer than the longest one seen
	vacuumTry = 300 * time.Millisecond // over deadlock_timeout, when PostgreSQL makes autovacuum give way
)

// Holder is a session that holds, or is about to get, a lock that conflicts with the one wanted.
type Holder struct {
	PID int32
	// Age is that of its transaction; negative where the role may not see it.
	Age time.Duration
	// Autovacuum gives way by itself to whoever waits for deadlock_timeout.
	Autovacuum bool
}

// Action is what to do next.
type Action uint8

// The actions.
const (
	Wait   Action = iota // outside the queue; look again soon
	Try                  // now, with Decision.Timeout as lock_timeout
	GiveUp               // the deadline has passed
)

// Decision is an action, with how long a Try may wait for a lock.
type Decision struct {
	Action  Action
	Timeout time.Duration
}

// Watch decides for one transaction, from its first look on. All times are since then.
type Watch struct {
	Budget   time.Duration // the longest that others may be held up
	Deadline time.Duration

	seen     map[int32]time.Duration // when a session was first seen
	vacuums  map[int32]bool          // those that were waited for once
	latest   time.Duration           // age of the oldest transaction seen since turn, running or not
	before   time.Duration           // and in the span before it
	turn     time.Duration           // start of the span that latest is of
	watching bool
	since    time.Duration // start of watching
	refused  int           // tries in a row that nothing seen explains
}

// Decide takes what was seen at a moment. deadlock is the server's deadlock_timeout.
func (w *Watch) Decide(now time.Duration, holders []Holder, deadlock time.Duration) Decision {
	oldest, vacuum := w.look(now, holders)
	switch {
	case oldest <= young && vacuum != 0 && !w.vacuums[vacuum]:
		w.vacuums[vacuum] = true
		return w.try(now, deadlock+vacuumTry)
	case oldest <= young && vacuum == 0:
		return w.try(now, min(shortTry<<min(w.refused, 10), w.Budget))
	}
	if !w.watching {
		w.watching, w.since = true, now
	}
	w.refused = 0
	if longest := max(w.latest, w.before); vacuum == 0 && now-w.since >= settled && longest+slack <= w.Budget {
		return w.try(now, longest+slack)
	}
	return w.orGiveUp(now, Decision{Action: Wait})
}

func (w *Watch) try(now, timeout time.Duration) Decision {
	return w.orGiveUp(now, Decision{Try, timeout})
}

func (w *Watch) orGiveUp(now time.Duration, d Decision) Decision {
	if now >= w.Deadline {
		return Decision{Action: GiveUp}
	}
	return d
}

// look notes ages. It gives the oldest of those that are no autovacuum, and one that is.
func (w *Watch) look(now time.Duration, holders []Holder) (oldest time.Duration, vacuum int32) {
	if w.seen == nil {
		w.seen, w.vacuums = map[int32]time.Duration{}, map[int32]bool{}
	}
	here := map[int32]bool{}
	for _, h := range holders {
		if h.Autovacuum {
			vacuum = h.PID
			continue
		}
		first, known := w.seen[h.PID]
		if !known {
			first = now
			w.seen[h.PID] = first
		}
		here[h.PID] = true
		age := h.Age
		if age < 0 {
			age = now - first
		}
		oldest = max(oldest, age)
	}
	for pid := range w.seen {
		if !here[pid] {
			delete(w.seen, pid)
		}
	}
	// One transaction that lasted too long is no reason to wait for ever. The span is longer than what a transaction can
	// last that still fits, so that of one after another the one before is not forgotten.
	if now-w.turn >= max(2*w.Budget, settled) {
		w.before, w.latest, w.turn = w.latest, 0, now
	}
	w.latest = max(w.latest, oldest)
	return oldest, vacuum
}

// Refused notes that the last try did not get its lock in time. When nothing that was seen stood in the way, what did is
// not to be seen: the next try waits longer.
func (w *Watch) Refused() { w.refused++ }
