package pipeline

import (
	"slices"
	"time"
)

// Gate names what a reason is about.
type Gate string

// The gates, in the order in which they are told. Those before GateSignature cannot be overridden.
const (
	GatePipeline     Gate = "pipeline"     // the environment, its targets and the settings make sense
	GateDeployment   Gate = "deployment"   // no other deployment runs
	GateReachable    Gate = "reachable"    // the target answers
	GateIdentity     Gate = "identity"     // it is the target that was pinned
	GateClock        Gate = "clock"        // clocks agree
	GateHistory      Gate = "history"      // the release has all that is there
	GateOverride     Gate = "override"     // who overrides may do so
	GateSignature    Gate = "signature"    // the release is signed by its author
	GatePrevious     Gate = "previous"     // the environment before has it, byte for byte
	GateSoak         Gate = "soak"         // for long enough
	GateValidate     Gate = "validate"     // validate is clean
	GateFreeze       Gate = "freeze"       // no freeze
	GateWindow       Gate = "window"       // a window is open, and long enough
	GateApprovals    Gate = "approvals"    // enough people agree
	GateCommand      Gate = "command"      // the user's command says yes
	GateQuery        Gate = "query"        // the user's query says yes
	GateRestorePoint Gate = "restorePoint" // there is a way back
	GateUndo         Gate = "undo"         // Back: everything that is to go has an undo script
	GateBudget       Gate = "budget"       // Proceed: not too many targets failed
	GateHealth       Gate = "health"       // Proceed: the wave before is well
)

// Reason is why something does not happen.
type Reason struct {
	Gate   Gate
	Target string // "": it concerns the whole environment
	// Environment is where the reason lies: the environment asked for, or the one before.
	Environment string
	Text        string    // what is the matter; one sentence
	Details     []string  // each refused approval, each problem, …
	Next        string    // what to do
	Until       time.Time // when it passes by itself, as far as one can tell now; zero: not by itself
	Ask         bool      // nothing is wrong: evidence has to be gathered, and Next asked again
	Passing     Passing   // why it may be over in a moment; "": it will not be
}

// Passing is what a person would wait for, instead of doing something.
type Passing string

// What may pass.
const (
	AtWork Passing = "at work" // somebody is at work in the target
	Silent Passing = "silent"  // the target does not answer, as one does not that is woken up or fails over
)

// Decision is a rollout, or the reasons why there is none.
type Decision struct {
	Rollout Rollout
	Reasons []Reason // none: Rollout may run
}

// Blocked reports whether there is no rollout.
func (d Decision) Blocked() bool { return len(d.Reasons) > 0 }

// OnlyAsks reports whether all that is missing is evidence which has not been asked for.
func (d Decision) OnlyAsks() bool {
	return d.Blocked() && !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return !r.Ask })
}

// Passing reports whether all that stands in the way may be over in a moment.
func (d Decision) Passing() bool {
	return d.Blocked() && !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Passing == "" })
}

// Opens gives when all reasons will have passed by themselves, as far as one can tell now; the zero time when one will not.
func (d Decision) Opens() time.Time {
	var last time.Time
	for _, r := range d.Reasons {
		if r.Until.IsZero() {
			return time.Time{}
		}
		if r.Until.After(last) {
			last = r.Until
		}
	}
	return last
}

// Rollout is what will run: plans for many databases, in waves.
type Rollout struct {
	Environment string
	Release     string
	Digest      string
	Waves       [][]Work // none: nothing is to be done
	Done        []string // targets that have nothing to do
	// Held are targets that something keeps from being migrated, as many as the budget allows; each reason names one.
	Held       []Reason
	Overridden []Reason // reasons that Evidence.Override took away
	Notes      []string // what could not be proved, or is worth knowing
	Budget     int      // how many targets may fail, those held included
	Estimate   Estimate
	Closes     time.Time // when the window closes; zero: never
	Back       bool      // the work undoes
}

// Work is the plan of one target, as it was judged: what runs must have this identity, fingerprint and history.
type Work struct {
	Target      string
	Steps       []Step
	Identity    Identity
	Key         string // the identity as approvals name it
	Fingerprint string
	History     string
}

// Estimate is how long a rollout takes, measured in the environment before.
type Estimate struct {
	Time       time.Duration   // of all waves; a lower bound where scripts are unmeasured
	Waves      []time.Duration // of each
	Unmeasured []string        // scripts that the environment before has no time for
}

// Outcome is how far a target of a rollout is.
type Outcome struct {
	Target string
	Failed bool
	Text   string // the error's first line
}

// Health is the answer to the health query after a wave.
type Health struct {
	Wave int // from 0, as in Rollout.Waves
	Answer
}

// State says how a rollout goes on.
type State string

// The states.
const (
	Run      State = "run"      // migrate Progress.Targets, which belong to wave Progress.Wave
	Wait     State = "wait"     // nothing new is to be started until the targets that run are over
	Ask      State = "ask"      // ask the health query for wave Progress.Wave
	Finished State = "finished" // all targets are over, and no more failed than the budget allows
	Stopped  State = "stopped"  // Progress.Reasons say why; what is unfinished can be resumed
)

// Progress is the decision about a running rollout.
type Progress struct {
	State   State
	Wave    int // from 0
	Targets []string
	Reasons []Reason
	Failed  []string // targets that failed or were held back
	Left    []string // targets that were not migrated, those that failed included: what a resumed rollout has to do
}
