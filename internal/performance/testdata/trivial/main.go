// Command trivial serves resources that do nothing: one that has a name, which is what any
// resource costs that is not built into the CLI, and one with all that hsm_key has.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	hsm "github.com/keystead/terraform-provider-hsm/internal/provider"
)

type trivial struct{}

func (trivial) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "trivial"
}

func (trivial) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (trivial) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (trivial) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return thing{} }, func() resource.Resource { return key{hsmKey()} }}
}

func (trivial) DataSources(context.Context) []func() datasource.DataSource { return nil }

type thing struct{}

type model struct {
	Name types.String `tfsdk:"name"`
	ID   types.String `tfsdk:"id"`
}

func (thing) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "trivial_thing"
}

func (thing) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"name": schema.StringAttribute{Required: true},
		"id":   schema.StringAttribute{Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
	}}
}

func (thing) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	m.ID = m.Name
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (thing) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (thing) Update(_ context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.State.Raw = req.Plan.Raw
}

func (thing) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// key has the schema of hsm_key, and nothing else of it.
type key struct{ like resource.Resource }

// hsmKey finds hsm_key among the resources of the provider.
func hsmKey() resource.Resource {
	p := hsm.New("", nil)()
	for _, make := range p.Resources(context.Background()) {
		var resp resource.MetadataResponse
		r := make()
		if r.Metadata(context.Background(), resource.MetadataRequest{ProviderTypeName: "hsm"}, &resp); resp.TypeName == "hsm_key" {
			return r
		}
	}
	panic("there is no hsm_key")
}

func (key) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "trivial_key"
}

func (k key) Schema(ctx context.Context, req resource.SchemaRequest, resp *resource.SchemaResponse) {
	k.like.Schema(ctx, req, resp)
}

func (key) Create(_ context.Context, _ resource.CreateRequest, resp *resource.CreateResponse) {
	resp.Diagnostics.AddError("Cannot make a key", "This resource only plans.")
}

func (key) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (key) Update(_ context.Context, _ resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.Diagnostics.AddError("Cannot change a key", "This resource only plans.")
}

func (key) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func main() {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return trivial{} }, providerserver.ServeOpts{
		Address: "registry.terraform.io/keystead/trivial",
	})
	if err != nil {
		log.Fatal(err)
	}
}
