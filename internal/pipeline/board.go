package pipeline

import "time"

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
