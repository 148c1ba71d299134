package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/skein-db/skein/migration"
)

// Board is where releases stand: what `skein status` shows.
type Board struct {
	Environments []BoardEnvironment // in the pipeline's order
	Releases     []BoardRelease     // the newest first
}

// BoardEnvironment is what an environment's targets have.
type BoardEnvironment struct {
	Name    string
	Targets []BoardTarget
	Skew    bool // its targets do not all have the same
}

// BoardTarget is what one target has.
type BoardTarget struct {
	Name        string
	Unreachable string
	Version     string    // the highest that is applied, "" without one
	Release     string    // the newest release of which it has everything, "" without one
	Beyond      []string  // scripts that it has and that release has not
	Changed     []string  // scripts whose bytes differ from every release's
	Last        time.Time // the last apply, zero without one
	LastZoned   bool      // Last is an instant; else only its digits are known
	Releaser    string    // of the last apply, "" when not recorded
}

// BoardRelease is one release's line.
type BoardRelease struct {
	Name   string
	Digest string
	Places []Place // one an environment, in the pipeline's order
}

// Place is how much of a release an environment has.
type Place struct {
	Environment string
	All         int       // targets
	Have        int       // targets that have every script of it, byte for byte
	Beyond      int       // of these, targets that have more than it: a newer release
	Part        int       // targets that have some of what is new in it
	Unknown     int       // targets that could not be asked
	Since       time.Time // when the last of them got it; zero while Have < All or where no instant is known
}

// Link is one environment in the chain of reasons why something is not applied.
type Link struct {
	Environment string
	Target      string   // "": all of the environment's targets
	Has         bool     // everything is applied: the chain ends
	Missing     []string // scripts that are not applied
	Text        string   // in one sentence
	Reasons     []Reason // why the next deployment would not bring them
	Next        string   // what to do
}

// Standing tells where releases stand: what `skein status` shows.
func Standing(p Pipeline, releases []Release, facts []TargetFacts) Board {
	releases = newest(releases)
	var b Board
	for _, rel := range releases {
		b.Releases = append(b.Releases, BoardRelease{Name: rel.Name, Digest: rel.Digest})
	}
	for _, e := range p.Environments {
		be := BoardEnvironment{Name: e.Name}
		places := make([]Place, len(releases))
		for i := range facts {
			if facts[i].Environment == e.Name {
				be.Targets = append(be.Targets, stand(&facts[i], releases, places))
			}
		}
		for i := range places {
			places[i].Environment = e.Name
			if places[i].Have < places[i].All {
				places[i].Since = time.Time{}
			}
			b.Releases[i].Places = append(b.Releases[i].Places, places[i])
		}
		for i := range be.Targets {
			first, t := be.Targets[0], be.Targets[i]
			be.Skew = be.Skew || t.Unreachable == "" && (t.Release != first.Release || t.Version != first.Version || len(t.Beyond)+len(t.Changed) > 0)
		}
		b.Environments = append(b.Environments, be)
	}
	return b
}

// stand looks at one target, and counts it in the places of the releases, which are the newest first.
func stand(t *TargetFacts, releases []Release, places []Place) BoardTarget {
	out := BoardTarget{Name: t.Name, Unreachable: t.Unreachable}
	for i := range places {
		places[i].All++
		if t.Unreachable != "" {
			places[i].Unknown++
		}
	}
	if t.Unreachable != "" {
		return out
	}
	p := presentIn(t.Applied)
	out.summarize(t, p)
	fits := map[string]bool{} // rows that have the bytes of some release
	known := map[string]bool{}
	for i, rel := range releases {
		scripts := t.reads(rel)
		var have, all int
		var since time.Time
		zoned := true
		for _, s := range scripts {
			if !s.runs() {
				continue
			}
			all++
			row, how := p.of(s)
			if row != nil {
				known[row.label()] = true
			}
			if how == same {
				fits[row.label()] = true
				zoned = zoned && row.Zoned
				if row.At.After(since) {
					since = row.At
				}
			}
			if how == same || how == covered {
				have++
			}
		}
		more := beyond(p, scripts)
		switch {
		case have == all:
			places[i].Have++
			if len(more) > 0 {
				places[i].Beyond++
			}
			if zoned && since.After(places[i].Since) {
				places[i].Since = since
			}
			if out.Release == "" {
				out.Release, out.Beyond = rel.Name, more
			}
		case have > 0 && hasNews(p, scripts, releases[i+1:]):
			places[i].Part++
		}
	}
	for _, row := range p.rows() {
		if known[row.label()] && !fits[row.label()] {
			out.Changed = append(out.Changed, row.label())
		}
	}
	return out
}

// summarize fills in what the history alone says.
func (b *BoardTarget) summarize(t *TargetFacts, p present) {
	if n := len(p.versions); n > 0 {
		b.Version = p.versions[n-1].Version.String()
	}
	if p.baseline.String() != "" && (len(p.versions) == 0 || p.baseline.Compare(p.versions[len(p.versions)-1].Version) > 0) {
		b.Version = p.baseline.String()
	}
	for i := range t.Applied {
		row := &t.Applied[i]
		if row.At.IsZero() || row.Type == migration.TypeSchema {
			continue
		}
		b.Last, b.LastZoned, b.Releaser = row.At, row.Zoned, row.Releaser // rows come in the order in which they were written
	}
}

// hasNews reports whether some of what a release brings over the one before it is applied.
func hasNews(p present, scripts []Script, older []Release) bool {
	old := map[string]bool{}
	if len(older) > 0 {
		for _, s := range older[0].Scripts {
			old[s.Path+" "+s.SHA256] = true
		}
	}
	return slices.ContainsFunc(scripts, func(s Script) bool {
		_, how := p.of(s)
		return how == same && !old[s.Path+" "+s.SHA256]
	})
}

// Why gives the chain of reasons why a release is not applied to a target, from its environment to the first; target "" means
// all targets of the environment. It ends where everything is applied. evidence is by environment.
func Why(p Pipeline, environment, target string, rel Release, facts []TargetFacts, evidence map[string]Evidence, now time.Time) []Link {
	var out []Link
	for at := environment; ; {
		e, before, ok := p.place(at)
		if !ok {
			return append(out, Link{Environment: at, Text: fmt.Sprintf("the pipeline has no environment %q", at), Next: "the environments are " + list(p.names())})
		}
		link := Link{Environment: e.Name, Target: target}
		found := false
		for i := range facts {
			t := &facts[i]
			if t.Environment == e.Name && (target == "" || t.Name == target) {
				found = true
				link.miss(t, rel)
			}
		}
		if !found && target != "" {
			return append(out, Link{Environment: e.Name, Target: target, Text: fmt.Sprintf("%s has no target %q", e.Name, target), Next: "skein status shows the targets"})
		}
		link.explain(Next(p, e.Name, rel, facts, evidence[e.Name], now), e, rel)
		out = append(out, link)
		if link.Has || before == nil || !slices.ContainsFunc(link.Reasons, func(r Reason) bool { return r.Gate == GatePrevious }) {
			return out
		}
		at, target = before.Name, ""
	}
}

// miss adds what one target has not.
func (l *Link) miss(t *TargetFacts, rel Release) {
	if t.Unreachable != "" {
		return
	}
	p := presentIn(t.Applied)
	for _, s := range t.scripts(rel) {
		if _, how := p.of(s); how == same || how == covered || !s.runs() {
			continue
		}
		label := s.label()
		if why := t.Skipped[s.Path]; why != "" {
			label += " (" + why + ")"
		}
		if !slices.Contains(l.Missing, label) {
			l.Missing = append(l.Missing, label)
		}
	}
}

// explain says in a sentence how it stands, and what the next step is.
func (l *Link) explain(d Decision, e Environment, rel Release) {
	where := e.Name
	if l.Target != "" {
		where = l.Target + " in " + e.Name
	}
	l.Reasons = append(slices.Clone(d.Reasons), d.Rollout.Held...) // what keeps another target back keeps the rollout back
	own := slices.ContainsFunc(l.Reasons, func(r Reason) bool { return l.Target == "" || r.Target == l.Target && r.Environment == e.Name })
	switch {
	case len(l.Missing) == 0 && !own:
		l.Has, l.Reasons, l.Text = true, nil, fmt.Sprintf("%s has release %s", where, rel.Name)
		return
	case len(l.Missing) == 0:
		l.Text = fmt.Sprintf("%s is not known to have release %s", where, rel.Name)
	default:
		l.Text = fmt.Sprintf("%s does not have %s of release %s", where, list(l.Missing), rel.Name)
	}
	switch {
	case len(d.Rollout.Waves) == 0 && len(l.Reasons) == 0:
		l.Text += ", and no plan has them"
		l.Next = "look at target, outOfOrder, cherryPick and shouldExecute, which leave scripts out: skein info"
	case len(l.Reasons) == 0 || d.OnlyAsks():
		l.Text += ", and nothing stands in the way"
		l.Next = deploy(e.Name, rel.Name)
	default:
		l.Next = l.Reasons[0].Next
	}
}
