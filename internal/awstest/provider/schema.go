package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// schemas are a provider's, in the words in which terraform providers schema -json prints them.
type schemas struct {
	Resources   map[string]resource `json:"resource_schemas"`
	DataSources map[string]resource `json:"data_source_schemas"`
}

type resource struct {
	Block block `json:"block"`
}

type block struct {
	Attributes map[string]attribute `json:"attributes"`
	BlockTypes map[string]nested    `json:"block_types"`
}

type attribute struct {
	Type     kind `json:"type"`
	Required bool `json:"required"`
	Optional bool `json:"optional"`
	Computed bool `json:"computed"`
}

type nested struct {
	Nesting string `json:"nesting_mode"`
	Min     int64  `json:"min_items"`
	Max     int64  `json:"max_items"` // 0: any number
	Block   block  `json:"block"`
}

func read(file string) (schemas, error) {
	var s schemas
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// kind is a type: the name of a simple one, or a collection and what is in it, as ["list","string"].
type kind struct{ tftypes.Type }

var simple = map[string]tftypes.Type{"string": tftypes.String, "number": tftypes.Number, "bool": tftypes.Bool}

func (k *kind) UnmarshalJSON(text []byte) error {
	var name string
	if json.Unmarshal(text, &name) == nil {
		k.Type = simple[name]
	} else if err := k.collection(text); err != nil {
		return err
	}
	if k.Type == nil {
		return fmt.Errorf("there is no type %s", text)
	}
	return nil
}

func (k *kind) collection(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil || len(parts) != 2 {
		return err
	}
	var element kind
	if err := json.Unmarshal(parts[1], &element); err != nil {
		return err
	}
	switch string(parts[0]) {
	case `"list"`:
		k.Type = tftypes.List{ElementType: element.Type}
	case `"set"`:
		k.Type = tftypes.Set{ElementType: element.Type}
	case `"map"`:
		k.Type = tftypes.Map{ElementType: element.Type}
	}
	return nil
}

// nestings are the ways in which blocks are in a block.
var nestings = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
}

func (r resource) served() *tfprotov5.Schema {
	return &tfprotov5.Schema{Block: r.Block.served()}
}

func (b block) served() *tfprotov5.SchemaBlock {
	out := &tfprotov5.SchemaBlock{}
	for name, a := range b.Attributes {
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: a.Type.Type, Required: a.Required, Optional: a.Optional, Computed: a.Computed,
		})
	}
	for name, n := range b.BlockTypes {
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Nesting: nestings[n.Nesting], MinItems: n.Min, MaxItems: n.Max, Block: n.Block.served(),
		})
	}
	return out
}
