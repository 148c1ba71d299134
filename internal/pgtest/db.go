package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgserver"
)

// DB is one test's database.
type DB struct {
	Name   string
	URL    string // connects as the database's owner
	Owner  string // the superuser, or NewOwned's ordinary role
	server *pgserver.Server
}

// Null is how Rows and Value show SQL's null.
const Null = "<null>"

var made atomic.Int64

// URL creates a database for the test and returns its URL.
func URL(t testing.TB) string {
	t.Helper()
	return New(t).URL
}

// New creates an empty database for the test, owned by the superuser. It is
// dropped after the test, sessions and all; when the test failed and
// SKEIN_PGTEST_KEEP=1 is set it is kept and its URL logged.
func New(t testing.TB) *DB {
	t.Helper()
	return On(t, start(t))
}

// NewOwned is New with a database that belongs to a new role without any
// privilege beyond that, as which URL connects.
func NewOwned(t testing.TB) *DB {
	t.Helper()
	s := start(t)
	role := newName(t, "r")
	createRole(t, s, role, "")
	return create(t, s, role)
}

// On is New on a given server, say one from Server.
func On(t testing.TB, s *pgserver.Server) *DB {
	t.Helper()
	return create(t, s, s.User)
}

func create(t testing.TB, s *pgserver.Server, owner string) *DB {
	t.Helper()
	db := &DB{Name: newName(t, "t"), Owner: owner, server: s}
	db.URL = db.urlFor(owner)
	sql := "create database " + quote(db.Name) + " owner " + quote(owner)
	if s.Major >= 15 {
		sql += " strategy file_copy" // the only one before 15, and without fsync the fastest
	}
	if err := admin(s, sql); err != nil {
		t.Fatalf("pgtest: create a database: %v", err)
	}
	t.Cleanup(func() { db.dispose(t) })
	return db
}

func (db *DB) dispose(t testing.TB) {
	if t.Failed() {
		if db.kept() {
			t.Logf("pgtest: the database is kept: %s", db.URL)
			return
		}
		if db.server == shared.server { // a test's own server ends with the test
			t.Logf("pgtest: to look into the database afterwards, run with %s=1", envKeep)
		}
	}
	if db.server.PID() == 0 {
		return // the test ended its own server, and the database with it
	}
	if err := admin(db.server, "drop database "+quote(db.Name)+" with (force)"); err != nil {
		t.Errorf("pgtest: drop the test's database: %v", err)
	}
}

// Role creates a role that can log in, with more attributes such as
// "createrole" or "in role pg_monitor", and returns its URL for this database.
// It is dropped after the test together with what it owns here.
func (db *DB) Role(t testing.TB, attributes string) (name, url string) {
	t.Helper()
	name = newName(t, "r")
	createRole(t, db.server, name, attributes)
	t.Cleanup(func() { // runs before createRole's, while the database still exists
		if db.server.PID() != 0 && !(t.Failed() && db.kept()) {
			db.sql(t, db.urlFor(db.server.User), "drop owned by "+quote(name)+" cascade")
		}
	})
	return name, db.urlFor(name)
}

func (db *DB) kept() bool { return keep(db.server) }

func createRole(t testing.TB, s *pgserver.Server, name, attributes string) {
	t.Helper()
	if err := admin(s, "create role "+quote(name)+" login "+attributes); err != nil {
		t.Fatalf("pgtest: create a role: %v", err)
	}
	t.Cleanup(func() {
		if s.PID() == 0 || t.Failed() && keep(s) {
			return
		}
		if err := admin(s, "drop role "+quote(name)); err != nil {
			t.Errorf("pgtest: drop the test's role: %v", err)
		}
	})
}

func (db *DB) urlFor(role string) string {
	u, err := url.Parse(db.server.URL(db.Name))
	if err != nil {
		panic(err) // we printed it ourselves
	}
	u.User = url.User(role)
	return u.String()
}

// newName is unlike any other name on this server and tells whose it is.
func newName(t testing.TB, kind string) string {
	test := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, t.Name())
	if len(test) > 40 {
		test = test[:40]
	}
	return fmt.Sprintf("%s_%s_%x_%d", kind, test, os.Getpid(), made.Add(1))
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// admin runs one statement as the superuser, outside any test's database.
func admin(s *pgserver.Server, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if conn := admins.take(s); conn != nil {
		_, err := conn.Exec(ctx, sql)
		if !conn.IsClosed() {
			admins.keep(s, conn)
			return err
		}
		// A test that ends sessions ended this one too.
	}
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	admins.keep(s, conn)
	return err
}

// idle are connections that wait for the next use. A new one costs the server several times what a statement does, and
// every database takes two.
type idle struct {
	sync.Mutex
	conns []*pgx.Conn
}

// admins are those of the process's server, which no test stops. They do nothing between two statements.
var admins idle

func (i *idle) take(s *pgserver.Server) *pgx.Conn {
	i.Lock()
	defer i.Unlock()
	if s != shared.server || len(i.conns) == 0 {
		return nil
	}
	conn := i.conns[len(i.conns)-1]
	i.conns = i.conns[:len(i.conns)-1]
	return conn
}

// keep closes what it does not keep: a test's own server may have to be without clients.
func (i *idle) keep(s *pgserver.Server, conn *pgx.Conn) {
	if s != shared.server || conn.IsClosed() {
		_ = conn.Close(context.Background()) // nothing was left to do on it
		return
	}
	i.Lock()
	defer i.Unlock()
	i.conns = append(i.conns, conn)
}
