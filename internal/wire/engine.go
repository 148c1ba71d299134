package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aurora"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Engine turns settings into the library's. Its error is config.Mistakes: everything that is wrong, at once.
//
// Flyway warns about a location that is not there and calls a run without migrations a success. As skein both are errors
// unless a setting says otherwise: a typing error in a path must not look like a deployment.
func Engine(s *config.Settings, w World, flyway bool, secrets *secret.Redactor) (skein.Config, []config.Warning, error) {
	d := door{settings: s, world: w}
	c := skein.Config{
		ConnectRetries: s.Int("connectRetries"), ConnectRetriesInterval: s.Int("connectRetriesInterval"),
		InitSQL: s.Text("initSql"), Role: s.Text("skein.role"),
		DefaultSchema: s.Text("defaultSchema"), Schemas: s.List("schemas"), Table: s.Text("table"),
		Tablespace: s.Text("tablespace"), NoCreateSchemas: !s.Bool("createSchemas"),
		ValidateNaming: s.Bool("validateMigrationNaming"), Encoding: s.Text("encoding"), DetectEncoding: s.Bool("detectEncoding"),
		Environment: s.Environment(), WorkingDirectory: s.Text("workingDirectory"), SkipDefaultCallbacks: s.Bool("skipDefaultCallbacks"),
		OutOfOrder: s.Bool("outOfOrder"), SkipExecutingMigrations: s.Bool("skipExecutingMigrations"),
		CherryPick: s.List("cherryPick"), SkipValidate: !s.Bool("validateOnMigrate"), IgnoreJavaMigrations: s.List("skein.ignoreJavaMigrations"),
		Mixed: s.Bool("mixed"), Group: s.Bool("group"), NoTransactions: !s.Bool("executeInTransaction"),
		InstalledBy: s.Text("installedBy"), KeepSessionState: s.Bool("skein.keepSessionState"), DurableEach: s.Bool("skein.durableEach"), Detach: s.Bool("skein.detach"), JournalSchema: s.Text("skein.journalSchema"), Reason: s.Text("skein.reason"),
		LockRetryCount: new(s.Int("lockRetryCount")), LockDeadline: time.Duration(s.Int("skein.lockDeadline")) * time.Second, DiscardQueryResults: !s.Bool("outputQueryResults"),
		BaselineDescription: s.Text("baselineDescription"), BaselineOnMigrate: s.Bool("baselineOnMigrate"),
		AllowClean: !s.Bool("cleanDisabled"),
		Production: s.Bool("skein.production"), AllowProduction: s.Bool("skein.allowProduction"),
		Naming: d.naming(),
		Placeholders: migration.Placeholders{
			Values: s.Map("placeholders"), Prefix: s.Text("placeholderPrefix"), Suffix: s.Text("placeholderSuffix"),
			Separator: s.Text("placeholderSeparator"), Off: !s.Bool("placeholderReplacement"),
			ScriptPrefix: s.Text("scriptPlaceholderPrefix"), ScriptSuffix: s.Text("scriptPlaceholderSuffix"),
		},
		PowerShell: s.Text("powershellExecutable"), ProgramURL: s.Text("url"),
	}
	if c.StallBudget = time.Duration(s.Int("skein.stallBudget")) * time.Millisecond; c.StallBudget == 0 {
		c.StallBudget = -1 // the library's zero value is the default
	}
	if c.WorkingDirectory == "" {
		c.WorkingDirectory = w.Dir
	}
	if c.BehindLimit = s.Int("skein.behindLimit"); c.BehindLimit == 0 {
		c.BehindLimit = -1 // likewise
	}
	c.TargetVersion = check(&d, "target", migration.ParseTarget)
	c.BaselineVersion = check(&d, "baselineVersion", migration.ParseVersion)
	c.MarkApplied = check(&d, "skein.markApplied", versionOrNone)
	c.RunAgain = check(&d, "skein.runAgain", versionOrNone)
	c.IgnoreMigrationPatterns = d.ignorePatterns()
	c.ReconnectDeadline = time.Duration(cmp.Or(s.Int("skein.reconnectDeadline"), -1)) * time.Second
	c.TimeBudget = check(&d, "skein.timeBudget", duration)
	c.RequireMigrations = orElse(s, "skein.requireMigrations", !flyway)
	if err := migration.CheckEncoding(c.Encoding); err != nil {
		d.addCoded(config.Fault, "encoding", err)
	}
	var err error
	if c.ErrorOverrides, err = migration.ParseErrorOverrides(s.List("errorOverrides")); err != nil {
		d.add("errorOverrides", err)
	}
	c.Source, c.CallbackSource = d.sources(w.Dir, c.Naming.Suffixes, orElse(s, "failOnMissingLocations", !flyway))
	var warnings []config.Warning
	if s.HasReference("url") {
		c.ProgramURL = "" // it is known when a connection is made
	} else if _, warnings, err = s.Target(); err != nil {
		d.add("url", err)
	}
	if len(d.mistakes) > 0 {
		return skein.Config{}, warnings, d.mistakes
	}
	c.Connection = connection(s, w, secrets)
	c.Identity, c.OtherIdentities = identities(s)
	c.Releaser = Releaser(s, w)
	c.SecretPlaceholders, c.Secrets = s.SecretPlaceholders(), map[string]string{}
	for name, text := range s.SecretsByName() {
		c.Secrets[name] = text.Reveal()
	}
	return c, warnings, nil
}

// identities are what is said of the database of the environment, and of those of the others, by name.
func identities(s *config.Settings) (own skein.Identity, others []skein.Identity) {
	for name, fields := range s.OtherIdentities() {
		others = append(others, identity(name, func(field string) string { return fields[field] }))
	}
	slices.SortFunc(others, func(a, b skein.Identity) int { return strings.Compare(a.Environment, b.Environment) })
	return identity(s.Environment(), func(field string) string { return s.Text("skein.identity." + field) }), others
}

// Releaser is who acts: the setting releaser, else the user of the operating system.
func Releaser(s *config.Settings, w World) string {
	if name := cmp.Or(s.Text("skein.releaser"), w.Variable("USER"), w.Variable("LOGNAME"), w.Variable("USERNAME")); name != "" {
		return name
	}
	// containers have no variable that names it
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// identity is what is said of the database of an environment.
func identity(environment string, field func(string) string) skein.Identity {
	return skein.Identity{Environment: environment, System: field("system"), Cluster: field("cluster"), Database: field("database"), Host: field("host")}
}

// Scripts gives how scripts are named and where they are; a missing folder is none, or an error of Load. Its own error is
// config.Mistakes.
func Scripts(s *config.Settings, w World, failOnMissing bool) (migration.Naming, source.Source, error) {
	d := door{settings: s, world: w}
	naming := d.naming()
	scripts, _ := d.sources(w.Dir, naming.Suffixes, failOnMissing)
	if len(d.mistakes) > 0 {
		return naming, nil, d.mistakes
	}
	return naming, scripts, nil
}

// door collects what is wrong while settings are read.
type door struct {
	settings *config.Settings
	world    World
	mistakes config.Mistakes
}

func (d *door) add(key string, err error) { d.addCoded(config.Plain, key, err) }

func (d *door) addCoded(code, key string, err error) {
	if several, ok := errors.AsType[config.Mistakes](err); ok {
		d.mistakes = append(d.mistakes, several...)
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		m := config.Mistake{Origin: d.settings.Origin(key), Key: key, Text: err.Error(), Code: code, Silent: errors.Is(err, secret.ErrSilent)}
		if e, ok := errors.AsType[*migration.Error](err); ok {
			m.Hint = e.Hint
		}
		if e, ok := errors.AsType[*source.Error](err); ok {
			m.Hint = e.Hint
		}
		d.mistakes = append(d.mistakes, m)
	}
}

func check[T any](d *door, key string, parse func(string) (T, error)) T {
	v, err := parse(d.settings.Text(key))
	if err != nil {
		d.add(key, err)
	}
	return v
}

func versionOrNone(text string) (migration.Version, error) {
	if text == "" {
		return migration.Version{}, nil
	}
	return migration.ParseVersion(text)
}

func (d *door) prefix(key string) *string {
	text := d.settings.Text(key)
	return &text
}

func (d *door) naming() migration.Naming {
	return migration.Naming{
		Versioned: d.prefix("sqlMigrationPrefix"), Repeatable: d.prefix("repeatableSqlMigrationPrefix"),
		Undo: d.prefix("undoSqlMigrationPrefix"), Baseline: d.prefix("baselineMigrationPrefix"), Separator: d.settings.Text("sqlMigrationSeparator"),
		Suffixes: d.settings.List("sqlMigrationSuffixes"),
	}
}

// ignorePatterns joins ignoreMigrationPatterns with the four switches of Flyway 8, each of which is a pattern. Setting
// ignoreFutureMigrations=false takes the default pattern away, as it did there.
func (d *door) ignorePatterns() []migration.IgnorePattern {
	s := d.settings
	items := s.List("ignoreMigrationPatterns")
	if !s.Bool("ignoreFutureMigrations") && !s.IsSet("ignoreMigrationPatterns") {
		items = nil
	}
	for key, pattern := range map[string]string{
		"ignoreMissingMigrations": "*:missing", "ignoreIgnoredMigrations": "*:ignored", "ignorePendingMigrations": "*:pending",
	} {
		if s.Bool(key) && !slices.Contains(items, pattern) {
			items = append(items, pattern)
		}
	}
	slices.Sort(items)
	if items == nil {
		items = []string{""} // none, where nil would be the default
	}
	patterns, err := migration.ParseIgnorePatterns(items)
	if err != nil {
		d.add("ignoreMigrationPatterns", err)
	}
	if patterns == nil && err == nil {
		patterns = []migration.IgnorePattern{}
	}
	return patterns
}

// orElse is a switch that the two faces have different defaults for.
func orElse(s *config.Settings, key string, otherwise bool) bool {
	if s.IsSet(key) {
		return s.Bool(key)
	}
	return otherwise
}

func (d *door) sources(dir string, suffixes []string, failOnMissing bool) (scripts, callbacks source.Source) {
	s := d.settings
	opt := source.Options{WorkingDirectory: s.Text("workingDirectory"), FailOnMissing: failOnMissing, Suffixes: suffixes}
	opt.Others = d.others(opt.Wanted)
	// Relative locations are shown as they were written while they start from the process's own folder.
	if own, err := os.Getwd(); opt.WorkingDirectory == "" && (err != nil || own != dir) {
		opt.WorkingDirectory = dir
	}
	open := func(key string) source.Source {
		from, err := source.Locations(s.List(key), opt)
		if err != nil {
			d.add(key, err)
			return nil
		}
		return from
	}
	scripts = open("locations")
	if len(s.List("callbackLocations")) > 0 {
		callbacks = open("callbackLocations")
	}
	return scripts, callbacks
}

// Connect makes the parameters of each new connection to another database of an environment: url, which may be a reference,
// with the environment's user, password and properties where it has none. key is the setting that names the database. The
// error says what is wrong with the URL.
func Connect(s *config.Settings, w World, key, url string, secrets *secret.Redactor) (func(context.Context) (*pgx.ConnConfig, error), error) {
	there := s.At(url, key)
	if !there.HasReference("url") {
		if _, _, err := there.Target(); err != nil {
			return nil, err
		}
	}
	return connection(there, w, secrets), nil
}

// connection makes the parameters of each new connection. What the settings refer to is asked anew each time, so that a
// password that was changed meanwhile does no harm. What secrets it finds on the way, secrets hears of.
func connection(s *config.Settings, w World, secrets *secret.Redactor) func(context.Context) (*pgx.ConnConfig, error) {
	return func(ctx context.Context) (*pgx.ConnConfig, error) {
		target, err := w.target(ctx, s, secrets)
		if err != nil {
			return nil, &skein.Error{Kind: skein.KindConfig, Code: "CONFIGURATION", Err: err, Message: err.Error()}
		}
		fail := func(err error) (*pgx.ConnConfig, error) {
			return nil, &skein.Error{
				Kind: skein.KindConfig, Code: "CONFIGURATION", Err: err,
				Message: s.Origin("url").String() + ": the url " + target.String() + " cannot be used: " + err.Error(),
			}
		}
		if target.SecretID != "" {
			if target.User, target.Password, err = w.login(ctx, target.SecretID); err != nil {
				return fail(err)
			}
		}
		cfg, err := pgx.ParseConfig(target.ConnString().Reveal())
		if err != nil {
			return fail(err)
		}
		if target.IAM != nil {
			if err := w.token(ctx, *target.IAM, cfg); err != nil {
				return nil, &skein.Error{Kind: skein.KindConfig, Code: "CONFIGURATION", Err: err, Message: target.IAM.Origin.String() + ": password: aws-rds-iam: " + err.Error()}
			}
		}
		secrets.Add(cfg.Password) // it may be from PGPASSWORD, .pgpass or AWS
		certificates, err := target.TLS.Certificates(w.Home, os.ReadFile)
		if err != nil {
			return fail(err)
		}
		if err := aurora.Trust(cfg); err != nil {
			return fail(err)
		}
		if len(certificates) > 0 {
			present(cfg.TLSConfig, certificates)
			for _, f := range cfg.Fallbacks {
				present(f.TLSConfig, certificates)
			}
		}
		if cfg.RuntimeParams["application_name"] == "" {
			cfg.RuntimeParams["application_name"] = s.Text("skein.applicationName")
		}
		return cfg, nil
	}
}

func present(c *tls.Config, certificates []tls.Certificate) {
	if c != nil {
		c.Certificates = certificates
	}
}

// ShownTarget is what the face flyway prints behind "Database: ": asterisks since Flyway 13, the URL without passwords
// when FLYWAY_DO_NOT_REDACT_URL asks for it.
func ShownTarget(s *config.Settings) string {
	if s.Bool("doNotRedactUrl") {
		return strings.TrimSpace(config.RedactURL(s.Text("url")))
	}
	return "********"
}

// duration reads "90s", "10m" or "1h30m"; nothing is zero.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration such as 90s, 10m or 1h30m", text)
	}
	return d, nil
}
