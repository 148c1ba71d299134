// Package killmatrix breaks runs of the real command at every place where they touch the network, and asks whether the
// same command, run again, ends as if nothing had happened.
package killmatrix

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/skein-db/skein/internal/cli"
	"github.com/skein-db/skein/internal/pgtest"
)

// TestMain lets the test binary stand in for the program: started under the name skein it is one.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "skein" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		dir, _ := os.Getwd()
		os.Exit(cli.Main(ctx, cli.Process{
			Args: os.Args, Env: os.Environ(), Dir: dir, Home: os.Getenv("HOME"), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		}))
	}
	pgtest.Main(m)
}
