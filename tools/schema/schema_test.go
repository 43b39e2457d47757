package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	ephemeralschema "github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	providerschema "github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// What `terraform providers schema -json` says of this provider, but for the key.
const want = `{
  "format_version": "1.0",
  "provider_schemas": {
    "hsm": {
      "provider": {
        "version": 0,
        "block": {
          "attributes": {
            "pin": {
              "type": "string",
              "description": "The PIN.",
              "description_kind": "plain",
              "optional": true,
              "sensitive": true
            }
          },
          "description_kind": "plain"
        }
      },
      "resource_schemas": {
        "toy_thing": {
          "version": 3,
          "block": {
            "attributes": {
              "secret": {
                "type": "string",
                "description_kind": "plain",
                "deprecated": true,
                "required": true,
                "write_only": true
              },
              "shape": {
                "type": [
                  "object",
                  {
                    "sides": [
                      "list",
                      "number"
                    ],
                    "tags": [
                      "map",
                      "string"
                    ]
                  }
                ],
                "description_kind": "plain",
                "optional": true,
                "computed": true
              },
              "versions": {
                "nested_type": {
                  "attributes": {
                    "local": {
                      "type": "bool",
                      "description_kind": "plain",
                      "computed": true
                    }
                  },
                  "nesting_mode": "map"
                },
                "description_kind": "plain",
                "computed": true
              }
            },
            "block_types": {
              "limit": {
                "nesting_mode": "set",
                "block": {
                  "attributes": {
                    "names": {
                      "type": [
                        "set",
                        "string"
                      ],
                      "description_kind": "plain",
                      "optional": true
                    }
                  },
                  "description_kind": "plain"
                }
              }
            },
            "description": "A *thing*.",
            "description_kind": "markdown"
          }
        }
      },
      "data_source_schemas": {
        "toy_data": {
          "version": 0,
          "block": {
            "attributes": {
              "anything": {
                "type": "dynamic",
                "description_kind": "plain",
                "computed": true
              }
            },
            "description_kind": "plain"
          }
        }
      },
      "ephemeral_resource_schemas": {
        "toy_brief": {
          "version": 0,
          "block": {
            "attributes": {
              "value": {
                "type": "string",
                "description_kind": "plain",
                "computed": true
              }
            },
            "description_kind": "plain"
          }
        }
      },
      "functions": {
        "join": {
          "description": "Joins words.",
          "summary": "Join",
          "return_type": "string",
          "parameters": [
            {
              "name": "by",
              "is_nullable": true,
              "type": "string"
            }
          ],
          "variadic_parameter": {
            "name": "words",
            "type": "string"
          }
        }
      },
      "resource_identity_schemas": {
        "toy_thing": {
          "version": 0,
          "attributes": {
            "name": {
              "type": "string",
              "description": "Its name.",
              "required_for_import": true
            }
          }
        }
      }
    }
  }
}
`

func TestExport(t *testing.T) {
	for range 3 { // maps come in another order each time
		var out bytes.Buffer
		if err := export(t.Context(), &out, providerserver.NewProtocol6(toy{})()); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Fatalf("exported\n%s", out.String())
		}
	}
}

func TestExportFailsWithTheProvider(t *testing.T) {
	err := export(t.Context(), &bytes.Buffer{}, providerserver.NewProtocol6(toy{broken: true})())
	if err == nil {
		t.Fatal("no error, although the schema is invalid")
	}
}

// toy is a provider with one of everything.
type toy struct{ broken bool }

func (toy) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "toy"
}

func (p toy) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	if p.broken {
		resp.Diagnostics.AddError("Broken", "It was to be broken.")
	}
	resp.Schema = providerschema.Schema{Attributes: map[string]providerschema.Attribute{
		"pin": providerschema.StringAttribute{Optional: true, Sensitive: true, Description: "The PIN."},
	}}
}

func (toy) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (toy) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return thing{} }}
}

func (toy) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{func() datasource.DataSource { return data{} }}
}

func (toy) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{func() ephemeral.EphemeralResource { return brief{} }}
}

func (toy) Functions(context.Context) []func() function.Function {
	return []func() function.Function{func() function.Function { return join{} }}
}

type thing struct{ resource.Resource }

func (thing) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "toy_thing"
}

func (thing) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = resourceschema.Schema{
		Version:             3,
		MarkdownDescription: "A *thing*.",
		Attributes: map[string]resourceschema.Attribute{
			"secret": resourceschema.StringAttribute{Required: true, WriteOnly: true, DeprecationMessage: "Use something else."},
			"shape": resourceschema.ObjectAttribute{Optional: true, Computed: true, AttributeTypes: map[string]attr.Type{
				"sides": types.ListType{ElemType: types.NumberType}, "tags": types.MapType{ElemType: types.StringType},
			}},
			"versions": resourceschema.MapNestedAttribute{Computed: true, NestedObject: resourceschema.NestedAttributeObject{
				Attributes: map[string]resourceschema.Attribute{"local": resourceschema.BoolAttribute{Computed: true}},
			}},
		},
		Blocks: map[string]resourceschema.Block{
			"limit": resourceschema.SetNestedBlock{NestedObject: resourceschema.NestedBlockObject{
				Attributes: map[string]resourceschema.Attribute{
					"names": resourceschema.SetAttribute{Optional: true, ElementType: types.StringType},
				},
			}},
		},
	}
}

func (thing) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"name": identityschema.StringAttribute{RequiredForImport: true, Description: "Its name."},
	}}
}

type data struct{ datasource.DataSource }

func (data) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "toy_data"
}

func (data) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = dataschema.Schema{Attributes: map[string]dataschema.Attribute{
		"anything": dataschema.DynamicAttribute{Computed: true},
	}}
}

type brief struct{ ephemeral.EphemeralResource }

func (brief) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = "toy_brief"
}

func (brief) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = ephemeralschema.Schema{Attributes: map[string]ephemeralschema.Attribute{
		"value": ephemeralschema.StringAttribute{Computed: true},
	}}
}

type join struct{ function.Function }

func (join) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "join"
}

func (join) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Join", Description: "Joins words.", Return: function.StringReturn{},
		Parameters:        []function.Parameter{function.StringParameter{Name: "by", AllowNullValue: true}},
		VariadicParameter: function.StringParameter{Name: "words"},
	}
}
