package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// revokeKeyVersionAction is the action hsm_revoke_key_version.
type revokeKeyVersionAction struct{ client *client }

var _ action.ActionWithConfigure = (*revokeKeyVersionAction)(nil)

// pathKeyID is the argument that names the key.
var pathKeyID = path.Root(byKeyID)

func (a *revokeKeyVersionAction) Metadata(_ context.Context, _ action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = typeName + "_revoke_key_version"
}

func (a *revokeKeyVersionAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (a *revokeKeyVersionAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Revokes one version of a key, at once and **for good**: the HSM refuses every use of it, and nothing undoes that. " +
			"Its record and public key stay.\n\n" +
			"If it is the current version, no version protects new data from then on: the key's `hsm_key_rotation` is due with the next plan, or `hsm_rotate_key` makes the next version at once. " +
			"The entry may also be written into `revoke` of the rotation, where it documents itself; both mean the same. Needs Terraform 1.14.",
		Attributes: map[string]schema.Attribute{
			byKeyID: schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"key"}}, MarkdownDescription: "Id of the key.",
			},
			"version": schema.Int64Attribute{
				Required: true, Validators: []validator.Int64{int64validator.AtLeast(1)}, MarkdownDescription: "Number of the version. It is named outright, so that no other one is hit.",
			},
			"reason": schema.StringAttribute{
				Required: true, Validators: []validator.String{stringvalidator.OneOf(keyring.ReasonNames()...)},
				MarkdownDescription: "Why (RFC 5280): " + quoted(keyring.ReasonNames()) + ". `key_compromise` also says that what the version signed is not to be trusted; it may be given later, and is never taken back.",
			},
		},
	}
}

// revokeKeyVersionModel is the action's configuration.
type revokeKeyVersionModel struct {
	KeyID   types.String `tfsdk:"key_id"`
	Version types.Int64  `tfsdk:"version"`
	Reason  types.String `tfsdk:"reason"`
}

// Invoke revokes the version. What has begun is carried through, whoever interrupts.
func (a *revokeKeyVersionAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var m revokeKeyVersionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	ctx, services := a.client.change(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer a.client.changed(&resp.Diagnostics)
	name, number := m.KeyID.ValueString(), int(m.Version.ValueInt64())
	resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("Key %q: version %d is being revoked (%s). A revocation is final.", name, number, m.Reason.ValueString())})
	tflog.Debug(ctx, "revoking version by hand", map[string]any{"key": name, "version": number, "reason": m.Reason.ValueString()})
	key, err := services.Keys.Revoke(ctx, name, number, keyring.Reason(m.Reason.ValueString()))
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	v := key.Versions[number]
	resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("Key %q: version %d is revoked for good (%s); enforcement: %s.", name, number, v.RevokedFor, v.Enforcement)})
	if key.Current() == nil {
		resp.Diagnostics.AddWarning("The key has no current version",
			fmt.Sprintf("Key %q: With version %d revoked no version protects new data.\n\n"+
				"Run the action hsm_rotate_key, or apply: the key's hsm_key_rotation is due.", name, number))
	}
}
