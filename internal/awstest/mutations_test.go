package awstest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// edit is a wrong edit of a template, and who has to catch it.
type edit struct {
	name, from, to string
	by             string // skein, cfn-lint, validate, terraform
	says           string
}

// edits of cloudformation.yaml.
var edits = []edit{
	{"a property with a slip", "MemorySize: 256", "MemorySiz: 256", "cfn-lint validate", "MemorySiz"},
	{"a timeout that Lambda does not have", "Timeout: 900\n", "Timeout: 901\n", "cfn-lint", "901"},
	{"a reference to nothing", "!GetAtt SchedulerRole.Arn", "!GetAtt SchedularRole.Arn", "cfn-lint validate skein", "SchedularRole"},
	{"a runtime of which there is none", "provided.al2023", "provided.al2022", "cfn-lint skein", "provided.al202"},
	{"a type that does not exist", "AWS::SNS::Topic", "AWS::SNS::Topics", "cfn-lint validate", "AWS::SNS::Topics"},
	{"a policy with Actions", "Action: lambda:InvokeFunction\n                  Resource: !Sub", "Actions: lambda:InvokeFunction\n                  Resource: !Sub", "cfn-lint validate skein", "Action"},
	{"a comparison of which there is none", "GreaterThanOrEqualToThreshold", "GreaterOrEqualThreshold", "cfn-lint validate skein", "GreaterOrEqualThreshold"},
	{"a wrong zone", "Default: UTC", "Default: Europe/Olso", "skein", "Europe/Olso"},
	{"a schedule with five fields", "Default: cron(0 2 1 * ? *)", "Default: cron(0 2 1 * *)", "skein", "schedule dev"},
	{"a day of the month and one of the week", "Default: cron(0 2 1 * ? *)", "Default: cron(0 2 1 * MON *)", "skein", "schedule dev"},
	{"an input with a slip", `"environment": "${FirstEnvironment}", "scheduledTime"`, `"enviroment": "${FirstEnvironment}", "scheduledTime"`, "skein", "does not understand its input"},
	{"a schedule without dead letters", "        DeadLetterConfig:\n          Arn: !GetAtt DeadLetters.Arn\n\n  SecondRun", "\n  SecondRun", "skein", "is lost"},
	{"all of S3", "Action: [s3:GetObject, s3:GetObjectVersion]", "Action: [s3:GetObject, s3:GetObjectVersion, s3:*]", "skein", "allows s3:*"},
	{"one permission too many", "Action: [s3:GetObject, s3:GetObjectVersion]", "Action: [s3:GetObject, s3:GetObjectVersion, s3:PutObject]", "skein", "nobody needs s3:PutObject"},
	{"one too few", "Action: [s3:GetObject, s3:GetObjectVersion]", "Action: [s3:GetObject]", "skein", "s3:GetObjectVersion on"},
	{"every secret", "Resource: !Ref LoginArn", `Resource: "*"`, "skein", "ReadSecret is for everything"},
	{"another metric", "MetricName: RunFailed", "MetricName: RunsFailed", "skein", "nobody writes the metric"},
	{"an alarm that is silent with the dead man", "TreatMissingData: breaching", "TreatMissingData: notBreaching", "skein", "a period without values"},
	{"an alarm that looks back too far", "Period: 3600\n      EvaluationPeriods: 2", "Period: 86400\n      EvaluationPeriods: 45", "skein", "45"},
	{"recursion that is stopped", "RecursiveLoop: Allow", "RecursiveLoop: Terminate", "skein", "recursion is allowed"},
	{"a bucket without versions", "Status: Enabled", "Status: Suspended", "skein", "has to have versions"},
	{"every object a trigger", "suffix: /release.json", "suffix: .sql", "skein", "the manifest"},
	{"a queue for everybody", "            Condition:\n              ArnEquals:\n                aws:SourceArn: !GetAtt ArrivalRule.Arn\n", "", "skein", "anybody"},
}

// loopEdits are of the state machine, which only the choice with a loop has.
var loopEdits = []edit{
	{"a state that does not exist", `"Next": "More"`, `"Next": "Moar"`, "skein", "Moar"},
	{"a loop that forgets where it was", `"OutputPath": "$.next"`, `"OutputPath": "$"`, "skein", "next of the answer"},
}

// TestWrongEdits makes each wrong edit, and asks everybody who has to catch it. The validators take seconds for a template, so
// each gets one with all of its edits.
func TestWrongEdits(t *testing.T) {
	t.Parallel()
	text, calls := string(stackText(t)), recorded(t)
	dir := t.TempDir()
	broken := map[string]string{"cfn-lint": text, "validate": text}
	for _, e := range slices.Concat(edits, loopEdits) {
		for by := range broken {
			if slices.Contains(strings.Fields(e.by), by) {
				broken[by] = strings.Replace(broken[by], e.from, e.to, 1)
			}
		}
	}
	write(t, dir, map[string]string{"whole.yaml": text, "cfn-lint.yaml": broken["cfn-lint"], "validate.yaml": broken["validate"]})
	said := map[string]map[string][]string{"cfn-lint": cfnLint(t, dir, "whole.yaml", "cfn-lint.yaml"), "validate": validate(t, dir, "whole.yaml", "validate.yaml")}
	for by, found := range said {
		if len(found["whole.yaml"]) > 0 {
			t.Errorf("%s about the template as it is: %q", by, found["whole.yaml"])
		}
	}
	for i, e := range slices.Concat(edits, loopEdits) {
		if !strings.Contains(text, e.from) {
			t.Fatalf("%s: the template does not have %q", e.name, e.from)
		}
		for _, by := range strings.Fields(e.by) {
			found := said[by][by+".yaml"]
			if by == "skein" {
				found = checked(strings.Replace(text, e.from, e.to, 1), calls, i >= len(edits), strings.Contains(e.from, "Default: "))
			} else if said[by] == nil {
				continue
			}
			if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, e.says) }) {
				t.Errorf("%s: %s does not say %q: %q", e.name, by, e.says, found)
			}
		}
	}
}

// checked is what our own checks say of a template; defaults: with its own schedules.
func checked(text string, calls []Call, loop, defaults bool) []string {
	c := choices["most"]
	if loop {
		c = choices["loop"]
	}
	if defaults {
		c.TimeZone, c.Environments = "", nil
	}
	p, err := CloudFormation([]byte(text), c)
	if err != nil {
		return []string{err.Error()}
	}
	return p.Problems(calls)
}

// tool is a program on the PATH or in the cache that .ci/templates fills; "" where there is none.
func tool(name, cached string) string {
	if cache, err := os.UserCacheDir(); err == nil {
		if path := filepath.Join(cache, "skein-test", cached); exists(path) {
			return path
		}
	}
	found, _ := exec.LookPath(name)
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// The versions that .ci/templates has too.
const (
	lintVersion     = "1.51.0"
	validateVersion = "1.9.0-beta"
)

// cfnLint gives the findings about templates by their names; nil where it cannot be had.
func cfnLint(t *testing.T, dir string, names ...string) map[string][]string {
	program := tool("cfn-lint", "cfn-lint-"+lintVersion+"/bin/cfn-lint")
	if program == "" {
		t.Log("left out: cfn-lint is not here (.ci/templates installs it)")
		return nil
	}
	command := exec.Command(program, append([]string{"--format", "json", "--non-zero-exit-code", "none", "-t"}, names...)...)
	command.Dir = dir
	out, err := command.Output()
	var findings []struct {
		Filename, Message string
		Rule              struct{ ID string }
	}
	if jerr := json.Unmarshal(out, &findings); err != nil || jerr != nil {
		t.Errorf("cfn-lint: %v %v", err, jerr)
	}
	found := map[string][]string{}
	for _, f := range findings {
		name := filepath.Base(f.Filename)
		found[name] = append(found[name], f.Rule.ID+" "+f.Message)
	}
	return found
}

// script has AWS's own validator look at the files that it is called with.
const script = `
const { createRequire } = require("node:module");
const { RegoEngine, TemplateFile } = createRequire(process.argv[2] + "/")("@aws/cloudformation-validate");
const engine = new RegoEngine(), found = {};
for (const file of process.argv.slice(3))
  found[file] = engine.validateStandard(new TemplateFile(file)).diagnostics.filter((d) => d.severity !== "INFO").map((d) => d.ruleId + " " + (d.propertyPath ?? "") + " " + d.message);
console.log(JSON.stringify(found));
`

// validate is cfnLint with AWS's own validator. It does not see that the network is there only with a condition.
func validate(t *testing.T, dir string, names ...string) map[string][]string {
	cache, err := os.UserCacheDir()
	modules := filepath.Join(cache, "skein-test", "cloudformation-validate-"+validateVersion)
	node, nerr := exec.LookPath("node")
	if err != nil || nerr != nil || !exists(filepath.Join(modules, "node_modules")) {
		t.Log("left out: @aws/cloudformation-validate is not here (.ci/templates installs it where there are node and npm)")
		return nil
	}
	write(t, dir, map[string]string{"validate.js": script})
	command := exec.Command(node, append([]string{filepath.Join(dir, "validate.js"), modules}, names...)...)
	command.Dir = dir
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	var findings map[string][]string
	if jerr := json.Unmarshal(out, &findings); err != nil || jerr != nil {
		t.Errorf("@aws/cloudformation-validate: %v %v\n%s", err, jerr, errs.String())
		return nil
	}
	found := map[string][]string{}
	for name, list := range findings {
		found[filepath.Base(name)] = slices.DeleteFunc(list, func(s string) bool { return strings.Contains(s, "Properties.VpcConfig") && strings.Contains(s, "''") })
	}
	return found
}
