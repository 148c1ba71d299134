// Package skein is schema version control for PostgreSQL that speaks Flyway's dialect natively: the same file names,
// the same flyway_schema_history table, the same checksums and states.
//
// Each function does one of Flyway's commands on one database and returns what it found or did:
//
//	//go:embed sql
//	var scripts embed.FS
//
//	result, err := skein.Migrate(ctx, skein.Config{
//		URL:    "postgres://app@db/shop",
//		Source: source.FS(scripts, "sql"),
//	})
//
// Config's zero values are Flyway's defaults. What happens on the way is told through Config.Report. Every error is
// an *Error.
package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Versions of PostgreSQL by server_version_num.
const (
	newestKnown = 190000 // exclusive: beyond it Skein goes on with a warning
)

// run is one command on one target.
type run struct {
	cfg     Config
	way     way // of the steps; the zero value is migrate's
	conn    *postgres.Conn
	lock    *postgres.Lock // nil until something is to be changed, and where inSession is true
	facts   postgres.Facts
	history postgres.History
	empty   map[string]bool // schemas, as seen right after the lock was taken; nil: not known any more
	managed []string        // schemas, the default one first unless Schemas lists it
	session postgres.Session

	placeholders migration.Placeholders // with the built-in ones
	scripts      []migration.Script
	callbacks    []migration.Callback
	code         map[*migration.Script]Migration // what runs for migrations written in Go

	rows       []migration.Row   // the history as last read
	entries    []migration.Entry // what comparing scripts and rows gave; nil once anything may have changed the history
	ahead      sync.WaitGroup    // reading the rows before they are needed
	prefetched bool              // rows are from the start of the run, and nothing has happened since
	lockSeen   time.Time         // last sign of life of the lock
	reporting  sync.Mutex
	work       atWork
	warnings   []string
	aside      *postgres.Conn         // counts who waits behind us; nil: not needed so far
	masks      secret.Redactor        // knows the secrets
	login      *pgx.ConnConfig        // of the newest connection
	heeded     atomic.Pointer[heeded] // under ErrorOverrides: the statement that runs
	insist     bool                   // on a server that takes writes, when connecting
	began      time.Time
	longest    time.Duration // that a step of this run took
	breaks     int           // connections that broke since a step was recorded last
	grouped    *queue        // of a run whose steps share one transaction
	proxied    *bool         // a pooler stands before the server; nil: not asked yet
	quiet      bool          // the session outlives its client (see keepQuiet)
	inSession  bool          // conn's session holds the migration lock (see holdInSession)
	stale      bool          // what a survey has read may be from before the end of a run that went on then
	baselined  bool          // the baseline's row went in together with the schemas

	place                locality
	approved             []migration.Step // what Config.Expect was found to hold of
	finished             int              // steps that were recorded
	audited, auditedPlan string           // what the audit says to have begun, and of which plan; "": nothing
}

// open loads the scripts while the connection is made and the target looked at, and brings both together. The server
// has the longer way, so connecting comes first and in this goroutine. Programs that are to run before there is a
// connection are found only by loading: where there are some, the connection is given up for another.
func open(ctx context.Context, cfg Config) (*run, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, began: time.Now()}
	r.learn(nil)
	files, callbacks, first, lookErr, err := r.lookAndLoad(ctx)
	if first {
		r.close()
		r.conn, r.warnings, r.facts, r.place, r.inSession = nil, nil, postgres.Facts{}, locality{}, false
		if err = r.beforeConnect(ctx, files.Files, callbacks.Files); err == nil {
			lookErr = r.look(ctx, ctx)
		}
	}
	if err := cmp.Or(SourceError(err), lookErr); err != nil {
		r.close()
		return nil, r.hidden(err)
	}
	err = r.begin(ctx, files, callbacks)
	if err == nil && cfg.instead != nil {
		err = r.writes(cfg.instead.start(ctx, r), "afterConnect")
	}
	if err != nil {
		r.close()
		return nil, r.hidden(err)
	}
	r.account(ctx, false)
	return r, nil
}

// lookAndLoad does both at once, unless it has to be sure of the database before a script is read. first says that there
// are programs to run before connecting.
func (r *run) lookAndLoad(ctx context.Context) (files, callbacks source.Release, first bool, lookErr, err error) {
	early, giveUp := context.WithCancel(ctx)
	defer giveUp()
	load := func() (err error) {
		files, callbacks, err = r.cfg.load(ctx)
		if first = err == nil && hasBeforeConnect(files.Files, callbacks.Files); first {
			giveUp()
		}
		return err
	}
	if r.cfg.expecting() {
		if lookErr = r.look(ctx, ctx); lookErr == nil {
			err = load()
		}
		return files, callbacks, first, lookErr, err
	}
	loading := make(chan error, 1)
	go func() { loading <- load() }()
	lookErr = r.look(ctx, early)
	err = <-loading
	return files, callbacks, first, lookErr, err
}

// look connects, as long as connecting lasts, reads the facts, and begins to read the history. If the history cannot be
// read, the next one to need it asks again and tells.
func (r *run) look(ctx, connecting context.Context) error {
	if err := r.connect(connecting); err != nil {
		return err
	}
	if _, err := r.meet(ctx, false); err != nil {
		return err
	}
	if err := r.located(ctx); err != nil || r.prefetched {
		return err
	}
	r.ahead.Go(func() { r.prefetched = r.readHistory(ctx) == nil })
	return nil
}

// begin resolves the scripts, whose built-in placeholders need the facts, and gets the session ready.
func (r *run) begin(ctx context.Context, files, callbacks source.Release) error {
	r.report(r.connected())
	if !r.facts.HasHistory && r.exists(r.history.Schema) {
		r.report(HistoryMissing{Schema: r.history.Schema, Table: r.history.Table})
	}
	r.placeholders = r.builtIns()
	if r.facts.VersionNum >= newestKnown {
		r.warn(Warning{Text: fmt.Sprintf("PostgreSQL %s is newer than this version of Skein knows; going on", r.serverVersion())})
	}
	for _, o := range r.cfg.ErrorOverrides {
		if o.Idle() {
			r.warn(Warning{Text: "the error override " + o.Text + " never applies: PostgreSQL's states have five characters, and its error code is always 0"})
		}
	}
	for _, text := range slices.Concat(files.Warnings, callbacks.Warnings) {
		r.warn(Warning{Text: text})
	}
	err := r.resolve(files, callbacks)
	r.ahead.Wait()
	if err != nil {
		return err
	}
	return r.settleSession(ctx)
}

// survey reads the facts and checks that a history table is one.
func (r *run) survey(ctx context.Context) error {
	facts, err := r.conn.ReadFacts(ctx, r.tables())
	return r.found(facts, err)
}

// tables says where the run's tables belong.
func (r *run) tables() postgres.Place {
	p := postgres.Place{
		Schema: r.cfg.DefaultSchema, Others: r.cfg.Schemas, Table: cmp.Or(r.cfg.Table, "flyway_schema_history"), Side: r.journal().Schema, Reach: r.glances(),
	}
	if p.Schema == "" && len(r.cfg.Schemas) > 0 {
		p.Schema = r.cfg.Schemas[0]
	}
	return p
}

// surveyBehind is survey for who waits for the end of a run before: it reads nothing as long as another transaction holds
// the fence. Where there may be a history table to be made it also learns which schemas are empty.
func (r *run) surveyBehind(ctx context.Context, fence int64) (bool, error) {
	var ask []string
	if !r.facts.HasHistory {
		ask = r.managed
	}
	facts, empty, free, err := r.conn.FactsBehind(ctx, fence, r.tables(), ask)
	if err == nil && !free {
		return false, nil
	}
	r.empty = empty
	return true, r.found(facts, err)
}

// found takes over the facts, or says why they could not be read.
func (r *run) found(facts postgres.Facts, err error) error {
	place := r.tables()
	if err != nil {
		e := r.wrapped(err)
		if e.SQL != nil && e.SQL.State == stateNoPrivilege {
			role := cmp.Or(r.cfg.Role, r.conn.User())
			e.Hint = fmt.Sprintf("its owner can run: grant usage on schema %s to %s; docs/grants.md lists what each command needs", postgres.Ident(place.Schema), postgres.Ident(role))
		}
		return e
	}
	r.facts = facts
	r.tape().amend(&r.facts)
	r.history = postgres.History{Schema: facts.Schema, Table: place.Table, Tablespace: r.cfg.Tablespace}
	r.managed = r.cfg.Schemas
	if !slices.Contains(r.managed, facts.Schema) {
		r.managed = append([]string{facts.Schema}, r.managed...)
	}
	return r.checkTarget()
}

func (r *run) checkTarget() error {
	refuse := func(message, hint string) error {
		return &Error{Kind: KindRefused, Code: "ERROR", Message: message, Hint: hint}
	}
	switch {
	case r.facts.VersionNum < postgres.OldestServer:
		return refuse("PostgreSQL "+r.serverVersion()+" is too old", "Skein needs version 11 or newer")
	case r.history.Schema == "":
		return refuse("no schema to work in: the search_path is empty", "set defaultSchema or schemas")
	}
	return nil
}

func shapeError(where string, err error) error {
	return &Error{
		Kind: KindRefused, Code: "ERROR", Message: where + " is not a schema history table: " + err.Error(), Err: err,
		Hint: "choose another name with the setting table, or mend the table by hand",
	}
}

// mustWrite refuses a target that takes no writes, before anything is tried.
func (r *run) mustWrite() error {
	switch {
	case r.cfg.instead != nil: // nothing stays here; what is planned may be carried out elsewhere
	case r.facts.InRecovery:
		return &Error{
			Kind: KindRefused, Code: "ERROR", Message: "the server at " + r.conn.Host() + " is a read-only replica; nothing was changed",
			Hint: "connect to the primary (with several hosts: targetServerType=primary)",
		}
	case r.facts.ReadOnly:
		return &Error{
			Kind: KindRefused, Code: "ERROR", Message: "transactions on " + r.facts.Database + " are read only; nothing was changed",
			Hint: "see the setting default_transaction_read_only of the database, the role or the URL",
		}
	}
	return nil
}

// readHistory reads the rows, if there is a table.
func (r *run) readHistory(ctx context.Context) error {
	r.rows = nil
	if r.tape().makesHistory() {
		r.rows = r.tape().with(nil)
		return nil
	}
	if !r.facts.HasHistory {
		return nil
	}
	rows, err := r.conn.ReadHistory(ctx, r.history)
	if shape, ok := errors.AsType[*postgres.ShapeError](err); ok {
		return shapeError(fmt.Sprintf("%q.%q", r.history.Schema, r.history.Table), shape)
	}
	r.rows = r.tape().with(rows)
	return r.wrap(err)
}

// changed says that the history may not be any more what it was when it was last read.
func (r *run) changed() { r.prefetched, r.entries, r.empty = false, nil, nil }

// readAnew reads the history, unless what open has read is still as good.
func (r *run) readAnew(ctx context.Context) error {
	if r.prefetched {
		return nil
	}
	return r.readHistory(ctx)
}

// reconcile reads the history and compares the scripts with it. What the comparison before gave still holds as long as
// nothing of ours and, under the lock, nobody else has had a chance to write.
func (r *run) reconcile(ctx context.Context) ([]migration.Entry, error) {
	if r.entries != nil {
		return r.entries, nil
	}
	if err := r.readAnew(ctx); err != nil {
		return nil, err
	}
	entries, err := migration.Reconcile(r.scripts, r.rows, migration.ReconcileOptions{
		Target: r.cfg.TargetVersion, OutOfOrder: r.cfg.OutOfOrder, CherryPick: r.cfg.CherryPick, IgnoreJava: r.cfg.ignoresJava,
	})
	if err != nil {
		return nil, decisionError(err)
	}
	if err := migration.CheckTarget(entries, r.cfg.TargetVersion); err != nil {
		return nil, decisionError(err)
	}
	r.entries = entries
	return entries, nil
}

func (r *run) report(e Event) {
	if r.cfg.Report == nil {
		return
	}
	r.reporting.Lock() // a notice may come while scripts are being resolved
	defer r.reporting.Unlock()
	r.cfg.Report(r.masked(e))
}

func (r *run) warn(w Warning) {
	r.warnings = append(r.warnings, r.masks.String(w.Text))
	r.report(w)
}

func (r *run) target() Target {
	return Target{
		Database: r.facts.Database, User: r.facts.User, ServerVersion: r.serverVersion(),
		Schema: r.history.Schema, Schemas: r.cfg.Schemas, Table: r.history.Table, Warnings: r.warnings, Identity: r.place.identity,
	}
}

// serverVersion is the number alone: "15.20", not "15.20 (Debian 15.20-0+deb12u1)".
func (r *run) serverVersion() string {
	number, _, _ := strings.Cut(r.facts.Version, " ")
	return number
}

func (r *run) exists(schema string) bool { return slices.Contains(r.facts.Existing, schema) }

func (r *run) close() {
	r.work.close()
	r.ahead.Wait()
	if r.lock != nil {
		r.lock.Close()
	}
	if r.aside != nil {
		r.aside.Close()
	}
	if r.conn != nil {
		r.conn.Close()
	}
}
