package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/notify"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/secret"
)

// secretService is Secrets Manager with one secret, whose current value a test changes.
type secretService struct {
	*httptest.Server
	mu                sync.Mutex
	current, previous string
	asked             int
}

func newSecretService(t *testing.T) *secretService {
	t.Helper()
	s := &secretService{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		switch {
		case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDENV/"):
			w.WriteHeader(http.StatusForbidden)
		case string(body) == `{"SecretId":"shop/login","VersionStage":"AWSPREVIOUS"}` && s.previous != "":
			raw, _ := json.Marshal(s.previous)
			fmt.Fprintf(w, `{"SecretString":%s,"VersionStages":["AWSPREVIOUS"]}`, raw)
		case s.current == "", string(body) != `{"SecretId":"shop/login"}`:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"Secrets Manager can't find it."}`)
		default:
			raw, _ := json.Marshal(s.current)
			fmt.Fprintf(w, `{"SecretString":%s,"VersionStages":["AWSCURRENT"]}`, raw)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *secretService) set(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.asked = text, 0
}

// settingsOf loads a skein.toml.
func settingsOf(t *testing.T, p World, text string) *config.Settings {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, "skein.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := config.Load(config.Input{Env: p.Env, WorkDir: p.Dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// AT-16: a password that is changed in the middle of a run is asked for again by the next connection, and both are
// masked from then on.
func TestRotation(t *testing.T) {
	t.Parallel()
	service := newSecretService(t)
	p := World{Dir: t.TempDir(), Env: []string{"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + service.URL, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=k"}}
	s := settingsOf(t, p, "[environments.default]\nurl = 'postgres://db/shop'\nuser = 'aws-secretsmanager:shop/login'\npassword = 'aws-secretsmanager:shop/login'\n")
	var redactor secret.Redactor
	connect := connection(s, p, &redactor)
	for _, c := range []struct{ secret, want string }{
		{`{"username":"one","password":"the-first-password"}`, "one the-first-password"},
		{`{"username":"two","password":"the-second-password"}`, "two the-second-password"},
		{"", "skein.toml:3:8: user: aws-secretsmanager:shop/login: AWS Secrets Manager: shop/login: there is no such secret in this region and account\n" +
			"skein.toml:4:12: password: aws-secretsmanager:shop/login: AWS Secrets Manager: shop/login: there is no such secret in this region and account"},
	} {
		service.set(c.secret)
		cfg, err := connect(t.Context())
		var got string
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "CONFIGURATION: ")
		} else {
			got = cfg.User + " " + cfg.Password
		}
		if got != c.want || service.asked != 1 {
			t.Errorf("got %s\nwant %s; asked %d times", got, c.want, service.asked)
		}
	}
	if got := redactor.String("the-first-password the-second-password two"); got != "*** *** two" {
		t.Errorf("redacted: %s", got)
	}
}

// A secret that is rotated before the server knows the new password: what it was before is the third way in.
func TestRotationAheadOfTheServer(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, nil)
	hba := []byte("local all all trust\nhost all app all scram-sha-256\nhost all all all trust\n")
	if err := os.WriteFile(filepath.Join(server.DataDir, "pg_hba.conf"), hba, 0o600); err != nil {
		t.Fatal(err)
	}
	db := pgtest.On(t, server)
	db.Exec(t, "select pg_reload_conf()")
	db.Exec(t, "create role app login password 'before-it'")
	service := newSecretService(t)
	service.set(`{"username":"app","password":"after-it"}`)
	p := World{Dir: t.TempDir(), Env: []string{"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + service.URL, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=k"}}
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = nil
	s := settingsOf(t, p, "[environments.default]\nurl = '"+u.String()+"'\nuser = 'aws-secretsmanager:shop/login'\npassword = 'aws-secretsmanager:shop/login'\n")
	connect := connection(s, p, &secret.Redactor{})
	if _, err := skein.Ping(t.Context(), skein.Config{Connection: connect}); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("error %v, want the refusal", err)
	}
	service.mu.Lock()
	service.previous = `{"username":"app","password":"before-it"}`
	service.mu.Unlock()
	if _, err := skein.Ping(t.Context(), skein.Config{Connection: connect}); err != nil {
		t.Error(err)
	}
}

// What cannot be answered is told with its place, before a connection is tried.
func TestReferenceFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"long": strings.Repeat("x", 1<<17), "crlf": "the-password\r\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := World{Dir: dir, Home: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "SET=the-password", "TWO=postgres://me:the-password@h/db"}}
	for _, c := range []struct{ password, want string }{
		{"env:SET", "the-password"}, {"file:crlf", "the-password"}, {"file:~/crlf", "the-password"}, {"exec:sh -c 'echo the-password; echo no >&2'", "the-password"},
		{"env:NOT_SET", "env:NOT_SET: the variable is not set, or is empty (set it before the command, or correct the name)"},
		{"file:none", "file:none: no such file or directory (correct the path, or the permissions of the file)"},
		{"file:long", "file:long: it is longer than 65536 bytes (correct the path, or the permissions of the file)"},
		{"exec:sh -c 'echo c4n4ry >&2; exit 3'", "exec:sh …: it ended with exit status 3 (run the command by hand to see what it says)"},
		{"exec:no-such-program-here", "exec:no-such-program-here: the program no-such-program-here is not in PATH (run the command by hand to see what it says)"},
		{"exec:./none", "exec:./none: it could not be run: no such file or directory (run the command by hand to see what it says)"},
		{"exec:echo $SET | cat", "$SET | cat"}, // no shell
		{"exec:head -c 100000 /dev/zero", "exec:head …: it printed more than 65536 bytes (run the command by hand to see what it says)"},
		{"exec:true", "exec:true: it is empty"},
		{"vault:shop#pw", "vault:shop#pw: vault: no url is set (resolvers.vault.url of the environment, or vault.url for vault.secrets)"},
		{"aws-ssm-parameter:x", "aws-ssm-parameter:x: AWS Systems Manager: x: no region is known: set AWS_REGION"},
	} {
		quoted, _ := json.Marshal(c.password)
		s := settingsOf(t, p, "[environments.default]\nurl = 'postgres://app@db/shop'\npassword = "+string(quoted)+"\n")
		var got string
		cfg, err := connection(s, p, &secret.Redactor{})(t.Context())
		if err != nil {
			got = strings.TrimPrefix(strings.TrimPrefix(err.Error(), "CONFIGURATION: "), "skein.toml:3:12: password: ")
		} else {
			got = cfg.Password
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.password, got, c.want)
		}
	}
}

// A command that does not end is stopped with what it has started.
func TestCommandIsBounded(t *testing.T) {
	t.Parallel()
	p := World{Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.referred(ctx, config.SecretRef{Scheme: config.ExecScheme, Name: "sleep 600"}, nil)
	if err == nil || err.Error() != "it did not end in time and was stopped" {
		t.Errorf("got %v", err)
	}
}

func TestTokenOfRDS(t *testing.T) {
	t.Parallel()
	p := World{Dir: t.TempDir(), Env: []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=k"}}
	const host = "shop.cluster-abc.eu-west-1.rds.amazonaws.com"
	for _, c := range []struct{ url, want string }{
		{"postgres://app@" + host + "/shop?sslmode=require", ""},
		{"jdbc:postgresql://" + host + ":6432/shop?user=app&sslmode=require", ""},
		{"postgres://app@" + host + "/shop?sslmode=prefer", "a token of RDS goes over an encrypted connection only: set sslmode=verify-full in the url"},
		{"postgres://app@" + host + "/shop?sslmode=disable", "a token of RDS goes over an encrypted connection only: set sslmode=verify-full in the url"},
		{"postgres://app@" + host + ",other/shop?sslmode=require", "a token of RDS is for one host: leave one in the url"},
		{"postgres://app@db/shop?sslmode=require", "a token for RDS: no region is known: set AWS_REGION"},
	} {
		s := settingsOf(t, p, "[environments.default]\nurl = '"+c.url+"'\npassword = 'aws-rds-iam:'\n")
		cfg, err := connection(s, p, &secret.Redactor{})(t.Context())
		if c.want != "" {
			if err == nil || !strings.HasSuffix(err.Error(), "skein.toml:3:12: password: aws-rds-iam: "+c.want) {
				t.Errorf("%s: %v", c.url, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		again := tokenOf(t, s, p)
		if !strings.HasPrefix(cfg.Password, fmt.Sprintf("%s:%d/?Action=connect&DBUser=app&", host, cfg.Port)) || !strings.Contains(again, "X-Amz-Signature=") {
			t.Errorf("%s: the token is %s", c.url, cfg.Password)
		}
	}
}

func tokenOf(t *testing.T, s *config.Settings, p World) string {
	t.Helper()
	var redactor secret.Redactor
	cfg, err := connection(s, p, &redactor)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if redactor.String(cfg.Password) != secret.Mask {
		t.Error("the token is not known to the redactor")
	}
	return cfg.Password
}

func TestNotificationsOfSettings(t *testing.T) {
	t.Parallel()
	p := World{Dir: t.TempDir(), Env: []string{"HOOK=https://hooks.example.com/c4n4ry", "MAIL=smtp://me:c4n4ry-password@mail"}}
	s := settingsOf(t, p, "[skein.notify]\non = ['failed', 'wave']\nslack = 'env:HOOK'\nwebhook = 'https://h/x'\nwebhookSecret = 'plain:env:key'\nsmtp = 'env:MAIL'\nfrom = 'a@example.com'\nto = ['b@example.com']\n")
	var redactor secret.Redactor
	n, err := p.Notifications(t.Context(), s, &redactor)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{n.On, n.Slack.Reveal(), n.Webhook.Reveal(), n.WebhookSecret.Reveal(), n.SMTP.Reveal(), n.From, n.To, n.Redact("c4n4ry-password https://hooks.example.com/c4n4ry")}
	want := []any{[]notify.Kind{notify.Failed, notify.Wave}, "https://hooks.example.com/c4n4ry", "https://h/x", "env:key", "smtp://me:c4n4ry-password@mail", "a@example.com", []string{"b@example.com"}, "*** ***"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	p.Env = nil
	if _, err := p.Notifications(t.Context(), s, &redactor); err == nil || !strings.Contains(err.Error(), "skein.toml:3:9: skein.notify.slack: env:HOOK: the variable is not set") {
		t.Errorf("got %v", err)
	}
}
