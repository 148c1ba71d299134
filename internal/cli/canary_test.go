package cli

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
)

// The canary has every kind of character that is written differently in URLs, JSON, SQL and files. Its beginning and its
// end are looked for, so that a half of it counts.
const (
	canary     = `c4n4ry-k3y' /é%+"&=t41l`
	canaryHead = "c4n4ry"
	canaryTail = "t41l"
)

// canaryWay is a way in which a secret comes into the program. The files are written into the working directory.
type canaryWay struct {
	args, env []string
	files     map[string]string
}

// canaryWays are all of them; host is "127.0.0.1:5432/database".
func canaryWays(user, host, vault string) map[string]canaryWay {
	jdbc := "-url=jdbc:postgresql://" + host
	u := "?user=" + user
	toml := func(password, more string) map[string]string {
		return map[string]string{"flyway.toml": "[environments.default]\nurl = 'jdbc:postgresql://" + host + u + "'\npassword = " + password + "\n" + more}
	}
	quoted := `"` + strings.ReplaceAll(canary, `"`, `\"`) + `"`
	// Where the way gives the secret under another name than the password, the scripts find it as ${echo} too.
	return map[string]canaryWay{
		"jdbc url":            {args: []string{jdbc + u + "&password=" + url.QueryEscape(canary)}},
		"postgres url":        {args: []string{"-url=" + (&url.URL{Scheme: "postgres", User: url.UserPassword(user, canary), Host: strings.Split(host, "/")[0], Path: strings.Split(host, "/")[1]}).String()}},
		"flag":                {args: []string{jdbc + u, "-password=" + canary}},
		"gnu flag":            {args: []string{jdbc + u, "--password", canary}},
		"environment's flag":  {args: []string{"-environments.default.url=jdbc:postgresql://" + host + u, "-environments.default.password=" + canary}},
		"FLYWAY_PASSWORD":     {args: []string{jdbc + u}, env: []string{"FLYWAY_PASSWORD=" + canary}},
		"SKEIN_PASSWORD":      {args: []string{jdbc + u}, env: []string{"SKEIN_PASSWORD=" + canary}},
		"conf":                {args: []string{jdbc + u}, files: map[string]string{"flyway.conf": "flyway.password=" + canary + "\n"}},
		"variable in conf":    {args: []string{jdbc + u}, env: []string{"SHOP_PW=" + canary}, files: map[string]string{"flyway.conf": "flyway.password=${SHOP_PW}\n"}},
		"toml":                {files: toml(quoted, "")},
		"skein.toml":          {args: []string{jdbc + u}, files: map[string]string{"skein.toml": "[environments.default]\npassword = " + quoted + "\n"}},
		"env resolver":        {env: []string{"SHOP_PW=" + canary}, files: toml(`"${env.SHOP_PW}"`, "")},
		"vault resolver":      {files: toml(`"${vault.shop/password}"`, "[environments.default.resolvers.vault]\nurl = '"+vault+"'\ntoken = 't'\n")},
		"vault.secrets":       {args: []string{jdbc + u, "-vault.url=" + vault, "-vault.token=t", "-vault.secrets=secret/data/all"}},
		"overridden password": {args: []string{jdbc + u, "-password=stronger-and-harmless"}, env: []string{"FLYWAY_PASSWORD=" + canary}},
		"secret placeholder":  {args: []string{jdbc + u, "-placeholders.licence=" + canary, "-secretPlaceholders=Licence"}},
		"placeholder's name":  {args: []string{jdbc + u, "-placeholders.api_token=" + canary}},
		"jdbc property":       {args: []string{jdbc + u, "-jdbcProperties.password=" + canary}},
		"resolved initSql":    {env: []string{"SHOP_PW=" + canary}, files: toml("''", "initSql = \"select set_config('shop.key', $q$ ${env.SHOP_PW}$q$, false)\"\n")},
	}
}

// canaryOutputs are the outputs and levels; the first argument is the name of the program.
var canaryOutputs = [][]string{
	{"skein"}, {"skein", "-X"}, {"skein", "-q"}, {"skein", "-outputType=json"}, {"skein", "-X", "-outputType=json", "-outputLogsInJson=true"},
	{"flyway"}, {"flyway", "-X"}, {"flyway", "-X", "-outputType=json", "-outputLogsInJson=true"},
}

// canaryVerbs are all that take settings, one after the other on one database. A line that fails is followed by one that
// does not, so that the next has something to do.
var canaryVerbs = []string{"info", "validate", "baseline -baselineVersion=0", "migrate", "info validate", "undo", "migrate -placeholders.fail=yes -table=other -baselineOnMigrate=true",
	"info -placeholders.fail=yes", "validate -placeholders.fail=yes", "undo -placeholders.fail=yes", "repair -placeholders.fail=yes", "repair",
	"clean -cleanDisabled=false -placeholders.fail=yes", "clean -cleanDisabled=false", "config explain", "version", "help"}

// canaryInFull are the ways that meet every verb with every output. Of the others each meets a third, together all.
var canaryInFull = []string{"flag", "secret placeholder", "vault resolver"}

// writeCanaryScripts makes a project whose server and programs say ${echo} in every way that they have: a notice, an
// error with all its parts, rows, what a program prints. ${fail} makes the callbacks fail.
func writeCanaryScripts(t *testing.T, dir string) {
	t.Helper()
	say := `do $do$ begin
  raise notice 'notice: %', $q$ ${echo}$q$;
  if '${fail}' = 'yes' then
    raise exception 'error: %', $q$ ${echo}$q$ using detail = $q$detail ${echo}$q$, hint = $q$hint ${echo}$q$;
  end if;
end $do$;
select $q$ ${echo}$q$ as "column", 'quoted ' || quote_literal($q$ ${echo}$q$) as quoted;
`
	files := map[string]string{
		"sql/V1__one.sql": "create table if not exists t(a text);\n" + say,
		"sql/U1__one.sql": "drop table t;\n" + say,
		"sql/R__r.sql":    "-- ${echo}\n" + say,
	}
	for _, event := range []string{"beforeInfo", "beforeValidate", "beforeBaseline", "beforeMigrate", "beforeUndo", "beforeRepair", "beforeClean"} {
		files["sql/"+event+".sql"] = say
	}
	if runtime.GOOS != "windows" {
		files["sql/afterMigrate__say.sh"] = "echo \"$FP__echo__\"; echo \"$FLYWAY_PASSWORD\" >&2; echo \"$FLYWAY_URL\"\n"
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// canaryServer is an empty database: its user, and "127.0.0.1:5432/database".
func canaryServer(t *testing.T) (user, host string) {
	t.Helper()
	u, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username(), u.Host + u.Path
}

// canaryRun runs one command line and returns all that it printed.
func canaryRun(t *testing.T, dir string, way canaryWay, line []string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	out := filepath.Join(dir, "output.txt")
	args := append(append(line, way.args...), "-locations=filesystem:sql", "-outputFile="+out)
	Main(t.Context(), Process{Args: args, Env: append([]string{"PATH=" + os.Getenv("PATH")}, way.env...), Dir: dir, Home: dir, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr})
	file, err := os.ReadFile(out)
	if err == nil {
		err = os.Remove(out)
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return stdout.String() + "\n" + stderr.String() + "\n" + string(file)
}

// TestNoCanaryLeaves is AT-16a: every verb × every way in × every output.
func TestNoCanaryLeaves(t *testing.T) {
	t.Parallel()
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := map[string]string{"/v1/secret/data/shop": "password", "/v1/secret/data/all": "flyway.password"}[r.URL.Path]
		fmt.Fprintf(w, `{"data":{"data":{%q:%q},"metadata":{}}}`, name, canary)
	}))
	t.Cleanup(vault.Close)
	for i, name := range slices.Sorted(maps.Keys(canaryWays("u", "h/d", ""))) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, host := canaryServer(t)
			way := canaryWays(user, host, vault.URL)[name]
			dir := t.TempDir()
			writeCanaryScripts(t, dir)
			for file, text := range way.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			way.args = append(way.args, "-placeholders.echo="+canary)
			masked := 0
			for j, output := range canaryOutputs {
				for k, verb := range canaryVerbs {
					if !slices.Contains(canaryInFull, name) && (i+j+k)%3 != 0 {
						continue
					}
					line := append(append([]string{}, output...), strings.Fields(verb)...)
					if !strings.Contains(verb, ".fail=") {
						line = append(line, "-placeholders.fail=no")
					}
					text := canaryRun(t, dir, way, line)
					if strings.Contains(text, canaryHead) || strings.Contains(text, canaryTail) {
						t.Fatalf("%s:\n%s", strings.Join(line, " "), text)
					}
					masked += strings.Count(text, "***")
				}
			}
			// The notices, errors and rows of these runs hold it several hundred times.
			if masked < 100 {
				t.Errorf("only %d places were masked: the scripts do not say what they are to say", masked)
			}
		})
	}
}

// TestCanaryCanLeak shows that the test above can fail: what nobody calls a secret is printed.
func TestCanaryCanLeak(t *testing.T) {
	t.Parallel()
	user, host := canaryServer(t)
	dir := t.TempDir()
	writeCanaryScripts(t, dir)
	way := canaryWay{args: []string{"-url=jdbc:postgresql://" + host + "?user=" + user, "-placeholders.echo=" + canary}}
	for _, c := range []struct {
		line  []string
		words []string
	}{
		{[]string{"skein", "-X", "migrate", "-placeholders.fail=no"}, []string{"notice:  " + canary, "|  " + canary}},
		{[]string{"skein", "repair", "-placeholders.fail=yes"}, []string{"error:  " + canary, "detail " + canary, "hint " + canary}},
		{[]string{"skein", "config", "explain"}, []string{canary}},
	} {
		text := canaryRun(t, dir, way, c.line)
		for _, word := range c.words {
			if !strings.Contains(text, word) {
				t.Errorf("%s does not print %q:\n%s", strings.Join(c.line, " "), word, text)
			}
		}
	}
}
