package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// module is a Terraform module with its variables.
type module struct {
	variables map[string]cty.Value
	locals    map[string]cty.Value
	blocks    []*hclsyntax.Block
	things    map[string][]map[string]any // attributes of resources, by type
}

// Terraform reads a module's files (by their names) as Terraform would: variables, locals, for_each, count and functions
// are resolved, names of things become ARNs of the account of these tests. What it does not know is an error.
func Terraform(files map[string][]byte, c Choice) (*Plan, error) {
	m := &module{variables: map[string]cty.Value{}, locals: map[string]cty.Value{}, things: map[string][]map[string]any{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		parsed, problems := hclsyntax.ParseConfig(files[name], name, hcl.InitialPos)
		if problems.HasErrors() {
			return nil, problems
		}
		m.blocks = append(m.blocks, parsed.Body.(*hclsyntax.Body).Blocks...)
	}
	if err := m.give(c); err != nil {
		return nil, err
	}
	for _, b := range m.blocks {
		if b.Type == "locals" {
			if err := m.local(b.Body); err != nil {
				return nil, err
			}
		}
	}
	for _, b := range m.blocks {
		if b.Type == "resource" {
			if err := m.resource(b); err != nil {
				return nil, fmt.Errorf("%s: %w", strings.Join(b.Labels, "."), err)
			}
		}
	}
	return m.plan()
}

// chosen gives the variables of a Choice as JSON values.
func chosen(c Choice) map[string]any {
	given := map[string]any{"code_bucket": "code", "bucket_name": c.Bucket}
	for name, text := range map[string]string{
		"name": c.Name, "prefix": c.Prefix, "time_zone": c.TimeZone, "arrival": c.Arrival, "loop": c.Loop, "login_arn": c.Login, "key_arn": c.Key,
		"database_user_arn": c.DatabaseUser, "instance": c.Instance,
	} {
		if text != "" {
			given[name] = text
		}
	}
	if len(c.Subnets) > 0 {
		given["subnet_ids"], given["security_group_ids"] = c.Subnets, c.Groups
	}
	if len(c.Environments) > 0 {
		all := map[string]any{}
		for _, e := range c.Environments {
			one := map[string]any{"schedule": e.Schedule, "silence": e.Silence}
			if e.Command != "" {
				one["command"] = e.Command
			}
			all[e.Name] = one
		}
		given["environments"] = all
	}
	return given
}

func (m *module) give(c Choice) error {
	given := chosen(c)
	for _, b := range m.blocks {
		if b.Type != "variable" {
			continue
		}
		name := b.Labels[0]
		kind, defaults, problems := typeexpr.TypeConstraintWithDefaults(b.Body.Attributes["type"].Expr)
		if problems.HasErrors() {
			return problems
		}
		var value cty.Value
		if v, ok := given[name]; ok {
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			implied, err := ctyjson.ImpliedType(text)
			if err != nil {
				return err
			}
			if value, err = ctyjson.Unmarshal(text, implied); err != nil {
				return err
			}
			delete(given, name)
		} else {
			d, ok := b.Body.Attributes["default"]
			if !ok {
				return fmt.Errorf("the variable %s has no value", name)
			}
			if value, problems = d.Expr.Value(nil); problems.HasErrors() {
				return problems
			}
		}
		if defaults != nil {
			value = defaults.Apply(value)
		}
		value, err := convert.Convert(value, kind)
		if err != nil {
			return fmt.Errorf("the variable %s: %w", name, err)
		}
		m.variables[name] = value
	}
	for name := range given {
		return fmt.Errorf("the module has no variable %s", name)
	}
	return nil
}

// local resolves the locals in the order in which they are written; Terraform would not need one.
func (m *module) local(body *hclsyntax.Body) error {
	list := slices.Collect(maps.Values(body.Attributes))
	slices.SortFunc(list, func(a, b *hclsyntax.Attribute) int { return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte })
	for _, a := range list {
		v, problems := a.Expr.Value(m.scope(nil))
		if problems.HasErrors() {
			return problems
		}
		m.locals[a.Name] = v
	}
	return nil
}

// scope is what expressions can name.
func (m *module) scope(each map[string]cty.Value) *hcl.EvalContext {
	one := func(pairs ...string) cty.Value {
		values := map[string]cty.Value{}
		for i := 0; i < len(pairs); i += 2 {
			values[pairs[i]] = cty.StringVal(pairs[i+1])
		}
		return cty.ObjectVal(values)
	}
	named := func(name string, v cty.Value) cty.Value { return cty.ObjectVal(map[string]cty.Value{name: v}) }
	counted := func(name string, v cty.Value) cty.Value { return named(name, cty.TupleVal([]cty.Value{v})) }
	own := m.variables["name"].AsString()
	bucket := m.variables["bucket_name"].AsString()
	scope := &hcl.EvalContext{
		Variables: map[string]cty.Value{
			"var": cty.ObjectVal(m.variables), "local": cty.ObjectVal(m.locals),
			"data": cty.ObjectVal(map[string]cty.Value{
				"aws_caller_identity": named("this", one("account_id", Account)), "aws_partition": named("this", one("partition", Partition)),
				"aws_region": named("this", one("id", Region)),
			}),
			"aws_s3_bucket":                named("scripts", one("id", bucket, "bucket", bucket)),
			"aws_sqs_queue":                named("dead_letters", one("id", "DeadLetters", "arn", arn("sqs", own+"-dead-letters"))),
			"aws_cloudwatch_log_group":     named("function", one("name", "/aws/lambda/"+own)),
			"aws_lambda_function":          named("this", one("function_name", own, "arn", arn("lambda", "function:"+own))),
			"aws_scheduler_schedule_group": named("this", one("name", own)),
			"aws_sns_topic":                named("alarms", one("arn", arn("sns", own+"-alarms"))),
			"aws_sfn_state_machine":        counted("loop", one("arn", arn("states", "stateMachine:"+own))),
			"aws_cloudwatch_event_rule":    counted("arrival", one("name", own+"-arrival", "arn", arn("events", "rule/"+own+"-arrival"))),
			"aws_iam_role": cty.ObjectVal(map[string]cty.Value{
				"function": one("id", "lambda", "arn", "role/lambda"), "scheduler": one("id", "scheduler", "arn", "role/scheduler"),
				"loop": cty.TupleVal([]cty.Value{one("id", "states", "arn", "role/states")}),
			}),
		},
		Functions: map[string]function.Function{
			"jsonencode": stdlib.JSONEncodeFunc, "concat": stdlib.ConcatFunc, "merge": stdlib.MergeFunc, "length": stdlib.LengthFunc, "contains": stdlib.ContainsFunc,
		},
	}
	if each != nil {
		scope.Variables["each"] = cty.ObjectVal(each)
	}
	return scope
}

// resource resolves one block, once for each of for_each or count.
func (m *module) resource(b *hclsyntax.Block) error {
	scopes := []*hcl.EvalContext{m.scope(nil)}
	if a, ok := b.Body.Attributes["count"]; ok {
		v, problems := a.Expr.Value(scopes[0])
		if problems.HasErrors() {
			return problems
		}
		if v.RawEquals(cty.NumberIntVal(0)) {
			return nil
		}
	}
	if a, ok := b.Body.Attributes["for_each"]; ok {
		v, problems := a.Expr.Value(scopes[0])
		if problems.HasErrors() {
			return problems
		}
		scopes = nil
		for key, value := range v.Elements() {
			scopes = append(scopes, m.scope(map[string]cty.Value{"key": key, "value": value}))
		}
	}
	for _, scope := range scopes {
		attributes, err := body(b.Body, scope)
		if err != nil {
			return err
		}
		m.things[b.Labels[0]] = append(m.things[b.Labels[0]], attributes)
	}
	return nil
}

// body resolves attributes and blocks; a block becomes an object, a dynamic one too.
func body(b *hclsyntax.Body, scope *hcl.EvalContext) (map[string]any, error) {
	out := map[string]any{}
	for name, a := range b.Attributes {
		if name == "count" || name == "for_each" {
			continue
		}
		v, problems := a.Expr.Value(scope)
		if problems.HasErrors() {
			return nil, problems
		}
		text, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			return nil, err
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			return nil, err
		}
		out[name] = plain
	}
	for _, inner := range b.Blocks {
		name, content := inner.Type, inner.Body
		if inner.Type == "dynamic" {
			v, problems := inner.Body.Attributes["for_each"].Expr.Value(scope)
			if problems.HasErrors() {
				return nil, problems
			}
			if v.LengthInt() == 0 {
				continue
			}
			name, content = inner.Labels[0], inner.Body.Blocks[0].Body
		}
		resolved, err := body(content, scope)
		if err != nil {
			return nil, err
		}
		out[name] = resolved
	}
	return out, nil
}
