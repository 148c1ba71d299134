package pipeline

import (
	"slices"
	"time"
)

// waves divides the work. Every target of the environment gets its place, whether it has something to do or not, and those
// that have nothing are taken out afterwards: so a rollout that is resumed has the same waves as the one that stopped.
func (j *judge) waves(work []Work) [][]Work {
	by := map[string]Work{}
	for _, w := range work {
		by[w.Target] = w
	}
	sizes := slices.Clone(j.env.Waves)
	sizes = append(sizes, Wave{})
	var out [][]Work
	left := j.here
	for _, size := range sizes {
		n := min(size.size(len(j.here)), len(left))
		var wave []Work
		for _, t := range left[:n] {
			if w, ok := by[t.Name]; ok {
				wave = append(wave, w)
			}
		}
		left = left[n:]
		if len(wave) > 0 {
			out = append(out, wave)
		}
	}
	return out
}

// estimate tells how long the waves take, from what the same scripts took in the environment before: of several targets the
// slowest counts.
func (j *judge) estimate(waves [][]Work) Estimate {
	times, known := map[string]time.Duration{}, map[string]bool{}
	if !j.back {
		for i := range j.prior {
			t := &j.prior[i]
			p := j.has(t)
			for _, s := range t.scripts(j.rel) {
				if row, how := p.of(s); how == same {
					known[s.Path] = true
					times[s.Path] = max(times[s.Path], row.Duration)
				}
			}
		}
	}
	factor := j.evidence.Factor
	if factor <= 0 {
		factor = 1
	}
	var e Estimate
	missing := map[string]bool{}
	for i, wave := range waves {
		slots := make([]time.Duration, len(wave))
		if n := j.env.Concurrent; n > 0 && n < len(wave) {
			slots = slots[:n]
		}
		for _, w := range wave {
			free := slices.Index(slots, slices.Min(slots))
			for _, s := range w.Steps {
				slots[free] += time.Duration(float64(times[s.Path]) * factor)
				if !known[s.Path] && !missing[s.Path] {
					missing[s.Path] = true
					e.Unmeasured = append(e.Unmeasured, s.Path)
				}
			}
		}
		took := slices.Max(slots)
		if i < len(waves)-1 && j.env.Health {
			took += j.env.HealthWait
		}
		e.Waves = append(e.Waves, took)
		e.Time += took
	}
	return e
}
