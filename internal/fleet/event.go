package fleet

import (
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pipeline"
)

// Event is one thing that happened during a deployment. The set is closed: renderers switch over all of it. Events of
// several targets come in any order, one at a time.
type Event interface{ event() }

type (
	// Surveyed comes for each target that was asked, or could not be.
	Surveyed struct {
		Environment string
		Facts       pipeline.TargetFacts
		Done, Total int
	}
	// Decided comes when it is known what will run, or why nothing does.
	Decided struct {
		Environment string
		Release     pipeline.Release
		Decision    pipeline.Decision
	}
	// WaveStarted comes before the first target of a wave.
	WaveStarted struct {
		Wave, Waves int // from 0
		Targets     []string
	}
	// TargetStarted comes before a target is migrated.
	TargetStarted struct {
		Target  string
		Scripts int
	}
	// TargetTold is what the run on a target told.
	TargetTold struct {
		Target string
		Event  skein.Event
	}
	// TargetDone comes when a target is over.
	TargetDone struct {
		Target  string
		Applied int
		Took    time.Duration
		Err     error // nil: it has everything
	}
	// HealthAsked comes for each answer to the health query.
	HealthAsked struct {
		Wave   int
		Answer pipeline.Answer
	}
	// Warned is something that a person should look at.
	Warned struct{ Text string }
)

func (Surveyed) event()      {}
func (Decided) event()       {}
func (WaveStarted) event()   {}
func (TargetStarted) event() {}
func (TargetTold) event()    {}
func (TargetDone) event()    {}
func (HealthAsked) event()   {}
func (Warned) event()        {}
