package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/doctor"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// look reads settings and looks.
func look(t *testing.T, env []string, args ...string) []doctor.Finding {
	t.Helper()
	line, err := config.Parse(append([]string{"info"}, args...), config.Grammar{Verbs: []string{"info"}})
	if err != nil {
		t.Fatal(err)
	}
	w, r := wire.World{Env: append(env, "AWS_EC2_METADATA_DISABLED=true"), Dir: t.TempDir(), Looks: true}, &secret.Redactor{}
	s, _, err := w.Load(t.Context(), line, r)
	if err != nil {
		t.Fatal(err)
	}
	engine, _, err := wire.Engine(s, w, false, r)
	if err != nil {
		t.Fatal(err)
	}
	return doctor.Look(t.Context(), doctor.Patient{World: w, Settings: s, Engine: engine, Secrets: r})
}

// text is one finding a line.
func text(found []doctor.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s: %s: %s | %s\n", f.Check, f.Status, f.Text, f.Next)
	}
	return b.String()
}

// has wants lines, as patterns, and the kind of the first failure; "" is none.
func has(t *testing.T, found []doctor.Finding, kind string, lines ...string) {
	t.Helper()
	all, got := text(found), ""
	if f := doctor.First(found); f != nil {
		got = f.Kind.String()
		if f.Next == "" {
			t.Errorf("%s fails, and nobody says what to do", f.Check)
		}
	}
	if got != kind {
		t.Errorf("the first failure is of the kind %q, want %q:\n%s", got, kind, all)
	}
	for _, line := range lines {
		if !regexp.MustCompile("(?m)^" + line).MatchString(all) {
			t.Errorf("no line %s in\n%s", line, all)
		}
	}
}

func exec(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	db, bucket := pgtest.New(t), s3test.New(t)
	env := append(bucket.Env(), sts(t, 0))
	bucket.Bucket("shop", true)
	bucket.Put("shop", "db/V1__a.sql", "select 1;")
	role, url := db.Role(t, "")
	exec(t, db.URL, "create schema app authorization "+role, "grant create on database "+pgx.Identifier{db.Name}.Sanitize()+" to "+role)
	found := look(t, append(env, "SHOP_PASSWORD=canary-password"), "-url="+url, "-password=env:SHOP_PASSWORD", "-defaultSchema=app", "-locations=s3://shop/db", "-releases=s3://shop/releases")
	has(t, found, "",
		"settings: ok: environment default", "region: ok: us-east-1", "credentials: ok: arn:aws:sts::123456789012:assumed-role/skein/me in account 123456789012", "clock: ok: this machine's clock is",
		"bucket: ok: locations s3://shop/db: 1 objects, listed and read; versions are kept", "bucket: warning: releases s3://shop/releases: there is no release yet",
		"secret: ok: password = env:SHOP_PASSWORD is there", "network: ok: ", "tls: ok: the server is on this machine", "endpoint: ok: ", "login: ok: "+role+" at ", "server: ok: PostgreSQL ",
		"privileges: ok: migrate has what it needs in the schema app", "journal: ok: the schema skein can be made", "history: ok: there is no .*app.*flyway_schema_history.* yet",
	)
	if strings.Contains(text(found), "canary") {
		t.Error("a secret was told")
	}
	if _, err := skein.Migrate(t.Context(), skein.Config{URL: url, DefaultSchema: "app", Source: one("create table a(id int);")}); err != nil {
		t.Fatal(err)
	}
	has(t, look(t, env, "-url="+url, "-defaultSchema=app"), "", "buckets: ok: neither", "secrets: ok: the settings refer to none", "history: ok: .* has 1 rows", "privileges: ok")
}

// one is a source of one script.
func one(sql string) source.Source {
	return source.FS(fstest.MapFS{"sql/V1__a.sql": &fstest.MapFile{Data: []byte(sql)}}, "sql")
}

// sts tells everybody who signs that they are me; its clock is off by that.
func sts(t *testing.T, off time.Duration) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/sts/aws4_request") {
			t.Error("the call is not signed")
		}
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/skein/me</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	}))
	t.Cleanup(server.Close)
	return "AWS_ENDPOINT_URL_STS=" + server.URL
}

// TestCloudFails makes each failure of AWS's for real.
func TestCloudFails(t *testing.T) {
	t.Parallel()
	bucket := s3test.New(t)
	bucket.Bucket("shop", false)
	bucket.Bucket("empty", true)
	bucket.Put("shop", "db/V1__a.sql", "select 1;")
	lister := bucket.User("lister")
	bucket.Policy("shop", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["lister"]},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::shop"}]}`)
	url := "-url=" + pgtest.URL(t)
	s3 := append(bucket.Env(), "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1")
	has(t, look(t, s3, url, "-locations=s3://shop/db"), "", "credentials: warning: there are some, and nobody says whose: 127.0.0.1:1 does not answer", "clock: not looked at",
		`bucket: warning: locations s3://shop/db: 1 objects; it keeps no versions \(off\)`)
	has(t, look(t, s3, url, "-locations=s3://shopp/db"), "config", "bucket: failed: locations: s3://shopp/db.*: there is no bucket shopp", "login: ok")
	has(t, look(t, s3, url, "-locations=s3://empty/db"), "config", "bucket: failed: locations s3://empty/db: there is nothing below it")
	has(t, look(t, append(lister, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1"), url, "-locations=s3://shop/db"), "connection", "bucket: failed: locations: s3://shop/db/V1__a.sql: access denied.* allow s3:GetObject")
	has(t, look(t, append(s3, "AWS_SECRET_ACCESS_KEY=wrong"), url, "-locations=s3://shop/db"), "connection", "bucket: failed: locations: s3://shop/db.*refused the credentials")

	keys := func(more ...string) []string { return append(bucket.Env(), more...) }
	has(t, look(t, keys(sts(t, -2*time.Minute)), url), "", `clock: warning: this machine's clock is (1m59|2m\d)s ahead of`)
	has(t, look(t, keys(sts(t, 6*time.Minute)), url), "connection", "clock: failed: this machine's clock is .* behind that of AWS")
	fake := lambdatest.StartScheduler(t)
	has(t, look(t, append(fake.Env(), "AWS_SECRET_ACCESS_KEY=wrong"), url, "-locations=s3://shop/db"), "connection", "credentials: failed: AWS refuses them: .*SignatureDoesNotMatch", "clock: ok", "buckets: not looked at", "login: ok")

	nobody := []string{"AWS_REGION=eu-west-1"}
	has(t, look(t, nobody, url), "", "credentials: warning: no credentials .*nothing in the settings asks for AWS", "buckets: not looked at", "login: ok")
	has(t, look(t, nobody, url, "-releases=s3://shop/x"), "config", "credentials: failed: no credentials .*s3://shop/x asks for AWS")
	has(t, look(t, nil, url), "", "region: warning: no region is known", "credentials: not looked at")
	has(t, look(t, nil, url, "-password=aws-ssm-parameter:/shop/pw"), "config", "region: failed: .*aws-ssm-parameter:/shop/pw asks for AWS", "secret: failed: password = aws-ssm-parameter:/shop/pw: ", "login: not looked at")
	has(t, look(t, nobody, url, "-password=env:SHOP_NONE"), "config", "secret: failed: password = env:SHOP_NONE: the variable is not set", "address: not looked at: a secret is missing", "history: not looked at")
}

// TestWayFails makes each failure on the way to the database.
func TestWayFails(t *testing.T) {
	t.Parallel()
	nobody := pgtest.FreeAddress(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connection, and nobody ever reads from it
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	has(t, look(t, nil, "-url=postgres://u@"+nobody+"/x"), "connection", "network: failed: "+nobody+" refuses: the machine is reached, and nothing listens", "login: not looked at", "history: not looked at")
	has(t, look(t, nil, "-url=postgres://u@"+mute.Addr().String()+"/x?connect_timeout=1"), "connection", "network: ok: ", "login: failed: as u at .*no PostgreSQL talks there", "server: not looked at")
	has(t, look(t, nil, "-url=postgres://u@nowhere.invalid/x"), "connection", "network: failed: the name nowhere.invalid is not known here", "tls: warning: the connection may go without TLS")
	for host, line := range map[string]string{
		"shop.cluster-ro-abc.eu-central-1.rds.amazonaws.invalid": "endpoint: ok: the host's name says nothing", "shop.cluster-ro-abc.eu-central-1.rds.amazonaws.com": "endpoint: failed: .*reader endpoint",
		"shop.proxy-abc.eu-central-1.rds.amazonaws.com": "endpoint: warning: .*RDS Proxy", "shop.abc.eu-central-1.rds.amazonaws.com": "endpoint: warning: .*one instance",
		"shop.cluster-abc.eu-central-1.rds.amazonaws.com": "endpoint: ok: the writer endpoint",
	} {
		has(t, look(t, nil, "-url=postgres://u@"+host+"/x?sslmode=verify-full"), "connection", line, "tls: ok: verify-full")
	}
	has(t, look(t, nil, "-url=postgres://u@nowhere.invalid/x?sslmode=require"), "connection", "tls: warning: .*nobody looks at the server's certificate")
}

// TestBlackHole: a packet that is swallowed, as by a security group, is told from one that is refused. A listener whose queue is
// full swallows them.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	address := full(t)
	has(t, look(t, nil, "-url=postgres://u@"+address+"/x"), "connection", "network: failed: "+address+`: nothing answers \(time-out\) \| a security group`, "login: not looked at")
}

// TestDatabaseFails makes each failure behind the way.
func TestDatabaseFails(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, nil)
	if err := os.WriteFile(filepath.Join(server.DataDir, "pg_hba.conf"), []byte("local all all trust\nhost all app all scram-sha-256\nhost all out all reject\nhost all all all trust\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	guarded := pgtest.On(t, server)
	certify(t, server.DataDir)
	exec(t, guarded.URL, "alter system set ssl = on", "select pg_reload_conf()", "create role app login password 'one'", "create role out login")
	as := func(user string) string {
		rest := guarded.URL[strings.Index(guarded.URL, "@"):]
		return "-url=postgres://" + user + rest
	}
	has(t, look(t, nil, as("app"), "-password=two"), "connection", "login: failed: as app at .*28P01.* look at user and password", "server: not looked at", "privileges: not looked at")
	signing := []string{"AWS_REGION=x", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_ENDPOINT_URL=http://127.0.0.1:1"}
	has(t, look(t, signing, as("app"), "-password=aws-rds-iam:"), "config", "address: failed: .*a token of RDS goes over an encrypted connection only", "network: not looked at")
	has(t, look(t, signing, strings.Replace(as("app"), "sslmode=disable", "sslmode=require", 1), "-password=aws-rds-iam:"), "connection", `login: failed: as app at .*28P01.* grant rds_iam to app`)
	has(t, look(t, nil, as("out")), "connection", "login: failed: as out at .*28000.*pg_hba.conf has to let")

	db := pgtest.New(t)
	role, url := db.Role(t, "")
	at := "-url=" + url
	has(t, look(t, nil, regexp.MustCompile(`/`+db.Name).ReplaceAllString(at, "/nowhere_at_all")), "connection", "login: failed: .*3D000.* create database")
	has(t, look(t, nil, at, "-role=pg_monitor"), "connection", "login: failed: .*role.* grant .?pg_monitor.? to .?"+role)
	exec(t, db.URL, "create schema app", "revoke create on schema public from public")
	has(t, look(t, nil, at, "-defaultSchema=app"), "refused", "server: failed: .*permission denied for schema app.* grant usage on schema .?app", "privileges: not looked at")
	exec(t, db.URL, "grant usage on schema app to "+role)
	has(t, look(t, nil, at, "-defaultSchema=app"), "refused", "privileges: failed: "+role+" lacks, for migrate: create on schema .?app.* grant create on schema .?app.? to .?"+role,
		"journal: warning: the schema skein")
	has(t, look(t, nil, at, "-defaultSchema=nowhere"), "refused", "privileges: failed: .*create on database")
	if _, err := skein.Migrate(t.Context(), skein.Config{URL: db.URL, DefaultSchema: "app", Source: one("create table app.a(id int);")}); err != nil {
		t.Fatal(err)
	}
	has(t, look(t, nil, at, "-defaultSchema=app"), "refused", "privileges: failed: .*select on .*insert on ", "history: not looked at")
	exec(t, db.URL, "grant select, insert on app.flyway_schema_history to "+role)
	has(t, look(t, nil, at, "-defaultSchema=app"), "", "privileges: warning: .*cannot create anything in the schema app", "repair: warning: .*grant update, delete on ", "history: ok: .* has 1 rows")
	exec(t, db.URL, "create table app.other (id int)", "grant all on app.other to "+role)
	has(t, look(t, nil, at, "-defaultSchema=app", "-table=other"), "refused", "history: failed: .* is not a schema history table")
	exec(t, db.URL, "alter role "+role+" set default_transaction_read_only = on")
	has(t, look(t, nil, at, "-defaultSchema=app"), "refused", "server: failed: .*transactions are read only", "history: ok")
}

// Settings that cannot be read are a finding, and the rest is not looked at.
func TestUnread(t *testing.T) {
	t.Parallel()
	has(t, doctor.Unread(config.Mistakes{{Key: "table", Text: "is wrong", Hint: "mend it"}}), "config", `settings: failed: .*is wrong.* \| mend it`, "database: not looked at")
	has(t, doctor.Unread(errors.New("odd")), "connection")
}
