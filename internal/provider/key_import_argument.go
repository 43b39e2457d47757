package provider

import (
	"context"
	"encoding/base64"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// importModel is the argument import of hsm_key. The material is in the configuration
// alone: in plan and state it is null.
type importModel struct {
	Material      types.String `tfsdk:"wrapped_material_wo"`
	Version       types.Int64  `tfsdk:"wrapped_material_wo_version"`
	WrappingKeyID types.String `tfsdk:"wrapping_key_id"`
	Mechanism     types.String `tfsdk:"mechanism"`
}

func importType() map[string]attr.Type {
	return map[string]attr.Type{
		"wrapped_material_wo": types.StringType, "wrapped_material_wo_version": types.Int64Type,
		"wrapping_key_id": types.StringType, "mechanism": types.StringType,
	}
}

func importAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Bring your own key: the key is not generated in the HSM but made elsewhere, wrapped for a key of this HSM, and unwrapped inside it " +
			"(`C_UnwrapKey`). In clear it is never outside the HSM again, and never in the provider; its version says `local = false`. It is not extractable. " +
			"Possible for every algorithm but `ED25519` and `ED448`. How to wrap is in the guide *Bring your own key*. " +
			"Later versions are generated in the HSM if an `hsm_key_rotation` makes them, or come with a new `wrapped_material_wo_version`. Adding the block to a key that exists is the " +
			"same: a next version. Removing it changes nothing about the key. Default: the key is generated in the HSM.",
		Attributes: map[string]schema.Attribute{
			"wrapped_material_wo": schema.StringAttribute{
				Optional: true, WriteOnly: true, Sensitive: true, Validators: []validator.String{materialValidator{}},
				MarkdownDescription: "The wrapped key, in base64. Write-only: it is in no plan and no state. Required in the run that takes it in, and may be left out afterwards; a plan that would take in something and has none, as one that replaces the key by a change of `name`, is refused. " +
					"A secret key is wrapped as it is, a private key as PKCS#8 in DER.",
			},
			"wrapped_material_wo_version": schema.Int64Attribute{
				Required: true,
				MarkdownDescription: "Your number of the material. A change is in place and takes `wrapped_material_wo` in as the key's *next* version, which becomes the current one at once; no version is " +
					"lost. The one before may still verify and decrypt: for the `overlap` of the key's `hsm_key_rotation`, whose period starts anew, or, without one, until the key is removed. " +
					"Refused while a rotation pins a version.",
			},
			"wrapping_key_id": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"key"}},
				MarkdownDescription: "Id of the `hsm_key` that unwraps; its `operations` have `unwrap`. What was wrapped for a version of it that was replaced comes in during that version's overlap. " +
					"A change alone takes nothing in.",
			},
			"mechanism": schema.StringAttribute{
				Required: true, Validators: []validator.String{stringvalidator.OneOf(keyring.WrappingNames()...)},
				MarkdownDescription: "How it is wrapped. `RSA_AES_KEY_WRAP`: any key, for an RSA key (the format of `CKM_RSA_AES_KEY_WRAP`; it is opened by OAEP and RFC 5649, so the token need not have that mechanism). " +
					"`RSA_OAEP`: a secret key, for an RSA key (`CKM_RSA_PKCS_OAEP`). `AES_KEY_WRAP_PAD`: any key, for an AES key (RFC 5649, `CKM_AES_KEY_WRAP_PAD`). " +
					"OAEP is with SHA-256 or SHA-1, MGF1 with the same hash and no label; SoftHSM has SHA-1 only. A change alone takes nothing in.",
			},
		},
	}
}

// importOf is what an object of a configuration, plan or state says, nil for nothing, or
// as long as it is not known.
func importOf(ctx context.Context, written types.Object, diags *diag.Diagnostics) *keyring.Import {
	if written.IsNull() || !isWhole(written) {
		return nil
	}
	var m importModel
	diags.Append(written.As(ctx, &m, basetypes.ObjectAsOptions{})...)
	return &keyring.Import{
		Version: m.Version.ValueInt64(), WrappingKey: m.WrappingKeyID.ValueString(), Mechanism: keyring.Wrapping(m.Mechanism.ValueString()),
	}
}

// importObject shows where a key's material came from, null for a key of the HSM's own.
func importObject(i *keyring.Import) types.Object {
	if i == nil {
		return types.ObjectNull(importType())
	}
	return types.ObjectValueMust(importType(), map[string]attr.Value{
		"wrapped_material_wo": types.StringNull(), "wrapped_material_wo_version": types.Int64Value(i.Version),
		"wrapping_key_id": types.StringValue(i.WrappingKey), "mechanism": types.StringValue(string(i.Mechanism)),
	})
}

// takesIn reports whether a change of the argument brings new material.
func takesIn(prior, plan types.Object) bool {
	version := func(o types.Object) attr.Value { return o.Attributes()["wrapped_material_wo_version"] }
	switch {
	case plan.IsNull():
		return false
	case plan.IsUnknown(), prior.IsNull():
		return true
	}
	return !version(plan).Equal(version(prior))
}

// checkImport refuses, while nothing is changed yet, to take in what cannot be taken in: the
// apply would have removed the key that is replaced before it found out.
func (r *keyResource) checkImport(ctx context.Context, config tfsdk.Config, plan keyModel, diags *diag.Diagnostics) {
	if plan.Import.IsNull() || plan.Import.IsUnknown() {
		return
	}
	var material types.String
	diags.Append(config.GetAttribute(ctx, pathImport.AtName("wrapped_material_wo"), &material)...)
	if material.IsNull() {
		report(diags, lifecycle.NoMaterial(plan.Name.ValueString()), pathImport.AtName("wrapped_material_wo"))
	}
	if !r.client.isReady() || !plan.isSpecified() || diags.HasError() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	spec := plan.spec(ctx, diags)
	planned, isPlanned := r.client.planned(spec.Import.WrappingKey)
	if isPlanned && planned == nil { // not everything is known of it yet
		return
	}
	report(diags, services.Keys.CheckImport(ctx, spec, planned), pathImport.AtName("wrapping_key_id"))
}

// pathImport is the argument.
var pathImport = path.Root("import")

// materialIn reads the wrapped material, which only the configuration has; nil if it is
// not there.
func materialIn(ctx context.Context, config tfsdk.Config, diags *diag.Diagnostics) []byte {
	var text types.String
	diags.Append(config.GetAttribute(ctx, pathImport.AtName("wrapped_material_wo"), &text)...)
	material, err := base64.StdEncoding.DecodeString(text.ValueString())
	if err != nil {
		report(diags, noBase64())
	}
	return material
}

// materialValidator accepts base64 (RFC 4648 section 4), with line breaks.
type materialValidator struct{}

func (materialValidator) Description(context.Context) string { return "base64" }

func (v materialValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (materialValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if credential.IsPrivate(req.ConfigValue.ValueString()) {
		report(&resp.Diagnostics, &fault.Error{
			Kind: fault.Invalid, Op: "read wrapped material", Problem: "This is a private key in clear, which is to be wrapped before it leaves where it was made.",
			Hint: "Treat it as disclosed: make a new one, and wrap that as the guide on bringing your own key says.",
		}, req.Path)
		return
	}
	if raw, err := base64.StdEncoding.DecodeString(req.ConfigValue.ValueString()); err != nil || len(raw) == 0 {
		report(&resp.Diagnostics, noBase64(), req.Path)
	}
}

// noBase64 does not repeat what was given.
func noBase64() error {
	return &fault.Error{
		Kind: fault.Invalid, Op: "read wrapped material", Problem: "The material is not base64.",
		Hint: "Give the wrapped key as `openssl base64 -A` prints it, for example with file(\"wrapped.b64\"), or filebase64(\"wrapped.bin\").",
	}
}
