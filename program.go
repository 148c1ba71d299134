package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/process"
	"github.com/skein-db/skein/migration"
)

// program is a migration or callback that is not SQL: V1__load.sh.
type program struct {
	path, physical, text string
	config               migration.ScriptConfig
}

// ProgramError is the cause of an *Error whose script was a program that failed.
type ProgramError struct {
	Status string // "exit status 3", "signal: killed", or why it could not be started
	Output string // the last lines of what it wrote, to either of its outputs
	Err    error
}

func (e *ProgramError) Error() string { return e.Status }
func (e *ProgramError) Unwrap() error { return e.Err }

// runProgram runs a program to its end. What it writes is reported line by line; the password that it is given is
// masked in that.
func (r *run) runProgram(ctx context.Context, p program) error {
	if in := r.cfg.instead; in != nil {
		return in.stop(p.path, "is a program")
	}
	target, err := r.connConfig(ctx)
	if err != nil {
		return err
	}
	file, done, err := p.file()
	defer done()
	if err != nil {
		return p.failed(&ProgramError{Status: "it could not be put into a folder for temporary files: " + err.Error(), Err: err})
	}
	args, _, err := process.Arguments(file, r.cfg.PowerShell)
	if err != nil {
		return p.failed(&ProgramError{Status: err.Error(), Err: err})
	}
	r.report(ProgramStarted{Path: p.path, Command: args})
	err = process.Run(ctx, process.Command{
		Args: args, Dir: r.cfg.WorkingDirectory,
		Env:  append(r.placeholders.For(path.Base(p.path), p.config).Variables(), r.programTarget(target)...),
		Line: func(text string) { r.report(ProgramOutput{Path: p.path, Text: text}) },
	})
	switch exit, failed := errors.AsType[*process.ExitError](err); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return p.failed(&ProgramError{Status: "it was stopped from outside", Err: ctx.Err()})
	case failed:
		return p.failed(&ProgramError{Status: exit.Status, Output: r.masks.String(strings.Join(exit.Tail, "\n")), Err: err})
	}
	return p.failed(&ProgramError{Status: "it could not be started: " + err.Error(), Err: err})
}

// programsFor makes sure, before anything runs, that there is a program for each step that needs one.
func (r *run) programsFor(plan migration.Plan) error {
	if r.cfg.SkipExecutingMigrations {
		return nil
	}
	for _, s := range plan.Steps {
		if !s.Script.Program {
			continue
		}
		if _, _, err := process.Arguments(s.Script.Path, r.cfg.PowerShell); err != nil {
			e := r.wrapped(program{path: s.Script.Path, physical: s.Script.Physical}.failed(&ProgramError{Status: err.Error(), Err: err}))
			e.Kind, e.Kept = KindScript, "nothing of this run was started"
			return e
		}
	}
	return nil
}

func (p program) failed(cause *ProgramError) error {
	e := &Error{
		Kind: KindSQL, Code: "ERROR", Message: cause.Status, Err: cause,
		At: &Location{Path: p.path, Physical: p.physical},
	}
	if cause.Output != "" {
		e.Message += "; the end of its output:\n   " + strings.ReplaceAll(cause.Output, "\n", "\n   ")
	}
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		e.Kind = KindInterrupted
	}
	if missing, ok := errors.AsType[*process.Missing](cause); ok {
		e.Hint = "install " + missing.Program + " where Skein runs, or put it into PATH"
	}
	return e
}

// file is the program's own file; a copy where there is none on this machine, or where it is to be run directly and
// nobody may. done removes the copy.
func (p program) file() (name string, done func(), err error) {
	done = func() {}
	if info, err := os.Stat(p.physical); err == nil && filepath.IsAbs(p.physical) && info.Mode().IsRegular() {
		_, direct, _ := process.Arguments(p.physical, "") // whether there is a program is asked for the copy too
		if !direct || info.Mode()&0o111 != 0 {
			return p.physical, done, nil
		}
	}
	dir, err := os.MkdirTemp("", "skein-")
	if err != nil {
		return "", done, err
	}
	name = filepath.Join(dir, path.Base(p.path))
	done = func() { _ = os.RemoveAll(dir) } // a leftover in the folder for temporary files is no harm
	return name, done, os.WriteFile(name, []byte(p.text), 0o700)
}

// programTarget tells the program which database it is about, by the names that Flyway uses.
func (r *run) programTarget(c *pgx.ConnConfig) []string {
	return []string{
		"FLYWAY_URL=" + cmp.Or(r.cfg.ProgramURL, jdbcURL(c)), "FLYWAY_USER=" + c.User, "FLYWAY_PASSWORD=" + c.Password,
	}
}

func jdbcURL(c *pgx.ConnConfig) string {
	if strings.HasPrefix(c.Host, "/") { // Java knows no such sockets: the form that psql takes
		return "postgresql:///" + url.PathEscape(c.Database) + "?host=" + url.QueryEscape(c.Host) + "&port=" + fmt.Sprint(c.Port)
	}
	return "jdbc:postgresql://" + net.JoinHostPort(c.Host, fmt.Sprint(c.Port)) + "/" + url.PathEscape(c.Database)
}

// performProgram runs a migration that is a program, and records it when it has ended well. The two cannot be one
// transaction: what the program did stays, whatever comes after it.
func (r *run) performProgram(ctx context.Context, x *execution, script *migration.Script, row *migration.Row) error {
	if err := r.fire(ctx, "beforeEach"+r.way.event()); err != nil {
		return err
	}
	begin := time.Now()
	x.began = true
	if err := r.runProgram(ctx, program{script.Path, script.Physical, script.Text, script.Config}); err != nil {
		return err
	}
	x.done = 1
	row.ExecutionTime = r.millis(begin)
	if err := r.fire(ctx, "afterEach"+r.way.event()); err != nil {
		return err
	}
	// It may have worked for hours: whoever took the lock meanwhile must not be written over.
	ctx, end := outlasting(ctx) // nor may it run again because the run was stopped just now
	defer end()
	if err := r.stillLocked(ctx, 0); err != nil {
		return err
	}
	x.last = append(x.last, r.record(script, row)...)
	err := x.finish(ctx, &message{})
	if err != nil {
		x.recover(ctx)
	}
	return err
}

// programKept says what a migration that is a program leaves behind when its step failed.
func (x *execution) programKept(script *migration.Script) string {
	switch {
	case !x.began:
		return "nothing of " + name(script) + " ran"
	case x.done > 0:
		return name(script) + " ran to its end, and what it did stays; it is not recorded as " + x.run.way.recorded()
	}
	return "what " + name(script) + " did before stays (a program cannot be rolled back); it is not recorded as " + x.run.way.recorded()
}

func notBeforeConnect(f migration.File) bool {
	return !strings.HasPrefix(path.Base(f.Path), "beforeConnect")
}

// hasBeforeConnect reports whether there may be something for beforeConnect to run.
func hasBeforeConnect(files, callbacks []migration.File) bool {
	is := func(f migration.File) bool { return !notBeforeConnect(f) }
	return slices.ContainsFunc(files, is) || slices.ContainsFunc(callbacks, is)
}

// beforeConnect runs the programs of the event that comes before there is a connection, with the placeholders that are
// known without one. SQL scripts of that name never run.
func (r *run) beforeConnect(ctx context.Context, files, callbacks []migration.File) error {
	files, callbacks = slices.DeleteFunc(slices.Clone(files), notBeforeConnect), slices.DeleteFunc(slices.Clone(callbacks), notBeforeConnect)
	target, err := r.connConfig(ctx)
	if err != nil {
		return err
	}
	r.facts.User, r.facts.Database = target.User, target.Database
	if r.history.Schema = r.cfg.DefaultSchema; r.history.Schema == "" && len(r.cfg.Schemas) > 0 {
		r.history.Schema = r.cfg.Schemas[0]
	}
	r.history.Table = cmp.Or(r.cfg.Table, "flyway_schema_history")
	r.placeholders = r.builtIns()
	resolved, err := migration.Resolve(files, callbacks, r.resolveOptions())
	if err != nil {
		return decisionError(err)
	}
	for i := range resolved.Callbacks {
		if c := &resolved.Callbacks[i]; c.Type == migration.TypeScript && c.Event == "beforeConnect" {
			if err := r.called(c, r.callback(ctx, c)); err != nil {
				return err
			}
		}
	}
	return nil
}
