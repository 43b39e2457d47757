package provider

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/certrequest"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// certificateRequestResource is hsm_certificate_request. All there is of it is in the state.
type certificateRequestResource struct{ client *client }

var (
	_ resource.ResourceWithConfigure      = (*certificateRequestResource)(nil)
	_ resource.ResourceWithImportState    = (*certificateRequestResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*certificateRequestResource)(nil)
	_ resource.ResourceWithValidateConfig = (*certificateRequestResource)(nil)
)

func (r *certificateRequestResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName + "_certificate_request"
}

func (r *certificateRequestResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig finds what could not be in a request.
func (r *certificateRequestResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m certificateRequestModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		m.spec(ctx, &resp.Diagnostics)
	}
}

func (r *certificateRequestResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan certificateRequestModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if r.sign(ctx, &plan, &resp.Diagnostics); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	}
}

// Update makes the request anew if the plan says so; it may also be only that a version
// is written down that signed already.
func (r *certificateRequestResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan certificateRequestModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if plan.PEM.IsUnknown() {
		r.sign(ctx, &plan, &resp.Diagnostics)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	}
}

// Read finds out whether another version is current, or one of that number that is another
// key: of another token, or made anew under the same name. Whatever has become of the key, the
// request stays: it was made.
func (r *certificateRequestResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	if !r.client.isReady() {
		return
	}
	var m certificateRequestModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	v, _, err := services.Keys.Signer(ctx, m.KeyID.ValueString(), "", false)
	switch {
	case err == nil:
		m.RenewalDue = types.BoolValue(int64(v.Number) != m.Version.ValueInt64() || !certrequest.IsOf(m.PEM.ValueString(), v.PublicKey))
	case isRefusal(err):
		m.RenewalDue = types.BoolValue(false)
	default:
		report(&resp.Diagnostics, err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// Delete forgets the request: there is nothing of it on the token.
func (r *certificateRequestResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {
}

// ImportState says that there is nothing to import.
func (r *certificateRequestResource) ImportState(_ context.Context, _ resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	report(&resp.Diagnostics, &fault.Error{
		Kind: fault.Unsupported, Op: "import request for a certificate", Problem: "A request is in the state alone, so that there is nothing to import.",
		Hint: "Declare the resource without importing it: the apply makes a request, and what was made before stays valid. Import the key if it is not in the state.",
	})
}

// sign makes the request.
func (r *certificateRequestResource) sign(ctx context.Context, m *certificateRequestModel, diags *diag.Diagnostics) {
	ctx, services := r.client.begin(ctx, diags)
	spec := m.spec(ctx, diags)
	if diags.HasError() {
		return
	}
	defer r.client.finish(diags)
	name := m.KeyID.ValueString()
	v, scheme, err := services.Keys.Signer(ctx, name, keyring.Scheme(m.Algorithm.ValueString()), false)
	if err == nil {
		err = expects(name, m.Version, v)
	}
	if err != nil {
		report(diags, err, path.Root("key_id"))
		return
	}
	pem, err := certrequest.Create(spec, v.PublicKey, scheme, func(message []byte) ([]byte, error) {
		made, err := services.Keys.Sign(ctx, name, scheme, false, func(now *keyring.Version, _ keyring.Scheme) (lifecycle.Content, error) {
			return lifecycle.Content{Message: message}, expects(name, types.Int64Value(int64(v.Number)), now)
		})
		if err != nil {
			return nil, err
		}
		return scheme.Encoded(made.Bytes)
	})
	if err != nil {
		report(diags, err, path.Root("key_id"))
		return
	}
	tflog.Debug(ctx, "signed a request for a certificate", map[string]any{"key": name, "version": v.Number})
	m.ID, m.PEM, m.RenewalDue = types.StringValue(fmt.Sprintf("%x", sha256.Sum256([]byte(pem)))), types.StringValue(pem), types.BoolValue(false)
	m.Version, m.Algorithm = types.Int64Value(int64(v.Number)), types.StringValue(string(scheme))
}
