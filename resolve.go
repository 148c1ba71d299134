package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// load reads scripts and callbacks.
func (c *Config) load(ctx context.Context) (files, callbacks source.Release, err error) {
	if c.Prepared != nil {
		return c.Prepared.files, c.Prepared.callbacks, nil
	}
	if c.Source != nil {
		if files, err = c.Source.Load(ctx); err != nil {
			return files, callbacks, err
		}
	}
	if c.CallbackSource != nil {
		callbacks, err = c.CallbackSource.Load(ctx)
	}
	return files, callbacks, err
}

// builtIns adds Flyway's own placeholders, which win over the user's (flyway.md §7.9). ${flyway:filename} differs from
// script to script and is added where a text is prepared.
func (r *run) builtIns() migration.Placeholders {
	p := r.cfg.Placeholders
	values := maps.Clone(p.Values)
	if values == nil {
		values = map[string]string{}
	}
	separator := cmp.Or(p.Separator, ":")
	for name, value := range map[string]string{
		"defaultSchema":    r.history.Schema,
		"user":             r.facts.User,
		"database":         r.facts.Database,
		"timestamp":        time.Now().Format("2006-01-02 15:04:05"),
		"workingDirectory": r.cfg.WorkingDirectory,
		"table":            r.history.Table,
		"environment":      cmp.Or(r.cfg.Environment, "default"),
	} {
		values["flyway"+separator+name] = value
	}
	p.Values = values
	return p
}

// resolve turns files and Go functions into scripts.
func (r *run) resolve(files, callbacks source.Release) error {
	resolved, err := migration.Resolve(files.Files, callbacks.Files, r.resolveOptions())
	if err != nil {
		return decisionError(err)
	}
	for _, w := range resolved.Warnings {
		r.warn(Warning{Text: w.Text, Path: w.Path, Line: w.Line, Hint: w.Hint})
	}
	r.scripts, r.callbacks = resolved.Scripts, resolved.Callbacks
	if len(r.cfg.Migrations) == 0 {
		return nil
	}
	inGo := make([]migration.Script, 0, len(r.cfg.Migrations))
	byPath := map[string]Migration{}
	for _, m := range r.cfg.Migrations {
		s := m.script()
		inGo = append(inGo, s)
		byPath[s.Path] = m
	}
	if r.scripts, err = migration.Order(append(r.scripts, inGo...)); err != nil {
		return decisionError(err)
	}
	r.code = map[*migration.Script]Migration{}
	for i := range r.scripts {
		if s := &r.scripts[i]; s.Type == migration.TypeJDBC {
			r.code[s] = byPath[s.Path]
		}
	}
	return nil
}

// mustHaveMigrations refuses to go on without any, where that was asked for.
func (r *run) mustHaveMigrations() error {
	if !r.cfg.RequireMigrations || len(r.scripts) > 0 {
		return nil
	}
	return &Error{
		Kind: KindScript, Code: "ERROR", Message: "no migrations found", Kept: "nothing was changed",
		Hint: "check locations (skein config explain shows them) and the files' names (V1__first.sql); requireMigrations=false lets this pass",
	}
}

func (r *run) resolveOptions() migration.ResolveOptions {
	opt := migration.ResolveOptions{
		Naming: r.cfg.Naming, Placeholders: r.placeholders, Encoding: r.cfg.Encoding, DetectEncoding: r.cfg.DetectEncoding,
		ValidateNaming: r.cfg.ValidateNaming, SkipDefaultCallbacks: r.cfg.SkipDefaultCallbacks,
		CallbackFiles: r.cfg.CallbackSource != nil, NeedSuffix: runtime.GOOS == "windows",
	}
	if r.cfg.Prepared != nil {
		opt.Texts, opt.CallbackFiles = &r.cfg.Prepared.texts, r.cfg.Prepared.apart
	}
	return opt
}

// script is the Go migration as the decisions see it. Its parts were checked before.
func (m Migration) script() migration.Script {
	s := migration.Script{Kind: migration.Repeatable, Description: m.Description, Type: migration.TypeJDBC, Checksum: m.Checksum}
	if m.Checksum != nil {
		s.RawChecksum = *m.Checksum
	}
	name := "go:" + m.Description
	if m.Version != "" {
		s.Kind = migration.Versioned
		s.Version, _ = migration.ParseVersion(m.Version) // check has parsed it
		name = "go:" + m.Version + " " + m.Description
	}
	s.Path = cmp.Or(m.Name, name)
	return s
}

// prepare replaces the placeholders of a text, splits it and looks at each statement.
func (r *run) prepare(scriptPath, physical, original string, config migration.ScriptConfig) ([]*piece, error) {
	t := &text{path: scriptPath, physical: physical, original: original}
	placeholders := r.placeholders.For(path.Base(scriptPath), config)
	var err error
	if t.sql, t.mapping, err = placeholders.ReplaceMapped(original); err != nil {
		return nil, t.textError(err)
	}
	if p := r.cfg.Prepared; p != nil {
		return p.pieces(t, r.facts.VersionNum)
	}
	statements, err := sqlsplit.Split(t.sql)
	if err != nil {
		return nil, t.textError(err)
	}
	return t.pieces(statements, 0, r.facts.VersionNum), nil
}

// pieces are the statements of the text, of which the first has that index, each judged.
func (t *text) pieces(statements []sqlsplit.Statement, first, version int) []*piece {
	pieces, all := make([]*piece, len(statements)), make([]piece, len(statements))
	for i, stmt := range statements {
		pieces[i] = &all[i]
		*pieces[i] = piece{text: t, stmt: stmt, index: first + i}
		pieces[i].verdict = txblock.Of(pieces[i].sql(), version)
	}
	return pieces
}

// textError is a fault of the text that was found before anything of it ran.
func (t *text) textError(err error) error {
	out := &Error{Kind: KindScript, Code: "ERROR", Message: err.Error(), At: &Location{Path: t.path, Physical: t.physical}, Err: err,
		Kept: "nothing of " + t.path + " ran"}
	at := -1
	if e, ok := errors.AsType[*migration.PlaceholderError](err); ok {
		at = e.Offset
		out.Message, out.Hint = e.Error(), "set it as placeholders."+e.Name+", or switch replacement off with placeholderReplacement=false in "+path.Base(t.path)+".conf"
	}
	if e, ok := errors.AsType[*sqlsplit.Error](err); ok {
		at = t.mapping.Original(e.Offset)
		_, out.Message, _ = strings.Cut(e.Error(), ": ") // the line is told by At
		out.Hint = e.Hint
	}
	if at >= 0 {
		out.At.Line, out.At.Column, out.At.Source = t.place(at)
	}
	return out
}

// check finds everything that is wrong with the configuration itself.
func (c *Config) check() error {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if c.URL == "" && c.Connection == nil {
		say("no database to connect to: set URL or Connection")
	}
	if c.ConnectRetries < 0 || c.ConnectRetriesInterval < 0 {
		say("connectRetries and connectRetriesInterval must not be negative")
	}
	if c.TimeBudget < 0 {
		say("timeBudget must not be negative")
	}
	if c.LockRetryCount != nil && *c.LockRetryCount < -1 {
		say("lockRetryCount must be -1 (no bound) or more")
	}
	if c.LockDeadline < 0 {
		say("lockDeadline must not be negative")
	}
	if len(c.InstalledBy) > 100 {
		say("installedBy is longer than the 100 characters of its column")
	}
	if byHand := !c.MarkApplied.IsZero() || !c.RunAgain.IsZero(); byHand != (c.Reason != "") || !c.MarkApplied.IsZero() && !c.RunAgain.IsZero() {
		say("markApplied or runAgain, one of the two, goes together with reason")
	}
	if err := migration.CheckEncoding(c.Encoding); err != nil {
		say("%v", err)
	}
	seen := map[string]bool{}
	for i, m := range c.Migrations {
		name := cmp.Or(m.Version, m.Description, fmt.Sprint("number ", i))
		if _, err := migration.ParseVersion(m.Version); m.Version != "" && err != nil {
			say("migration %s: %v", name, err)
		}
		if m.Version == "" && m.Description == "" {
			say("migration %s has neither version nor description", name)
		}
		if m.Run == nil {
			say("migration %s has no Run function", name)
		}
		if p := m.script().Path; seen[p] {
			say("two migrations written in Go are named %q", p)
		} else {
			seen[p] = true
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &Error{Kind: KindConfig, Code: "CONFIGURATION", Message: strings.Join(wrong, "\n")}
}

// ignoresJava says whether the history row of a Java migration may lack a counterpart.
func (c *Config) ignoresJava(row migration.Row) bool {
	return slices.ContainsFunc(c.IgnoreJavaMigrations, func(name string) bool {
		if name == "*" {
			return true
		}
		v, err := migration.ParseVersion(name)
		return err == nil && !row.Version.IsZero() && v.Compare(row.Version) == 0
	})
}
