package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// watched ends a transfer in which nothing arrives.
type watched struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

var errStalled = errors.New("nothing arrived")

func watch(ctx context.Context, stall time.Duration) *watched {
	w := &watched{stall: stall}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(stall, func() { w.cancel(errStalled) })
	return w
}

func (w *watched) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// told gives the reason of a failure: that of the timer, where it ended the transfer.
func (w *watched) told(err error) error {
	if errors.Is(context.Cause(w.ctx), errStalled) {
		return fmt.Errorf("%w for %v", errStalled, w.stall)
	}
	return err
}

// reader winds the timer up with each piece that passes.
func (w *watched) reader(r io.Reader) io.Reader { return &wound{w, r} }

type wound struct {
	watch *watched
	from  io.Reader
}

func (r *wound) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if n > 0 {
		r.watch.timer.Reset(r.watch.stall)
	}
	return n, err
}
