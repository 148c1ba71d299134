package skein

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein/migration"
)

// runAgain is what to do after a run was stopped.
const runAgain = "it is safe to run the same command again"

// andLeft adds to the error of a run that was stopped what the run did not come to, and what to type.
func (r *run) andLeft(err error, done progress) error {
	e, ok := err.(*Error) //nolint:errorlint // only a whole one is completed here
	if !ok || e.Kind != KindInterrupted || len(done.left) == 0 {
		return err
	}
	if e.Kept != "" {
		e.Kept += "\n"
	}
	e.Kept += "left to do: " + names(done.left)
	e.Hint = runAgain + ": " + r.again()
	return e
}

// names lists scripts, the middle of a long list left out.
func names(scripts []*migration.Script) string {
	const most = 5
	var list []string
	for i, s := range scripts {
		if len(scripts) > most && i == most-2 {
			list = append(list, "…", name(scripts[len(scripts)-1]))
			break
		}
		list = append(list, name(s))
	}
	out := strings.Join(list, ", ")
	if len(scripts) > 1 {
		out = fmt.Sprintf("%d scripts (%s)", len(scripts), out)
	}
	return out
}

// outlasting gives a context for what has to be written down although the run is being stopped: it ends recoverTime
// after ctx.
func outlasting(ctx context.Context) (context.Context, context.CancelFunc) {
	out, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(recoverTime, end)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() {
		stop()
		end()
	}
}
