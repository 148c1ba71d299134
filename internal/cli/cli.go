// Package cli is the command line: verbs, the text and JSON renderers, exit codes.
//
// It has two faces. Started under the name flyway (a link to the binary), or with the setting exitCodes=flyway, it prints
// and exits as Flyway 13 does; as skein it prints results to stdout and everything else to stderr, tells errors with
// their place and what was kept, and has an exit code for each kind of failure. console.go and failure.go hold the
// differences.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
)

// Process is the world that a command line runs in.
type Process struct {
	Args []string // Args[0] is the name that the program was started under
	Env  []string // "NAME=value"
	// Dir is the working directory, Home the user's, Install the executable's; "" leaves Home or Install out.
	Dir, Home, Install string

	Stdin                      io.Reader
	Stdout, Stderr             io.Writer
	StdoutIsTerm, StderrIsTerm bool
	Width                      int // columns of the terminal on stdout; 0: it is none
	// Columns is how wide the terminal on stderr is now; nil or 0: not known.
	Columns func() int

	// Demo plays the demo. It is handed in because it stands on the same floor as this package.
	Demo func(context.Context, Demo) error
}

// Demo is what the verb demo is asked for.
type Demo struct {
	Out   io.Writer
	Width int // columns of the terminal; 0: it is none
	Color bool
	Keep  bool
}

func (p Process) world() wire.World {
	return wire.World{Env: p.Env, Dir: p.Dir, Home: p.Home, Install: p.Install, Stdin: p.Stdin}
}

func (p Process) env(name string) string { return p.world().Variable(name) }

// Main runs a command line and returns the process's exit code. When ctx ends, the run in progress stops safely.
func Main(ctx context.Context, p Process) int {
	r := &runner{process: p, console: &console{stdout: p.Stdout, stderr: p.Stderr, redactor: &secret.Redactor{}}}
	r.console.flyway = startedAsFlyway(p.Args)
	r.failures.flyway = r.console.flyway
	// What goes wrong before the settings are known has to be printed their way too.
	r.console.json = slices.ContainsFunc(p.Args, func(arg string) bool {
		return strings.EqualFold(strings.TrimLeft(arg, "-"), "outputType=json")
	})
	r.colours("auto")
	code := r.main(ctx)
	if r.file != nil {
		if err := r.file.Close(); err != nil && code == 0 {
			r.console.error(err.Error())
			code = exitCode(err, r.console.flyway)
		}
	}
	return code
}

func startedAsFlyway(args []string) bool {
	if len(args) == 0 {
		return false
	}
	name := args[0][strings.LastIndexAny(args[0], `/\`)+1:]
	return strings.TrimSuffix(strings.ToLower(name), ".exe") == "flyway"
}

// runner is one command line on its way.
type runner struct {
	process  Process
	console  *console
	line     config.CommandLine
	settings *config.Settings
	engine   skein.Config
	failures failureText
	narrator *narrator
	file     *os.File
	reporter *reporter // nil: no report
	filter   filter
}

func (r *runner) main(ctx context.Context) int {
	args := r.process.Args
	if len(args) > 0 {
		args = args[1:]
	}
	line, err := config.Parse(args, grammar(r.console.flyway))
	r.line = line
	for _, v := range line.Values {
		if k, ok := config.Lookup(v.Key); ok && k.Secret {
			r.console.redactor.AddText(v.Value)
		}
	}
	r.console.quiet, r.console.debug = line.Has("quiet"), line.Has("debug")
	if err == nil {
		err = checkVerbs(line.Verbs)
	}
	switch {
	case err != nil:
		return r.fail(r.withFiles(ctx, err))
	case r.console.json && r.console.flyway && (line.Has("help") || slices.Contains(line.Verbs, "help") || len(line.Verbs) == 0 && !line.Has("version")):
		return 0 // as there: no page where a document is expected
	case line.Has("help") || slices.Contains(line.Verbs, "help"):
		return r.help()
	case line.Has("version") && len(line.Verbs) == 0:
		r.line.Verbs = []string{"version"}
	case len(line.Verbs) == 0:
		r.console.raw(usage(r.programName()))
		return 0
	}
	if slices.Equal(r.line.Verbs, []string{"version"}) {
		// Needs no settings, so that it works wherever one is wrong.
		return r.version()
	}
	if slices.Equal(r.line.Verbs, []string{"list-engines"}) {
		return r.listEngines()
	}
	if slices.Equal(r.line.Verbs, []string{"demo"}) {
		return r.demo(ctx)
	}
	if slices.Contains(fleetVerbs, r.line.Verbs[0]) {
		return r.overEnvironments(ctx)
	}
	if r.line.Verbs[0] == "aws doctor" {
		return r.awsDoctor(ctx)
	}
	if err := r.load(ctx); err != nil {
		return r.fail(err)
	}
	switch r.line.Verbs[0] { // those that do not go together with others
	case "config explain":
		return r.explain()
	case "add":
		return r.add(ctx)
	case "init":
		return r.init()
	case "release create", "release push", "release list", "release diff", "release verify":
		return r.release(ctx)
	case "sync":
		return r.sync(ctx)
	case "schedule next":
		return r.scheduleNext()
	case "aws schedule list", "aws schedule set", "aws schedule delete":
		return r.awsSchedule(ctx)
	}
	return r.run(ctx)
}

func (r *runner) programName() string {
	if r.console.flyway {
		return "flyway"
	}
	return "skein"
}

// fail prints an error and gives its exit code.
func (r *runner) fail(err error) int {
	if r.console.json {
		r.document(r.failures.failureDocument(err))
	} else {
		r.failures.print(r.console, err, nil)
	}
	return exitCode(err, r.console.flyway)
}

// document prints the one JSON document.
func (r *runner) document(o object) { r.console.raw(document(o) + "\n") }

// withFiles adds what is wrong in files and variables to what is wrong on the command line, so that all of it is said at
// once.
func (r *runner) withFiles(ctx context.Context, err error) error {
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok {
		return err
	}
	also, ok := errors.AsType[config.Mistakes](r.load(ctx))
	if !ok {
		return err
	}
	return append(mistakes, also...)
}

func (r *runner) version() int {
	if r.console.json {
		r.document(versionDocument())
	} else {
		printVersion(r.console)
	}
	return 0
}

// demo needs no settings: it makes its own servers.
func (r *runner) demo(ctx context.Context) int {
	p := r.process
	if len(r.line.Values) > 0 {
		return r.fail(&usageError{Message: "demo takes no settings", Hint: "its only switch is -keep"})
	}
	if err := p.Demo(ctx, Demo{Out: p.Stdout, Width: p.Width, Color: r.console.paintOut, Keep: r.line.Has("keep")}); err != nil {
		return r.fail(err)
	}
	return 0
}

// placeless are the verbs for which it does not matter what the warnings about settings say.
var placeless = []string{"init", "release list", "release verify", "sync", "schedule next", "aws schedule list", "aws schedule set", "aws schedule delete"}

// load reads the settings and everything that follows from them, short of a connection.
func (r *runner) load(ctx context.Context) error {
	p := r.process
	settings, warnings, err := p.world().Load(ctx, r.line, r.console.redactor)
	if slices.ContainsFunc(r.line.Verbs, func(v string) bool { return slices.Contains(placeless, v) }) {
		warnings = nil // of init they are about what it is there to mend, and the others read no locations
	}
	if err != nil {
		r.warnings(warnings)
		return err
	}
	return r.use(settings, warnings)
}

// use takes over what settings say about the output.
func (r *runner) use(settings *config.Settings, warnings []config.Warning) error {
	r.settings = settings
	r.console.redactor.AddText(settings.Secrets()...)
	if strings.EqualFold(settings.Text("skein.exitCodes"), "flyway") && settings.IsSet("skein.exitCodes") {
		r.console.flyway = true
	} else if settings.IsSet("skein.exitCodes") {
		r.console.flyway = false
	}
	r.console.json = strings.EqualFold(settings.Text("outputType"), "json")
	r.console.jsonLogs = settings.Bool("outputLogsInJson")
	r.colours(settings.Text("color"))
	if err := r.openFile(settings.Text("outputFile")); err != nil {
		return err
	}
	r.failures = failureText{
		flyway: r.console.flyway, debug: r.console.debug, environment: settings.Environment(),
		locations: settings.List("locations"), dir: r.process.Dir,
	}
	r.warnings(warnings)
	return nil
}

// prepare turns the settings into the library's, once for all verbs of the line.
func (r *runner) prepare() error {
	world := r.process.world()
	world.Looks = !slices.ContainsFunc(r.line.Verbs, func(v string) bool { return !slices.Contains(looking, v) })
	engine, warnings, err := wire.Engine(r.settings, world, r.console.flyway, r.console.redactor)
	r.warnings(warnings)
	if err != nil {
		return err
	}
	if r.filter, err = readFilter(r.settings, time.Local); err != nil {
		return err
	}
	r.narrator = &narrator{console: r.console}
	r.liveness(r.settings.Text("skein.progress"))
	engine.NoProgress = r.console.noProgress
	if r.console.flyway {
		r.narrator.target = wire.ShownTarget(r.settings)
	}
	engine.Report = r.narrator.report
	if r.console.json && r.settings.Bool("outputProgress") {
		p := &progress{console: r.console}
		engine.Report = func(e skein.Event) {
			r.narrator.report(e)
			p.hear(e)
		}
	}
	r.engine = engine
	return nil
}

func (r *runner) warnings(list []config.Warning) {
	for _, w := range list {
		r.console.warn(w.String())
	}
}

// colours decides where colour goes: on "auto" to terminals, unless NO_COLOR or a dumb terminal speak against it.
func (r *runner) colours(setting string) {
	out, err := r.process.StdoutIsTerm, r.process.StderrIsTerm
	switch {
	case strings.EqualFold(setting, "always"):
		out, err = true, true
	case strings.EqualFold(setting, "never"), r.process.env("NO_COLOR") != "", r.process.env("TERM") == "dumb":
		out, err = false, false
	}
	r.console.paintOut, r.console.colour = out, err
	if r.console.flyway {
		// Flyway's lines go to both, and its table has no colours.
		r.console.paintOut, r.console.colour = false, out
	}
}

// liveness decides how progress is shown. A dumb terminal cannot write a line again.
func (r *runner) liveness(setting string) {
	r.console.noProgress = strings.EqualFold(setting, "never")
	if strings.EqualFold(setting, "auto") && r.process.StderrIsTerm && r.process.env("TERM") != "dumb" {
		r.console.live = &live{columns: r.process.Columns}
	}
}

// openFile begins outputFile, which gets a copy of what is printed.
func (r *runner) openFile(name string) error {
	if name == "" {
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(r.process.Dir, name) // not from workingDirectory, as with Flyway
	}
	file, err := os.Create(name)
	if err != nil {
		return config.Mistakes{{Origin: r.settings.Origin("outputFile"), Key: "outputFile", Text: err.Error()}}
	}
	r.file, r.console.file = file, file
	return nil
}

// explain is the verb config explain.
func (r *runner) explain() int {
	if len(r.line.Verbs) > 1 {
		return r.fail(&usageError{Message: "config explain does not go together with other verbs"})
	}
	if r.console.json {
		r.document(explainDocument(r.settings))
	} else {
		r.console.result(strings.TrimSuffix(explainText(r.settings), "\n"), "")
	}
	return 0
}
