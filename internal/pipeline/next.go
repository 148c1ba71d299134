package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// judge holds what one decision looks at.
type judge struct {
	p        Pipeline
	env      Environment
	before   *Environment // nil: env is the first
	rel      Release      // what is deployed; for the way back, where it leads
	from     Release      // for the way back: whose undo scripts run
	back     bool
	here     []TargetFacts // the environment's targets, in the order given
	prior    []TargetFacts // those of the environment before
	evidence Evidence
	now      time.Time

	lifted map[Gate]bool // gates that are overridden
	known  map[*TargetFacts]present
	twins  map[database]string // production targets, by what they are: see productionTwin
}

func (j *judge) has(t *TargetFacts) present {
	p, ok := j.known[t]
	if !ok {
		p = presentIn(t.Applied)
		j.known[t] = p
	}
	return p
}

// newJudge gathers what belongs to an environment. Reasons mean that there is nothing to judge.
func newJudge(p Pipeline, environment string, rel Release, facts []TargetFacts, evidence Evidence, now time.Time) (*judge, []Reason) {
	j := &judge{p: p, rel: rel, from: rel, evidence: evidence, now: now, known: map[*TargetFacts]present{}}
	var ok bool
	if j.env, j.before, ok = p.place(environment); !ok {
		return nil, []Reason{{Gate: GatePipeline, Environment: environment, Text: fmt.Sprintf("the pipeline has no environment %q", environment),
			Next: "the environments are " + list(p.names())}}
	}
	j.twins = p.productionDatabases(facts)
	names := map[string]bool{}
	for _, t := range facts {
		switch {
		case t.Environment == environment:
			if names[t.Name] {
				return nil, []Reason{{Gate: GatePipeline, Environment: environment, Target: t.Name, Text: "two targets have the name " + t.Name,
					Next: "give each target a name of its own"}}
			}
			names[t.Name] = true
			j.here = append(j.here, t)
		case j.before != nil && t.Environment == j.before.Name:
			j.prior = append(j.prior, t)
		}
	}
	if len(j.here) == 0 {
		return nil, []Reason{{Gate: GatePipeline, Environment: environment, Text: environment + " has no targets",
			Next: fmt.Sprintf("look at what its targets, targetsQuery or targetSchemas give; if %s is gone, take it out of pipeline", environment)}}
	}
	return j, nil
}

// Next decides what a deployment of rel to an environment would do now: the rollout, or the reasons why there is none.
//
// facts are those of the environment's targets and of the environment before; others may be among them. evidence is about the
// environment. Nothing that needs no work is ever blocked by a gate that guards work: with nothing pending, the rollout is
// empty at any hour. Targets that have a reason of their own are held back while the budget allows it, the reasons that
// speak of the wrong database or of disagreeing clocks aside: these block everything.
func Next(p Pipeline, environment string, rel Release, facts []TargetFacts, evidence Evidence, now time.Time) Decision {
	j, reasons := newJudge(p, environment, rel, facts, evidence, now)
	if j == nil {
		return Decision{Reasons: reasons}
	}
	return j.decide()
}

func (j *judge) decide() Decision {
	r := Rollout{Environment: j.env.Name, Release: j.rel.Name, Digest: j.rel.Digest, Back: j.back, Budget: j.env.Budget.Of(len(j.here))}
	lifted, refusal := j.override()
	j.lifted = lifted
	var own []Reason // of single targets
	for i := range j.here {
		own = append(own, j.target(&j.here[i])...)
	}
	own, r.Overridden = lift(own, lifted)
	work := j.work(own, &r)
	asked := j.questions(work)
	asked, over := lift(asked, lifted)
	r.Overridden = append(r.Overridden, over...)
	for _, reason := range asked { // a target whose query says no has no work either
		if reason.Target != "" {
			own = append(own, reason)
		}
	}
	work = without(work, own)

	var reasons []Reason
	r.Held, reasons = j.hold(own, r.Budget)
	for _, reason := range asked {
		if reason.Target == "" {
			reasons = append(reasons, reason)
		}
	}
	r.Waves = j.waves(work)
	r.Estimate = j.estimate(r.Waves)
	if len(work) > 0 {
		gates, over := lift(j.gates(work), lifted)
		r.Overridden = append(r.Overridden, over...)
		window, over := lift(j.window(r.Estimate.Time, slices.Concat(reasons, gates)), lifted)
		r.Overridden = append(r.Overridden, over...)
		if len(over) == 0 {
			r.Closes, _ = j.env.Gates.Windows.Open(j.now)
		}
		reasons = slices.Concat(reasons, gates, window)
	}
	if len(refusal) > 0 && (len(reasons) > 0 || len(r.Overridden) > 0) {
		reasons = append(reasons, refusal...)
	}
	r.Notes = j.notes(&r)
	for _, told := range [][]Reason{reasons, r.Held, r.Overridden} {
		slices.SortStableFunc(told, func(a, b Reason) int { return cmp.Compare(order(a.Gate), order(b.Gate)) })
		for i := range told {
			told[i].Environment = cmp.Or(told[i].Environment, j.env.Name)
		}
	}
	if len(reasons) == 0 {
		return Decision{Rollout: r}
	}
	return Decision{Reasons: reasons}
}

// gateOrder is the order in which reasons are told.
var gateOrder = []Gate{GatePipeline, GateDeployment, GateReachable, GateIdentity, GateClock, GateHistory, GateUndo, GateOverride, GateSignature,
	GatePrevious, GateSoak, GateValidate, GateFreeze, GateWindow, GateApprovals, GateCommand, GateQuery, GateRestorePoint, GateBudget, GateHealth}

func order(g Gate) int { return slices.Index(gateOrder, g) }

// overridable reports whether a person may take a gate upon himself.
func overridable(g Gate) bool {
	return order(g) >= order(GateSignature) && g != GateBudget && g != GateHealth
}

// override gives the gates that a person's word opens, or why it opens none.
func (j *judge) override() (map[Gate]bool, []Reason) {
	o := j.evidence.Override
	if o == nil {
		return nil, nil
	}
	refuse := func(text, next string) (map[Gate]bool, []Reason) {
		return nil, []Reason{{Gate: GateOverride, Text: text, Next: next}}
	}
	switch {
	case o.Person == "":
		return refuse("the override names no person", "say who takes it upon himself")
	case len(j.p.People[o.Person]) == 0:
		return refuse(fmt.Sprintf("%s overrides, and is not among the people of the pipeline", o.Person), "list "+o.Person+" with a key in [skein.people]")
	case strings.TrimSpace(o.Why) == "":
		return refuse(o.Person+" overrides without a reason", "say why: it is written down with the deployment")
	}
	out := map[Gate]bool{}
	for _, g := range o.Gates {
		if !overridable(g) {
			return refuse(fmt.Sprintf("the gate %s cannot be overridden", g), "put right what it says")
		}
		out[g] = true
	}
	return out, nil
}

// lift takes away the reasons of gates that are overridden.
func lift(reasons []Reason, lifted map[Gate]bool) (left, over []Reason) {
	for _, r := range reasons {
		if lifted[r.Gate] {
			over = append(over, r)
		} else {
			left = append(left, r)
		}
	}
	return left, over
}

// work gives the plans of targets that have something to do and no reason of their own against it, and notes those that are done.
func (j *judge) work(own []Reason, r *Rollout) []Work {
	var out []Work
	for i := range j.here {
		t := &j.here[i]
		if slices.ContainsFunc(own, func(r Reason) bool { return r.Target == t.Name }) {
			continue
		}
		if len(t.Pending) == 0 {
			r.Done = append(r.Done, t.Name)
			continue
		}
		out = append(out, Work{Target: t.Name, Steps: t.Pending, Identity: t.Identity, Key: t.Key, Fingerprint: t.Fingerprint, History: t.History})
	}
	return out
}

func without(work []Work, own []Reason) []Work {
	return slices.DeleteFunc(work, func(w Work) bool {
		return slices.ContainsFunc(own, func(r Reason) bool { return r.Target == w.Target })
	})
}

// hold divides the reasons of single targets: what the budget bears is held back, else everything stops.
func (j *judge) hold(own []Reason, budget int) (held, reasons []Reason) {
	targets := map[string]bool{}
	hard := false
	for _, r := range own {
		targets[r.Target] = true
		hard = hard || r.Gate == GateIdentity || r.Gate == GateClock
	}
	if hard || len(targets) > budget || len(targets) == len(j.here) {
		return nil, own
	}
	return own, nil
}

// notes are what could not be proved or is worth knowing.
func (j *judge) notes(r *Rollout) []string {
	var out []string
	if o := j.evidence.Override; o != nil && len(r.Overridden) > 0 {
		var gates []string
		for _, reason := range r.Overridden {
			if !slices.Contains(gates, string(reason.Gate)) {
				gates = append(gates, string(reason.Gate))
			}
		}
		out = append(out, fmt.Sprintf("%s answers for passing %s: %s", o.Person, list(gates), o.Why))
	}
	if len(r.Estimate.Unmeasured) > 0 && j.before != nil && !j.back && len(j.env.Gates.Windows.List)+len(j.env.Gates.Windows.Freezes) > 0 {
		out = append(out, fmt.Sprintf("how long %s will take is not known: %s has not run %s; it may not fit into the window",
			list(r.Estimate.Unmeasured), j.before.Name, them(len(r.Estimate.Unmeasured))))
	}
	for _, t := range j.here {
		if t.Unreachable == "" && t.Pinned == nil && t.Expected == nil && j.env.Production {
			out = append(out, fmt.Sprintf("%s is not pinned: skein pin -environment=%s writes down which database it is", t.Name, j.env.Name))
		}
	}
	if j.back {
		return append(out, j.backNotes()...)
	}
	left := map[string][]string{} // by script and why: the targets
	for _, t := range j.here {
		for path, why := range t.Skipped {
			key := fmt.Sprintf("%s (%s)", path, why)
			left[key] = append(left[key], t.Name)
		}
	}
	for _, key := range keys(left) {
		out = append(out, fmt.Sprintf("%s is left out in %s", key, list(left[key])))
	}
	return out
}

func them(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
