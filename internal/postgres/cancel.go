package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How long a cancelled statement has to answer before the connection is given up, and how often it is asked to meanwhile.
const (
	cancelGrace = 5 * time.Second
	cancelEvery = 300 * time.Millisecond
)

// canceller asks the server to cancel what runs once the context has ended. It asks more than once: a request that comes
// between two statements of a pipeline ends neither of them.
type canceller struct {
	conn *pgconn.PgConn
	stop context.CancelFunc
	done chan struct{}
}

func (c *canceller) HandleCancel(context.Context) {
	deadline := time.Now().Add(cancelGrace)
	_ = c.conn.Conn().SetDeadline(deadline) // fails only on a connection that is closed, which needs none
	ctx, stop := context.WithDeadline(context.Background(), deadline)
	c.stop, c.done = stop, make(chan struct{})
	go func() {
		defer close(c.done)
		tick := time.NewTicker(cancelEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			if c.conn.CancelRequest(ctx) == nil {
				settle() // even if ctx has ended meanwhile
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
}

// settle waits until a request that the server has taken is delivered as well: it must not hit the next statement.
func settle() { time.Sleep(100 * time.Millisecond) }

func (c *canceller) HandleUnwatchAfterCancel() {
	c.stop()
	<-c.done
	_ = c.conn.Conn().SetDeadline(time.Time{})
}

// Cancel asks the server to cancel what the connection is at, and waits until the request is delivered: it must not hit
// what comes later. It may be called while the connection is in use.
func (c *Conn) Cancel(ctx context.Context) {
	if c.pg.CancelRequest(ctx) == nil { // one that does not arrive is made again, or was not needed
		settle()
	}
}
