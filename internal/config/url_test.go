package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

// urlCases: the URL, then what pgx makes of it, an "error:" or "warning:". The
// separately given user is "u" and the password "canary-p".
var urlCases = []struct{ url, properties, want string }{
	// Forms of the URL.
	{"jdbc:postgresql:db", "", "localhost:5432 u/db prefer any 10s"},
	{"jdbc:postgresql:/", "", "localhost:5432 u/u prefer any 10s"},
	{"jdbc:postgresql:", "", "localhost:5432 u/u prefer any 10s"},
	{"jdbc:postgresql:/db", "", "localhost:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/db", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/", "", "h:5432 u/u prefer any 10s"},
	{"jdbc:postgresql://h", "", "h:5432 u/u prefer any 10s"},
	{"jdbc:postgresql:///db", "", "localhost:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h:6000/db", "", "h:6000 u/db prefer any 10s"},
	{"jdbc:postgresql://h:/db", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://a:1,b,[::1]:3,[fe80::2]/db", "", "a:1 b:5432 ::1:3 fe80::2:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/a%20b%2Fc+d%27%5C", "", `h:5432 u/a b/c d'\ prefer any 10s`},
	{"jdbc:postgresql://h/db?", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/db?&&", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:p6spy:postgresql://h/db", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:aws-wrapper:postgresql://h/db?wrapperPlugins=iam", "", "h:5432 u/db prefer any 10s\nwarning: the AWS wrapper's plugins (IAM, failover, secrets) do not run in Skein: the password must be a real one or a token\nwarning: the parameter wrapperPlugins of the AWS wrapper has no effect"},
	// Who wins.
	{"jdbc:postgresql://h/db?user=x%40y&password=canary%26", "", "h:5432 x@y/db prefer any 10s password canary&"},
	{"jdbc:postgresql://h/?user=x", "", "h:5432 x/x prefer any 10s"},
	{"jdbc:postgresql://h/db?user=url", "user=prop password=canary-prop", "h:5432 url/db prefer any 10s password canary-prop"},
	{"jdbc:postgresql://h/db?sslmode=disable", "sslmode=require", "h:5432 u/db disable any 10s"},
	{"jdbc:postgresql://h/db?sslmode=disable", "ApplicationName=o'hara\\", `h:5432 u/db disable any 10s application_name=o'hara\`},
	// TLS.
	{"jdbc:postgresql://h/db?ssl", "", "h:5432 u/db verify-full any 10s"},
	{"jdbc:postgresql://h/db?ssl=true", "", "h:5432 u/db verify-full any 10s"},
	{"jdbc:postgresql://h/db?ssl=false", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/db?ssl=true&sslmode=require", "", "h:5432 u/db require any 10s"},
	{"jdbc:postgresql://h/db?sslmode=VERIFY-CA", "", "h:5432 u/db verify-ca any 10s"},
	{"jdbc:postgresql://h/db?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory", "", "h:5432 u/db require any 10s\nwarning: sslfactory=NonValidatingFactory: the server's certificate is not verified"},
	{"jdbc:postgresql://h/db?sslmode=require&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory", "", "h:5432 u/db verify-full any 10s\nwarning: sslfactory=DefaultJavaSSLFactory: the system's certificates are trusted instead of Java's, and the host name is verified"},
	{"jdbc:postgresql://h/db?sslfactory=com.example.F", "", "error: url: sslfactory=com.example.F is a Java class"},
	{"jdbc:postgresql://h/db?sslmode=verify", "", "error: url: sslmode=verify is not one of"},
	{"jdbc:postgresql://h/db?sslcert=c.pem&sslkey=k.pk8&sslpassword=canary-k", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/db?sslcert=c.pem&sslkey=k.p12", "", "error: url: sslkey=k.p12 is a PKCS-12 file"},
	{"jdbc:postgresql://h/db?sslcert=c.pem", "", "error: url: sslcert and sslkey belong together"},
	{"jdbc:postgresql://h/db?sslrootcert=missing.pem", "", "h:5432 u/db prefer any 10s"}, // not verified, so not read
	// Session, hosts, time limits.
	{"jdbc:postgresql://h/db?currentSchema=a,%22B%22&options=-c%20statement_timeout%3D5min&ApplicationName=app", "", `h:5432 u/db prefer any 10s application_name=app options=-c statement_timeout=5min search_path=a,"B"`},
	{"jdbc:postgresql://h/db?targetServerType=primary", "", "h:5432 u/db prefer primary 10s"},
	{"jdbc:postgresql://h/db?targetServerType=master", "", "h:5432 u/db prefer primary 10s"},
	{"jdbc:postgresql://h/db?targetServerType=preferSecondary", "", "h:5432 u/db prefer prefer-standby 10s"},
	{"jdbc:postgresql://h/db?targetServerType=secondary", "", "h:5432 u/db prefer secondary 10s"},
	{"jdbc:postgresql://h/db?targetServerType=preferPrimary", "", "h:5432 u/db prefer any 10s\nwarning: targetServerType=preferPrimary: hosts are tried in the order of the URL; write primary to insist on one that accepts writes"},
	{"jdbc:postgresql://h/db?targetServerType=primry", "", "error: url: targetServerType=primry is not one of any, primary, secondary, preferSecondary, preferPrimary (did you mean primary?)"},
	{"jdbc:postgresql://h/db?connectTimeout=3&loginTimeout=1.5", "", "h:5432 u/db prefer any 2s"},
	{"jdbc:postgresql://h/db?loginTimeout=20&connectTimeout=30", "", "h:5432 u/db prefer any 20s"},
	{"jdbc:postgresql://h/db?connectTimeout=0", "", "h:5432 u/db prefer any 0s"},
	{"jdbc:postgresql://h/db?connectTimeout=1.5", "", "error: url: connectTimeout=1.5 is not a number of seconds"},
	{"jdbc:postgresql://h/db?socketTimeout=NaN", "", "error: url: socketTimeout=NaN is not a number of seconds"},
	{"jdbc:postgresql://h/db?channelBinding=require&sslNegotiation=postgres", "", "h:5432 u/db prefer any 10s"},
	// Harmless, unknown, refused.
	{"jdbc:postgresql://h/db?prepareThreshold=0&stringtype=unspecified&tcpKeepAlive=true&reWriteBatchedInserts=true&loadBalanceHosts=true&preferQueryMode=simple", "", "h:5432 u/db prefer any 10s"},
	{"jdbc:postgresql://h/db?readOnly=true", "", "h:5432 u/db prefer any 10s\nwarning: the parameter readOnly has no effect: scripts write"},
	{"jdbc:postgresql://h/db?curentSchema=x", "", "h:5432 u/db prefer any 10s\nwarning: unknown connection parameter curentSchema is ignored (did you mean currentSchema?)"},
	{"jdbc:postgresql://h/db", "frobnicate=1", "h:5432 u/db prefer any 10s\nwarning: unknown connection parameter frobnicate is ignored"},
	{"jdbc:postgresql://h/db?socketFactory=a.B", "", "error: url: the parameter socketFactory names a Java class"},
	{"jdbc:postgresql://h/db?replication=database", "", "error: url: a replication connection cannot run scripts"},
	{"jdbc:postgresql://h/db?service=x", "", "error: url: the parameter service is not supported"},
	{"jdbc:postgresql://h/db?gssEncMode=require", "", "error: url: the parameter gssEncMode=require: Skein does not speak GSSAPI"},
	// Malformed, and other databases.
	{"", "", "error: url: Unable to connect to the database. Configure the url, user and password!"},
	{"jdbc:postgresql://x:canary@h/db", "", "error: url: a jdbc URL holds no user and password before the host"},
	{"jdbc:postgresql://h:0/db", "", "error: url: the url jdbc:postgresql://h:0/db has no valid port"},
	{"jdbc:postgresql://h:x/db?password=canary", "", "error: url: the url jdbc:postgresql://h:x/db?password=*** has no valid port"},
	{"jdbc:postgresql://::1/db", "", "error: url: the url jdbc:postgresql://::1/db has an IPv6 address without brackets"},
	{"jdbc:postgresql://[::1/db", "", "error: url: the url jdbc:postgresql://[::1/db has an IPv6 address without its brackets"},
	{"jdbc:postgresql://h%2Ci/db", "", "error: url: the url jdbc:postgresql://h%2Ci/db has a host that is not percent-encoded rightly"},
	{"jdbc:postgresql://h/a/b", "", "error: url: the url jdbc:postgresql://h/a/b has more than one / after the host"},
	{"jdbc:postgresql://h/%zz", "", "error: url: the database name in jdbc:postgresql://h/%zz is not percent-encoded rightly"},
	{"jdbc:postgresql://h/db?password=canary%", "", "error: url: the parameter password is not percent-encoded rightly (write % as %25)"},
	{"jdbc:postgresql://h/db?user=a%00b", "", "error: url: the url, user or password holds a NUL character"},
	{"jdbc:mysql://h/db?password=canary", "", "error: url: No Flyway database plugin found to handle jdbc:mysql:…; Skein is for PostgreSQL only"},
	{"jdbc:tc:postgresql:15:///db", "", "error: url: jdbc:tc: URLs start a container from Java, which Skein cannot (postgresql)"},
	{"jdbc:canary", "", "error: url: the url is not a connection URL"},
	{"jdbc-secretsmanager:postgresql://h/db", "", "error: url: a jdbc-secretsmanager: URL takes the password from the secret, and one is set"},
	{"jdbc-secretsmanager:mysql://h/db", "", "error: url: No Flyway database plugin found to handle jdbc:mysql:…; Skein is for PostgreSQL only"},
	{"host=h password=canary", "", "error: url: the url is not a connection URL"},
	// libpq's own URLs.
	{"postgres://h/db", "", "h:5432 u/db prefer any 0s"},
	{"postgresql://x:canary%40@h1:1,h2:2/db?sslmode=require&target_session_attrs=read-write", "", "h1:1 h2:2 x/db require primary 0s password canary@"},
	{"postgres://x@h/db?connect_timeout=7", "", "h:5432 x/db prefer any 7s"},
	{"postgres://h/db?user=x&password=canary", "", "h:5432 x/db prefer any 0s password canary"},
	{"postgres://h/db?sslmode=disable", "sslmode=require currentSchema=a+b", "h:5432 u/db disable any 0s search_path=a+b"},
	{"postgres://h/db", "ssl=true ApplicationName=my%app", "h:5432 u/db verify-full any 0s application_name=my%app"},
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, c := range urlCases {
		t.Run(c.url+" "+c.properties, func(t *testing.T) {
			t.Parallel()
			properties := map[string]string{}
			for _, p := range strings.Fields(c.properties) {
				name, text, _ := strings.Cut(p, "=")
				properties[name] = text
			}
			target, warnings, err := config.ParseURL(c.url, "u", secret.New("canary-p"), properties)
			var shown strings.Builder
			fmt.Fprintf(&shown, "%v %+v %#v %s %v %v", target, target, target, target, warnings, err)
			if strings.Contains(shown.String(), "canary") {
				t.Errorf("a secret is shown: %s", &shown)
			}
			if err != nil {
				if got, ok := "error: "+err.Error(), strings.HasPrefix(c.want, "error: "); !ok || !strings.HasPrefix(strings.Replace(got, "error: ", "error: url: ", 1), c.want) {
					t.Errorf("\n got %s\nwant %s", got, c.want)
				}
				return
			}
			got := pgxReading(t, target)
			for _, w := range warnings {
				got += "\nwarning: " + w.String()
			}
			if got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// pgxReading is what pgx takes the target for, password left out where it is the
// one given separately.
func pgxReading(t *testing.T, target config.Target) string {
	t.Helper()
	c, err := pgconn.ParseConfig(target.ConnString().Reveal())
	if err != nil {
		t.Fatalf("pgx: %v", err)
	}
	var b strings.Builder
	seen := map[string]bool{}
	modes := ""
	note := func(host string, port uint16, mode string) {
		if hp := fmt.Sprintf("%s:%d", host, port); !seen[hp] {
			seen[hp] = true
			b.WriteString(hp + " ")
		}
		if len(seen) == 1 {
			modes += mode
		}
	}
	tlsMode := func(fc pgconn.FallbackConfig) string {
		switch {
		case fc.TLSConfig == nil:
			return "-"
		case fc.TLSConfig.VerifyPeerCertificate != nil:
			return "C"
		case fc.TLSConfig.InsecureSkipVerify:
			return "S"
		}
		return "F"
	}
	note(c.Host, c.Port, tlsMode(pgconn.FallbackConfig{TLSConfig: c.TLSConfig}))
	for _, f := range c.Fallbacks {
		note(f.Host, f.Port, tlsMode(*f))
	}
	mode := map[string]string{"-": "disable", "S-": "prefer", "-S": "allow", "S": "require", "C": "verify-ca", "F": "verify-full"}[modes]
	attrs := "any"
	for name, f := range map[string]pgconn.ValidateConnectFunc{
		"primary": pgconn.ValidateConnectTargetSessionAttrsReadWrite, "secondary": pgconn.ValidateConnectTargetSessionAttrsReadOnly,
		"prefer-standby": pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
	} {
		if c.ValidateConnect != nil && fmt.Sprintf("%p", c.ValidateConnect) == fmt.Sprintf("%p", f) {
			attrs = name
		}
	}
	fmt.Fprintf(&b, "%s/%s %s %s %s", c.User, c.Database, mode, attrs, c.ConnectTimeout)
	if c.Password != "canary-p" {
		fmt.Fprintf(&b, " password %s", c.Password)
	}
	for _, name := range []string{"application_name", "options", "search_path"} {
		if v := c.RuntimeParams[name]; v != "" {
			fmt.Fprintf(&b, " %s=%s", name, v)
		}
	}
	return b.String()
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jdbc:postgresql://h/db?user=u&password=c&sslpassword=c&x=1": "jdbc:postgresql://h/db?user=u&password=***&sslpassword=***&x=1",
		"jdbc:postgresql://h/db?pass%77ord=c":                        "jdbc:postgresql://h/db?pass%77ord=***",
		"postgres://u:c@h:1/db?a=b@c":                                "postgres://u:***@h:1/db?a=b@c",
		"postgres://u:c/c?c@c@h/db?password=c":                       "postgres://u:***@h/db?password=***",
		"postgres://u@h/db":                                          "postgres://u@h/db",
		"postgres://:c@h":                                            "postgres://:***@h",
		"host=h password=c user=u":                                   "***",
		"jdbc:c":                                                     "***",
		`jdbc:sqlserver://h;password = 'c c\' c';user=u`:             "jdbc:sqlserver://h;password = ***;user=u",
		"jdbc:postgresql:db":                                         "jdbc:postgresql:db",
		"":                                                           "",
		"jdbc:postgresql://h/db?password=":                           "jdbc:postgresql://h/db?password=",
		"jdbc:aws-wrapper:postgresql://h/db?secretsManagerSecretId=c": "jdbc:aws-wrapper:postgresql://h/db?secretsManagerSecretId=***",
	} {
		if got := config.RedactURL(in); got != want {
			t.Errorf("RedactURL(%q)\n got %s\nwant %s", in, got, want)
		}
	}
}

// pgx must not take a key of its own choice where the URL names one, nor verify
// with a certificate of its own choice where nothing is to be verified.
func TestConnStringShadows(t *testing.T) {
	t.Parallel()
	target, _, err := config.ParseURL("jdbc:postgresql://h/db?sslcert=c&sslkey=k", "", secret.Text{}, nil)
	got := target.ConnString().Reveal()
	want := "connect_timeout='10' dbname='db' host='h' port='5432' sslcert='' sslkey='' sslmode='prefer' sslrootcert='' target_session_attrs='any'"
	if err != nil || got != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}
