package config

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/secret"
)

// harmlessParams of the JDBC driver steer Java, the wire format or defaults that
// Skein chooses itself.
var harmlessParams = []string{
	"loadBalanceHosts", "hostRecheckSeconds", "tcpKeepAlive", "tcpNoDelay", "cancelSignalTimeout", "sslResponseTimeout",
	"preferQueryMode", "prepareThreshold", "preparedStatementCacheQueries", "preparedStatementCacheSizeMiB",
	"databaseMetadataCacheFields", "databaseMetadataCacheFieldsMiB", "stringtype", "binaryTransfer", "binaryTransferEnable",
	"binaryTransferDisable", "autosave", "cleanupSavepoints", "reWriteBatchedInserts", "defaultRowFetchSize", "adaptiveFetch",
	"adaptiveFetchMinimum", "adaptiveFetchMaximum", "kerberosServerName", "jaasApplicationName", "jaasLogin", "gssUseDefaultCreds",
	"useSpnego", "sspiServiceClass", "gsslib", "assumeMinServerVersion", "allowEncodingChanges", "logUnclosedConnections",
	"logServerErrorDetail", "loggerLevel", "loggerFile", "unknownLength", "disableColumnSanitiser", "hideUnprivilegedObjects",
	"escapeSyntaxCallMode", "groupStartupParameters", "maxResultBuffer", "maxSendBufferSize", "receiveBufferSize",
	"sendBufferSize", "quoteReturningIdentifiers", "protocolVersion", "readOnlyMode", "compatible", "localSocketAddress",
	"queryTimeout", "sslfactoryarg", "socketFactoryArg", "convertBooleanToNumeric",
}

// javaParams name Java classes: there is nothing to run them.
var javaParams = []string{"sslhostnameverifier", "sslpasswordcallback", "socketFactory", "authenticationPluginClassName", "xmlFactoryFactory"}

// knownParams are those that param gives a meaning.
var knownParams = []string{
	"user", "password", "ssl", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslpassword", "sslfactory", "sslNegotiation",
	"currentSchema", "options", "ApplicationName", "targetServerType", "loginTimeout", "connectTimeout", "socketTimeout",
	"readOnly", "gssEncMode", "replication", "service", "channelBinding", "requireAuth",
}

// param takes one parameter of the URL or one property.
func (p *urlParser) param(name, text string) {
	t := &p.target
	switch name {
	case "user":
		t.User = text
	case "password":
		t.Password = secret.New(text)
	case "ssl":
		p.ssl = text
	case "sslmode":
		t.TLS.Mode = strings.ToLower(text)
	case "sslcert":
		t.TLS.Cert = text
	case "sslkey":
		t.TLS.Key = text
	case "sslrootcert":
		t.TLS.RootCert = text
	case "sslpassword":
		t.TLS.Password = secret.New(text)
	case "sslfactory":
		p.factory(text)
	case "sslNegotiation", "sslnegotiation":
		t.keywords["sslnegotiation"] = text
	case "channelBinding":
		t.keywords["channel_binding"] = text
	case "requireAuth":
		t.keywords["require_auth"] = text
	case "currentSchema":
		t.RuntimeParams["search_path"] = text
	case "options":
		t.RuntimeParams["options"] = text
	case "ApplicationName":
		t.RuntimeParams["application_name"] = text
	case "targetServerType":
		p.serverType(text)
	case "loginTimeout", "connectTimeout", "socketTimeout":
		p.timeout(name, text)
	default:
		p.otherParam(name, text)
	}
}

// otherParam accepts, warns about or refuses what has no meaning here.
func (p *urlParser) otherParam(name, text string) {
	switch {
	case slices.Contains(javaParams, name):
		p.fail("leave it out", "the parameter %s names a Java class, which Skein cannot run", name)
	case name == "replication" && !strings.EqualFold(text, "false"):
		p.fail("leave it out", "a replication connection cannot run scripts")
	case name == "service":
		p.fail("write host and database into the URL", "the parameter service is not supported")
	case name == "gssEncMode" && strings.EqualFold(text, "require"):
		p.fail("use sslmode", "the parameter gssEncMode=require: Skein does not speak GSSAPI")
	case name == "readOnly" && strings.EqualFold(text, "true"):
		p.found.warn(Origin{}, "the parameter readOnly has no effect: scripts write")
	case strings.HasPrefix(name, "wrapper"):
		p.found.warn(Origin{}, "the parameter %s of the AWS wrapper has no effect", name)
	case slices.Contains(harmlessParams, name), slices.Contains(knownParams, name):
	default:
		hint := didYouMean(name, slices.Concat(knownParams, harmlessParams))
		p.found.warn(Origin{}, "%s", withHint("unknown connection parameter "+name+" is ignored", hint))
	}
}

// serverType translates targetServerType: the JDBC driver asks whether the
// server accepts writes.
func (p *urlParser) serverType(text string) {
	t := &p.target
	switch strings.ToLower(text) {
	case "any":
		t.SessionAttrs = "any"
	case "primary", "master":
		t.SessionAttrs = "read-write"
	case "secondary", "slave":
		t.SessionAttrs = "read-only"
	case "prefersecondary", "preferslave":
		t.SessionAttrs = "prefer-standby"
	case "preferprimary":
		t.SessionAttrs = "any"
		p.found.warn(Origin{}, "targetServerType=preferPrimary: hosts are tried in the order of the URL; write primary to insist on one that accepts writes")
	default:
		p.fail(didYouMean(text, []string{"any", "primary", "secondary", "preferSecondary", "preferPrimary"}),
			"targetServerType=%s is not one of any, primary, secondary, preferSecondary, preferPrimary", text)
	}
}

// timeout takes seconds; loginTimeout may have a fraction.
func (p *urlParser) timeout(name, text string) {
	seconds, err := strconv.ParseFloat(text, 64)
	// The comparison is this way round because of NaN.
	if err != nil || !(seconds >= 0 && seconds <= math.MaxInt32) || name != "loginTimeout" && seconds != math.Trunc(seconds) {
		p.fail("", "%s=%s is not a number of seconds", name, text)
		return
	}
	d := time.Duration(seconds * float64(time.Second))
	switch name {
	case "socketTimeout":
		if d > 0 {
			p.found.warn(Origin{}, "socketTimeout is ignored: a statement of a migration may take as long as it needs")
		}
	case "connectTimeout":
		p.target.ConnectTimeout = d
	case "loginTimeout":
		p.login = d
	}
}

// finishTimeout lets the shorter of connectTimeout and loginTimeout count; 0 is
// no limit.
func (p *urlParser) finishTimeout() {
	if t := &p.target; p.login > 0 && (t.ConnectTimeout == 0 || p.login < t.ConnectTimeout) {
		t.ConnectTimeout = p.login
	}
}

// pairs are the keywords of libpq that this target amounts to. A keyword with
// an empty value is there to keep pgx from filling it in from PG* variables or
// files of the home directory, where the JDBC driver does not.
func (t Target) pairs() map[string]string {
	pairs := maps.Clone(t.keywords)
	maps.Copy(pairs, t.RuntimeParams)
	var hosts, ports []string
	for _, h := range t.Hosts {
		hosts = append(hosts, h.Name)
		ports = append(ports, strconv.Itoa(h.Port))
	}
	set := func(name, text string) {
		if text != "" {
			pairs[name] = text
		}
	}
	set("host", strings.Join(hosts, ","))
	set("port", strings.Join(ports, ","))
	set("dbname", t.Database)
	set("user", t.User)
	set("password", t.Password.Reveal())
	set("target_session_attrs", t.SessionAttrs)
	set("sslmode", t.TLS.Mode)
	set("sslrootcert", t.TLS.RootCert)
	if t.ConnectTimeout > 0 {
		pairs["connect_timeout"] = strconv.Itoa(int(math.Ceil(t.ConnectTimeout.Seconds())))
	}
	if !t.TLS.verifies() {
		pairs["sslrootcert"] = ""
	}
	if t.TLS.Cert != "" || t.TLS.Key != "" {
		pairs["sslcert"], pairs["sslkey"] = "", ""
	}
	return pairs
}

// ConnString is the target as pgx.ParseConfig takes it. Afterwards
// TLS.Certificates belongs on every TLS configuration that ParseConfig made. It
// holds the password.
//
// What the URL leaves open pgx fills in as libpq does: a password from PGPASSWORD
// or ~/.pgpass, a user from PGUSER or the system.
func (t Target) ConnString() secret.Text {
	if !t.native.IsEmpty() {
		return t.native
	}
	pairs := t.pairs()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(pairs[name]) + "'")
	}
	return secret.New(b.String())
}
