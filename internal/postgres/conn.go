package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Conn is one connection to the target.
type Conn struct {
	pg       *pgconn.PgConn
	typed    *pgx.Conn // around pg; nil unless Options.Pgx
	cfg      *pgx.ConnConfig
	instead  Instead // nil: the server itself
	readOnly bool
	views    []string // of the server's progress reports; nil until they are asked for
}

// Options are what Open adds to the connection's own parameters.
type Options struct {
	// OnNotice hears the server's notices and warnings.
	OnNotice func(severity, code, message string)
	// ApplicationName is used where the parameters give none.
	ApplicationName string
	// First looks at the connection before anything runs on it, Role and InitSQL included; its error closes it.
	First func(context.Context, *Conn) error
	// Role and InitSQL run then, in this order, each in a message of its own.
	Role    string
	InitSQL string
	// Pgx makes Conn.Pgx give a connection. Its table of types costs as much as the connection itself.
	Pgx bool
	// ReadOnly makes transactions read only, InitSQL's too, unless they say otherwise.
	ReadOnly bool
}

// Open connects. The session's time zone becomes the client's, because the history's installed_on is a zone-less
// timestamp that Flyway fills and reads in the client's zone.
func Open(ctx context.Context, cfg *pgx.ConnConfig, opt Options) (*Conn, error) {
	cfg = cfg.Copy()
	cfg.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &canceller{conn: c}
	}
	if opt.OnNotice != nil {
		cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { opt.OnNotice(n.Severity, n.Code, n.Message) }
	}
	params := cfg.RuntimeParams
	if params["application_name"] == "" && opt.ApplicationName != "" {
		params["application_name"] = opt.ApplicationName
	}
	params["client_encoding"] = "UTF8"
	if !hasParam(params, "datestyle") {
		params["datestyle"] = "ISO" // what Flyway's driver asks for
	}
	zone := ""
	if !hasParam(params, "timezone") {
		zone = localZone()
		params["timezone"] = zone
	}
	c, err := dial(ctx, cfg, opt.Pgx)
	if zone != "" && sqlState(err) == "22023" {
		// The server does not know the client's zone by that name: say it as an offset.
		params["timezone"] = offsetZone(time.Now())
		c, err = dial(ctx, cfg, opt.Pgx)
	}
	if err != nil {
		return nil, connectError(cfg, err)
	}
	c.readOnly = opt.ReadOnly
	if opt.First != nil {
		if err := opt.First(ctx, c); err != nil {
			c.Close()
			return nil, err
		}
	}
	only := ""
	if opt.ReadOnly {
		only = "set default_transaction_read_only = on"
	}
	for _, sql := range []string{only, setRole(opt.Role), opt.InitSQL} {
		if sql == "" {
			continue
		}
		if err := c.Exec(ctx, sql, nil); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func dial(ctx context.Context, cfg *pgx.ConnConfig, whole bool) (*Conn, error) {
	asking, done := askOnce(&cfg.Config)
	defer done()
	if !whole && cfg.Tracer == nil {
		pg, err := pgconn.ConnectConfig(ctx, asking)
		if err != nil {
			return nil, err
		}
		return &Conn{pg: pg, cfg: cfg}, nil
	}
	all := cfg.Copy()
	all.Config = *asking
	c, err := pgx.ConnectConfig(ctx, all)
	if err != nil {
		return nil, err
	}
	return &Conn{pg: c.PgConn(), typed: c, cfg: cfg}, nil
}

func setRole(role string) string {
	if role == "" {
		return ""
	}
	return "set role " + Ident(role)
}

func hasParam(params map[string]string, name string) bool {
	for k := range params {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// Close says goodbye and does not wait for the answer, which would cost as much as a query. An open transaction is
// rolled back by the server.
func (c *Conn) Close() {
	raw, err := c.pg.Hijack()
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
		defer cancel()
		_ = c.pg.Close(ctx) // busy or broken: nothing is left to do on a connection that does not close well
		return
	}
	raw.Frontend.Send(&pgproto3.Terminate{})
	_ = raw.Frontend.Flush() // the server notices the closed connection as well
	_ = raw.Conn.Close()
}

// Pgx is the connection for migrations written in Go; see Options.
func (c *Conn) Pgx() *pgx.Conn { return c.typed }

// Host says where the connection leads: host:port, or the folder of a socket.
func (c *Conn) Host() string {
	if strings.HasPrefix(c.cfg.Host, "/") {
		return c.cfg.Host
	}
	return net.JoinHostPort(c.cfg.Host, fmt.Sprint(c.cfg.Port))
}

// Hosts are all that the connection's parameters name, as Host writes them.
func (c *Conn) Hosts() []string {
	hosts := []string{c.Host()}
	for _, f := range c.cfg.Fallbacks {
		if h := net.JoinHostPort(f.Host, fmt.Sprint(f.Port)); f.Host != "" && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// User is who logged in.
func (c *Conn) User() string { return c.cfg.User }

// Database is where the login led.
func (c *Conn) Database() string { return c.cfg.Database }

// PID is the backend's process id.
func (c *Conn) PID() uint32 { return c.pg.PID() }

// InTransaction reports whether a transaction block is open; failed, whether it can only be rolled back.
func (c *Conn) InTransaction() (open, failed bool) {
	if c.instead != nil {
		return c.instead.InTransaction()
	}
	s := c.pg.TxStatus()
	return s != 'I', s == 'E'
}

// Lost reports whether the connection is gone.
func (c *Conn) Lost() bool { return c.pg.IsClosed() }

// InRecovery reports whether the server is a standby at this moment.
func (c *Conn) InRecovery(ctx context.Context) (bool, error) {
	rows, err := c.query(ctx, "select pg_catalog.pg_is_in_recovery()")
	return err == nil && *rows[0][0] == "t", err
}

// ConnectFailure says why a connection could not be made.
type ConnectFailure struct {
	Where string // host:port, several joined by ", "
	User  string
	State string // SQLSTATE, "" when the server did not answer
	Err   error
}

func (e *ConnectFailure) Error() string { return e.Err.Error() }
func (e *ConnectFailure) Unwrap() error { return e.Err }

func connectError(cfg *pgx.ConnConfig, err error) error {
	places := []string{net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port))}
	for _, f := range cfg.Fallbacks {
		if p := net.JoinHostPort(f.Host, fmt.Sprint(f.Port)); p != places[len(places)-1] {
			places = append(places, p)
		}
	}
	return &ConnectFailure{Where: strings.Join(places, ", "), User: cfg.User, State: sqlState(err), Err: err}
}

func sqlState(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code
	}
	return ""
}

// localZone names the client's time zone as the server may know it.
func localZone() string {
	if tz := strings.TrimPrefix(os.Getenv("TZ"), ":"); tz != "" && !strings.HasPrefix(tz, "/") {
		return tz
	}
	if link, err := os.Readlink("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(link, "zoneinfo/"); ok {
			return name
		}
	}
	if name := time.Local.String(); name != "Local" {
		return name
	}
	return offsetZone(time.Now())
}

// offsetZone writes the zone's offset at t in the form that PostgreSQL takes, whose sign is POSIX's: west is positive.
func offsetZone(t time.Time) string {
	_, seconds := t.Zone()
	sign := '-'
	if seconds < 0 {
		sign, seconds = '+', -seconds
	}
	return fmt.Sprintf("<client>%c%02d:%02d", sign, seconds/3600, seconds/60%60)
}

// Proxied reports whether something between here and the server answers in its place, a pooler for instance: the process
// that works is then another than the one that the connection was told of.
func (c *Conn) Proxied(ctx context.Context) (bool, error) {
	rows, err := c.query(ctx, "select pg_catalog.pg_backend_pid()")
	return err == nil && *rows[0][0] != strconv.FormatUint(uint64(c.PID()), 10), err
}

// QuietSQL is the statement that makes the session one in which a statement goes on when its client is gone: nothing is
// sent before it ends, and nobody looks whether there is still somebody to send it to (there is no such look before
// version 14). With reset it is RESET ALL besides, in the place of one: where that is a statement of its own, the next one
// begins with a clock for that look as the database or the role sets it, and a busy machine may stop it for longer.
//
// Without PL/pgSQL in the database it fails with SQLSTATE 42704.
func QuietSQL(reset bool) string {
	first := ""
	if reset {
		first = "reset all; "
	}
	return "do $$begin " + first + `if pg_catalog.current_setting('client_connection_check_interval', true) is not null then
perform pg_catalog.set_config('client_connection_check_interval', '0', false); end if; set client_min_messages = error; end$$ language plpgsql`
}
