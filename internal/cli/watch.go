package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein"
)

// watchCodes are the exit codes of watch --once beside 0.
var watchCodes = map[skein.Verdict]int{
	skein.VerdictBlocked: 21, skein.VerdictStalled: 22, skein.VerdictOrphaned: 23, skein.VerdictUnseen: 24,
}

// watch shows the run that works on the history until it is stopped, or once.
func (r *runner) watch(ctx context.Context) outcome {
	patience := time.Duration(r.settings.Int("watch.stalledAfter")) * time.Second
	once := r.line.Has("once") || r.console.json // one document
	var last *skein.WatchResult
	page := &watchPage{console: r.console}
	err := skein.Watch(ctx, r.engine, patience, func(seen *skein.WatchResult) bool {
		last = seen
		if once {
			return undecided(seen, patience)
		}
		page.see(seen, time.Now())
		return true
	})
	r.console.show()
	switch {
	case err != nil:
		return outcome{err: err, document: r.failures.failureDocument(err)}
	case last == nil:
		return outcome{document: object{"operation": "watch"}}
	}
	o := outcome{document: watchDocument(last)}
	if once {
		if !r.console.json {
			r.console.result(strings.Join(watchLines(last), "\n"), "")
		}
		if o.code = watchCodes[last.Verdict]; o.code != 0 && r.console.flyway {
			o.code = 1
		}
	}
	return o
}

// undecided reports whether one look is not enough to tell a run that works from one that stands still: there are
// counters, and they have not been seen to move.
func undecided(seen *skein.WatchResult, patience time.Duration) bool {
	p := seen.Progress
	return seen.Verdict == skein.VerdictWorking && p.All > 0 && p.Done < p.All && seen.Still < patience && !seen.Moved
}

// watchPage shows look after look: in place on a terminal, else a line whenever the verdict changes and each half minute.
type watchPage struct {
	console *console
	verdict skein.Verdict
	at      time.Time
}

func (w *watchPage) see(seen *skein.WatchResult, now time.Time) {
	lines := watchLines(seen)
	switch {
	case w.console.live != nil:
		w.console.show(lines...)
	case seen.Verdict != w.verdict || now.Sub(w.at) >= plainEvery:
		w.verdict, w.at = seen.Verdict, now
		w.console.result(strings.Join(lines, "\n"), "")
	}
}

// watchLines is a look as text.
func watchLines(seen *skein.WatchResult) []string {
	first := string(seen.Verdict)
	if seen.Reason != "" {
		first += ": " + seen.Reason
	}
	lines := []string{first}
	add := func(name, text string) {
		if text != "" {
			lines = append(lines, fmt.Sprintf("%-11s %s", name, text))
		}
	}
	if seen.Worker.PID != 0 {
		p := seen.Progress
		p.Blockers, p.Behind = nil, 0
		if p.Path == "" {
			p.Path = fmt.Sprintf("pid %d", seen.Worker.PID)
		}
		if p.Took > 0 {
			add("doing", progressLines(p)[0])
		}
		add("statement", p.SQL)
		add("session", sessionText(skein.Holder{PID: seen.Worker.PID, Application: seen.Worker.Application, State: seen.Worker.State, Since: seen.Worker.Since}))
	}
	if len(seen.Progress.Blockers) > 0 {
		add("waits for", blockersText(seen.Progress.Blockers))
	}
	add("behind it", strings.TrimPrefix(behindText(seen.Progress.Behind), "; "))
	if seen.Holder.PID != 0 {
		add("lock", fmt.Sprintf("held by pid %d (%s)", seen.Holder.PID, cmp.Or(seen.Holder.Application, "unknown")))
	}
	if seen.Heard >= 0 {
		add("heard of", ago(seen.Heard)+" ago")
	}
	add("history", positionText(seen))
	for _, u := range seen.Unfinished {
		text := fmt.Sprintf("%s, begun %s: %s done", u.Path, u.Since, plural(u.Done, "statement"))
		if u.Open {
			text += ", the end of the next is not known"
		}
		add("unfinished", text)
	}
	for _, u := range seen.Unseen {
		add("not seen", u)
	}
	return lines
}

func positionText(seen *skein.WatchResult) string {
	version := seen.Version.String()
	if seen.Version.IsZero() {
		version = "none"
	}
	text := fmt.Sprintf("%s: version %s, %d applied", quoted(seen.Schema, seen.Table), version, seen.Applied)
	if seen.Pending >= 0 {
		text += fmt.Sprintf(", %d pending", seen.Pending)
	}
	return text
}

// watchDocument is a look as JSON. Null stands for what is not known.
func watchDocument(seen *skein.WatchResult) object {
	unfinished, unseen, blockers := list{}, list{}, list{}
	for _, u := range seen.Unfinished {
		unfinished = append(unfinished, object{"path": u.Path, "since": u.Since, "statementsDone": u.Done, "open": u.Open})
	}
	for _, u := range seen.Unseen {
		unseen = append(unseen, u)
	}
	for _, b := range seen.Progress.Blockers {
		blockers = append(blockers, sessionObject(b))
	}
	heard, pending := any(nil), any(nil)
	if seen.Heard >= 0 {
		heard = seen.Heard.Milliseconds()
	}
	if seen.Pending >= 0 {
		pending = seen.Pending
	}
	return object{
		"operation": "watch", "database": seen.Database, "schemaName": seen.Schema, "table": seen.Table,
		"verdict": string(seen.Verdict), "reason": textOrNull(seen.Reason), "stillMillis": seen.Still.Milliseconds(), "heardMillis": heard,
		"holder": sessionOrNull(seen.Holder), "worker": sessionOrNull(seen.Worker), "work": workOrNull(seen), "blockers": blockers,
		"schemaVersion": textOrNull(seen.Version.String()), "applied": seen.Applied, "pending": pending,
		"unfinished": unfinished, "notSeen": unseen,
	}
}

func sessionOrNull(h skein.Holder) any {
	if h.PID == 0 {
		return nil
	}
	return sessionObject(h)
}

func workOrNull(seen *skein.WatchResult) any {
	if seen.Worker.PID == 0 {
		return nil
	}
	return workObject(seen.Progress)
}
