package notify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/notify"
)

var at = time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)

func TestOf(t *testing.T) {
	t.Parallel()
	base := notify.Run{Environment: "prod", Release: "2026-03", ID: "d1", Releaser: "ana", At: at, Targets: 40}
	with := func(change func(*notify.Run)) notify.Run {
		r := base
		change(&r)
		return r
	}
	for _, c := range []struct {
		name string
		run  notify.Run
		want string
	}{
		{"done", with(func(r *notify.Run) {
			r.Kind, r.Finished, r.Migrations, r.Took = notify.Done, 40, 400, 83*time.Second
		}), "prod has 2026-03 on all of its 40 targets\n400 migrations applied in 1m23s\nby ana\ndeployment: d1"},
		{"one target", notify.Run{Kind: notify.Done, Environment: "dev", Targets: 1, Migrations: 1, Took: 400 * time.Millisecond},
			"dev has the scripts on its target\n1 migration applied in 0s"},
		{"wave", with(func(r *notify.Run) { r.Kind, r.Wave, r.Waves, r.Finished, r.Left = notify.Wave, 2, 3, 5, 35 }),
			"prod: wave 2 of 3 of 2026-03 is done\n5 of 40 targets at 2026-03, 35 left\nby ana\ndeployment: d1"},
		{"blocked", with(func(r *notify.Run) {
			r.Kind = notify.Blocked
			r.Reasons = []notify.Reason{
				{Gate: "soak", Text: "qa has had it for 3 h of 24 h", Until: at.Add(21 * time.Hour), Next: "wait"},
				{Gate: "approvals", Target: "eu", Text: "1 of 2 people have agreed", Next: "skein approve prod"},
			}
		}), "prod: 2026-03 may not go there yet\nsoak: qa has had it for 3 h of 24 h, until 2026-03-29 22:30 UTC\neu: approvals: 1 of 2 people have agreed\n" +
			"by ana\nkept: nothing was touched\nnext: wait; skein approve prod\ndeployment: d1"},
		{"failed", with(func(r *notify.Run) {
			r.Kind, r.Finished, r.Left, r.Stopped = notify.Failed, 3, 36, true
			r.Failures = []notify.Failure{{Target: "eu", What: "V7__x.sql:3: division by zero", Kept: "rolled back", Next: "correct the script"}}
		}), "prod: 2026-03 failed on 1 of 40 targets\n3 of 40 targets at 2026-03, 36 left\neu: V7__x.sql:3: division by zero (rolled back)\n" +
			"the rollout has stopped: 36 targets not begun\nby ana\nnext: correct the script\ndeployment: d1"},
	} {
		if diff := cmp.Diff(c.want, notify.Of(c.run).Text()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	many := with(func(r *notify.Run) { r.Kind = notify.Failed })
	for i := range 12 {
		many.Failures = append(many.Failures, notify.Failure{Target: fmt.Sprint("t", i), What: "x"})
	}
	if text := notify.Of(many).Text(); !strings.Contains(text, "t9: x\nand 2 targets more") || strings.Contains(text, "t10") {
		t.Errorf("a long list is not cut:\n%s", text)
	}
}
