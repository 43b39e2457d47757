package acceptance_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// vault stands in for hashicorp/vault: it has the one resource that the examples hand
// a secret to, with the arguments that the real one has, and keeps what it was given.
type vault struct {
	mu      sync.Mutex
	written map[string][]string // by mount and name, what was written, in order
}

// newVault returns the stand-in as it is served to the CLI.
func newVault(t *testing.T) (*vault, map[string]tfprotov6.ProviderServer) {
	t.Helper()
	v := &vault{written: map[string][]string{}}
	return v, map[string]tfprotov6.ProviderServer{"hashicorp/vault": providerserver.NewProtocol6(v)()}
}

// read returns every value that was written to a path, the last one last.
func (v *vault) read(path string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.written[path]...)
}

func (v *vault) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "vault"
}

func (v *vault) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{}
}

func (v *vault) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (v *vault) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (v *vault) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return kvSecret{v} }}
}

// kvSecret is vault_kv_secret_v2.
type kvSecret struct{ *vault }

type kvSecretModel struct {
	Mount         types.String `tfsdk:"mount"`
	Name          types.String `tfsdk:"name"`
	DataWO        types.String `tfsdk:"data_json_wo"`
	DataWOVersion types.Int64  `tfsdk:"data_json_wo_version"`
}

func (s kvSecret) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "vault_kv_secret_v2"
}

func (s kvSecret) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = resourceschema.Schema{Attributes: map[string]resourceschema.Attribute{
		"mount":                resourceschema.StringAttribute{Required: true},
		"name":                 resourceschema.StringAttribute{Required: true},
		"data_json_wo":         resourceschema.StringAttribute{Optional: true, WriteOnly: true},
		"data_json_wo_version": resourceschema.Int64Attribute{Optional: true},
	}}
}

func (s kvSecret) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, written kvSecretModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &written)...) // write-only values are in the configuration alone
	s.write(written)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (s kvSecret) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (s kvSecret) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, prior, written kvSecretModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &written)...)
	if !plan.DataWOVersion.Equal(prior.DataWOVersion) {
		s.write(written)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (s kvSecret) write(m kvSecretModel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := fmt.Sprintf("%s/%s", m.Mount.ValueString(), m.Name.ValueString())
	s.written[path] = append(s.written[path], m.DataWO.ValueString())
}

func (s kvSecret) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}
