// Package pgserver runs throwaway PostgreSQL servers: for `skein demo`, for
// benchmarks and for the tests. A server listens on 127.0.0.1 (and on a
// private unix socket) and is gone when the process that started it is gone.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Limits on what this package waits for, beside the caller's context.
const (
	startLimit   = 60 * time.Second // until a started server is ready
	stopLimit    = 20 * time.Second // until a fast shutdown becomes an immediate one
	killLimit    = 10 * time.Second // until an immediate shutdown becomes a kill
	portAttempts = 8                // free ports tried before Start gives up
)

// superuser is the name of every server's first role.
const superuser = "postgres"

// Options say which server Start starts. The zero value is the newest
// installed PostgreSQL with its default settings, in a temporary folder, on a
// free port.
type Options struct {
	// BinDir holds postgres and initdb. Empty: $SKEIN_POSTGRES, else the newest
	// installed version, else a downloaded one.
	BinDir string
	// Major restricts the choice when BinDir is empty, e.g. 16; 0 is any.
	Major int
	// NoDownload makes Start fail rather than download binaries.
	NoDownload bool

	// Dir is the folder in which the server's own folder is made; empty is a
	// temporary folder that the server's user can reach.
	Dir string
	// InitCache is a folder in which the outcome of initdb is kept, and copied
	// from the next time; empty runs initdb. Not used together with Password.
	InitCache string
	// InitArgs are more arguments for initdb. Without them the encoding is
	// UTF8, the locale C and data checksums are initdb's default.
	InitArgs []string
	// Port to listen on; 0 takes a free one.
	Port int
	// Settings go to postgresql.conf, so ALTER SYSTEM still overrides them.
	Settings map[string]string
	// LogFile receives the server's log, appended; empty is a file in the
	// server's folder.
	LogFile string
	// StandbyOf makes the server a hot standby of that one, which has the same binaries and no password, and is restarted
	// for it. Settings come on top of the primary's; the two Init fields do not count.
	StandbyOf *Server
	// Password makes a random password and demands it (scram-sha-256);
	// otherwise every local connection is trusted.
	Password bool
	// Detached lets the server outlive this process, until someone stops it.
	Detached bool
	// Progress, when set, is told each phase in words for a person.
	Progress func(phase string)
}

// Server is a PostgreSQL server that Start started. Stop, Restart and Halt are
// for one goroutine at a time.
type Server struct {
	Port      int
	Dir       string // the server's own folder; Stop removes it
	DataDir   string
	SocketDir string // folder of its unix socket, "" when it has none
	LogFile   string
	BinDir    string
	Version   string // such as "16.4"
	Major     int
	User      string // the superuser's name
	Password  string // "" when connections are trusted

	account  account
	owner    *os.File // held locked while this process lives
	detached bool
	process  *process
}

// Start starts a server and returns when it accepts connections. On an error
// nothing is left behind, and the error carries the end of the server's log.
func Start(ctx context.Context, o Options) (*Server, error) {
	say := o.Progress
	if say == nil {
		say = func(string) {}
	}
	in, err := choose(ctx, o, say)
	if err != nil {
		return nil, err
	}
	s := &Server{
		BinDir: in.BinDir, Version: in.Version, Major: in.Major,
		User: superuser, account: serverAccount(), detached: o.Detached,
	}
	if err := s.account.canReach(in.BinDir); err != nil {
		return nil, fmt.Errorf("run PostgreSQL from %s: %w", in.BinDir, err)
	}
	if err := s.makeDir(o); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, o, in, say); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	say("starting PostgreSQL " + s.Version)
	ports := freePort
	if o.Port != 0 {
		ports = func() (int, error) { return o.Port, nil }
	}
	if err := s.launchOn(ctx, ports); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// prepare fills the data directory: initdb or its cached outcome, then settings.
func (s *Server) prepare(ctx context.Context, o Options, in Installation, say func(string)) error {
	settings := maps.Clone(o.Settings)
	var err error
	if o.StandbyOf != nil {
		if settings == nil {
			settings = map[string]string{}
		}
		err = s.follow(ctx, o.StandbyOf, settings)
	} else {
		err = s.initialize(ctx, o, in, say)
	}
	if err != nil {
		return err
	}
	return s.writeSettings(settings)
}

// launchOn launches on the ports it is given until PostgreSQL can bind one:
// between finding a free port and binding it another process can win.
func (s *Server) launchOn(ctx context.Context, ports func() (int, error)) error {
	var last error
	for range portAttempts {
		port, err := ports()
		if err != nil {
			return fmt.Errorf("find a free TCP port on 127.0.0.1: %w", err)
		}
		if last != nil && port == s.Port {
			return last // the caller wants this one and no other
		}
		s.Port = port
		if last = s.launch(ctx); !errors.Is(last, errPortTaken) {
			return last
		}
	}
	return last
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// URL is the superuser's connection URL for database db, over TCP.
func (s *Server) URL(db string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(s.User),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)),
		Path: "/" + db, RawQuery: "sslmode=disable",
	}
	if s.Password != "" {
		u.User = url.UserPassword(s.User, s.Password)
	}
	return u.String()
}

// PID is the postmaster's process id, 0 while the server is down.
func (s *Server) PID() int {
	if s.process == nil || s.process.hasExited() {
		return 0
	}
	return s.process.pid
}

// Exited is closed when the running postmaster ends, for whatever reason. After
// Restart ask again: it is another channel.
func (s *Server) Exited() <-chan struct{} { return s.process.exited }

// Log returns the server's log so far.
func (s *Server) Log() (string, error) {
	b, err := os.ReadFile(s.LogFile)
	return string(b), err
}
