package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParseWave reads "1" (so many targets), "10%" (of all, rounded up) or "rest".
func ParseWave(text string) (Wave, error) {
	text = strings.TrimSpace(text)
	if text == "rest" {
		return Wave{}, nil
	}
	n, percent, err := amount(text)
	if err != nil || n == 0 && percent == 0 {
		return Wave{}, fmt.Errorf(`wave %q is neither a number above 0, nor a percentage such as 10%%, nor "rest"`, text)
	}
	return Wave{Count: n, Percent: percent}, nil
}

// ParseBudget reads "0", "5" or "2%" (of all targets, rounded down).
func ParseBudget(text string) (Budget, error) {
	n, percent, err := amount(strings.TrimSpace(text))
	if err != nil {
		return Budget{}, fmt.Errorf("failure budget %q is neither a number nor a percentage such as 2%%", text)
	}
	return Budget{Count: n, Percent: percent}, nil
}

func amount(text string) (n int, percent float64, err error) {
	if p, ok := strings.CutSuffix(text, "%"); ok {
		percent, err = strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err == nil && !(percent >= 0 && percent <= 100) {
			err = strconv.ErrRange
		}
		return 0, percent, err
	}
	u, err := strconv.ParseUint(text, 10, 31)
	return int(u), 0, err //nolint:gosec // 31 bits fit
}

// String gives the wave as it is written in the settings.
func (w Wave) String() string {
	switch {
	case w.Count > 0:
		return strconv.Itoa(w.Count)
	case w.Percent > 0:
		return strconv.FormatFloat(w.Percent, 'f', -1, 64) + "%"
	}
	return "rest"
}

// size is how many of all targets a wave takes.
func (w Wave) size(all int) int {
	switch {
	case w.Count > 0:
		return w.Count
	case w.Percent > 0:
		return int(math.Ceil(float64(all)*w.Percent/100 - 1e-9))
	}
	return all
}

// Of is how many of all targets may fail.
func (b Budget) Of(all int) int {
	return max(b.Count, int(math.Floor(float64(all)*b.Percent/100+1e-9)))
}

// Check tells what is wrong with the settings of a pipeline, all of it.
func (p Pipeline) Check() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	seen := map[string]bool{}
	for _, e := range p.Environments {
		if seen[e.Name] {
			say("environment %s is in the pipeline twice", e.Name)
		}
		seen[e.Name] = true
		g := e.Gates
		if g.Approvals > len(p.People) {
			say("%s wants %s, and only %s in [skein.people]", e.Name, count(g.Approvals, "approval"), people(len(p.People)))
		}
		if g.Soak < 0 || g.ApprovalExpiry < 0 || e.HealthWait < 0 {
			say("%s has a negative duration", e.Name)
		}
		for i, w := range e.Waves {
			if w == (Wave{}) && i < len(e.Waves)-1 {
				say("%s has a wave after the rest", e.Name)
			}
		}
	}
	return out
}

func people(n int) string {
	if n == 1 {
		return "1 person has keys"
	}
	return fmt.Sprintf("%d people have keys", n)
}

// place finds an environment, and the one before it.
func (p Pipeline) place(name string) (e Environment, before *Environment, ok bool) {
	i := slices.IndexFunc(p.Environments, func(e Environment) bool { return e.Name == name })
	if i < 0 {
		return Environment{}, nil, false
	}
	if i > 0 {
		before = &p.Environments[i-1]
	}
	return p.Environments[i], before, true
}

// names lists the environments, in order.
func (p Pipeline) names() []string {
	out := make([]string, len(p.Environments))
	for i, e := range p.Environments {
		out[i] = e.Name
	}
	return out
}

// zone is whose clock the words of an environment show.
func (e Environment) zone() *time.Location { return e.Gates.Windows.Zone }
