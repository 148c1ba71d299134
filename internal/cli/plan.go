package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// planner is one of the library's functions that say what a verb would do.
type planner func(context.Context, skein.Config) (*skein.PlanResult, error)

// planners are the verbs that dryRunOutput is for.
var planners = map[string]planner{
	"plan": skein.Plan, "migrate": skein.Plan, "undo": skein.PlanUndo, "baseline": skein.PlanBaseline, "repair": skein.PlanRepair, "clean": skein.PlanClean,
}

// dryRun gives what stands in for a verb when dryRunOutput is set; nil: the verb runs.
func (r *runner) dryRun(verb string) planner {
	if r.settings.Text("dryRunOutput") == "" {
		return nil
	}
	return planners[verb]
}

// checkDryRun refuses to write two plans to one file, or to a place that is no file.
func (r *runner) checkDryRun() error {
	file := r.settings.Text("dryRunOutput")
	if r.settings.Bool("plan.execute") && (file != "" || strings.EqualFold(r.settings.Text("plan.format"), "sql")) {
		return &usageError{Message: "plan --execute tells what it saw, and writes no SQL", Hint: "leave out --execute for the SQL, or the SQL for --execute"}
	}
	if file == "" {
		return nil
	}
	if place, _, ok := strings.Cut(file, ":"); ok && (place == "s3" || place == "gcs") {
		return &usageError{Message: "dryRunOutput: " + file + " is no file", Hint: "write it to a file and copy that there"}
	}
	captured := ""
	for _, verb := range r.line.Verbs {
		if planners[verb] == nil {
			continue
		}
		if captured != "" {
			return &usageError{Message: fmt.Sprintf("dryRunOutput holds one verb: %s or %s", captured, verb), Hint: "run them one by one"}
		}
		captured = verb
	}
	return nil
}

// written is a verb whose SQL goes into dryRunOutput.
func (r *runner) written(ctx context.Context, verb string, plan planner) outcome {
	result, err := plan(ctx, r.engine)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	var b strings.Builder
	file := r.absolute(r.settings.Text("dryRunOutput"))
	if err = result.WriteSQL(&b, time.Now()); err == nil {
		if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
			// Placeholders may have put secrets into it.
			err = os.WriteFile(file, []byte(b.String()), 0o600)
		}
	}
	if err != nil {
		err = &usageError{Message: "dryRunOutput: " + err.Error()}
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	r.console.info("%s", fmt.Sprintf("Dry run of %s: nothing was changed; its SQL is in %s", verb, file))
	return outcome{document: planDocument(verb, result, file)}
}

// planned is the verb plan.
func (r *runner) planned(ctx context.Context) outcome {
	if r.settings.Bool("plan.execute") {
		return r.tried(ctx)
	}
	result, err := skein.Plan(ctx, r.engine)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	if strings.EqualFold(r.settings.Text("plan.format"), "sql") && !r.console.json {
		var b strings.Builder
		if err := result.WriteSQL(&b, time.Now()); err != nil {
			return outcome{err: err, document: r.failures.failureDocument(err)}
		}
		r.console.result(strings.TrimSuffix(b.String(), "\n"), "")
	} else {
		r.console.result(planText(result), "")
	}
	return outcome{document: planDocument("plan", result, "")}
}

func planText(p *skein.PlanResult) string {
	t := table{Header: []string{"Category", "Version", "Description", "Transaction", "Script"}, Empty: "Nothing to do"}
	for _, s := range p.Steps {
		t.Rows = append(t.Rows, []string{category(s.Script), s.Script.Version.String(), s.Script.Description, transaction(s), s.Script.Path})
	}
	return fmt.Sprintf("Schema version: %s\n\n%s\nfingerprint %s", p.InitialText, t, p.Fingerprint)
}

func transaction(s skein.PlannedStep) string {
	switch {
	case s.Skipped:
		return "not run"
	case s.Script.Type == migration.TypeScript:
		return "no, a program"
	case s.Transactional:
		return "yes"
	}
	return "no"
}

func stepList(planned []skein.PlannedStep) list {
	steps := list{}
	for _, s := range planned {
		steps = append(steps, object{
			"category": category(s.Script), "version": s.Script.Version.String(), "description": s.Script.Description, "filepath": s.Script.Physical,
			"outOfOrder": s.OutOfOrder, "skipped": s.Skipped, "transactional": s.Transactional, "attached": textOrNull(s.Attached), "type": string(s.Script.Type),
		})
	}
	return steps
}

func planDocument(operation string, p *skein.PlanResult, file string) object {
	o := head(operation, p.Target)
	parts := list{}
	for _, part := range p.Parts {
		statements := list{}
		for _, s := range part.Statements {
			one := object{"sql": s.SQL, "copyData": nil, "stop": nil}
			if s.Copy {
				one["copyData"] = s.Data
			}
			if s.Stop != "" {
				one["stop"] = s.Stop
			}
			statements = append(statements, one)
		}
		parts = append(parts, object{"title": part.Title, "source": part.Source, "statements": statements})
	}
	o["fingerprint"], o["initialSchemaVersion"], o["steps"], o["parts"] = p.Fingerprint, p.InitialText, stepList(p.Steps), parts
	o["dryRunOutput"] = nil
	if file != "" {
		o["dryRunOutput"] = file
	}
	return o
}
