// Package demo shows Skein on two throwaway PostgreSQL servers: a schema goes to dev, meets a table that somebody made
// by hand in qa, fails half way, is repaired and goes through.
package demo

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	skein "github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgserver"
	"github.com/skein-db/skein/source"
)

// Options say how the demo is shown. The zero value shows it to nobody, 80 columns wide, and leaves nothing behind.
type Options struct {
	Out   io.Writer // nil: nothing is printed
	Width int       // columns of the terminal; 0 means 80
	Color bool      // colour the states
	Keep  bool      // leave both servers and the scripts, and print how to use and how to end them
	Dir   string    // folder in which the servers' folders are made; "" is a temporary one
}

// Run plays the whole demo. It takes a few seconds, longer where PostgreSQL has to be downloaded first. When it ends
// early, because something failed or ctx is over (a *skein.Error of KindInterrupted), the servers are gone as well,
// with Keep too.
func Run(ctx context.Context, opt Options) error { return perform(ctx, opt, story()) }

// stopLimit bounds the end, which must come after ctx is over too.
const stopLimit = 30 * time.Second

//go:embed sql
var scripts embed.FS

// show is one performance.
type show struct {
	*screen
	dev, qa environment
	scripts source.Source
	byHand  int64 // orders that somebody made by hand in qa
}

// environment is one of the two databases.
type environment struct {
	name   string
	server *pgserver.Server
	sql    string // folder that holds the scripts, below the server's own
}

func (e *environment) url() string { return e.server.URL("shop") }

// perform plays some chapters between starting and stopping the servers.
func perform(ctx context.Context, opt Options, chapters []chapter) (err error) {
	s := &show{screen: newScreen(opt), dev: environment{name: "dev"}, qa: environment{name: "qa"}}
	s.say("Skein demo: one schema, two databases, and somebody who was quicker.")
	s.gap()
	defer func() {
		if err == nil && opt.Keep {
			s.kept()
			return
		}
		if ctx.Err() != nil {
			// What was under way when ctx ended says only that it was cut short.
			err = &skein.Error{Kind: skein.KindInterrupted, Code: "ERROR", Message: "the demo was interrupted", Err: ctx.Err()}
		}
		err = errors.Join(err, s.stop(ctx))
	}()
	if err := s.start(ctx, opt); err != nil {
		return err
	}
	for i, c := range chapters {
		s.gap()
		s.say("%d. %s", i+1, c.title)
		s.gap()
		if err := c.play(s, ctx); err != nil {
			return err
		}
	}
	s.gap()
	return s.failed
}

// start starts both servers side by side.
func (s *show) start(ctx context.Context, opt Options) error {
	in, err := installation(ctx, func(phase string) { s.verb("", phase) })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var both sync.WaitGroup
	for _, e := range []*environment{&s.dev, &s.qa} {
		both.Go(func() {
			if err := e.start(ctx, in.BinDir, opt, s.screen); err != nil {
				cancel(fmt.Errorf("start %s: %w", e.name, err))
			}
		})
	}
	both.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	e := &s.dev
	if e.sql, err = writeScripts(e.server.Dir); err != nil {
		return err
	}
	s.qa.sql = e.sql
	s.scripts, err = source.Locations([]string{"filesystem:" + e.sql}, source.Options{FailOnMissing: true, Suffixes: []string{".sql"}})
	return err
}

// installation finds PostgreSQL once, so that it is not downloaded for each server.
func installation(ctx context.Context, progress func(string)) (pgserver.Installation, error) {
	found, err := pgserver.Find(ctx)
	if err != nil {
		return pgserver.Installation{}, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	progress("no PostgreSQL is installed here")
	return pgserver.Download(ctx, 0, progress)
}

func (e *environment) start(ctx context.Context, binDir string, opt Options, out *screen) error {
	begun := time.Now()
	server, err := pgserver.Start(ctx, pgserver.Options{
		BinDir: binDir, Dir: opt.Dir, Password: true, Detached: opt.Keep,
		Settings: map[string]string{"fsync": "off", "full_page_writes": "off"}, // nothing here outlives a crash anyway
		Progress: func(phase string) { out.verb(e.name, phase) },
	})
	if err != nil {
		return err
	}
	e.server = server
	if _, err := execute(ctx, server.URL("postgres"), "create database shop"); err != nil {
		return err
	}
	out.verb(e.name, fmt.Sprintf("PostgreSQL %s is ready on port %d (%.1f s)", server.Version, server.Port, time.Since(begun).Seconds()))
	return nil
}

// writeScripts puts the scripts where a person with --keep can run and change them.
func writeScripts(dir string) (string, error) {
	dir = filepath.Join(dir, "sql")
	entries, err := scripts.ReadDir("sql")
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	for _, entry := range entries {
		text, err := scripts.ReadFile("sql/" + entry.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, entry.Name()), text, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// stop ends both servers and removes their folders, whatever became of ctx.
func (s *show) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	var errs [2]error
	var both sync.WaitGroup
	ran := false
	for i, e := range []*environment{&s.dev, &s.qa} {
		if e.server != nil {
			ran = true
			both.Go(func() { errs[i] = e.server.Stop(ctx) })
		}
	}
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("stop the demo's servers: %w", err)
	}
	if ran {
		s.say("Both servers are stopped and their folders removed.")
	}
	return nil
}

// kept tells how to use what was left, and how to end it.
func (s *show) kept() {
	s.say("Both servers are kept, with the password in the URL. To look around:")
	s.gap()
	s.line("  export DEV='%s'", short(s.dev.url()))
	s.line("  export QA='%s'", short(s.qa.url()))
	s.line("  cd %s", filepath.Dir(s.dev.sql))
	s.line(`  psql "$QA"`)
	s.line(`  skein -url="$QA" -locations=filesystem:sql info`)
	s.gap()
	s.say("To end both and remove everything:")
	s.gap()
	a, b := s.dev.server, s.qa.server
	if runtime.GOOS == "windows" {
		s.line("  taskkill /F /PID %d /PID %d & rmdir /S /Q %s %s", a.PID(), b.PID(), a.Dir, b.Dir)
		return
	}
	// SIGQUIT ends a server without the checkpoint that nobody will read.
	s.line("  kill -QUIT %d %d; sleep 1; \\", a.PID(), b.PID())
	s.line("  rm -r %s %s", a.Dir, b.Dir)
}

// short drops sslmode=disable: clients find out by themselves, and the URL then fits into 80 columns.
func short(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// execute runs SQL as a person with psql would, and returns the last command's tag, with its number of rows.
func execute(ctx context.Context, url, sql string) (rows int64, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, conn.Close(context.WithoutCancel(ctx))) }()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("%w, in: %s", err, strings.TrimSpace(sql))
	}
	return results[len(results)-1].CommandTag.RowsAffected(), nil
}
