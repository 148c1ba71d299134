package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
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
	late      bool // the secret is not known, to anybody, before a connection is made
	few       bool // a close relation of another way: by default it meets canaryFew alone
}

// canaryWays are all of them; host is "127.0.0.1:5432/database".
func canaryWays(user, host, vault string) map[string]canaryWay {
	jdbc := "-url=jdbc:postgresql://" + host
	u := "?user=" + user
	toml := func(password, more string) map[string]string {
		return map[string]string{"flyway.toml": "[environments.default]\nurl = 'jdbc:postgresql://" + host + u + "'\npassword = " + password + "\n" + more}
	}
	cloud := []string{"AWS_ENDPOINT_URL=" + vault, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=k"}
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
		"env reference":       {files: toml(`"env:SHOP_PW"`, ""), env: []string{"SHOP_PW=" + canary}, late: true, few: true},
		"reference in conf":   {args: []string{jdbc + u}, env: []string{"SHOP_PW=" + canary}, files: map[string]string{"flyway.conf": "flyway.password=env:SHOP_PW\n"}, late: true, few: true},
		"reference in flag":   {args: []string{jdbc + u, "-password=env:SHOP_PW"}, env: []string{"SHOP_PW=" + canary}, late: true, few: true},
		"file reference":      {files: withFile(toml(`"file:pw.txt"`, ""), "pw.txt", canary+"\n"), late: true, few: true},
		"exec reference":      {files: withFile(toml(`"exec:sh -c 'echo ignored >&2; cat pw.txt'"`, ""), "pw.txt", canary+"\n"), late: true, few: true},
		"vault reference":     {files: toml(`"vault:shop#password"`, "[environments.default.resolvers.vault]\nurl = '"+vault+"'\ntoken = 'env:VAULT_TOK'\n"), env: []string{"VAULT_TOK=t"}, late: true, few: true},
		"AWS reference":       {files: toml(`"aws-secretsmanager:login"`, ""), env: cloud, late: true},
		"SSM reference":       {files: toml(`"aws-ssm-parameter:/shop/pw"`, ""), env: cloud, late: true, few: true},
		"URL reference":       {args: []string{"-url=env:SHOP_URL"}, env: []string{"SHOP_URL=jdbc:postgresql://" + host + u + "&password=" + url.QueryEscape(canary)}, late: true, few: true},
		"login of RDS":        {args: []string{"-url=aws-secretsmanager:rds"}, env: cloud, late: true, few: true},
		"plain password":      {args: []string{jdbc + u, "-password=plain:" + canary}, few: true},
		"notify's key":        {args: []string{jdbc + u, "-notify.webhookSecret=" + canary}, few: true},
		"mail's password":     {args: []string{jdbc + u, "-notify.smtp=smtp://me:" + url.QueryEscape(canary) + "@mail"}, few: true},
		"a target's password": {args: []string{jdbc + u, "-targets=eu=postgres://me:" + url.QueryEscape(canary) + "@h/x"}, few: true},
		"resolved initSql":    {env: []string{"SHOP_PW=" + canary}, files: toml("''", "initSql = \"select set_config('shop.key', $q$ ${env.SHOP_PW}$q$, false)\"\n")},
	}
}

// withFile is files and one more.
func withFile(files map[string]string, name, text string) map[string]string {
	files[name] = text
	return files
}

// canaryRDS is a login as RDS keeps it.
func canaryRDS(user, host string) string {
	server, database, _ := strings.Cut(host, "/")
	name, port, _ := strings.Cut(server, ":")
	raw, _ := json.Marshal(map[string]any{"engine": "postgres", "host": name, "port": json.Number(port), "dbname": database, "username": user, "password": canary})
	return string(raw)
}

// canaryService answers as Vault, Secrets Manager and the Systems Manager do. rds gives the secret rds.
func canaryService(w http.ResponseWriter, r *http.Request, rds string) {
	body, _ := io.ReadAll(r.Body)
	say := func(form, text string) {
		raw, _ := json.Marshal(text)
		fmt.Fprintf(w, form, raw)
	}
	switch r.Header.Get("X-Amz-Target") + " " + string(body) {
	case `secretsmanager.GetSecretValue {"SecretId":"login"}`:
		raw, _ := json.Marshal(map[string]string{"username": "not asked for", "password": canary})
		say(`{"SecretString":%s}`, string(raw))
	case `secretsmanager.GetSecretValue {"SecretId":"rds"}`:
		say(`{"SecretString":%s}`, rds)
	case `AmazonSSM.GetParameter {"Name":"/shop/pw","WithDecryption":true}`:
		say(`{"Parameter":{"Value":%s}}`, canary)
	default:
		name := map[string]string{"/v1/secret/data/shop": "password", "/v1/secret/data/all": "flyway.password"}[r.URL.Path]
		fmt.Fprintf(w, `{"data":{"data":{%q:%q},"metadata":{}}}`, name, canary)
	}
}

// canaryOutputs are the outputs and levels; the first argument is the name of the program.
var canaryOutputs = [][]string{
	{"skein"}, {"skein", "-X"}, {"skein", "-q"}, {"skein", "-outputType=json"}, {"skein", "-X", "-outputType=json", "-outputLogsInJson=true"},
	{"flyway"}, {"flyway", "-X"}, {"flyway", "-X", "-outputType=json", "-outputLogsInJson=true"},
}

// canaryVerbs are all that take settings, one after the other on one database. A line that fails is followed by one that
// does not, so that the next has something to do. CANARY stands for the secret.
var canaryVerbs = []string{
	"info", "validate", "adopt", "plan", "plan --format sql", "plan --execute", "plan --execute -placeholders.fail=yes", "migrate -dryRunOutput=out/dry.sql",
	"baseline -baselineVersion=0",
	"migrate -placeholders.stop=yes -reportEnabled=true -reportFilename=out/report", "info", "repair -runAgain=2 -reason=CANARY -reportEnabled=true -reportFilename=out/report",
	"migrate -placeholders.stop=yes", "plan --execute", "migrate -outputProgress=true -reportEnabled=true -reportFilename=out/report", "adopt", "info validate",
	"undo -dryRunOutput=out/dry.sql", "undo -target=1 -reportEnabled=true -reportFilename=out/report",
	"migrate -placeholders.stop=yes", "repair -markApplied=2 -reason=CANARY", "migrate -placeholders.fail=yes -table=other -baselineOnMigrate=true",
	"info -placeholders.fail=yes", "validate -placeholders.fail=yes", "undo -placeholders.fail=yes", "plan -placeholders.fail=yes -outputType=json",
	"repair -placeholders.fail=yes", "repair", "clean -cleanDisabled=false -placeholders.fail=yes", "clean -cleanDisabled=false",
	"config explain", "version", "help",
}

// canaryFew are some of them, for ways in that differ from another only in where the secret is found.
var canaryFew = []string{"migrate -dryRunOutput=out/dry.sql", "migrate -placeholders.stop=yes -reportEnabled=true -reportFilename=out/report", "repair -markApplied=2 -reason=CANARY",
	"migrate -placeholders.fail=yes -table=other -baselineOnMigrate=true", "plan --execute", "config explain", "clean -cleanDisabled=false"}

// canaryEverything has each way in meet every output, where else it meets one of them.
var canaryEverything = os.Getenv("SKEIN_CANARY") == "all"

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
		"out/empty":       "",
		"sql/V1__one.sql": "create table if not exists t(a text);\n" + say,
		"sql/U1__one.sql": "drop table t;\n" + say,
		// It cannot be one transaction, and with ${stop} it stops half-way: the journal has its statements.
		"sql/V2__outside.sql":      "select $q$ ${echo}$q$;\nselect 1/('${stop}' <> 'yes')::int;\n" + say,
		"sql/V2__outside.sql.conf": "executeInTransaction=false\n",
		"sql/U2__outside.sql":      say,
		"sql/R__r.sql":             "-- ${echo}\n" + say,
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

// canaryServer takes a URL apart: its user, and "127.0.0.1:5432/database".
func canaryServer(t *testing.T, of string) (user, host string) {
	t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		t.Fatal(err)
	}
	return u.User.Username(), u.Host + u.Path
}

// canaryRun runs one command line and returns all that it printed, and all that is in the folder out afterwards.
func canaryRun(t *testing.T, dir string, way canaryWay, line []string) string {
	t.Helper()
	var all bytes.Buffer
	args := append(append(line, way.args...), "-locations=filesystem:sql", "-outputFile=out/output.txt")
	Main(t.Context(), Process{Args: args, Env: append([]string{"PATH=" + os.Getenv("PATH")}, way.env...), Dir: dir, Home: dir, Stdin: strings.NewReader(""), Stdout: &all, Stderr: &all})
	files, err := filepath.Glob(filepath.Join(dir, "out", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "empty") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("\n" + filepath.Base(name) + ":\n" + string(text))
		if !strings.HasPrefix(filepath.Base(name), "report.") { // a report goes on from the one before
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all.String()
}

// TestNoCanaryLeaves is AT-16a: every verb × every way in × every output, files and Skein's own tables too. By default each
// way meets one of the outputs, together all; SKEIN_CANARY=all has them meet each.
func TestNoCanaryLeaves(t *testing.T) {
	t.Parallel()
	var lines, places atomic.Int64
	t.Cleanup(func() { t.Logf("%d command lines, %d places masked", lines.Load(), places.Load()) })
	for i, name := range slices.Sorted(maps.Keys(canaryWays("u", "h/d", ""))) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			user, host := canaryServer(t, db.URL)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") && r.Header.Get("X-Amz-Target") != "" {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				canaryService(w, r, canaryRDS(user, host))
			}))
			t.Cleanup(server.Close)
			c := &canaryCase{db: db, way: canaryWays(user, host, server.URL)[name], dir: t.TempDir()}
			for j, output := range canaryOutputs {
				if canaryEverything || i%len(canaryOutputs) == j {
					c.meets(t, output)
				}
			}
			lines.Add(int64(c.lines))
			places.Add(int64(c.masked))
		})
	}
}

type canaryCase struct {
	db            *pgtest.DB
	way           canaryWay
	dir           string
	lines, masked int
}

// meets runs every verb with one output.
func (c *canaryCase) meets(t *testing.T, output []string) {
	t.Helper()
	writeCanaryScripts(t, c.dir)
	for file, text := range c.way.files {
		if err := os.WriteFile(filepath.Join(c.dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	way, masked := c.way, 0
	args := way.args
	verbs, least := canaryVerbs, 100
	if way.few && !canaryEverything {
		verbs, least = canaryFew, 20
	}
	for _, verb := range verbs {
		echo := canary
		if way.late && verb == "config explain" {
			echo = "nobody can know it yet"
		}
		way.args = append(slices.Clone(args), "-placeholders.echo="+echo)
		line := append(slices.Clone(output), strings.Fields(verb)...)
		for i, word := range line {
			line[i] = strings.ReplaceAll(word, "CANARY", canary)
		}
		for _, name := range []string{"fail", "stop"} {
			if !strings.Contains(verb, "."+name+"=") {
				line = append(line, "-placeholders."+name+"=no")
			}
		}
		text := canaryRun(t, c.dir, way, line)
		if strings.Contains(verb, "-dryRunOutput") {
			if !strings.Contains(text, "These values are secrets and not in this file") {
				t.Errorf("%s: no variable takes the secret's place:\n%s", verb, text)
			}
		}
		text += "\nSkein's own tables: " + c.tables(t)
		if strings.Contains(text, canaryHead) || strings.Contains(text, canaryTail) {
			t.Fatalf("%s:\n%s", verb, text)
		}
		masked += strings.Count(text, "***")
		c.lines++
	}
	// The notices, errors and rows of these lines hold it several hundred times.
	if masked < least {
		t.Errorf("only %d places were masked: the scripts do not say what they are to say", masked)
	}
	c.masked += masked
}

// tables is what Skein keeps in the database beside Flyway's table.
func (c *canaryCase) tables(t *testing.T) string {
	t.Helper()
	var all []string
	for _, table := range []string{"skein.journal", "skein.repair"} {
		if c.db.Value(t, "select to_regclass('"+table+"') is not null") == "true" {
			all = append(all, c.db.Value(t, "select coalesce(string_agg(t::text, ' '), '') from "+table+" t"))
		}
	}
	return strings.Join(all, " ")
}

// TestCanaryCanLeak shows that the test above can fail: what nobody calls a secret is printed.
func TestCanaryCanLeak(t *testing.T) {
	t.Parallel()
	user, host := canaryServer(t, pgtest.URL(t))
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
