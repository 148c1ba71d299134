package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/watch"
)

const (
	plainAfter = 10 * time.Second // of a script: the first plain line of progress
	plainEvery = 30 * time.Second
)

// progressLines is what there is to say of a statement that runs: where it is and how far, and who it waits for.
func progressLines(e skein.Progress) []string {
	var where []string
	if e.Total > 0 {
		where = append(where, fmt.Sprintf("script %d of %d", e.Index+1, e.Total))
	}
	at := e.Path
	if e.Line > 0 {
		at += fmt.Sprintf(":%d", e.Line)
	}
	where = append(where, at)
	if e.Statements > 1 {
		where = append(where, fmt.Sprintf("statement %d of %d", e.Statement, e.Statements))
	}
	what := append([]string{ago(e.Took)}, counted(e)...)
	lines := []string{strings.Join(where, ", ") + ": " + strings.Join(what, ", ")}
	switch {
	case len(e.Blockers) > 0:
		lines = append(lines, "   waits for "+blockersText(e.Blockers)+behindText(e.Behind))
	case e.Behind > 0:
		lines = append(lines, "  "+strings.TrimPrefix(behindText(e.Behind), ";"))
	case e.SQL != "":
		lines = append(lines, "   "+e.SQL)
	}
	return lines
}

// counted is what PostgreSQL counts of the work.
func counted(e skein.Progress) []string {
	var parts []string
	percent, known := e.Percent()
	switch {
	case known:
		parts = append(parts, fmt.Sprintf("%.0f %%", percent))
	case e.Done > 0:
		parts = append(parts, fmt.Sprintf("%d %s", e.Done, e.Unit))
	}
	if e.Rows > 0 {
		parts = append(parts, fmt.Sprintf("%d rows", e.Rows))
	}
	if e.Left > 0 {
		parts = append(parts, "about "+ago(e.Left)+" left")
	}
	if work := strings.Trim(e.Command+", "+e.Phase, ", "); work != "" {
		parts = append(parts, work)
	}
	return parts
}

func blockersText(blockers []skein.Holder) string {
	const most = 3
	var all []string
	for i, b := range blockers {
		if i == most {
			all = append(all, fmt.Sprintf("%d more", len(blockers)-most))
			break
		}
		all = append(all, sessionText(b))
	}
	return strings.Join(all, " and ")
}

// sessionText names a session: pid 4711 (psql, idle in transaction for 5 min): select …
func sessionText(h skein.Holder) string {
	if h.PID == 0 {
		return "a prepared transaction"
	}
	var about []string
	if h.Application != "" {
		about = append(about, h.Application)
	}
	switch {
	case h.State == "":
		about = append(about, "not to be seen by this role")
	case h.Since > 0:
		about = append(about, h.State+", its transaction "+ago(h.Since)+" old")
	default:
		about = append(about, h.State)
	}
	text := fmt.Sprintf("pid %d (%s)", h.PID, strings.Join(about, ", "))
	if h.Query != "" {
		text += ": " + h.Query
	}
	return text
}

func behindText(behind int) string {
	switch {
	case behind == 0:
		return ""
	case behind == 1:
		return "; 1 session waits behind it"
	case behind >= watch.BehindLimit:
		return fmt.Sprintf("; %d or more sessions wait behind it", behind)
	}
	return fmt.Sprintf("; %d sessions wait behind it", behind)
}

// ago is a duration for people: "8 s", "2 min 5 s", "3 h 12 min".
func ago(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600 && s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
}

// progress shows what runs: in place on a terminal, else in a line now and then. Under the name flyway, whose output
// people compare, only a terminal shows it.
func (n *narrator) progress(e skein.Progress) {
	c := n.console
	switch {
	case c.quiet || c.noProgress:
	case c.live != nil && !c.json:
		c.show(progressLines(e)...)
	case !c.flyway && n.plain.due(e):
		c.info("%s", strings.Join(progressLines(e), "\n"))
	}
}

// plainProgress lets through what is worth a line where lines cannot be taken back.
type plainProgress struct {
	path    string
	index   int
	last    time.Duration // ScriptTook of the last line
	blocked bool          // the last line said that the statement waits
}

// due reports whether the event is to be printed: ten seconds into a script, then each half minute, and as soon as it
// begins or ends to wait for somebody.
func (p *plainProgress) due(e skein.Progress) bool {
	if e.Index != p.index || e.ScriptTook < p.last || p.path == "" {
		*p = plainProgress{path: e.Path, index: e.Index}
	}
	blocked := len(e.Blockers) > 0
	turned := blocked != p.blocked && (blocked || p.last > 0)
	wait := plainAfter
	if p.last > 0 {
		wait = p.last + plainEvery
	}
	if !turned && e.ScriptTook < wait {
		return false
	}
	p.last, p.blocked = e.ScriptTook, blocked
	return true
}
