package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein"
)

// action words an event of something that was done outside of scripts; "" for all others.
func action(event skein.Event) string {
	switch e := event.(type) {
	case skein.SchemaCreated:
		return fmt.Sprintf("created the schema %q", e.Schema)
	case skein.HistoryCreated:
		text := fmt.Sprintf("created the history table %q.%q", e.Schema, e.Table)
		if e.Baseline {
			text += " with a baseline"
		}
		return text
	case skein.BaselineWritten:
		return e.Text
	case skein.RepairRemoved:
		return fmt.Sprintf("removed the failed row %d (%s) from the history", e.Row.Rank, e.Row.Script)
	case skein.RepairDeleted:
		return fmt.Sprintf("marked row %d (%s), whose script is gone, as deleted", e.Row.Rank, e.Row.Script)
	case skein.RepairAligned:
		return fmt.Sprintf("aligned row %d with the script %s", e.Row.Rank, e.Script.Path)
	case skein.DecidedByHand:
		if e.Applied {
			return fmt.Sprintf("recorded %s as applied, without running it: %s", e.Script.Path, e.Reason)
		}
		return fmt.Sprintf("%s will begin with its first statement again: %s", e.Script.Path, e.Reason)
	case skein.Cleaned:
		return fmt.Sprintf("emptied the schema %q", e.Schema)
	case skein.Dropped:
		return fmt.Sprintf("dropped the schema %q", e.Schema)
	}
	return ""
}

// holder names the session that a run waited for.
func holder(h skein.Holder) string {
	if h.PID == 0 {
		return "another session"
	}
	text := fmt.Sprintf("process %d, user %s", h.PID, h.User)
	if h.Application != "" {
		text += ", " + h.Application
	}
	if h.Host != "" {
		text += ", from " + h.Host
	}
	return text
}

// summary says in one sentence what came of the run. checked is how many migrations a validation looked at.
func (run *Run) summary(checked int) string {
	if f := run.Failure; f != nil {
		place := ""
		switch {
		case f.Path != "" && f.Line > 0:
			place = fmt.Sprintf(" in %s, line %d", f.Path, f.Line)
		case f.Path != "":
			place = " in " + f.Path
		}
		first, _, _ := strings.Cut(f.Message, "\n")
		return run.Verb + " failed" + place + ": " + first
	}
	switch run.Verb {
	case "migrate":
		return run.done(run.count(Applied, Recorded), "applied")
	case "undo":
		return run.done(run.count(Undone, Recorded), "took back")
	case "info":
		return fmt.Sprintf("%s; %s", run.at(), run.waits())
	case "validate":
		if len(run.Problems) > 0 {
			return "validate found " + plural(len(run.Problems), "problem")
		}
		return "validate found nothing wrong in " + plural(checked, "migration")
	case "repair":
		if len(run.Actions) == 0 {
			return "repair found nothing to mend in the history"
		}
		return "repair mended the history: " + plural(len(run.Actions), "change")
	}
	if len(run.Actions) == 0 {
		return run.Verb + " succeeded"
	}
	return run.Verb + ": " + strings.Join(run.Actions, ", ")
}

func (run *Run) done(n int, verb string) string {
	text := run.Verb + " found nothing to do"
	if n > 0 {
		text = run.Verb + " " + verb + " " + plural(n, "migration")
	}
	return text + "; " + run.at() + ", " + run.waits()
}

func (run *Run) at() string {
	switch {
	case run.VersionAfter == nil:
		return "the schema's version is not known"
	case *run.VersionAfter == "":
		return "the schema has no version yet"
	}
	return "the schema is at version " + *run.VersionAfter
}

func (run *Run) waits() string {
	switch n := run.pending(); {
	case run.Migrations == nil:
		return "what is pending is not known"
	case n == 0:
		return "nothing is pending"
	case n == 1:
		return "1 migration is pending"
	default:
		return fmt.Sprintf("%d migrations are pending", n)
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// span words a duration for people: three digits that count.
func span(micros int64) string {
	d := time.Duration(micros) * time.Microsecond
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}
