package skein

import (
	"context"

	"github.com/skein-db/skein/migration"
)

// PlanResult is what a command would do to the target, as data.
type PlanResult struct {
	Target
	// Verb is the command: migrate, undo, baseline, repair or clean.
	Verb string
	// InitialText is the version that the target has, as Flyway words it; with migrate and undo.
	InitialText string
	Steps       []PlannedStep
	// Fingerprint is migration.Plan's, with migrate and undo: the same for the same history and the same scripts in the same
	// order.
	Fingerprint string
	// Parts are everything that would be sent, in order, callbacks and history rows included. WriteSQL prints them.
	Parts []PlanPart

	secrets secretValues
}

// PlannedStep is one script that would run.
type PlannedStep struct {
	Script        *migration.Script
	Transactional bool
	OutOfOrder    bool
	Skipped       bool // it would be recorded and not run
	// Attached says why, with Config.Detach, the server would not finish it without its client; "" when it would.
	Attached string
}

// PlanPart are statements that belong together.
type PlanPart struct {
	Title      string // "migrate -> v3 (with callbacks)"; "" for a callback
	Source     string // the script's or callback's path; "" for Skein's own
	Statements []PlanStatement
}

// PlanStatement is one statement, placeholders replaced, without its delimiter.
type PlanStatement struct {
	SQL string
	// Copy says that it is a COPY … FROM STDIN, and Data what follows it.
	Copy bool
	Data string
	// Stop says why a file cannot go on here: what comes is no SQL. The statement then fails with these words.
	Stop string

	forgive []migration.ErrorOverride // the rules that an error of it is judged by
	inside  bool                      // such a statement runs in a transaction, after a savepoint
}

// Plan says what Migrate would do now. It takes no lock and changes nothing: its session is read only, and initSql and
// afterConnect, which it has to run, fail if they write.
func Plan(ctx context.Context, cfg Config) (*PlanResult, error) {
	return planned(cfg, "migrate", func(cfg Config) (Target, error) {
		result, err := Migrate(ctx, cfg)
		return result.Target, err
	})
}

// PlanUndo says what Undo would do now, as Plan does for Migrate.
func PlanUndo(ctx context.Context, cfg Config) (*PlanResult, error) {
	return planned(cfg, "undo", func(cfg Config) (Target, error) {
		result, err := Undo(ctx, cfg)
		return result.Target, err
	})
}

// PlanBaseline says what Baseline would do now, as Plan does for Migrate.
func PlanBaseline(ctx context.Context, cfg Config) (*PlanResult, error) {
	return planned(cfg, "baseline", func(cfg Config) (Target, error) {
		result, err := Baseline(ctx, cfg)
		return result.Target, err
	})
}

// PlanRepair says what Repair would do now, as Plan does for Migrate.
func PlanRepair(ctx context.Context, cfg Config) (*PlanResult, error) {
	return planned(cfg, "repair", func(cfg Config) (Target, error) {
		result, err := Repair(ctx, cfg)
		return result.Target, err
	})
}

// PlanClean says what Clean would do now, as Plan does for Migrate. It needs AllowClean too.
func PlanClean(ctx context.Context, cfg Config) (*PlanResult, error) {
	return planned(cfg, "clean", func(cfg Config) (Target, error) {
		result, err := Clean(ctx, cfg)
		return result.Target, err
	})
}

// planned has a command run with a tape in the place of the server.
func planned(cfg Config, verb string, command func(Config) (Target, error)) (*PlanResult, error) {
	result := &PlanResult{Verb: verb}
	t := &tape{verb: verb}
	heard := cfg.Report
	cfg.instead, cfg.DurableEach = t, true // each step by itself, so that its part has what is its own
	cfg.Report = func(e Event) {
		t.hear(e)
		switch e := e.(type) {
		case Planned:
			result.InitialText, result.Fingerprint = e.Current, e.Fingerprint
		case StepStarted:
			result.Steps = append(result.Steps, PlannedStep{e.Script, e.Transactional, e.OutOfOrder, e.Skipped, e.Attached})
		case Connected, Warning, Notice:
			if heard != nil {
				heard(e)
			}
		}
	}
	var err error
	result.Target, err = command(cfg)
	if t.run != nil {
		result.secrets = t.run.secretValues()
	}
	for _, p := range t.parts {
		if len(p.Statements) > 0 || p.Title != "" {
			result.Parts = append(result.Parts, p)
		}
	}
	return result, err
}
