package config_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/skein-db/skein/internal/config"
)

func noFiles(path string) ([]byte, error) {
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func load(t *testing.T, env []string, args ...string) *config.Settings {
	t.Helper()
	line, err := config.Parse(args, config.Grammar{})
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := config.Load(config.Input{Args: line, Env: env, WorkDir: "/work", ReadFile: noFiles, IsDir: func(path string) bool { return path == "sql" }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGetters(t *testing.T) {
	t.Parallel()
	s := load(t, []string{"FLYWAY_MIXED=TRUE", "FLYWAY_PASSWORD=canary", "BOXFUSE_DATABASE_PASSWORD=canary-old", "FLYWAY_URL=jdbc:postgresql://h/db?sslpassword=canary%2Btwo"},
		"-schemas=a, b,,c", "-lockRetryCount=-1", "-placeholders.Name=x", "-placeholders.api_token=canary-three", "-jdbcProperties.a=b")
	got := []any{
		s.Text("table"), s.Text("placeholders.NAME"), s.Bool("mixed"), s.Bool("group"), s.Bool("cleanDisabled"), s.Int("lockRetryCount"), s.Int("connectRetriesInterval"),
		s.List("schemas"), s.List("callbackLocations"), s.List("locations"), s.List("ignoreMigrationPatterns"), s.Map("jdbcProperties"), s.Secret("password").Reveal(),
		s.Environment(), s.Modern(), s.IsSet("table"), s.IsSet("mixed"), s.Origin("mixed").String(), s.Origin("table").String(), len(s.Files()),
	}
	want := []any{
		"flyway_schema_history", "x", true, false, true, -1, 120,
		[]string{"a", "b", "c"}, []string(nil), []string(nil), []string{"*:future"}, map[string]string{"a": "b"}, "canary",
		"default", true, false, true, "FLYWAY_MIXED", "default", 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var secrets []string
	for _, text := range s.Secrets() {
		secrets = append(secrets, text.Reveal())
	}
	if want := []string{"canary", "canary%2Btwo", "canary+two", "canary-old", "canary-three"}; !slices.Equal(secrets, want) {
		t.Errorf("Secrets: %q, want %q", secrets, want)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(shown, "canary") {
		t.Errorf("a secret is shown: %s", shown)
	}
	for name, ask := range map[string]func(){
		"an unknown key": func() { s.Text("bogus") }, "a bool as int": func() { s.Int("mixed") },
		"a secret as text": func() { s.Text("password") }, "an unknown map": func() { s.Map("bogus") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("asking for %s does not panic", name)
				}
			}()
			ask()
		}()
	}
}

// The mistakes of a URL carry the place of the URL.
func TestTargetOrigin(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, []string{"FLYWAY_URL=jdbc:mysql://h/db"}).Target()
	if err == nil || !strings.HasPrefix(err.Error(), "FLYWAY_URL: No Flyway database plugin") {
		t.Errorf("got %v", err)
	}
	target, warnings, err := load(t, nil, "-url=jdbc:postgresql://h/db?bogus=1", "-user=me").Target()
	if err != nil || target.User != "me" || len(warnings) != 1 || warnings[0].String() != "-url: unknown connection parameter bogus is ignored" {
		t.Errorf("got %v, %v, %v", target.User, warnings, err)
	}
}

// The real file system is the default.
func TestLoadFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flyway.toml"), []byte("flyway.table = 't'"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sql"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, warnings, err := config.Load(config.Input{WorkDir: dir})
	if err != nil || len(warnings) > 0 || s.Text("table") != "t" || s.List("locations")[0] != "filesystem:"+filepath.Join(dir, "sql") {
		t.Errorf("%v %v %v", s.List("locations"), warnings, err)
	}
}

// Every key of the table can be given where the table says, and is explained.
func TestKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, k := range config.Keys() {
		for _, name := range []string{k.Name, k.Variable, k.SkeinVariable} {
			if name != "" && seen[name] != "" {
				t.Errorf("%s stands for both %s and %s", name, seen[name], k.Name)
			}
			seen[name] = k.Name
		}
		if k.Standing != config.Honoured && k.Standing != config.NotYet && k.Note == "" {
			t.Errorf("%s: %s without a reason", k.Name, k.Standing)
		}
		if k.Standing != config.Honoured || k.Name == "configFiles" || k.Name == "environment" {
			continue
		}
		text := map[config.Kind]string{config.Text: "x", config.Boolean: "true", config.Integer: "7", config.List: "x,y", config.Map: "x"}[k.Kind]
		if len(k.Words) > 0 {
			text = k.Words[0]
		}
		if sample := samples[k.Shape]; sample != "" {
			text = sample
		}
		name := strings.ReplaceAll(k.Name, "*", "a")
		if k.Name == "resolvers.*" {
			name = "resolvers.vault.url"
		}
		if k.Name == "vault.secrets" {
			continue // cannot be set without a Vault: cli tests it
		}
		if k.Forms&config.Flag != 0 {
			requireExplained(t, load(t, nil, "-"+strings.TrimPrefix(name, "skein.")+"="+text), name, "-"+strings.TrimPrefix(name, "skein."))
		}
		for _, variable := range []string{k.Variable, k.SkeinVariable} {
			if variable = strings.ReplaceAll(variable, "*", "A"); variable != "" {
				requireExplained(t, load(t, []string{variable + "=" + text}), name, variable)
			}
		}
	}
}

// samples are texts of each shape.
var samples = map[config.Shape]string{
	config.Duration: "36h", config.Share: "2%", config.Wave: "rest", config.PublicKey: "ed25519 " + strings.Repeat("A", 43) + "=", config.TimeZone: "UTC",
	config.Location: "s3://bucket/prefix", config.HTTP: "https://h/x", config.SMTP: "smtp://h:25", config.Mail: "ops@example.com",
}

func requireExplained(t *testing.T, s *config.Settings, key, from string) {
	t.Helper()
	for _, e := range s.Explain() {
		if e.Key == key && e.From == from {
			return
		}
	}
	t.Errorf("%s given as %s is not in effect", key, from)
}

// Whatever is in files, environment and arguments, there is an answer, and no
// secret in it.
func TestLoadAnswers(t *testing.T) {
	t.Parallel()
	keys := config.Keys()
	rapid.Check(t, func(t *rapid.T) {
		key := func(label string) string {
			k := rapid.SampledFrom(keys).Draw(t, label)
			name := strings.ReplaceAll(strings.TrimPrefix(k.Name, "skein."), "*", rapid.StringMatching(`[a-zA-Z.:_-]{0,6}`).Draw(t, "entry"))
			if rapid.Bool().Draw(t, "slip") && len(name) > 2 {
				name = name[1:]
			}
			return name
		}
		text := rapid.SampledFrom([]string{"", "true", "1", "a,b", "${env.X}", "${X}", "\\", "jdbc:postgresql://h/?password=canary"})
		toml := rapid.SampledFrom([]string{`"a"`, "1", "1.5", "true", "[]", `["a", 1]`, "{ a = 1 }", "1979-05-27", `"${env.X}"`, ""})
		var conf, tml strings.Builder
		for range rapid.IntRange(0, 4).Draw(t, "lines") {
			fmt.Fprintf(&conf, "flyway.%s=%s\n", key("conf"), text.Draw(t, "text"))
			fmt.Fprintf(&tml, "%s.%s = %s\n", rapid.SampledFrom([]string{"flyway", "environments.default", "environments.x.flyway", "skein", "bogus"}).Draw(t, "table"),
				strings.ReplaceAll(key("toml"), ":", ""), toml.Draw(t, "value"))
		}
		files := map[string]string{}
		for _, name := range []string{"/w/flyway.conf", "/w/flyway.toml", "/w/skein.toml"} {
			if rapid.Bool().Draw(t, name) {
				files[name] = map[bool]string{true: conf.String(), false: tml.String()}[strings.HasSuffix(name, "conf")]
			}
		}
		args := []string{"-password=canary", "-" + key("arg") + "=" + text.Draw(t, "argument"), "--" + key("arg"), rapid.String().Draw(t, "verb")}
		line, parseErr := config.Parse(args, config.Grammar{})
		s, warnings, err := config.Load(config.Input{Args: line, WorkDir: "/w", Env: []string{"FLYWAY_" + strings.ToUpper(key("env")) + "=x", "X=canary", "SKEIN_PASSWORD=canary"},
			IsDir: func(string) bool { return false },
			ReadFile: func(path string) ([]byte, error) {
				if data, ok := files[path]; ok {
					return []byte(data), nil
				}
				return noFiles(path)
			}})
		if (s == nil) != (err != nil) {
			t.Fatalf("settings %v with error %v", s, err)
		}
		shown := fmt.Sprint(line, parseErr, warnings, s)
		if s != nil {
			_, _, urlErr := s.Target()
			shown += fmt.Sprint(urlErr)
		}
		if strings.Contains(shown, "canary") {
			t.Fatalf("a secret is shown: %s", shown)
		}
	})
}
