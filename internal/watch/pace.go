package watch

import (
	"slices"
	"time"
)

const (
	paceWindow = 30 * time.Second // how far back the speed is measured
	paceLeast  = 3 * time.Second  // no forecast from less
	paceShare  = 0.005            // of the whole: nor from a smaller step than that
)

// Pace remembers how a phase came on, to say how long the rest will take. The zero value is ready.
type Pace struct {
	command, phase string
	all            int64
	samples        []sample
}

type sample struct {
	at   time.Time
	done int64
}

// Left takes note of the work at that moment and says how long the rest of this phase takes at the speed of the last half
// minute; 0 where that is not known yet.
func (p *Pace) Left(at time.Time, w Work) time.Duration {
	last := len(p.samples) - 1
	if w.Command != p.command || w.Phase != p.phase || w.All != p.all || last >= 0 && w.Done < p.samples[last].done {
		*p = Pace{command: w.Command, phase: w.Phase, all: w.All}
	}
	if w.All <= 0 {
		return 0
	}
	p.samples = append(p.samples, sample{at, w.Done})
	p.samples = slices.DeleteFunc(p.samples, func(s sample) bool { return at.Sub(s.at) > paceWindow })
	first := p.samples[0]
	span, moved := at.Sub(first.at), w.Done-first.done
	if span < paceLeast || float64(moved) < paceShare*float64(w.All) || w.Done >= w.All {
		return 0
	}
	return time.Duration(float64(span) * float64(w.All-w.Done) / float64(moved)).Round(time.Second)
}
