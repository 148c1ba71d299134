package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source"
)

// Exit codes of deployments.
const (
	exitBlocked = 10 // gates are closed
	exitPartly  = 11 // some targets failed, as many as the budget allows
	exitStopped = 12 // the rollout stopped before its end
)

// fleetVerbs are the verbs over several databases: they read the settings of every environment.
var fleetVerbs = []string{"deploy", "promote", "approve", "status"}

// overEnvironments runs one of fleetVerbs.
func (r *runner) overEnvironments(ctx context.Context) int {
	environment := r.argument("deploy.environment")
	environments, err := r.loadAll(ctx, environment)
	if err != nil {
		return r.fail(err)
	}
	if environment == "" && r.line.Verbs[0] != "status" {
		return r.fail(&usageError{Message: r.line.Verbs[0] + " which environment?", Hint: "write skein " + r.line.Verbs[0] + " " + strings.Join(namesOf(environments), "|")})
	}
	view := &fleetView{console: r.console}
	project, err := deploy.Open(deploy.Options{
		World: r.process.world(), Environments: environments, Secrets: r.console.redactor, Report: view.report,
		Warn: func(w config.Warning) { r.warnings([]config.Warning{w}) }, Store: func(s *config.Settings) (*source.Store, error) { return wire.Releases(s, r.process.world()) },
	})
	if err != nil {
		return r.fail(err)
	}
	r.liveness(r.settings.Text("skein.progress"))
	r.console.info("%s", banner())
	defer context.AfterFunc(ctx, r.stopping)()
	switch r.line.Verbs[0] {
	case "status":
		if r.settings.Text("deploy.why") != "" {
			return r.why(ctx, project)
		}
		return r.status(ctx, project)
	case "approve":
		return r.approve(ctx, project, environment)
	}
	return r.deploy(ctx, project, view, environment)
}

// argument is what the command line gives a key, before settings are read.
func (r *runner) argument(key string) string {
	for _, v := range r.line.Values {
		if v.Key == key {
			return v.Value.Reveal()
		}
	}
	return ""
}

func namesOf(environments []config.Environment) []string {
	var out []string
	for _, e := range environments {
		out = append(out, e.Name)
	}
	return out
}

// loadAll reads the settings of every environment. What belongs to no database, such as the output's form, is taken from
// the one that is deployed to, or the first.
func (r *runner) loadAll(ctx context.Context, deployed string) ([]config.Environment, error) {
	environments, warnings, err := r.process.world().LoadAll(ctx, r.line, deployed, r.console.redactor)
	if err != nil {
		r.warnings(warnings)
		return nil, err
	}
	own := environments[0].Settings
	for _, e := range environments {
		r.console.redactor.AddText(e.Settings.Secrets()...)
		if e.Name == deployed {
			own = e.Settings
		}
	}
	return environments, r.use(own, warnings)
}

func (r *runner) deploy(ctx context.Context, project *deploy.Project, view *fleetView, environment string) int {
	order, err := r.order(environment)
	if err != nil {
		return r.fail(err)
	}
	outcome, err := project.Deploy(ctx, order)
	view.end()
	if err != nil && (outcome == nil || !outcome.Ran) {
		return r.fail(err)
	}
	if r.console.json {
		r.document(deployDocument(outcome, order, err))
	} else {
		r.console.result(strings.TrimSuffix(deployText(outcome, order, err), "\n"), "")
	}
	return deployCode(outcome, err)
}

// order reads what is wanted from the settings.
func (r *runner) order(environment string) (deploy.Order, error) {
	s := r.settings
	o := deploy.Order{
		Environment: environment, Release: s.Text("deploy.release"), BackTo: s.Text("deploy.backTo"), Resume: s.Bool("deploy.resume"),
		DryRun: s.Bool("deploy.dryRun"), Promote: r.line.Verbs[0] == "promote",
	}
	given := 0
	for _, is := range []bool{o.Release != "", o.BackTo != "", o.Resume} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return o, &usageError{Message: "release, backTo and resume exclude each other", Hint: "give one of them"}
	case o.Promote && given > 0:
		return o, &usageError{Message: "promote takes the release that the environment before has proved, and no other", Hint: "skein deploy " + environment + " takes one by name"}
	}
	var err error
	if o.Factor, err = strconv.ParseFloat(s.Text("deploy.factor"), 64); err != nil || o.Factor <= 0 {
		return o, &usageError{Message: "factor=" + s.Text("deploy.factor") + " is no number above 0", Hint: "2 says that scripts take twice as long here"}
	}
	if gates := s.List("deploy.override"); len(gates) > 0 {
		o.Override = &pipeline.Override{Person: s.Text("skein.releaser"), Why: s.Text("deploy.reason")}
		for _, g := range gates {
			o.Override.Gates = append(o.Override.Gates, pipeline.Gate(g))
		}
		if o.Override.Why == "" || o.Override.Person == "" {
			return o, &usageError{Message: "gates are overridden by a person and for a reason", Hint: "add -releaser=<a name of people> -reason=…"}
		}
	}
	return o, nil
}

func deployCode(o *deploy.Outcome, err error) int {
	switch {
	case err != nil:
		return exitCode(err, false)
	case o.Decision.Blocked():
		return exitBlocked
	case !o.Ran && len(o.Decision.Rollout.Held) > 0:
		return exitPartly
	case !o.Ran:
		return 0
	case o.Result.State == pipeline.Stopped:
		return exitStopped
	case len(o.Result.Failed) > 0:
		return exitPartly
	}
	return 0
}
