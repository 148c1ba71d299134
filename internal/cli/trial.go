package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein"
)

// tried is plan --execute. What ran before an error is shown all the same.
func (r *runner) tried(ctx context.Context) outcome {
	result, err := skein.Trial(ctx, r.engine)
	if err != nil {
		if len(result.Statements) > 0 {
			r.console.result(r.trialText(result), "")
		}
		document := r.failures.failureDocument(err)
		document["trial"] = trialDocument(result)
		return outcome{err: err, document: document}
	}
	r.console.result(r.trialText(result), "")
	r.console.info("%s", fmt.Sprintf("Tried in one transaction and rolled back (execution time %s)", clock(result.Took)))
	return outcome{document: trialDocument(result)}
}

func (r *runner) trialText(p *skein.TrialResult) string {
	t := table{Header: []string{"Statement", "", "Rows", "Time", "Locks", "Rewritten"}, Empty: "Nothing to do"}
	var left []string
	for _, s := range p.Statements {
		if s.Untried != "" {
			left = append(left, "not tried: "+place(s)+": "+s.Untried)
			continue
		}
		var locks []string
		for _, l := range s.Locks {
			locks = append(locks, l.Relation+" "+strings.TrimSuffix(l.Mode, "Lock"))
		}
		t.Rows = append(t.Rows, []string{place(s), short(r.console.redactor.String(s.SQL)), strconv.FormatInt(s.Rows, 10), fmt.Sprintf("%.1f ms", s.Took.Seconds()*1000), strings.Join(locks, ", "), strings.Join(s.Rewritten, ", ")})
	}
	for _, s := range p.Sequences {
		from := s.From
		if from == "" {
			from = "unused"
		}
		left = append(left, fmt.Sprintf("not undone by the rollback: sequence %s went from %s to %s", s.Sequence, from, s.To))
	}
	lines := append(left, "fingerprint "+p.Fingerprint)
	return fmt.Sprintf("Schema version: %s\n\n%s\n%s", p.InitialText, t, strings.Join(lines, "\n"))
}

func place(s skein.TriedStatement) string {
	if s.Line == 0 {
		return path.Base(s.Path)
	}
	return path.Base(s.Path) + ":" + strconv.Itoa(s.Line)
}

// short is the start of a statement on one line.
func short(sql string) string {
	const most = 40
	words := strings.Join(strings.Fields(sql), " ")
	if runes := []rune(words); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return words
}

func trialDocument(p *skein.TrialResult) object {
	o := head("plan", p.Target)
	statements, sequences, untried := list{}, list{}, list{}
	for _, s := range p.Statements {
		one := object{"filepath": s.Path, "line": s.Line, "sql": s.SQL}
		if s.Untried != "" {
			one["reason"] = s.Untried
			untried = append(untried, one)
			continue
		}
		locks := list{}
		for _, l := range s.Locks {
			locks = append(locks, object{"relation": l.Relation, "mode": l.Mode})
		}
		one["tag"], one["rows"], one["microseconds"] = s.Tag, s.Rows, int(s.Took/time.Microsecond)
		one["locks"], one["rewritten"] = locks, strs(slices.Clone(s.Rewritten))
		statements = append(statements, one)
	}
	for _, s := range p.Sequences {
		sequences = append(sequences, object{"sequence": s.Sequence, "from": s.From, "to": s.To})
	}
	o["fingerprint"], o["initialSchemaVersion"], o["steps"] = p.Fingerprint, p.InitialText, stepList(p.Steps)
	o["statements"], o["notTried"], o["sequences"], o["executionTime"] = statements, untried, sequences, int(p.Took.Milliseconds())
	return o
}
