package config

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/secret"
)

// Host is one server of a URL. Name is without the brackets of IPv6.
type Host struct {
	Name string
	Port int
}

// Target is the database that a URL names, ready for pgx: see ConnString. It
// prints as the URL without its passwords.
type Target struct {
	// Hosts are tried in this order. Empty for a postgres:// URL, whose reading
	// is left to pgx.
	Hosts []Host
	// Database and User are "" when the URL leaves them to the default.
	Database, User string
	Password       secret.Text
	// RuntimeParams go into the start-up message: search_path,
	// application_name, options.
	RuntimeParams map[string]string
	TLS           TLS
	// SecretID names the secret of AWS Secrets Manager that holds user and password
	// as JSON, {"username": …, "password": …}; "" for none. It is to be read for
	// each connection, since such passwords are changed by a clock.
	SecretID string
	// IAM is set when the password is a token of RDS, nil otherwise.
	IAM *IAM
	// SessionAttrs is libpq's target_session_attrs.
	SessionAttrs string
	// ConnectTimeout is per host, 10 s by default; 0 is none.
	ConnectTimeout time.Duration

	native   secret.Text       // the postgres:// URL with user and password merged in
	keywords map[string]string // further keywords for pgx
	shown    string
}

// String is the URL as it was given, secrets masked.
func (t Target) String() string { return t.shown }

// GoString is String.
func (t Target) GoString() string { return t.shown }

// ParseURL reads a connection URL: jdbc:postgresql:… as the PostgreSQL JDBC
// driver reads it (jdbc:p6spy: and jdbc:aws-wrapper: before it are taken off),
// or postgres://… as libpq does. What the URL says wins over user, password and
// properties (jdbcProperties). The error is Mistakes without origins and holds
// no secret.
func ParseURL(raw, user string, password secret.Text, properties map[string]string) (Target, []Warning, error) {
	p := urlParser{target: Target{shown: RedactURL(raw), RuntimeParams: map[string]string{}, SessionAttrs: "any",
		ConnectTimeout: 10 * time.Second, keywords: map[string]string{}}, given: map[string]bool{}}
	switch {
	case strings.HasPrefix(raw, "postgres://"), strings.HasPrefix(raw, "postgresql://"):
		p.native(raw, user, password, properties)
	default:
		if rest, ok := p.driverURL(raw); ok {
			p.jdbc(rest, user, password, properties)
		}
	}
	return p.target, p.found.warnings, p.found.mistakes.err()
}

// plain is the text of a setting that may be a reference: "" if it is one.
func (s *Settings) plain(key string) string {
	v := s.get(key, Text, Map)
	if e, ok := s.entries[slot(key)]; ok && e.settled {
		return v.String()
	}
	_, text, is, _ := parseRef(v.String())
	if is {
		return ""
	}
	return text
}

// reference is the one that a text setting is.
func (s *Settings) reference(key string) (SecretRef, bool) {
	e, ok := s.entries[slot(key)]
	if !ok {
		return SecretRef{}, false
	}
	k, _ := Lookup(key)
	return e.ref(k, e.value.String())
}

// IAM asks for a token of RDS as the password, made anew for each connection.
type IAM struct {
	Region string // "" is found out from the host's name or the variables
	Origin Origin
}

// Target is ParseURL of the settings; its mistakes carry the origin of the url. References that have not been replaced
// (see Resolved) count as not set.
func (s *Settings) Target() (Target, []Warning, error) {
	properties := s.Map("jdbcProperties")
	for name := range properties {
		if key := "jdbcProperties." + name; s.HasReference(key) {
			delete(properties, name)
		} else if k, _ := Lookup(key); k.takesReference(key) {
			properties[name] = s.plain(key)
		}
	}
	password, iam := s.plain("password"), (*IAM)(nil)
	if ref, is := s.reference("password"); is && ref.Scheme == IAMScheme {
		iam = &IAM{Region: ref.Name, Origin: ref.Origin}
	}
	t, warnings, err := ParseURL(s.plain("url"), s.plain("user"), secret.New(password), properties)
	t.IAM = iam
	origin := s.Origin("url")
	for i := range warnings {
		warnings[i].Origin = origin
	}
	if ms, ok := errors.AsType[Mistakes](err); ok && s.IsSet("url") {
		for i := range ms {
			ms[i].Origin = origin
		}
	}
	return t, warnings, err
}

type urlParser struct {
	target Target
	given  map[string]bool // parameters of the URL, which properties must not change
	// managed: user names a secret of AWS Secrets Manager.
	managed bool
	ssl     string // the parameter ssl, "-" when absent
	login   time.Duration
	found   findings
}

func (p *urlParser) fail(hint, format string, args ...any) {
	p.found.mistake(Origin{}, "url", hint, format, args...)
}

// driverURL takes jdbc:, the wrappers and postgresql: off.
func (p *urlParser) driverURL(raw string) (rest string, ok bool) {
	const forms = "Skein takes jdbc:postgresql://host/database and postgres://host/database"
	if raw == "" {
		p.fail("give -url=jdbc:postgresql://host/database", "Unable to connect to the database. Configure the url, user and password!")
		return "", false
	}
	if inner, ok := strings.CutPrefix(raw, "jdbc-secretsmanager:"); ok {
		p.managed, raw = true, "jdbc:"+inner
	}
	rest, ok = strings.CutPrefix(raw, "jdbc:")
	if !ok {
		// Not shown: what is no URL may be anything, a password too.
		p.found.coded(Plain, Origin{}, "url", forms, "the url is not a connection URL")
		return "", false
	}
	if inner, wrapped := strings.CutPrefix(rest, "p6spy:"); wrapped {
		rest = inner
	} else if inner, wrapped := strings.CutPrefix(rest, "aws-wrapper:"); wrapped {
		rest = inner
		p.found.warn(Origin{}, "the AWS wrapper's plugins (IAM, failover, secrets) do not run in Skein: the password must be a real one or a token")
	}
	if inner, tc := strings.CutPrefix(rest, "tc:"); tc {
		p.fail("start the container and give its URL", "jdbc:tc: URLs start a container from Java, which Skein cannot (%s)", strings.SplitN(inner, ":", 2)[0])
		return "", false
	}
	name, rest, isURL := strings.Cut(rest, ":")
	if !isURL {
		p.found.coded(Plain, Origin{}, "url", forms, "the url is not a connection URL")
		return "", false
	}
	if name != "postgresql" {
		p.found.coded(Plain, Origin{}, "url", forms, "No Flyway database plugin found to handle jdbc:%s:…; Skein is for PostgreSQL only", name)
		return "", false
	}
	return rest, true
}

// jdbc reads what follows jdbc:postgresql:.
func (p *urlParser) jdbc(rest, user string, password secret.Text, properties map[string]string) {
	p.ssl = "-"
	server, query, _ := strings.Cut(rest, "?")
	p.server(server)
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		p.given[name] = true
		decoded, err := url.QueryUnescape(text) // as Java: + is a blank
		if err != nil {
			p.fail("write % as %25", "the parameter %s is not percent-encoded rightly", name)
			continue
		}
		p.param(name, decoded)
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !p.given[name] {
			p.param(name, properties[name])
		}
	}
	if p.target.User == "" {
		p.target.User = user
	}
	if p.target.Password.IsEmpty() {
		p.target.Password = password
	}
	if p.managed {
		p.takeSecretID()
	}
	if p.target.Database == "" {
		p.target.Database = p.target.User
	}
	p.finishTLS()
	p.finishTimeout()
	p.checkNUL()
}

// takeSecretID takes the user for what it is in a jdbc-secretsmanager: URL.
func (p *urlParser) takeSecretID() {
	t := &p.target
	switch {
	case t.User == "":
		p.fail("give -user=<name or ARN of the secret>", "a jdbc-secretsmanager: URL takes the name of the secret as user")
	case !t.Password.IsEmpty():
		p.fail("leave the password out", "a jdbc-secretsmanager: URL takes the password from the secret, and one is set")
	case t.Database == "":
		p.fail("write it into the URL: jdbc-secretsmanager:postgresql://host/database", "the URL names no database")
	}
	t.SecretID, t.User = t.User, ""
}

// server reads //host:port,host:port/database or database.
func (p *urlParser) server(s string) {
	t := &p.target
	hosts, hasHosts := strings.CutPrefix(s, "//")
	database := strings.TrimPrefix(s, "/")
	if hasHosts {
		hosts, database, _ = strings.Cut(hosts, "/")
	} else {
		hosts = ""
	}
	if strings.Contains(hosts, "@") {
		p.fail("write ?user=…&password=…, or use postgres://user:password@host/database",
			"a jdbc URL holds no user and password before the host")
		return
	}
	if strings.Contains(database, "/") {
		p.fail("write a / of the name as %2F", "the url %s has more than one / after the host", t.shown)
		return
	}
	name, err := url.QueryUnescape(database)
	if err != nil {
		p.fail("write % as %25", "the database name in %s is not percent-encoded rightly", t.shown)
	}
	t.Database = name
	for _, item := range strings.Split(hosts, ",") {
		if h, ok := p.host(item); ok {
			t.Hosts = append(t.Hosts, h)
		}
	}
}

func (p *urlParser) host(s string) (Host, bool) {
	h := Host{Name: s, Port: 5432}
	if colon := strings.LastIndexByte(s, ':'); colon > strings.LastIndexByte(s, ']') {
		port := s[colon+1:]
		h.Name = s[:colon]
		n, err := strconv.Atoi(port)
		if port != "" && (err != nil || n < 1 || n > 65535) {
			p.fail("a port is a number from 1 to 65535; an IPv6 address stands in brackets", "the url %s has no valid port", p.target.shown)
			return h, false
		}
		if port != "" {
			h.Port = n
		}
	}
	if inner, ok := strings.CutPrefix(h.Name, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if !closed || inner == "" {
			p.fail("", "the url %s has an IPv6 address without its brackets", p.target.shown)
			return h, false
		}
		h.Name = inner
	} else if strings.Contains(h.Name, ":") {
		p.fail("write it as [::1]", "the url %s has an IPv6 address without brackets", p.target.shown)
		return h, false
	}
	name, err := url.QueryUnescape(h.Name)
	if err != nil || strings.Contains(name, ",") {
		p.fail("", "the url %s has a host that is not percent-encoded rightly", p.target.shown)
		return h, false
	}
	if h.Name = name; name == "" {
		h.Name = "localhost"
	}
	return h, true
}

func (p *urlParser) checkNUL() {
	if strings.ContainsRune(p.target.ConnString().Reveal(), 0) {
		p.fail("", "the url, user or password holds a NUL character")
	}
}

// native takes a postgres:// URL: libpq's parameters are pgx's affair, here user,
// password and properties are added where it says nothing of them.
func (p *urlParser) native(raw, user string, password secret.Text, properties map[string]string) {
	t := &p.target
	_, rest, _ := strings.Cut(raw, "//")
	_, query, _ := strings.Cut(rest, "?")
	userInfo := ""
	if at := endOfUserInfo(rest); at >= 0 {
		userInfo = rest[:at]
	}
	urlUser, urlPassword, _ := strings.Cut(userInfo, ":")
	has := map[string]bool{"user": urlUser != "", "password": urlPassword != ""}
	for _, pair := range strings.Split(query, "&") {
		name, text, _ := strings.Cut(pair, "=")
		decoded, _ := url.QueryUnescape(name)
		has[decoded] = has[decoded] || text != ""
	}
	add := url.Values{}
	if user != "" && !has["user"] {
		add.Set("user", user)
	}
	if !password.IsEmpty() && !has["password"] {
		add.Set("password", password.Reveal())
	}
	p.nativeProperties(properties, func(name, text string) {
		if !has[name] && !add.Has(name) {
			add.Set(name, text)
		}
	})
	sep := "?"
	if strings.Contains(raw, "?") {
		sep = "&"
	}
	if len(add) > 0 {
		// libpq knows no + for a blank.
		raw += sep + strings.ReplaceAll(add.Encode(), "+", "%20")
	}
	t.native = secret.New(raw)
}

// nativeProperties translates jdbcProperties into libpq's parameters.
func (p *urlParser) nativeProperties(properties map[string]string, add func(name, text string)) {
	if len(properties) == 0 {
		return
	}
	scratch := urlParser{target: Target{RuntimeParams: map[string]string{}, keywords: map[string]string{}}, ssl: "-", given: map[string]bool{}}
	encrypted := false
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		encrypted = encrypted || slices.Contains([]string{"ssl", "sslmode", "sslfactory"}, name)
		scratch.param(name, properties[name])
	}
	scratch.finishTLS()
	scratch.finishTimeout()
	p.found.mistakes = append(p.found.mistakes, scratch.found.mistakes...)
	p.found.warnings = append(p.found.warnings, scratch.found.warnings...)
	pairs := scratch.target.pairs()
	if !encrypted {
		delete(pairs, "sslmode")
	}
	for name, text := range pairs {
		if text != "" {
			add(name, text)
		}
	}
	if scratch.target.TLS.Cert != "" {
		p.target.TLS = scratch.target.TLS
	}
}
