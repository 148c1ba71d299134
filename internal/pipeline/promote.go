package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// newest sorts releases, the newest first.
func newest(releases []Release) []Release {
	return slices.SortedFunc(slices.Values(releases), func(a, b Release) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(b.Name, a.Name)
	})
}

// Promote finds the release that the environment before has proved: every script of it is applied in all of its targets,
// byte for byte, and nothing else is. Of several that say the same to a database, the one that the histories name is
// taken, else the newest. Reasons say why there is none. Whether it may be deployed is for Next to say.
func Promote(p Pipeline, environment string, releases []Release, facts []TargetFacts) (Release, []Reason) {
	e, before, ok := p.place(environment)
	refuse := func(gate Gate, in, text, next string, details ...string) (Release, []Reason) {
		return Release{}, []Reason{{Gate: gate, Environment: in, Text: text, Next: next, Details: details}}
	}
	switch {
	case !ok:
		return refuse(GatePipeline, environment, fmt.Sprintf("the pipeline has no environment %q", environment), "the environments are "+list(p.names()))
	case before == nil:
		return refuse(GatePipeline, environment, e.Name+" is the first environment: nothing comes before it that could prove a release",
			deploy(e.Name, "NAME")+" names one")
	}
	prior := slices.DeleteFunc(slices.Clone(facts), func(t TargetFacts) bool { return t.Environment != before.Name })
	if len(prior) == 0 {
		return refuse(GatePrevious, before.Name, before.Name+" has no targets, so nothing is proved there",
			fmt.Sprintf("if %s is gone, take it out of pipeline", before.Name))
	}
	for _, t := range prior {
		if t.Unreachable != "" {
			_, reasons := refuse(GatePrevious, before.Name, fmt.Sprintf("%s in %s could not be reached: %s", t.Name, before.Name, t.Unreachable), "bring it up")
			reasons[0].Passing = t.passing()
			return Release{}, reasons
		}
	}
	var best *Release
	var named bool
	var near []string
	for _, rel := range newest(releases) {
		why := unproved(rel, prior)
		if why != "" {
			near = append(near, rel.Name+": "+why)
			continue
		}
		if is := slices.ContainsFunc(prior, func(t TargetFacts) bool { return lastDigest(t) == rel.Digest && rel.Digest != "" }); best == nil || is && !named {
			best, named = &rel, is
		}
	}
	if best == nil {
		return refuse(GatePrevious, before.Name, fmt.Sprintf("what %s has is no release as a whole", before.Name),
			fmt.Sprintf("deploy a release to %s first: skein status shows what it lacks", before.Name), near...)
	}
	return *best, nil
}

// unproved says why targets do not have exactly this release, "" if they do.
func unproved(rel Release, targets []TargetFacts) string {
	for i := range targets {
		t := &targets[i]
		p := presentIn(t.Applied)
		scripts := t.reads(rel)
		for _, s := range scripts {
			if !s.runs() {
				continue
			}
			switch _, how := p.of(s); how {
			case same, covered:
			case changed:
				return fmt.Sprintf("%s has %s with other bytes", t.Name, s.label())
			case failed:
				return fmt.Sprintf("%s failed in %s", s.label(), t.Name)
			case absent:
				return fmt.Sprintf("%s has not run %s", t.Name, s.label())
			case unknown:
				return fmt.Sprintf("%s recorded no checksum of %s", t.Name, s.label())
			}
		}
		if more := beyond(p, scripts); len(more) > 0 {
			return fmt.Sprintf("%s has %s besides", t.Name, list(more))
		}
	}
	return ""
}

// beyond lists what is there and not among the scripts.
func beyond(p present, scripts []Script) []string {
	by := shelve(scripts)
	var out []string
	for _, row := range p.rows() {
		if _, ok := by.script(row); !ok && row.Success && !row.MissingOK && (row.Version.IsZero() || row.Version.Compare(by.stands) > 0) {
			out = append(out, row.label())
		}
	}
	return out
}

// lastDigest gives the release that brought the last row, as it was recorded.
func lastDigest(t TargetFacts) string {
	if len(t.Applied) == 0 {
		return ""
	}
	return t.Applied[len(t.Applied)-1].Digest
}
