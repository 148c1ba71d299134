package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/migration"
)

// Lock is the migration lock: Flyway's own advisory key, so that a running Flyway and a running Skein exclude each
// other. It is held by a transaction of its own on a connection of its own.
//
//   - Transaction-scoped, because a session lock leaks through a pooler in transaction mode.
//   - Taken by the simple protocol and left idle: the transaction then holds no snapshot, so that a concurrent index
//     build does not wait for it. READ COMMITTED is said aloud, since a repeatable-read default would pin one.
//   - Tried, never waited for: a session that waits in pg_advisory_lock deadlocks with a concurrent index build.
type Lock struct {
	conn *Conn
	key  int64
	held bool
}

// OpenLock connects for the lock with the key; nothing is locked yet.
func OpenLock(ctx context.Context, cfg *pgx.ConnConfig, opt Options, key int64) (*Lock, error) {
	conn, err := Open(ctx, cfg, opt)
	if err != nil {
		return nil, err
	}
	return &Lock{conn: conn, key: key}, nil
}

// Try takes the lock if it is free.
func (l *Lock) Try(ctx context.Context) (bool, error) {
	got := false
	err := l.conn.ExecRows(ctx, fmt.Sprintf(`begin isolation level read committed;
set local idle_in_transaction_session_timeout = 0;
%s
select pg_catalog.pg_try_advisory_xact_lock(%d)`, l.conn.noTransactionTimeout(), l.key), 1, func(r Result) {
		if len(r.Values) > 0 {
			got = *r.Values[0][0] == "t"
		}
	})
	if err != nil {
		return false, err
	}
	if l.held = got; got {
		return true, nil
	}
	return false, l.conn.Rollback(ctx)
}

// noTransactionTimeout turns the setting off, which came with version 17. Where a server does not tell its version when
// connecting it is looked for, which takes longer than all else that the lock needs.
func (c *Conn) noTransactionTimeout() string {
	major, _, _ := strings.Cut(c.pg.ParameterStatus("server_version"), ".")
	switch n, err := strconv.Atoi(major); {
	case err != nil: // a version under development, too: 19devel
		return "select pg_catalog.set_config(name, '0', true) from pg_catalog.pg_settings where name = 'transaction_timeout';"
	case n >= 17:
		return "set local transaction_timeout = 0;"
	}
	return ""
}

// Check reports whether the lock is still held: its connection answers and its transaction is the same.
func (l *Lock) Check(ctx context.Context) error {
	if !l.held {
		return fmt.Errorf("the migration lock is not held")
	}
	return l.conn.Exec(ctx, ";", nil)
}

// Lost reports whether the lock's connection is gone.
func (l *Lock) Lost() bool { return l.conn.Lost() }

// Yield gives the lock back and keeps the connection: Try takes it again, in another transaction.
func (l *Lock) Yield(ctx context.Context) error {
	l.held = false
	return l.conn.Rollback(ctx)
}

// LockSession takes the advisory lock of that key for the session, unless a pooler stands between or somebody has it. free
// says that nobody works behind the fence and, of this moment, that the condition that, in SQL, holds. Where that is "", the
// history is read instead (see ReadHistory).
func (c *Conn) LockSession(ctx context.Context, key, fence int64, that string, h History) (got, free bool, rows []migration.Row, err error) {
	holds := true
	lock := copied{"(select " + c.takeLock(key, fence) + ")", 1, func(values []string) error {
		got, free = values[0] != "", values[0] == "t"
		return nil
	}}
	look := copied{"(select " + that + ", true)", 2, func(values []string) error {
		holds = values[0] == "t"
		return nil
	}}
	if that == "" {
		look = h.copyRows(&rows)
	}
	// As it is when the lock is there: a transaction of another level would look before.
	if err = c.copyOut(ctx, statement("begin isolation level read committed"), lock, look, statement("commit")); err != nil {
		return false, false, nil, errors.Join(err, c.Rollback(context.WithoutCancel(ctx)))
	}
	sortRows(rows)
	return got, got && free && holds, rows, nil
}

// takeLock is the expression that takes the lock for the session: null says that it did not, else it is whether nobody
// works behind the fence.
func (c *Conn) takeLock(key, fence int64) string {
	return fmt.Sprintf("case when pg_catalog.pg_backend_pid() operator(pg_catalog.=) %d and pg_catalog.pg_try_advisory_lock(%d) then pg_catalog.pg_try_advisory_xact_lock(%d) end",
		c.PID(), key, fence)
}

// UnlockSession gives back what LockSession has taken, and whatever else the session has locked.
func (c *Conn) UnlockSession(ctx context.Context) error {
	return c.Exec(ctx, "select pg_catalog.pg_advisory_unlock_all()", nil)
}

// Retake is the expression that takes the session's lock again after all were given back. It belongs into a transaction
// that has the lock too, so that nobody can come in between.
func Retake(key int64) string { return fmt.Sprintf("pg_catalog.pg_try_advisory_lock(%d)", key) }

// InTheWay reports whether the session waits for the holder of the advisory lock of that key.
func (c *Conn) InTheWay(ctx context.Context, session int32, key int64) (bool, error) {
	holder, found, err := c.Blocker(ctx, key)
	if err != nil || !found {
		return false, err
	}
	rows, err := c.query(ctx, fmt.Sprintf("select %d = any (pg_catalog.pg_blocking_pids(%d))", holder.PID, session))
	return err == nil && *rows[0][0] == "t", err
}

// Free reports whether nobody holds the advisory lock of that key at this moment.
func (c *Conn) Free(ctx context.Context, key int64) (bool, error) {
	rows, err := c.query(ctx, fmt.Sprintf("select pg_catalog.pg_try_advisory_xact_lock(%d)", key))
	return err == nil && *rows[0][0] == "t", err
}

// Close gives the lock back.
func (l *Lock) Close() { l.conn.Close() }

// PID is the backend that holds the lock.
func (l *Lock) PID() uint32 { return l.conn.PID() }
