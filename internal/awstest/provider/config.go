package main

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// check says what Terraform leaves to the provider to see: an argument that only AWS sets. All else that a schema tells it
// has seen before it asks.
func check(r resource, config *tfprotov5.DynamicValue) ([]*tfprotov5.Diagnostic, error) {
	value, err := config.Unmarshal(r.served().ValueType())
	if err != nil {
		return nil, err
	}
	return r.Block.check(value, tftypes.NewAttributePath())
}

func (b block) check(value tftypes.Value, at *tftypes.AttributePath) ([]*tfprotov5.Diagnostic, error) {
	if !value.IsKnown() || value.IsNull() {
		return nil, nil
	}
	var parts map[string]tftypes.Value
	if err := value.As(&parts); err != nil {
		return nil, err
	}
	var found []*tfprotov5.Diagnostic
	for name, a := range b.Attributes {
		if a.Computed && !a.Optional && !parts[name].IsNull() {
			found = append(found, &tfprotov5.Diagnostic{
				Severity:  tfprotov5.DiagnosticSeverityError,
				Summary:   "An argument that cannot be given",
				Detail:    `"` + name + `" can be read, and AWS sets it.`,
				Attribute: at.WithAttributeName(name),
			})
		}
	}
	for name, n := range b.BlockTypes {
		inner := []tftypes.Value{parts[name]}
		if n.Nesting != "single" {
			if !parts[name].IsKnown() {
				continue
			}
			if err := parts[name].As(&inner); err != nil {
				return nil, err
			}
		}
		for _, v := range inner {
			more, err := n.Block.check(v, at.WithAttributeName(name))
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}
