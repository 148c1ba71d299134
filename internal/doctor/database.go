package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aurora"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/postgres"
)

// serverLimit is how long login and questions may take together: a Serverless cluster that sleeps needs half a minute.
const serverLimit = time.Minute

// inside are the checks behind the login.
var inside = []string{"server", "privileges", "journal", "history"}

// database goes the way to the database, as far as it leads.
func (x *examination) database(ctx context.Context) {
	step, cancel := context.WithTimeout(ctx, 2*stepLimit)
	cfg, err := x.Engine.Connection(step)
	cancel()
	if err != nil {
		if slices.ContainsFunc(x.found, func(f Finding) bool { return f.Check == "secret" && f.Status == Failed }) {
			x.skip("a secret is missing", "address")
		} else {
			x.found = append(x.found, Of("address", err))
		}
		x.skip("the database's address and login are not known", append([]string{"network", "tls", "endpoint", "login"}, inside...)...)
		return
	}
	reached := x.network(ctx, cfg)
	x.tls(cfg)
	x.endpoint(cfg)
	if !reached {
		x.skip("the server is not reached", append([]string{"login"}, inside...)...)
		return
	}
	ctx, stop := context.WithTimeout(ctx, serverLimit)
	defer stop()
	conn, err := postgres.Open(ctx, cfg, postgres.Options{ApplicationName: "skein", Role: x.Engine.Role})
	if err != nil {
		x.login(cfg, err)
		x.skip("nobody is logged in", inside...)
		return
	}
	defer conn.Close()
	x.add(OK, "login", cfg.User+" at "+conn.Host(), "")
	x.inside(ctx, conn)
}

// network asks for the names of the hosts and opens a connection to each.
func (x *examination) network(ctx context.Context, cfg *pgx.ConnConfig) bool {
	type place struct {
		host string
		port uint16
	}
	places := []place{{cfg.Host, cfg.Port}}
	for _, f := range cfg.Fallbacks {
		if p := (place{f.Host, f.Port}); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	reached := false
	for _, p := range places {
		if strings.HasPrefix(p.host, "/") {
			x.add(OK, "network", "the socket in "+p.host+", without a network", "")
			reached = true
			continue
		}
		address := net.JoinHostPort(p.host, strconv.Itoa(int(p.port)))
		step, cancel := context.WithTimeout(ctx, stepLimit)
		found, err := net.DefaultResolver.LookupHost(step, p.host)
		if err == nil {
			var conn net.Conn
			if conn, err = (&net.Dialer{}).DialContext(step, "tcp", address); err == nil {
				_ = conn.Close() // it was only tried
			}
		}
		late := step.Err() != nil && ctx.Err() == nil
		cancel()
		_, unnamed := errors.AsType[*net.DNSError](err)
		switch {
		case err == nil:
			x.add(OK, "network", address+" ("+strings.Join(found, ", ")+") takes connections", "")
			reached = true
		case unnamed:
			x.fail(skein.KindConnection, "network", "the name "+p.host+" is not known here: "+err.Error(), "correct the host in the url; the name of a private zone is known in its VPC only")
		case errors.Is(err, syscall.ECONNREFUSED):
			x.fail(skein.KindConnection, "network", address+" refuses: the machine is reached, and nothing listens on this port", "correct the port, or start the server; it is no matter of a security group")
		case late || errors.Is(err, os.ErrDeadlineExceeded):
			x.fail(skein.KindConnection, "network", address+": nothing answers (time-out)", "a security group, a network ACL or a route swallows it: let the database's security group take the port from that of the one who asks")
		default:
			x.fail(skein.KindConnection, "network", address+": "+err.Error(), "look at routes and the network")
		}
	}
	return reached
}

// tls says how the server is verified.
func (x *examination) tls(cfg *pgx.ConnConfig) {
	plain := cfg.TLSConfig == nil || slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil })
	near := strings.HasPrefix(cfg.Host, "/") || cfg.Host == "localhost"
	if ip := net.ParseIP(cfg.Host); ip != nil && ip.IsLoopback() {
		near = true
	}
	const advice = "set sslmode=verify-full; the certificates of RDS are built in"
	switch {
	case near:
		x.add(OK, "tls", "the server is on this machine", "")
	case plain:
		x.add(Warning, "tls", "the connection may go without TLS", advice)
	case full(cfg.TLSConfig):
		x.add(OK, "tls", "verify-full: the server's certificate and name are looked at", "")
	case cfg.TLSConfig.VerifyPeerCertificate != nil:
		x.add(Warning, "tls", "verify-ca: any server with a certificate of that authority is taken for this one", advice)
	default:
		x.add(Warning, "tls", "the connection is encrypted, and nobody looks at the server's certificate", advice)
	}
}

func full(c *tls.Config) bool { return !c.InsecureSkipVerify }

// endpoint says what the host's name promises.
func (x *examination) endpoint(cfg *pgx.ConnConfig) {
	switch aurora.PlaceOf(cfg.Host) {
	case aurora.Reader:
		x.fail(skein.KindRefused, "endpoint", cfg.Host+" is the reader endpoint of a cluster, which takes no writes", "use the cluster's writer endpoint, which has no -ro- in its name")
	case aurora.Proxy:
		x.add(Warning, "endpoint", cfg.Host+" is an RDS Proxy: a statement ends with the client that sent it, and none may take longer than a function", "use the cluster's writer endpoint")
	case aurora.Custom, aurora.Instance:
		x.add(Warning, "endpoint", cfg.Host+" is one instance, or a choice of them: after a failover it may be a reader", "for a cluster use its writer endpoint")
	case aurora.Writer:
		x.add(OK, "endpoint", "the writer endpoint of a cluster", "")
	default:
		x.add(OK, "endpoint", "the host's name says nothing of RDS", "")
	}
}

// login explains why there is none.
func (x *examination) login(cfg *pgx.ConnConfig, err error) {
	iam := slices.ContainsFunc(x.Settings.References(), func(r config.SecretRef) bool { return r.Scheme == config.IAMScheme })
	f, ok := errors.AsType[*postgres.ConnectFailure](err)
	if !ok {
		f = &postgres.ConnectFailure{Where: cfg.Host, User: cfg.User, Err: err}
		if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
			f.State = pe.Code
		}
	}
	text, next := f.Err.Error(), "running it again is safe"
	switch {
	case f.State == "28P01" || f.State == "28000":
		next = "look at user and password; a secret that was rotated is asked anew each time"
		if iam {
			next = "for a login by IAM: grant rds_iam to " + cfg.User + "; the role needs rds-db:connect on this user and the cluster's resource id; the host has to be the endpoint's own name"
		} else if aurora.PlaceOf(cfg.Host) != aurora.Elsewhere {
			next += "; a user with rds_iam takes no password but a token (password = \"aws-rds-iam:\")"
		}
		if strings.Contains(text, "pg_hba.conf") {
			next += "; the server's pg_hba.conf has to let this address and user in, and may ask for TLS"
		}
	case f.State == "3D000":
		next = "correct the database's name in the url, or make it: create database"
	case f.State == "22023" || f.State == "42501":
		next = "the setting role: grant " + postgres.Ident(x.Engine.Role) + " to " + postgres.Ident(cfg.User)
	case f.State == "53300":
		next = "the server has no connection left: close some, or raise max_connections"
	case f.State == "":
		next = "the port takes connections and no PostgreSQL talks there, or it does not wake up in time: look at TLS, the port and connect_timeout; a Serverless cluster that was paused takes half a minute, so run it again"
	}
	x.fail(skein.KindConnection, "login", "as "+f.User+" at "+f.Where+": "+text, next)
}

// inside asks the server itself. Nothing is written.
func (x *examination) inside(ctx context.Context, conn *postgres.Conn) {
	schema, table := x.Engine.DefaultSchema, x.Settings.Text("table")
	if schema == "" && len(x.Engine.Schemas) > 0 {
		schema = x.Engine.Schemas[0]
	}
	facts, err := conn.ReadFacts(ctx, postgres.Place{Schema: schema, Others: x.Engine.Schemas, Table: table, Side: x.Engine.JournalSchema})
	if err != nil {
		x.fail(skein.KindRefused, "server", err.Error(), "docs/grants.md lists what each command needs; to begin with: grant usage on schema "+postgres.Ident(schema))
		x.skip("the server does not answer", inside[1:]...)
		return
	}
	version, _, _ := strings.Cut(facts.Version, " ")
	text := "PostgreSQL " + version + ", database " + facts.Database + " as " + facts.User
	switch {
	case facts.InRecovery:
		x.fail(skein.KindRefused, "server", text+": a read-only replica", "connect to the primary (with several hosts: target_session_attrs=read-write)")
	case facts.ReadOnly:
		x.fail(skein.KindRefused, "server", text+": transactions are read only", "see default_transaction_read_only of the database, the role or the url")
	case facts.VersionNum < postgres.OldestServer:
		x.fail(skein.KindRefused, "server", text+" is too old", "Skein needs version 11 or newer")
	default:
		x.add(OK, "server", text, "")
	}
	if err := conn.BeginReadOnly(ctx); err != nil {
		x.fail(skein.KindConnection, "privileges", err.Error(), "running it again is safe")
		return
	}
	h := postgres.History{Schema: facts.Schema, Table: table}
	rights, err := conn.ReadRights(ctx, h, x.Engine.JournalSchema)
	if err != nil {
		x.fail(skein.KindConnection, "privileges", err.Error(), "running it again is safe")
		return
	}
	x.privileges(facts, h, rights)
	x.history(ctx, conn, h, rights)
}

// privileges compares with docs/grants.md.
func (x *examination) privileges(facts postgres.Facts, h postgres.History, r postgres.Rights) {
	user, schema, table, side := postgres.Ident(facts.User), postgres.Ident(h.Schema), postgres.Qualified(h.Schema, h.Table), postgres.Ident(x.Engine.JournalSchema)
	var lacks, grants []string
	need := func(has bool, what, on string) {
		if !has {
			lacks = append(lacks, what+" on "+on)
			grants = append(grants, fmt.Sprintf("grant %s on %s to %s", what, on, user))
		}
	}
	if !r.Schema {
		need(r.Database, "create", "database "+postgres.Ident(facts.Database))
	} else {
		need(r.Usage, "usage", "schema "+schema)
		if r.Table {
			need(r.Select, "select", table)
			need(r.Insert, "insert", table)
		} else {
			need(r.Create, "create", "schema "+schema)
		}
	}
	switch {
	case len(lacks) > 0:
		x.fail(skein.KindRefused, "privileges", facts.User+" lacks, for migrate: "+strings.Join(lacks, ", "), strings.Join(grants, "; "))
	case !r.Schema:
		x.add(OK, "privileges", "migrate can make the schema "+h.Schema+" and its history", "")
	case r.Table && !r.Create:
		x.add(Warning, "privileges", facts.User+" can write the history, and cannot create anything in the schema "+h.Schema, "for scripts that create something there: grant create on schema "+schema+" to "+user)
	default:
		x.add(OK, "privileges", "migrate has what it needs in the schema "+h.Schema, "")
	}
	if r.Table && !(r.Update && r.Delete) {
		x.add(Warning, "repair", facts.User+" cannot change or remove rows of the history", "for repair: grant update, delete on "+table+" to "+user)
	}
	switch {
	case !r.Side && !r.Database || r.Side && !r.SideUsage:
		x.add(Warning, "journal", "the schema "+x.Engine.JournalSchema+" of Skein's own tables cannot be used or made; scripts that are no single transaction, pins and deployments need it",
			"create schema "+side+" authorization "+user+", or what docs/grants.md lists")
	case r.Side:
		x.add(OK, "journal", "the schema "+x.Engine.JournalSchema+" is there", "")
	default:
		x.add(OK, "journal", "the schema "+x.Engine.JournalSchema+" can be made when it is needed", "")
	}
}

// history looks at the shape of the history table.
func (x *examination) history(ctx context.Context, conn *postgres.Conn, h postgres.History, r postgres.Rights) {
	name := postgres.Qualified(h.Schema, h.Table)
	switch {
	case !r.Table:
		x.add(OK, "history", "there is no "+name+" yet: the first migrate makes it", "")
		return
	case !r.Usage || !r.Select:
		x.skip("the history cannot be read", "history")
		return
	}
	rows, err := conn.ReadHistory(ctx, h)
	if err != nil {
		x.fail(skein.KindRefused, "history", name+" is not a schema history table: "+err.Error(), "choose another name with the setting table, or mend the table by hand")
		return
	}
	x.add(OK, "history", fmt.Sprintf("%s has %d rows", name, len(rows)), "")
}
