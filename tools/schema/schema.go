package main

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The types below are the format, as described at
// https://developer.hashicorp.com/terraform/cli/commands/providers/schema.
type (
	document struct {
		FormatVersion   string                     `json:"format_version"`
		ProviderSchemas map[string]providerSchemas `json:"provider_schemas"`
	}

	providerSchemas struct {
		Provider           schema                       `json:"provider"`
		Resources          map[string]schema            `json:"resource_schemas,omitempty"`
		DataSources        map[string]schema            `json:"data_source_schemas,omitempty"`
		EphemeralResources map[string]schema            `json:"ephemeral_resource_schemas,omitempty"`
		ListResources      map[string]schema            `json:"list_resource_schemas,omitempty"`
		Actions            map[string]schema            `json:"action_schemas,omitempty"`
		Functions          map[string]functionSignature `json:"functions,omitempty"`
		Identities         map[string]identity          `json:"resource_identity_schemas,omitempty"`
	}

	schema struct {
		Version int64 `json:"version"`
		Block   block `json:"block"`
	}

	block struct {
		Attributes      map[string]attribute `json:"attributes,omitempty"`
		BlockTypes      map[string]blockType `json:"block_types,omitempty"`
		Description     string               `json:"description,omitempty"`
		DescriptionKind string               `json:"description_kind"`
		Deprecated      bool                 `json:"deprecated,omitempty"`
	}

	blockType struct {
		NestingMode string `json:"nesting_mode"`
		Block       block  `json:"block"`
		MinItems    int64  `json:"min_items,omitempty"`
		MaxItems    int64  `json:"max_items,omitempty"`
	}

	attribute struct {
		Type            any         `json:"type,omitempty"`
		NestedType      *nestedType `json:"nested_type,omitempty"`
		Description     string      `json:"description,omitempty"`
		DescriptionKind string      `json:"description_kind"`
		Deprecated      bool        `json:"deprecated,omitempty"`
		Required        bool        `json:"required,omitempty"`
		Optional        bool        `json:"optional,omitempty"`
		Computed        bool        `json:"computed,omitempty"`
		Sensitive       bool        `json:"sensitive,omitempty"`
		WriteOnly       bool        `json:"write_only,omitempty"`
	}

	nestedType struct {
		Attributes  map[string]attribute `json:"attributes"`
		NestingMode string               `json:"nesting_mode"`
	}

	functionSignature struct {
		Description        string      `json:"description,omitempty"`
		Summary            string      `json:"summary,omitempty"`
		DeprecationMessage string      `json:"deprecation_message,omitempty"`
		ReturnType         any         `json:"return_type"`
		Parameters         []parameter `json:"parameters,omitempty"`
		VariadicParameter  *parameter  `json:"variadic_parameter,omitempty"`
	}

	parameter struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		IsNullable  bool   `json:"is_nullable,omitempty"`
		Type        any    `json:"type"`
	}

	identity struct {
		Version    int64                        `json:"version"`
		Attributes map[string]identityAttribute `json:"attributes"`
	}

	identityAttribute struct {
		Type              any    `json:"type"`
		Description       string `json:"description,omitempty"`
		RequiredForImport bool   `json:"required_for_import,omitempty"`
		OptionalForImport bool   `json:"optional_for_import,omitempty"`
	}
)

func providerOf(s *tfprotov6.GetProviderSchemaResponse, i *tfprotov6.GetResourceIdentitySchemasResponse) providerSchemas {
	return providerSchemas{
		Provider:           schemaOf(s.Provider),
		Resources:          each(s.ResourceSchemas, schemaOf),
		DataSources:        each(s.DataSourceSchemas, schemaOf),
		EphemeralResources: each(s.EphemeralResourceSchemas, schemaOf),
		ListResources:      each(s.ListResourceSchemas, schemaOf),
		Actions:            each(s.ActionSchemas, func(a *tfprotov6.ActionSchema) schema { return schemaOf(a.Schema) }),
		Functions:          each(s.Functions, functionOf),
		Identities:         each(i.IdentitySchemas, identityOf),
	}
}

func each[In, Out any](in map[string]In, convert func(In) Out) map[string]Out {
	out := make(map[string]Out, len(in))
	for name, value := range in {
		out[name] = convert(value)
	}
	return out
}

func schemaOf(s *tfprotov6.Schema) schema {
	return schema{Version: s.Version, Block: blockOf(s.Block)}
}

func blockOf(b *tfprotov6.SchemaBlock) block {
	nested := make(map[string]blockType, len(b.BlockTypes))
	for _, n := range b.BlockTypes {
		nested[n.TypeName] = blockType{NestingMode: blockNesting[n.Nesting], Block: blockOf(n.Block), MinItems: n.MinItems, MaxItems: n.MaxItems}
	}
	return block{
		Attributes: attributesOf(b.Attributes), BlockTypes: nested,
		Description: b.Description, DescriptionKind: kindOf(b.DescriptionKind), Deprecated: b.Deprecated,
	}
}

func attributesOf(in []*tfprotov6.SchemaAttribute) map[string]attribute {
	out := make(map[string]attribute, len(in))
	for _, a := range in {
		converted := attribute{
			Description: a.Description, DescriptionKind: kindOf(a.DescriptionKind), Deprecated: a.Deprecated,
			Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		}
		if a.NestedType != nil {
			converted.NestedType = &nestedType{Attributes: attributesOf(a.NestedType.Attributes), NestingMode: objectNesting[a.NestedType.Nesting]}
		} else {
			converted.Type = typeOf(a.Type)
		}
		out[a.Name] = converted
	}
	return out
}

func functionOf(f *tfprotov6.Function) functionSignature {
	converted := functionSignature{
		Description: f.Description, Summary: f.Summary, DeprecationMessage: f.DeprecationMessage, ReturnType: typeOf(f.Return.Type),
	}
	for _, p := range f.Parameters {
		converted.Parameters = append(converted.Parameters, parameterOf(p))
	}
	if f.VariadicParameter != nil {
		variadic := parameterOf(f.VariadicParameter)
		converted.VariadicParameter = &variadic
	}
	return converted
}

func parameterOf(p *tfprotov6.FunctionParameter) parameter {
	return parameter{Name: p.Name, Description: p.Description, IsNullable: p.AllowNullValue, Type: typeOf(p.Type)}
}

func identityOf(s *tfprotov6.ResourceIdentitySchema) identity {
	attributes := make(map[string]identityAttribute, len(s.IdentityAttributes))
	for _, a := range s.IdentityAttributes {
		attributes[a.Name] = identityAttribute{
			Type: typeOf(a.Type), Description: a.Description,
			RequiredForImport: a.RequiredForImport, OptionalForImport: a.OptionalForImport,
		}
	}
	return identity{Version: s.Version, Attributes: attributes}
}

var blockNesting = map[tfprotov6.SchemaNestedBlockNestingMode]string{
	tfprotov6.SchemaNestedBlockNestingModeSingle: "single",
	tfprotov6.SchemaNestedBlockNestingModeList:   "list",
	tfprotov6.SchemaNestedBlockNestingModeSet:    "set",
	tfprotov6.SchemaNestedBlockNestingModeMap:    "map",
	tfprotov6.SchemaNestedBlockNestingModeGroup:  "group",
}

var objectNesting = map[tfprotov6.SchemaObjectNestingMode]string{
	tfprotov6.SchemaObjectNestingModeSingle: "single",
	tfprotov6.SchemaObjectNestingModeList:   "list",
	tfprotov6.SchemaObjectNestingModeSet:    "set",
	tfprotov6.SchemaObjectNestingModeMap:    "map",
}

func kindOf(k tfprotov6.StringKind) string {
	if k == tfprotov6.StringKindMarkdown {
		return "markdown"
	}
	return "plain"
}

// typeOf gives a type the form that cty's JSON encoding of types gives it.
func typeOf(t tftypes.Type) any {
	switch t := t.(type) {
	case tftypes.List:
		return []any{"list", typeOf(t.ElementType)}
	case tftypes.Set:
		return []any{"set", typeOf(t.ElementType)}
	case tftypes.Map:
		return []any{"map", typeOf(t.ElementType)}
	case tftypes.Object:
		return []any{"object", each(t.AttributeTypes, typeOf)}
	case tftypes.Tuple:
		elements := make([]any, 0, len(t.ElementTypes))
		for _, e := range t.ElementTypes {
			elements = append(elements, typeOf(e))
		}
		return []any{"tuple", elements}
	}
	switch {
	case t.Is(tftypes.String):
		return "string"
	case t.Is(tftypes.Number):
		return "number"
	case t.Is(tftypes.Bool):
		return "bool"
	case t.Is(tftypes.DynamicPseudoType):
		return "dynamic"
	}
	panic(fmt.Sprintf("schema: no known type: %s", t))
}
