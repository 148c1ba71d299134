package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/adoption"
)

// adopt prints what the first run would do. That something stands in the way is a result; the exit code says it.
func (r *runner) adopt(ctx context.Context) outcome {
	result, err := skein.Adopt(ctx, r.engine)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	if !r.console.json {
		r.console.result(adoptText(r.programName(), result), "")
	}
	return outcome{document: adoptDocument(result), code: adoptCode(result, r.console.flyway)}
}

// adoptCode is 0 where nothing stands in the way of the first run.
func adoptCode(result *skein.AdoptResult, flyway bool) int {
	switch {
	case result.Ready:
		return 0
	case flyway:
		return 1
	case result.Standing == adoption.Disagrees:
		return exitInvalid
	}
	return codeOf(skein.KindRefused)
}

func adoptText(program string, result *skein.AdoptResult) string {
	var b strings.Builder
	if len(result.Found) > 0 {
		found := table{Header: []string{"Tool", "History", "Rows", "Version", "Here"}}
		for _, f := range result.Found {
			found.Rows = append(found.Rows, []string{string(f.Tool), f.Schema + "." + f.Table, fmt.Sprint(f.Rows), f.Version, f.Remark})
		}
		b.WriteString(found.String() + "\n")
	}
	b.WriteString(result.Summary + "\n")
	for _, p := range result.Problems {
		b.WriteString("\n" + p + "\n")
	}
	if len(result.Changes) > 0 {
		heading := "\nThe first run would:\n"
		if !result.Ready {
			heading = "\nThe steps below would:\n"
		}
		b.WriteString(heading)
		changes := table{Header: []string{"Do", "What", "Detail"}}
		for _, c := range result.Changes {
			changes.Rows = append(changes.Rows, []string{c.Do, c.What, c.Detail})
		}
		b.WriteString(changes.String())
	}
	if len(result.Next) > 0 {
		b.WriteString("\nNext, with the settings of this run:\n")
		for i, s := range result.Next {
			b.WriteString(adviceText(program, i+1, s))
		}
	}
	for _, n := range result.Notes {
		b.WriteString("\nNote: " + n)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// adviceText is one step: the command, below it the reason.
func adviceText(program string, number int, s adoption.Step) string {
	text := s.Text
	if s.Kind == adoption.Command {
		text = program + " " + text
	}
	text = fmt.Sprintf("%3d. %s\n", number, strings.ReplaceAll(text, "\n", "\n     "))
	if s.Why != "" {
		text += "       " + s.Why + "\n"
	}
	return text
}

func adoptDocument(r *skein.AdoptResult) object {
	o := head("adopt", r.Target)
	found, changes, next := list{}, list{}, list{}
	for _, f := range r.Found {
		found = append(found, object{"tool": string(f.Tool), "schema": f.Schema, "table": f.Table, "rows": f.Rows, "version": f.Version,
			"matches": f.Matches, "remark": f.Remark})
	}
	for _, c := range r.Changes {
		changes = append(changes, object{"do": c.Do, "what": c.What, "detail": c.Detail})
	}
	for _, s := range r.Next {
		next = append(next, object{"kind": string(s.Kind), "text": s.Text, "why": s.Why})
	}
	o["standing"], o["ready"], o["summary"] = string(r.Standing), r.Ready, r.Summary
	o["histories"], o["changes"], o["next"] = found, changes, next
	o["problems"], o["notes"] = strs(r.Problems), strs(r.Notes)
	return o
}
