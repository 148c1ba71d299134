package cli

import (
	"context"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

// Opened is what a command line comes to for a front that runs the library itself.
type Opened struct {
	Engine   skein.Config // without Report
	Settings *config.Settings
	Redactor *secret.Redactor // knows the secrets among the settings
}

// Open reads a command line and its settings, as Main does, and runs nothing. Warnings go to p.Stderr, a line each. Its
// error may be config.Mistakes.
func Open(ctx context.Context, p Process) (*Opened, error) {
	r := &runner{process: p, console: &console{stdout: p.Stdout, stderr: p.Stderr, redactor: &secret.Redactor{}}}
	line, err := config.Parse(p.Args[1:], grammar(false))
	if err != nil {
		return nil, err
	}
	r.line = line
	if err := checkVerbs(line.Verbs); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	engine, warnings, err := engineConfig(r.settings, p, false, r.console.redactor)
	r.warnings(warnings)
	if err != nil {
		return nil, err
	}
	return &Opened{Engine: engine, Settings: r.settings, Redactor: r.console.redactor}, nil
}
