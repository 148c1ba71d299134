// Command skein migrates PostgreSQL schemas. Started under the name flyway it behaves as that command, and by AWS Lambda as
// a function.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"golang.org/x/term"

	"github.com/skein-db/skein/internal/cli"
	"github.com/skein-db/skein/internal/demo"
	"github.com/skein-db/skein/internal/lambda"
)

func main() {
	// A run is short: collecting garbage half as often costs a few megabytes and saves a good part of start-up's time.
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops the run safely; from then on signals have their usual effect, so that the second one ends
	// the process at once.
	context.AfterFunc(ctx, stop)

	dir, _ := os.Getwd()
	home, _ := os.UserHomeDir()
	install, _ := os.Executable()
	if install != "" {
		install = filepath.Dir(install)
	}
	if os.Getenv(lambda.RuntimeVariable) != "" {
		serve(dir)
	}
	width, _, _ := term.GetSize(int(os.Stdout.Fd())) // 0 where stdout is no terminal
	os.Exit(cli.Main(ctx, cli.Process{
		Args: os.Args, Env: os.Environ(), Dir: dir, Home: home, Install: install,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		StdoutIsTerm: term.IsTerminal(int(os.Stdout.Fd())), StderrIsTerm: term.IsTerminal(int(os.Stderr.Fd())),
		Width: width, Demo: play,
		Columns: func() int {
			columns, _, _ := term.GetSize(int(os.Stderr.Fd())) // 0 where it is no terminal
			return columns
		},
	}))
}

func play(ctx context.Context, d cli.Demo) error {
	return demo.Run(ctx, demo.Options{Out: d.Out, Width: d.Width, Color: d.Color, Keep: d.Keep})
}
