package config_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

// answers is an Asker over a map from references to texts; it counts what it is asked.
type answers struct {
	texts map[string]string
	asked []string
}

func (a *answers) ask(_ context.Context, ref config.SecretRef) (secret.Text, error) {
	key := ref.Scheme + ":" + ref.Name
	a.asked = append(a.asked, key)
	if text, ok := a.texts[key]; ok {
		return secret.New(text), nil
	}
	return secret.Text{}, errors.New("not there")
}

func TestResolved(t *testing.T) {
	t.Parallel()
	const rds = `{"engine":"aurora-postgresql","host":"db.example.com","port":5433,"dbname":"shop","username":"app","password":"p@ss/c4n4ry"}`
	texts := map[string]string{
		"env:PW": "c4n4ry-env", "file:/run/pw": "c4n4ry-file", "exec:pass show": "c4n4ry-exec", "aws-secretsmanager:login": `{"username":"app","password":"c4n4ry-managed"}`,
		"aws-secretsmanager:rds": rds, "aws-secretsmanager:text": "c4n4ry-text", "aws-ssm-parameter:/shop/pw": "c4n4ry-ssm", "vault:shop": `{"password":"c4n4ry-vault"}`,
		"env:URL": "postgres://me:c4n4ry-url@h/db", "aws-secretsmanager:mysql": `{"engine":"mysql","host":"h"}`, "env:EMPTY": "",
	}
	for _, c := range []struct{ url, user, password, want string }{
		{"postgres://h/db", "app", "env:PW", "app c4n4ry-env"},
		{"postgres://h/db", "app", "file:/run/pw", "app c4n4ry-file"},
		{"postgres://h/db", "app", "file:///run/pw", "app c4n4ry-file"},
		{"postgres://h/db", "app", "exec:pass show", "app c4n4ry-exec"},
		{"postgres://h/db", "aws-secretsmanager:login", "aws-secretsmanager:login", "app c4n4ry-managed"},
		{"postgres://h/db", "aws-secretsmanager:login#username", "aws-secretsmanager:login#password", "app c4n4ry-managed"},
		{"postgres://h/db", "app", "aws-secretsmanager:text", "app c4n4ry-text"},
		{"postgres://h/db", "app", "aws-ssm-parameter:/shop/pw", "app c4n4ry-ssm"},
		{"postgres://h/db", "app", "vault:shop#password", "app c4n4ry-vault"},
		{"postgres://h/db", "app", "plain:env:PW", "app env:PW"},
		{"postgres://h/db", "app", "word:with:colons", "app word:with:colons"},
		{"env:URL", "", "", "me c4n4ry-url"},
		{"aws-secretsmanager:rds", "", "", "app p@ss/c4n4ry"},
		{"postgres://h/db", "app", "env:NONE", "-password: password: env:NONE: not there"},
		{"postgres://h/db", "app", "env:EMPTY", "-password: password: env:EMPTY: it is empty"},
		{"postgres://h/db", "app", "aws-secretsmanager:login#pw", "-password: password: aws-secretsmanager:login#pw: it has no field pw that is a text or number; it has password, username"},
		{"postgres://h/db", "app", "aws-secretsmanager:text#pw", "-password: password: aws-secretsmanager:text#pw: it is no JSON object, so it has no field pw"},
		{"aws-secretsmanager:login", "", "", "-url: url: aws-secretsmanager:login: it has no field host: write the url into the file, and refer to the secret as user and password"},
		{"aws-secretsmanager:mysql", "", "", "-url: url: aws-secretsmanager:mysql: it is the login of a database of the kind mysql"},
	} {
		args := []string{"-url=" + c.url}
		if c.user != "" {
			args = append(args, "-user="+c.user)
		}
		if c.password != "" {
			args = append(args, "-password="+c.password)
		}
		s := load(t, nil, args...)
		a := &answers{texts: texts}
		var got string
		now, err := s.Resolved(t.Context(), a.ask, "url", "user", "password", "jdbcProperties")
		if err != nil {
			got = err.Error()
		} else {
			target, _, err := now.Target()
			if err != nil {
				t.Errorf("%v: %v", c, err)
			}
			got = loginOf(t, target)
		}
		if got != c.want {
			t.Errorf("%s %s %s:\n got %s\nwant %s", c.url, c.user, c.password, got, c.want)
		}
		if len(a.asked) > 1 {
			t.Errorf("%v: one place was asked several times: %v", c, a.asked)
		}
		explained := fmt.Sprint(s.Explain())
		if strings.Contains(explained, "c4n4ry") || strings.Contains(fmt.Sprint(s.Secrets(), s.SecretsByName()), ":") && strings.Contains(explained, "env:PW") && !strings.Contains(explained, "asked at each connection") {
			t.Errorf("%v: explained as %s", c, explained)
		}
		for _, text := range s.Secrets() {
			if text.Reveal() == c.password && !strings.HasPrefix(c.password, "word") {
				t.Errorf("the reference %s is taken for a secret", c.password)
			}
		}
	}
}

// loginOf is user and password of a target, as pgx would read them.
func loginOf(t *testing.T, target config.Target) string {
	t.Helper()
	u := target.ConnString().Reveal()
	cfg, err := parseConn(u)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Explain shows that there is a secret and where it is asked for, and of commands the program alone.
func TestReferencesExplained(t *testing.T) {
	t.Parallel()
	s := load(t, nil, "-url=env:URL", "-password=exec:fetch --token c4n4ry", "-targets=eu=env:EU,us=postgres://me:c4n4ry@us/x", "-notify.slack=file:hook")
	got := map[string]string{}
	for _, e := range s.Explain() {
		if e.Note != "" && e.Value != "" {
			got[e.Key] = e.Value + " " + e.Note
		}
	}
	want := map[string]string{
		"url": "*** asked at each connection: env:URL", "password": "*** asked at each connection: exec:fetch …",
		"skein.targets": "eu=***,us=postgres://me:***@us/x asked at each connection: env:EU", "skein.notify.slack": "*** asked at each connection: file:hook",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReferencesInLists(t *testing.T) {
	t.Parallel()
	s := load(t, nil, "-targets=eu=env:EU,us=postgres://us/x,env:EU")
	a := &answers{texts: map[string]string{"env:EU": "postgres://eu/x"}}
	now, err := s.Resolved(t.Context(), a.ask, "skein.targets")
	if err != nil || strings.Join(now.List("skein.targets"), " ") != "eu=postgres://eu/x us=postgres://us/x postgres://eu/x" || len(a.asked) != 1 {
		t.Errorf("%v, %v, asked %v", now.List("skein.targets"), err, a.asked)
	}
	if s.List("skein.targets")[0] != "eu=env:EU" {
		t.Error("the settings themselves were changed")
	}
}

func TestReferenceMistakes(t *testing.T) {
	t.Parallel()
	all := "the references are env:, file:, aws-secretsmanager:, aws-ssm-parameter:, aws-rds-iam:, vault:, exec:; plain: before a text takes it as it is"
	for _, c := range []struct{ key, value, want string }{
		{"password", "aws-secretmanager:shop", "there is no reference aws-secretmanager: (did you mean aws-secretsmanager:? plain: before a text takes it as it is)"},
		{"password", "AWS-SecretsManager:shop", "there is no reference AWS-SecretsManager: (did you mean aws-secretsmanager:? plain: before a text takes it as it is)"},
		{"password", "aws-kms:shop", "there is no reference aws-kms: (" + all + ")"},
		{"password", "aws-ssm-paramter:x", "there is no reference aws-ssm-paramter: (did you mean aws-ssm-parameter:? plain: before a text takes it as it is)"},
		{"password", "vualt:shop#pw", "there is no reference vualt: (did you mean vault:? plain: before a text takes it as it is)"},
		{"password", "evn:SHOP_PW", "there is no reference evn: (did you mean env:? plain: before a text takes it as it is)"},
		{"password", "files:/run/pw", "there is no reference files: (did you mean file:? plain: before a text takes it as it is)"},
		{"password", "env:", "env: takes the name of one variable (write env:SHOP_PASSWORD, or plain:… for a text that begins with env:)"},
		{"password", "env:a b", "env: takes the name of one variable (write env:SHOP_PASSWORD, or plain:… for a text that begins with env:)"},
		{"password", "file:", "file: names nothing (write file:NAME)"},
		{"password", "vault:shop", "vault:shop names no field (write vault:PATH#field)"},
		{"password", "aws-secretsmanager:x#", "aws-secretsmanager:x# names no field (write aws-secretsmanager:NAME#field)"},
		{"password", "exec:", "exec:: no command is named (write exec:pass show shop, with quotes around words that hold blanks)"},
		{"password", "exec:pass 'c4n4ry", "exec:pass …: a quote is not closed (write exec:pass show shop, with quotes around words that hold blanks)"},
		{"url", "aws-rds-iam:", "aws-rds-iam: is a password, and stands nowhere else (write it as the password, beside a url and a user)"},
		{"vault.token", "vault:x#y", "Vault cannot be asked for the token that it asks for (write env:VAULT_TOKEN, or file:… for the file of an agent)"},
		{"password", "evn:correct horse", ""}, {"password", "a:b", ""}, {"password", "vauld:x", ""}, {"password", "x://y", ""}, {"password", "plain:vualt:a#b", ""},
		{"locations", "aws-secretmanager:x", ""}, {"placeholders.a", "env:", ""},
	} {
		line, err := config.Parse([]string{"-" + c.key + "=" + c.value}, config.Grammar{})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = config.Load(config.Input{Args: line, WorkDir: "/w", ReadFile: noFiles, IsDir: func(string) bool { return true }})
		want := ""
		if c.want != "" {
			want = "-" + c.key + ": " + c.key + ": " + c.want
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s=%s:\n got %s\nwant %s", c.key, c.value, got, want)
		}
	}
}

// A file that everybody can read is warned about, with its place.
func TestReadableFile(t *testing.T) {
	t.Parallel()
	modes := map[string]fs.FileMode{"/w/open": 0o644, "/w/shut": 0o640, "/home/me/open": 0o604}
	for value, want := range map[string]string{
		"file:open":    "skein.toml:2:12: everybody on this machine can read the file of password, open (chmod o-r)",
		"file:~/open":  "skein.toml:2:12: everybody on this machine can read the file of password, ~/open (chmod o-r)",
		"file:/w/shut": "", "file:none": "",
	} {
		_, warnings, err := config.Load(config.Input{WorkDir: "/w", HomeDir: "/home/me", IsDir: func(string) bool { return true },
			ReadFile: func(path string) ([]byte, error) {
				if path == "/w/skein.toml" {
					return []byte("[environments.default]\npassword = '" + value + "'\n"), nil
				}
				return noFiles(path)
			},
			Mode: func(path string) (fs.FileMode, error) {
				if mode, ok := modes[path]; ok {
					return mode, nil
				}
				return 0, fs.ErrNotExist
			}})
		got := ""
		for _, w := range warnings {
			got += w.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", value, got, err, want)
		}
	}
}

// The token for Vault may be a reference too.
func TestEarlyReference(t *testing.T) {
	t.Parallel()
	toml := "[environments.default]\npassword = \"${vault.shop/pw}\"\n[environments.default.resolvers.vault]\nurl = 'https://v'\ntoken = 'file:tok'\n"
	in := config.Input{WorkDir: "/w", IsDir: func(string) bool { return true },
		ReadFile: func(path string) ([]byte, error) {
			if path == "/w/flyway.toml" {
				return []byte(toml), nil
			}
			return noFiles(path)
		},
		Mode: func(string) (fs.FileMode, error) { return 0o600, nil },
		Resolve: func(ref config.Reference) (secret.Text, error) {
			return secret.New("pw for " + ref.Settings["token"]), nil
		}}
	if _, _, err := config.Load(in); err == nil || !strings.Contains(err.Error(), "resolvers.vault.token: file:tok cannot be asked here") {
		t.Errorf("without somebody to ask: %v", err)
	}
	in.Secret = func(config.SecretRef) (secret.Text, error) { return secret.New("c4n4ry-token"), nil }
	s, _, err := config.Load(in)
	if err != nil || s.Secret("password").Reveal() != "pw for c4n4ry-token" {
		t.Fatalf("%v", err)
	}
	known := false
	for _, text := range s.Secrets() {
		known = known || text.Reveal() == "c4n4ry-token"
	}
	if !known {
		t.Error("the token is not known as a secret")
	}
}

func TestIAM(t *testing.T) {
	t.Parallel()
	s := load(t, nil, "-url=postgres://h/db", "-user=app", "-password=aws-rds-iam:eu-west-1")
	now, err := s.Resolved(t.Context(), (&answers{}).ask, "password")
	if err != nil {
		t.Fatal(err)
	}
	target, _, err := now.Target()
	if err != nil || target.IAM == nil || target.IAM.Region != "eu-west-1" || !target.Password.IsEmpty() || target.IAM.Origin.String() != "-password" {
		t.Errorf("%+v, %v", target.IAM, err)
	}
}
