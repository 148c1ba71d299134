package skein

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// Identity says which database one is; see migration.Identity.
type Identity = migration.Identity

// Pinned is what a database holds of its own identity.
type Pinned = migration.Pin

// locality is what a run knows of where it is.
type locality struct {
	read     bool // the side tables were looked at over this connection, since the lock was taken if it was
	side     postgres.Side
	asked    bool // the server was asked
	identity Identity
	free     int // of the ranks from here on the side tables know nothing; 0: not known
	chain    chain
}

// environment is the one that was selected.
func (c *Config) environment() string {
	if c.Deployment != nil && c.Deployment.Environment != "" {
		return c.Deployment.Environment
	}
	return cmp.Or(c.Environment, "default")
}

// expected is what the database has to be, as far as the caller says; the fields of Expect win.
func (c *Config) expected() Identity {
	id := c.Identity
	if c.Expect != nil {
		e := c.Expect.Identity
		id = Identity{System: cmp.Or(e.System, id.System), Cluster: cmp.Or(e.Cluster, id.Cluster), Database: cmp.Or(e.Database, id.Database), Host: cmp.Or(e.Host, id.Host)}
	}
	id.Environment = ""
	return id
}

// expecting reports whether the caller says something about the database's identity.
func (c *Config) expecting() bool { return !c.expected().IsZero() || len(c.OtherIdentities) > 0 }

// locate finds out where a connection leads, and refuses a database that is not the one that was meant. Without an
// expectation and without side tables it asks nothing.
func (r *run) locate(ctx context.Context, conn *postgres.Conn) error {
	if !r.place.read {
		side, err := conn.ReadSide(ctx, r.journal())
		if err != nil {
			return r.sideError(err)
		}
		r.place.side, r.place.read = side, true
	}
	if r.place.side.Pin == nil && r.cfg.Deployment == nil && !r.cfg.expecting() {
		return nil
	}
	if err := r.identify(ctx, conn); err != nil {
		return err
	}
	where := migration.Whereabouts{
		Found: r.place.identity, Hosts: conn.Hosts(), Pin: r.place.side.Pin, Expected: r.cfg.expected(), Others: r.cfg.OtherIdentities,
	}
	if err := where.Misplaced(); err != nil {
		return misplaced(err)
	}
	return nil
}

// identify asks the server, once a connection, which database this is.
func (r *run) identify(ctx context.Context, conn *postgres.Conn) error {
	if r.place.asked {
		return nil
	}
	id, err := conn.ReadIdentity(ctx)
	if err != nil {
		return r.wrap(err)
	}
	id.Environment = r.cfg.environment()
	r.place.identity, r.place.asked = id, true
	return nil
}

// errMisplaced marks the refusal of a database that is not the one that was meant.
var errMisplaced = errors.New("not the database that was meant")

func misplaced(err error) *Error {
	e := decisionError(err)
	e.Kind, e.Code, e.Kept = KindRefused, "ERROR", "nothing was changed"
	e.Err = errors.Join(errMisplaced, err)
	return e
}

// located is locate for a run whose facts are known: where there is no schema of the journal's name, there is no need to
// look into it.
func (r *run) located(ctx context.Context) error {
	if !r.facts.HasSide && !r.place.read {
		r.place.side, r.place.read = postgres.Side{}, true
	}
	return r.locate(ctx, r.conn)
}

// first is postgres.Options.First: it looks at the identity before initSql could write, and where a new connection leads
// that takes the place of another. Where neither is a matter, nil spares the questions, and where nothing comes between
// connecting and look, which asks them too.
func (r *run) first() func(context.Context, *postgres.Conn) error {
	if r.cfg.InitSQL == "" && (r.conn == nil || !r.cfg.expecting()) || r.cfg.anywhere {
		return nil
	}
	return func(ctx context.Context, conn *postgres.Conn) error {
		r.place = locality{}
		return r.locate(ctx, conn)
	}
}

// sideError completes an error about the side tables.
func (r *run) sideError(err error) error {
	if layout, ok := errors.AsType[*postgres.LayoutError](err); ok {
		return &Error{Kind: KindRefused, Code: "ERROR", Message: layout.Error(), Err: err, Kept: "nothing was changed", Hint: "use the newer version of Skein"}
	}
	if closed, ok := errors.AsType[*postgres.UnreadableError](err); ok {
		schema, user := postgres.Ident(closed.Schema), postgres.Ident(closed.User)
		return &Error{Kind: KindRefused, Code: "ERROR", Message: closed.Error(), Err: err, Kept: "nothing was changed",
			Hint: fmt.Sprintf("its owner can run: grant usage on schema %s to %s; grant select on %s to %s; docs/grants.md lists what each command needs",
				schema, user, postgres.Qualified(closed.Schema, closed.Table), user)}
	}
	e := r.wrapped(err)
	if e.SQL != nil && e.SQL.State == stateNoPrivilege {
		schema, role := postgres.Ident(r.journal().Schema), postgres.Ident(r.facts.User)
		e.Message = "a deployment is recorded in Skein's own tables, and " + e.Message
		e.Kept = "nothing was changed"
		e.Hint = fmt.Sprintf("as an administrator: create schema %s authorization %s; or as its owner: grant usage on schema %s to %s; grant select, insert, update on all tables in schema %s to %s; docs/grants.md says more",
			schema, role, schema, role, schema, role)
	}
	return e
}

// connected is the event that names the target.
func (r *run) connected() Connected {
	return Connected{
		Database: r.facts.Database, User: r.facts.User, Host: r.conn.Host(), ServerVersion: r.serverVersion(),
		Schema: r.history.Schema, Table: r.history.Table, Identity: r.place.identity, Pinned: r.place.side.Pin != nil,
	}
}
