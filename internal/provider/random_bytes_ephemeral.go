package provider

import (
	"context"
	"encoding/base64"
	"encoding/hex"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// randomBytes is the ephemeral resource hsm_random_bytes.
type randomBytes struct{ client *client }

var _ ephemeral.EphemeralResourceWithConfigure = (*randomBytes)(nil)

func (e *randomBytes) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = typeName + "_random_bytes"
}

func (e *randomBytes) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	e.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (e *randomBytes) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Random bytes of the HSM's random number generator, for another provider's write-only argument. Terraform keeps them in no plan and in no state.\n\n" +
			"They are other ones each time, and Terraform opens this at plan and once more at apply: hand them on to where they are kept, and let the argument's " +
			"version say when they are to be written anew.",
		Attributes: map[string]schema.Attribute{
			"length": schema.Int64Attribute{
				Required: true, Validators: []validator.Int64{int64validator.Between(1, 1024)},
				MarkdownDescription: "How many bytes, from 1 to 1024.",
			},
			"base64": schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The bytes as base64 (RFC 4648 section 4), with padding."},
			"hex":    schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The bytes as lower-case hexadecimal."},
		},
	}
}

// randomBytesModel is how many are wanted, and the bytes.
type randomBytesModel struct {
	Length types.Int64  `tfsdk:"length"`
	Base64 types.String `tfsdk:"base64"`
	Hex    types.String `tfsdk:"hex"`
}

// Open has the HSM make the bytes.
func (e *randomBytes) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m randomBytesModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if !e.client.isReady() {
		m.Base64, m.Hex = types.StringUnknown(), types.StringUnknown()
		resp.Diagnostics.Append(resp.Result.Set(ctx, m)...)
		return
	}
	ctx, services := e.client.begin(ctx, &resp.Diagnostics)
	defer e.client.finish(&resp.Diagnostics)
	random, err := services.Keys.Random(ctx, int(m.Length.ValueInt64()))
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	defer clear(random)
	m.Base64, m.Hex = types.StringValue(base64.StdEncoding.EncodeToString(random)), types.StringValue(hex.EncodeToString(random))
	tflog.Debug(ctx, "made random bytes", map[string]any{"length": m.Length.ValueInt64()})
	resp.Diagnostics.Append(resp.Result.Set(ctx, m)...)
}
