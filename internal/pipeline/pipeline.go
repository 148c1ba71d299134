// Package pipeline decides what may be deployed where: environments in order, the gates between them, the waves of a
// rollout, and why something may not go on. It reads no database and no clock: facts, evidence and the time are arguments,
// and what comes out is a value.
//
// The calls go together like this. Next turns facts into a rollout or into the reasons why there is none. Reasons that only
// Ask want evidence that costs something (a restore point, an answer to the user's command or query): whoever calls
// gathers it and calls Next again. A rollout is run wave by wave, and Proceed decides after each target or wave how it goes
// on. Next after a stop makes the rest of the same rollout. Back is Next for the way back to an older release, Promote
// finds the release that the environment before has proved. Board and Why show all of it.
package pipeline

import (
	"time"

	"github.com/skein-db/skein/internal/schedule"
)

// Pipeline is the way of a release: the environments in order, and the people who may vouch for it.
type Pipeline struct {
	Environments []Environment
	// People are the keys of each person, as the settings list them now. Keys are compared byte for byte, so they have
	// one form: what release.Approval names as its key ("SHA256:…").
	People map[string][]string
	// SignReleases wants each release signed by its author, with a key that People lists for them.
	SignReleases bool
}

// Environment is one station of the pipeline, with one target or many.
type Environment struct {
	Name       string
	Production bool // words and hints are plainer about what is at stake; nothing else depends on it here
	Gates      Gates
	Waves      []Wave        // none: all targets at once
	Budget     Budget        // zero: the first target that fails stops the rollout
	Health     bool          // a health query is asked after each wave but the last: Proceed wants its answer
	HealthWait time.Duration // how long a wave is watched before that; part of the time a rollout takes
	Concurrent int           // targets migrated at the same time; 0: all of a wave. Only for the time a rollout takes
}

// Gates say what must be true before anything is deployed to an environment. The zero value lets everything pass but what
// can never be right: a target that is down or not the one that was pinned, a release that lacks what is there, a second
// deployment beside a running one.
type Gates struct {
	// Previous wants every script of the release that would run here, or has run here, to have run in all targets of the
	// environment before, byte for byte. It has no meaning in the first environment.
	Previous bool
	// Soak is how long ago the last of these scripts must have been applied there. It implies Previous.
	Soak     time.Duration
	Validate bool // validate finds no problem in any target
	// Approvals is how many people besides the author must have approved; ApprovalExpiry is how long an approval counts
	// after it was given, at most until its own end. 0: until its own end.
	Approvals      int
	ApprovalExpiry time.Duration
	Windows        schedule.Windows
	// RestorePoint is how each target gets a restore point before it is changed: "" or "none", "pitr" (point-in-time
	// recovery: the moment is written down), or a command of the user's.
	RestorePoint string
	Command      string // a command that must answer yes, once for the environment; "": none
	Query        string // an SQL query that must answer yes on each target; "": none
}

// Wave is how many targets are migrated together. The zero value is the rest.
type Wave struct {
	Count   int     // so many targets
	Percent float64 // or so many of a hundred, rounded up, of all targets of the environment
}

// Budget is how many targets may fail, or be held back from the start, before a rollout stops.
type Budget struct {
	Count   int
	Percent float64 // of all targets of the environment, rounded down; the larger of the two counts
}
