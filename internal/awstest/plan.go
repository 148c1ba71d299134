// Package awstest reads the templates of deploy/aws, as AWS would make what they say, and looks at it: what each role may do,
// when schedules fire, when alarms sound. It is for tests only.
package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Where the function lives in tests: what the emulator of Lambda says too.
const (
	Account   = "123456789012"
	Region    = "eu-central-1"
	Partition = "aws"
)

// Choice are the parameters that a template is read with. Empty ones keep the template's own defaults, but for Bucket.
type Choice struct {
	Name, Bucket, Prefix               string
	Environments                       []Environment // two at most
	TimeZone, Arrival, Loop            string
	Login, Key, DatabaseUser, Instance string
	Subnets, Groups                    []string
}

// Environment is one of Choice.
type Environment struct {
	Name, Command, Schedule string
	Silence                 float64 // hours
}

// Plan is what a template makes, in the same words for both kinds.
type Plan struct {
	Roles     map[string][]Statement // by who takes the role: lambda, scheduler, states
	Resources map[string][]Statement // policies of things: s3, sqs
	Alarms    map[string]Alarm       // by name
	Schedules map[string]Schedule    // by name
	Function  Function
	Bucket    Bucket
	Arrival   map[string]any // the pattern of the rule; nil: there is no rule
	Machine   map[string]any // the definition of the loop; nil: there is none
	Dashboard map[string]any
}

// Statement is one of a policy.
type Statement struct {
	Sid, Effect      string
	Action, Resource []string
	Principal        any
	Condition        map[string]map[string]any
}

// Alarm is one of CloudWatch.
type Alarm struct {
	Name, Namespace, Metric, Statistic, Comparison, Missing string
	Dimensions                                              map[string]string
	Period                                                  int // seconds
	Periods                                                 int
	Threshold                                               float64
	Actions                                                 int
}

// Schedule is one of EventBridge Scheduler.
type Schedule struct {
	Name, Group, Expression, Zone, Start, Window string
	Target, Role, Input, DeadLetters             string
	Attempts, Age                                int
}

// Function is the function of Lambda.
type Function struct {
	Runtime, DeadLetters, LogFormat, LogGroup, Recursion string
	Architectures                                        []string
	Timeout, Memory, Reserved, Retries, EventAge         int
	LogDays                                              int
	Variables                                            map[string]string
	Subnets                                              []string
}

// Bucket is the one for scripts and releases.
type Bucket struct {
	Name, Versioning string
	EventBridge      bool
	Closed           bool // to everybody who is not of the account
}

// arn is the name of a thing, by its service and its own name.
func arn(service, rest string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", Partition, service, Region, Account, rest)
}

// policy reads the statements of a document.
func policy(document any) ([]Statement, error) {
	if text, ok := document.(string); ok {
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			return nil, err
		}
	}
	d, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("a policy is a document, not %T", document)
	}
	var list []Statement
	for _, item := range listOf(d["Statement"]) {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a statement is an object, not %T", item)
		}
		s := Statement{Sid: str(m["Sid"]), Effect: str(m["Effect"]), Action: texts(m["Action"]), Resource: texts(m["Resource"]), Principal: m["Principal"]}
		if c, ok := m["Condition"].(map[string]any); ok {
			s.Condition = map[string]map[string]any{}
			for operator, keys := range c {
				s.Condition[operator], _ = keys.(map[string]any)
			}
		}
		for key := range m {
			if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}, key) {
				return nil, fmt.Errorf("the statement %s has %s, which is not understood here", s.Sid, key)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// Statement gives the one of a role with that Sid.
func (p *Plan) Statement(role, sid string) (Statement, bool) {
	for _, s := range p.Roles[role] {
		if s.Sid == sid {
			return s, true
		}
	}
	return Statement{}, false
}

// Names are those of the alarms, in order.
func (p *Plan) Names() []string { return slices.Sorted(maps.Keys(p.Alarms)) }

func listOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func texts(v any) []string {
	var list []string
	for _, item := range listOf(v) {
		list = append(list, str(item))
	}
	return list
}

func str(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func number(v any) float64 {
	var f float64
	_, err := fmt.Sscan(strings.TrimSpace(str(v)), &f)
	if err != nil {
		return -1 // nothing in the templates is below 0
	}
	return f
}
