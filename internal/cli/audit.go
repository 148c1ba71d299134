package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/skein-db/skein"
)

// exitTampered is the code of an audit whose chain does not hold.
const exitTampered = 25

// audit shows who has changed what, as a table, as JSON lines, or only whether the chain holds.
func (r *runner) audit(ctx context.Context) outcome {
	result, err := skein.Audit(ctx, r.engine)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	o := outcome{document: auditDocument(result)}
	if result.Fault != nil {
		if o.code = exitTampered; r.console.flyway {
			o.code = 1
		}
	}
	switch {
	case r.console.json:
	case r.line.Has("export"):
		r.console.raw(auditLines(result.Entries))
	case !r.line.Has("verify"):
		r.console.result(strings.TrimSuffix(auditTable(result.Entries), "\n"), "")
	}
	if verdict := auditVerdict(result); result.Fault != nil {
		r.console.error(verdict)
	} else if r.line.Has("verify") {
		r.console.result(verdict, "")
	}
	return o
}

func auditVerdict(a *skein.AuditResult) string {
	switch {
	case a.Fault != nil:
		return fmt.Sprintf("the audit does not hold: %v\nhint: compare it with what was exported before; find out who may write to the table audit", a.Fault)
	case a.Last == 0:
		return "nothing is in the audit"
	}
	return fmt.Sprintf("the audit holds: %s, the last with hash %s", plural(len(a.Entries), "row"), a.Hash)
}

func auditTable(entries []skein.AuditEntry) string {
	t := table{Header: []string{"Row", "When (UTC)", "Who", "What", "Environment", "Target", "Plan", "Release", "Detail"}, Empty: "Nothing is in the audit"}
	for _, e := range entries {
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(e.Seq), e.At.UTC().Format("2006-01-02 15:04:05"), e.Who, e.What, e.Environment, e.Target, e.Plan[:min(8, len(e.Plan))], e.Release, e.Detail,
		})
	}
	return t.String()
}

// auditLines is the whole as JSON, a line for each row: all that the hashes are made of.
func auditLines(entries []skein.AuditEntry) string {
	var b strings.Builder
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for _, e := range entries {
		_ = lines.Encode(struct { // texts and numbers into memory: this does not fail
			Seq         int64  `json:"seq"`
			At          string `json:"at"`
			Who         string `json:"who"`
			DBUser      string `json:"dbUser"`
			What        string `json:"what"`
			Environment string `json:"environment"`
			Target      string `json:"target"`
			Plan        string `json:"plan"`
			Release     string `json:"release"`
			Detail      string `json:"detail"`
			Previous    string `json:"previous"`
			Hash        string `json:"hash"`
		}{e.Seq, auditMoment(e), e.Who, e.DBUser, e.What, e.Environment, e.Target, e.Plan, e.Release, e.Detail, e.Previous, e.Hash})
	}
	return b.String()
}

func auditMoment(e skein.AuditEntry) string { return e.At.UTC().Format("2006-01-02T15:04:05.000000Z") }

func auditDocument(a *skein.AuditResult) object {
	rows := list{}
	for _, e := range a.Entries {
		rows = append(rows, object{
			"seq": e.Seq, "at": auditMoment(e), "who": e.Who, "dbUser": e.DBUser, "what": e.What, "environment": e.Environment, "target": e.Target,
			"plan": e.Plan, "release": e.Release, "detail": e.Detail, "previous": e.Previous, "hash": e.Hash,
		})
	}
	fault := any(nil)
	if a.Fault != nil {
		fault = object{"row": a.Fault.Seq, "text": a.Fault.Text}
	}
	return object{"operation": "audit", "database": a.Database, "rows": rows, "holds": a.Fault == nil, "fault": fault, "hash": textOrNull(a.Hash)}
}
