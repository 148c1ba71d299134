package awstest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/schedule"
)

// Reasons are the statements of roles that no call of Skein's claims, because AWS itself acts with them.
var Reasons = map[string]string{
	"lambda/Logs":              "Lambda writes the log with the function's role; metrics are lines of it",
	"lambda/DeadLetters":       "Lambda puts an event there that it has given up, with the function's role",
	"lambda/DatabaseLogin":     "a login is a token that is made without a call; RDS looks whether its maker may rds-db:connect",
	"lambda/DecryptSecret":     "Secrets Manager decrypts a secret with the rights of who asks for it",
	"lambda/NetworkInterfaces": "Lambda makes the function's network interfaces in the VPC with the function's role",
	"scheduler/CallFunction":   "EventBridge Scheduler calls the function when a schedule fires",
	"scheduler/StartLoop":      "EventBridge Scheduler starts the state machine when a schedule fires",
	"scheduler/KeepWhatFailed": "EventBridge Scheduler puts an event there that it could not deliver",
	"states/CallFunction":      "the state machine calls the function for each slice",
}

// Problems says what is wrong with what a template makes: what no validator knows, since only Skein does. calls are those
// that the function makes.
func (p *Plan) Problems(calls []Call) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	p.checkFunction(say)
	p.checkSchedules(say)
	p.checkAlarms(say)
	p.checkPolicies(calls, say)
	p.checkMachine(say)
	slices.Sort(found)
	return found
}

func (p *Plan) checkFunction(say func(string, ...any)) {
	f := p.Function
	letters := strings.HasPrefix(f.DeadLetters, arn("sqs", ""))
	for what, right := range map[string]bool{
		"runtime is provided.al2023": f.Runtime == "provided.al2023", "timeout is 900 s": f.Timeout == 900, "memory is 128 MB or more": f.Memory >= 128,
		"recursion is allowed": f.Recursion == "Allow", "dead letters have a queue": letters, "events are tried twice again": f.Retries == 2,
		"log is JSON": f.LogFormat == "JSON", "log ends some day": f.LogDays > 0, "log's group has the function's name": strings.HasPrefix(f.LogGroup, "/aws/lambda/"),
		"reserved concurrency is not 1": f.Reserved != 1,
	} {
		if !right {
			say("function: it is not so that its %s", what)
		}
	}
	b := p.Bucket
	if b.Versioning != "Enabled" || !b.EventBridge || !b.Closed || b.Name == "" {
		say("bucket: it has to have versions, to tell EventBridge, and to be closed to the public")
	}
	if p.Arrival != nil {
		if key := str(at(p.Arrival, "detail", "object", "key", "0", "suffix")); key != "/release.json" {
			say("arrival: it is not the manifest, which comes last, that makes a release, but %q", key)
		}
	}
}

func (p *Plan) checkSchedules(say func(string, ...any)) {
	for name, e := range p.Schedules {
		zone := time.UTC
		if e.Zone != "" {
			var err error
			if zone, err = time.LoadLocation(e.Zone); err != nil {
				say("schedule %s: %v", name, err)
				continue
			}
		}
		if _, err := schedule.ParseSchedule(e.Expression, zone); err != nil {
			say("schedule %s: %v", name, err)
		}
		event, err := lambda.Decode([]byte(e.Input))
		switch {
		case err != nil:
			say("schedule %s: the function does not understand its input: %v", name, err)
		case len(event.Items) != 1 || event.Items[0].Request.Environment == "":
			say("schedule %s: its input names no environment", name)
		case event.Items[0].Request.Command == "silence":
		case !strings.Contains(e.Input, "<aws.scheduler.scheduled-time>"):
			say("schedule %s: its input does not have the time, which tells two deliveries from two events", name)
		case e.DeadLetters == "":
			say("schedule %s: what cannot be delivered is lost", name)
		case (p.Machine != nil) != (event.Items[0].Request.Continue == "answer"):
			say("schedule %s: nobody or two go on after fifteen minutes", name)
		}
		if e.Window != "OFF" || e.Attempts < 1 || e.Age < 60 || e.Role != "role/scheduler" {
			say("schedule %s: window, attempts, age or role: %+v", name, e)
		}
	}
}

// expected are the metrics that have an alarm, and for how many things each.
var expected = map[string]string{
	"Skein/RunFailed": "Environment", "Skein/HoursSinceSuccess": "Environment",
	"AWS/Lambda/Errors": "FunctionName", "AWS/Lambda/AsyncEventsDropped": "FunctionName", "AWS/Lambda/RecursiveInvocationsDropped": "FunctionName",
	"AWS/SQS/ApproximateNumberOfMessagesVisible": "QueueName",
}

func (p *Plan) checkAlarms(say func(string, ...any)) {
	seen := map[string]bool{}
	for name, a := range p.Alarms {
		metric := a.Namespace + "/" + a.Metric
		seen[metric] = true
		dimension, ok := expected[metric]
		if !ok || len(a.Dimensions) != 1 || a.Dimensions[dimension] == "" {
			say("alarm %s: nobody writes the metric %s with the dimensions %v", name, metric, a.Dimensions)
		}
		if _, ok := lambda.Metrics[a.Metric]; a.Namespace == lambda.Namespace && !ok {
			say("alarm %s: the function has no metric %s", name, a.Metric)
		}
		if _, err := a.State(nil, time.Time{}); err != nil {
			say("alarm: %v", err)
		}
		if _, err := a.hit(0); err != nil {
			say("alarm: %v", err)
		}
		if silent := a.Metric == "HoursSinceSuccess"; silent != (a.Missing == "breaching") {
			say("alarm %s: a period without values is %s", name, a.Missing)
		}
		if a.Actions == 0 {
			say("alarm %s: nobody is told", name)
		}
	}
	for _, metric := range slices.Sorted(maps.Keys(expected)) {
		if !seen[metric] {
			say("alarms: there is none for %s", metric)
		}
	}
}

// checkPolicies: each statement of a role is claimed by calls, all of its actions and resources, or by a reason; and each
// call is allowed.
func (p *Plan) checkPolicies(calls []Call, say func(string, ...any)) {
	for role, statements := range p.Roles {
		for _, s := range statements {
			if s.Effect != "Allow" || s.Sid == "" {
				say("policy of %s: the statement %q: %s", role, s.Sid, s.Effect)
			}
			_, reasoned := Reasons[role+"/"+s.Sid]
			for _, action := range s.Action {
				if strings.Contains(action, "*") {
					say("policy of %s: %s allows %s", role, s.Sid, action)
				}
				if !reasoned && !slices.ContainsFunc(calls, func(c Call) bool { return c.Action == action && s.allows(c) }) {
					say("policy of %s: nobody needs %s of %s", role, action, s.Sid)
				}
			}
			for _, resource := range s.Resource {
				open := resource == "*" || strings.HasSuffix(resource, ":*") && !strings.Contains(resource, ":log-group:")
				if !reasoned && !slices.ContainsFunc(calls, func(c Call) bool { return slices.Contains(s.Action, c.Action) && like(resource, c.Resource) }) {
					say("policy of %s: nobody needs %s of %s", role, resource, s.Sid)
				}
				if open && s.Sid != "NetworkInterfaces" && !slices.ContainsFunc(calls, func(c Call) bool { return c.Resource == "*" && slices.Contains(s.Action, c.Action) }) {
					say("policy of %s: %s is for everything", role, s.Sid)
				}
			}
		}
	}
	for _, c := range calls {
		if !slices.ContainsFunc(p.Roles["lambda"], func(s Statement) bool { return s.allows(c) }) {
			say("policy of lambda: %s on %s is not allowed", c.Action, c.Resource)
		}
	}
	if len(p.Resources["s3"]) != 1 || p.Resources["s3"][0].Effect != "Deny" {
		say("bucket: its policy does more than to refuse what is not encrypted")
	}
	for _, s := range p.Resources["sqs"] {
		if len(s.Condition["ArnEquals"]) == 0 {
			say("queue: anybody may put dead letters there")
		}
	}
}

// allows reports whether the statement lets a call pass.
func (s Statement) allows(c Call) bool {
	if s.Effect != "Allow" || !slices.Contains(s.Action, c.Action) || !slices.ContainsFunc(s.Resource, func(pattern string) bool { return like(pattern, c.Resource) }) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, value := range keys {
			if operator != "StringLike" || key != "s3:prefix" || !like(str(value), c.Prefix) {
				return false
			}
		}
	}
	return true
}

// like matches a pattern whose only special character is the asterisk.
func like(pattern, text string) bool {
	if !strings.ContainsAny(pattern, "*") {
		return pattern == text
	}
	// path.Match stops at slashes, which mean nothing here.
	flat := strings.NewReplacer("/", "\x01", "[", "\x02", "?", "\x03", `\`, "\x04")
	ok, err := path.Match(flat.Replace(pattern), flat.Replace(text))
	return err == nil && ok
}

func (p *Plan) checkMachine(say func(string, ...any)) {
	if p.Machine == nil {
		return
	}
	states := object(p.Machine["States"])
	next := []string{str(p.Machine["StartAt"])}
	for _, state := range states {
		next = append(next, str(at(state, "Next")), str(at(state, "Default")))
		for _, choice := range listOf(at(state, "Choices")) {
			next = append(next, str(at(choice, "Next")))
		}
	}
	for _, name := range next {
		if _, ok := states[name]; name != "" && !ok {
			say("machine: there is no state %s", name)
		}
	}
	for name := range states {
		if !slices.Contains(next, name) {
			say("machine: nothing leads to %s", name)
		}
	}
	goesOn := func(state any) bool { return at(state, "OutputPath") == "$.next" }
	if !slices.ContainsFunc(slices.Collect(maps.Values(states)), goesOn) {
		say("machine: it does not go on with next of the answer")
	}
}
