package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

// readElsewhere are honoured settings that internal/config uses up itself.
var readElsewhere = []string{
	"url", "user", "password", "jdbcProperties.*", "environment", "configFiles", "configFileEncoding",
	"skein.identity.system", "skein.identity.cluster", "skein.identity.database", "skein.identity.host", // asked for by field
	"resolvers.*", "vault.url", "vault.token", "vault.namespace", "vault.secrets", "skein.secretPlaceholders",
}

// TestEveryHonouredSettingIsRead: a setting that config takes and nobody asks for would do nothing.
func TestEveryHonouredSettingIsRead(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	for _, name := range readElsewhere {
		asked[name] = true
	}
	files, err := filepath.Glob("../[a-z]*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		// The lists of help name settings without reading them.
		if strings.HasSuffix(file, "_test.go") || slices.Contains([]string{"../cli/verbs.go", "../cli/help.go"}, file) || strings.HasPrefix(file, "../config/") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					asked[s] = true
				}
			}
			return true
		})
	}
	for _, k := range config.Keys() {
		if k.Standing == config.Honoured && !asked[k.Name] && !asked[strings.TrimSuffix(k.Name, ".*")] {
			t.Errorf("nobody reads %s", k.Name)
		}
	}
}

// loadSettings reads settings from flags alone.
func loadSettings(t *testing.T, args ...string) *config.Settings {
	t.Helper()
	line, err := config.Parse(args, config.Grammar{})
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := config.Load(config.Input{Args: line, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEngine(t *testing.T) {
	t.Parallel()
	const url = "-url=jdbc:postgresql://h/x"
	w := World{Dir: t.TempDir()}
	c, _, err := Engine(loadSettings(t, url), w, false, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	if c.NoCreateSchemas || c.SkipValidate || c.NoTransactions || c.DiscardQueryResults || c.AllowClean || c.Placeholders.Off || !c.TargetVersion.IsLatest() ||
		c.BaselineVersion.String() != "1" || c.WorkingDirectory != w.Dir || *c.LockRetryCount != 50 || c.CallbackSource != nil {
		t.Errorf("defaults are not Flyway's: %+v", c)
	}
	c, _, err = Engine(loadSettings(t, url, "-createSchemas=false", "-validateOnMigrate=false", "-executeInTransaction=false",
		"-outputQueryResults=false", "-cleanDisabled=false", "-placeholderReplacement=false", "-target=7?", "-callbackLocations=filesystem:cb",
		"-sqlMigrationPrefix=W", "-schemas=a,b"), w, false, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.NoCreateSchemas || !c.SkipValidate || !c.NoTransactions || !c.DiscardQueryResults || !c.AllowClean || !c.Placeholders.Off ||
		c.TargetVersion.String() != "7?" || c.CallbackSource == nil || *c.Naming.Versioned != "W" || len(c.Schemas) != 2 {
		t.Errorf("settings are lost: %+v", c)
	}
	own, _, err := Engine(loadSettings(t, url, "-role=boss", "-applicationName=mine", "-keepSessionState=true", "-ignoreJavaMigrations=2,3",
		"-requireMigrations=true", "-connectRetries=3", "-connectRetriesInterval=7", "-lockRetryCount=-1", "-powershellExecutable=pwsh",
		"-errorOverrides=01000:*:I"), w, false, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	if own.Role != "boss" || !own.KeepSessionState || len(own.IgnoreJavaMigrations) != 2 || !own.RequireMigrations || own.ConnectRetries != 3 ||
		own.ConnectRetriesInterval != 7 || *own.LockRetryCount != -1 || own.PowerShell != "pwsh" || len(own.ErrorOverrides) != 1 {
		t.Errorf("settings are lost: %+v", own)
	}
	if cfg, err := own.Connection(t.Context()); err != nil || cfg.RuntimeParams["application_name"] != "mine" {
		t.Errorf("the application name is lost: %v, %v", cfg, err)
	}
	cfg, err := c.Connection(t.Context())
	if err != nil || cfg.Host != "h" || cfg.Database != "x" || cfg.RuntimeParams["application_name"] != "skein" {
		t.Errorf("connection: %+v, %v", cfg, err)
	}
	c, _, err = Engine(loadSettings(t, url+"?ApplicationName=mine"), w, false, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	if cfg, err := c.Connection(t.Context()); err != nil || cfg.RuntimeParams["application_name"] != "mine" {
		t.Errorf("the URL's application name is lost: %v, %v", cfg, err)
	}
	_, _, err = Engine(loadSettings(t, "-target=x", "-baselineVersion=y", "-ignoreMigrationPatterns=z"), w, false, &secret.Redactor{})
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("four mistakes give: %v", err)
	}
}

func TestIgnorePatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"", "*:future"},
		{"-ignoreMigrationPatterns=*:missing", "*:missing"},
		{"-ignoreFutureMigrations=false", ""},
		{"-ignoreMissingMigrations=true", "*:future *:missing"},
		{"-ignoreMissingMigrations=true -ignorePendingMigrations=true -ignoreIgnoredMigrations=true -ignoreFutureMigrations=false", "*:ignored *:missing *:pending"},
	} {
		d := door{settings: loadSettings(t, strings.Fields(c.args)...)}
		var got []string
		for _, p := range d.ignorePatterns() {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != c.want || len(d.mistakes) > 0 {
			t.Errorf("%s: %q, %v; want %q", c.args, got, d.mistakes, c.want)
		}
		if patterns := d.ignorePatterns(); patterns == nil {
			t.Errorf("%s: nil would be the default", c.args)
		}
	}
}
