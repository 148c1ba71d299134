package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// stack is a template of CloudFormation with its parameters.
type stack struct {
	parameters map[string]any
	conditions map[string]any
	resources  map[string]resource
}

type resource struct {
	Type, Condition string
	Properties      map[string]any
}

// CloudFormation reads a template as CloudFormation does: parameters, conditions and functions are resolved, names of things
// become ARNs of the account of these tests. What it does not know is an error.
func CloudFormation(text []byte, c Choice) (*Plan, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	if len(root.Content) != 1 {
		return nil, fmt.Errorf("the template is empty")
	}
	whole, ok := plain(root.Content[0]).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the template is no object")
	}
	s := &stack{parameters: map[string]any{}, resources: map[string]resource{}}
	s.conditions, _ = whole["Conditions"].(map[string]any)
	declared, _ := whole["Parameters"].(map[string]any)
	if err := s.give(declared, c); err != nil {
		return nil, err
	}
	found, _ := whole["Resources"].(map[string]any)
	for name, item := range found {
		m, _ := item.(map[string]any)
		s.resources[name] = resource{Type: str(m["Type"]), Condition: str(m["Condition"])}
		if when := str(m["Condition"]); when != "" {
			is, err := s.condition(when)
			if err != nil {
				return nil, err
			}
			if !is {
				delete(s.resources, name)
				continue
			}
		}
		properties, err := s.resolve(m["Properties"])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p, _ := properties.(map[string]any)
		s.resources[name] = resource{Type: str(m["Type"]), Properties: p}
	}
	return s.plan()
}

// plain makes values of nodes; !Ref x becomes {"Ref": x}, as in the long form.
func plain(n *yaml.Node) any {
	var v any
	switch n.Kind {
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		v = m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, plain(item))
		}
		v = list
	default:
		v = n.Value
	}
	if tag := strings.TrimPrefix(n.Tag, "!"); tag != n.Tag && !strings.HasPrefix(tag, "!") {
		if tag != "Ref" && tag != "Condition" {
			tag = "Fn::" + tag
		}
		if text, ok := v.(string); ok && tag == "Fn::GetAtt" {
			name, attribute, _ := strings.Cut(text, ".")
			v = []any{name, attribute}
		}
		return map[string]any{tag: v}
	}
	return v
}

// give sets the parameters.
func (s *stack) give(declared map[string]any, c Choice) error {
	given := map[string]string{
		"Name": c.Name, "CodeBucket": "code", "BucketName": c.Bucket, "Prefix": c.Prefix, "TimeZone": c.TimeZone, "Arrival": c.Arrival, "Loop": c.Loop,
		"LoginArn": c.Login, "KeyArn": c.Key, "DatabaseUserArn": c.DatabaseUser, "Instance": c.Instance,
		"SubnetIds": strings.Join(c.Subnets, ","), "SecurityGroupIds": strings.Join(c.Groups, ","),
	}
	for i, e := range c.Environments {
		which := []string{"First", "Second"}[i]
		given[which+"Environment"], given[which+"Command"], given[which+"Schedule"] = e.Name, e.Command, e.Schedule
		if e.Silence > 0 {
			given[which+"Silence"] = strconv.FormatFloat(e.Silence, 'f', -1, 64)
		}
	}
	for name := range given {
		if _, ok := declared[name]; !ok {
			return fmt.Errorf("the template has no parameter %s", name)
		}
	}
	for name, item := range declared {
		m, _ := item.(map[string]any)
		value, ok := m["Default"].(string)
		if text := given[name]; text != "" {
			value, ok = text, true
		}
		if !ok {
			return fmt.Errorf("the parameter %s has no value", name)
		}
		s.parameters[name] = value
		if str(m["Type"]) == "CommaDelimitedList" {
			list := []any{}
			for _, word := range strings.Split(value, ",") {
				list = append(list, word)
			}
			s.parameters[name] = list
		}
	}
	return nil
}

func (s *stack) condition(name string) (bool, error) {
	c, ok := s.conditions[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %s", name)
	}
	v, err := s.resolve(c)
	is, ok := v.(bool)
	if err == nil && !ok {
		err = fmt.Errorf("the condition %s is neither true nor false", name)
	}
	return is, err
}

// gone stands for AWS::NoValue.
type gone struct{}

func (s *stack) resolve(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, item := range v {
			r, err := s.resolve(item)
			if err != nil {
				return nil, err
			}
			if r != (gone{}) {
				list = append(list, r)
			}
		}
		return list, nil
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || name == "Condition" && fmt.Sprintf("%T", argument) == "string" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, argument)
				}
			}
		}
		m := map[string]any{}
		for key, item := range v {
			r, err := s.resolve(item)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			if r != (gone{}) {
				m[key] = r
			}
		}
		return m, nil
	}
	return v, nil
}

// call resolves one of CloudFormation's functions.
func (s *stack) call(name string, argument any) (any, error) {
	if name == "Fn::If" {
		list := listOf(argument)
		if len(list) != 3 {
			return nil, fmt.Errorf("Fn::If with %d arguments", len(list))
		}
		is, err := s.condition(str(list[0]))
		if err != nil {
			return nil, err
		}
		if is {
			return s.resolve(list[1])
		}
		return s.resolve(list[2])
	}
	argument, err := s.resolve(argument)
	if err != nil {
		return nil, err
	}
	list := listOf(argument)
	switch name {
	case "Ref":
		return s.reference(str(argument))
	case "Condition":
		return s.condition(str(argument))
	case "Fn::GetAtt":
		if len(list) != 2 || list[1] != "Arn" {
			return nil, fmt.Errorf("the attribute %v is not known here", argument)
		}
		return s.arn(str(list[0]))
	case "Fn::Sub":
		return s.sub(str(argument))
	case "Fn::Equals":
		return len(list) == 2 && str(list[0]) == str(list[1]), nil
	case "Fn::Not":
		is, _ := list[0].(bool)
		return !is, nil
	case "Fn::Or":
		return slices.Contains(list, any(true)), nil
	case "Fn::Join":
		return strings.Join(texts(list[1]), str(list[0])), nil
	}
	return nil, fmt.Errorf("the function %s is not known here", name)
}

func (s *stack) reference(name string) (any, error) {
	pseudo := map[string]any{"AWS::AccountId": Account, "AWS::Region": Region, "AWS::Partition": Partition, "AWS::NoValue": gone{}}
	if v, ok := pseudo[name]; ok {
		return v, nil
	}
	if v, ok := s.parameters[name]; ok {
		return v, nil
	}
	switch name {
	case "Function", "ScheduleGroup":
		return s.parameters["Name"], nil
	case "LoopMachine", "Alarms":
		return s.arn(name)
	case "LogGroup":
		return "/aws/lambda/" + str(s.parameters["Name"]), nil
	case "Bucket", "DeadLetters":
		return name, nil
	}
	return nil, fmt.Errorf("there is nothing of the name %s", name)
}

func (s *stack) arn(name string) (string, error) {
	own := str(s.parameters["Name"])
	known := map[string]string{
		"Function": arn("lambda", "function:"+own), "DeadLetters": arn("sqs", own+"-dead-letters"), "LoopMachine": arn("states", "stateMachine:"+own),
		"Alarms": arn("sns", own+"-alarms"), "ArrivalRule": arn("events", "rule/"+own+"-arrival"),
		"FunctionRole": "role/lambda", "SchedulerRole": "role/scheduler", "LoopRole": "role/states",
	}
	if text, ok := known[name]; ok {
		return text, nil
	}
	return "", fmt.Errorf("there is nothing of the name %s that has an ARN", name)
}

func (s *stack) sub(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, found := strings.Cut(rest, "}")
		if !found {
			return "", fmt.Errorf("${ without an end")
		}
		v, err := s.reference(name)
		if err != nil {
			return "", err
		}
		out.WriteString(str(v))
		text = after
	}
}

// of gives the properties of all resources of a type, by their logical names.
func (s *stack) of(kind string) []map[string]any {
	var list []map[string]any
	for _, name := range slices.Sorted(maps.Keys(s.resources)) {
		if s.resources[name].Type == kind {
			list = append(list, s.resources[name].Properties)
		}
	}
	return list
}

// at follows keys into a value; a number takes an item of a list.
func at(v any, path ...string) any {
	for _, key := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func object(v any) map[string]any {
	if text, ok := v.(string); ok {
		var m map[string]any
		if json.Unmarshal([]byte(text), &m) != nil {
			return nil
		}
		return m
	}
	m, _ := v.(map[string]any)
	return m
}
