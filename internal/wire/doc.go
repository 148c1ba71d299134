// Package wire brings the edges together for the fronts: settings, files and secrets in, the library's Config with its
// sources and connections out. The command line and the Lambda body share it, so that a setting means the same in both.
package wire

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

// World is what a process finds around it.
type World struct {
	Env []string // "NAME=value"
	// Dir is the working directory, Home the user's, Install the executable's; "" leaves Home or Install out.
	Dir, Home, Install string
	Stdin              io.Reader
	// Looks says that no database is changed: a bare prefix of S3 is then read as it is.
	Looks bool
}

// ownVariables are SKEIN_ variables that are no settings.
var ownVariables = []string{"SKEIN_TEST_POSTGRES", "SKEIN_PGTEST_KEEP", "SKEIN_TEST_S3"}

// Load reads the settings of a command line. Secrets that are fetched for them go to secrets before anything can be said
// about them. The error is config.Mistakes: everything that is wrong, at once.
func (w World) Load(ctx context.Context, line config.CommandLine, secrets *secret.Redactor) (*config.Settings, []config.Warning, error) {
	return config.Load(w.input(ctx, line, secrets))
}

// LoadAll reads the settings of every environment, as Load does; see config.LoadAll.
func (w World) LoadAll(ctx context.Context, line config.CommandLine, deployed string, secrets *secret.Redactor) ([]config.Environment, []config.Warning, error) {
	return config.LoadAll(w.input(ctx, line, secrets), deployed)
}

func (w World) input(ctx context.Context, line config.CommandLine, secrets *secret.Redactor) config.Input {
	return config.Input{
		Args: line, Env: w.Env, OwnVariables: ownVariables, WorkDir: w.Dir, HomeDir: w.Home, InstallDir: w.Install, Stdin: w.Stdin,
		Resolve: func(ref config.Reference) (secret.Text, error) {
			text, err := w.resolve(ctx, ref)
			if ref.Resolver != "git" {
				secrets.AddText(text)
			}
			return text, err
		},
		Secret: func(ref config.SecretRef) (secret.Text, error) { return w.asker(nil, secrets)(ctx, ref) },
		Fields: func(ref config.Reference) (map[string]secret.Text, error) {
			fields, err := w.vaultFields(ctx, ref)
			for _, text := range fields {
				secrets.AddText(text)
			}
			return fields, err
		},
	}
}

// Variable is a variable's value, "" when it is not set.
func (w World) Variable(name string) string {
	for _, entry := range slices.Backward(w.Env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
