package provider

import (
	"context"
	"encoding/base64"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// signatureEphemeral is the ephemeral resource hsm_signature.
type signatureEphemeral struct{ client *client }

var _ ephemeral.EphemeralResourceWithConfigure = (*signatureEphemeral)(nil)

func (e *signatureEphemeral) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = typeName + "_signature"
}

func (e *signatureEphemeral) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	e.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (e *signatureEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	attributes := signingAttributes()
	maps.Copy(attributes, map[string]schema.Attribute{
		"message": schema.StringAttribute{
			Optional: true, Validators: []validator.String{base64Validator{}, stringvalidator.ExactlyOneOf(path.MatchRoot("message"), path.MatchRoot("digest"))},
			MarkdownDescription: "What is signed, as base64: `base64encode(\"…\")` or `filebase64(\"…\")`. Required, unless there is a `digest`.",
		},
		"digest": schema.StringAttribute{
			Optional: true, Validators: []validator.String{base64Validator{}},
			MarkdownDescription: "The hash of what is signed, as base64, for example `filebase64sha256(\"…\")`; by the hash of the signature algorithm. Not for Ed25519, Ed448 and HMAC keys, " +
				"which sign the message itself. Required, unless there is a `message`.",
		},
		"signature": schema.StringAttribute{
			Computed: true, MarkdownDescription: "The signature, or the HMAC, as base64. An ECDSA signature is in the form of X.509, TLS and openssl (ASN.1 DER).",
		},
		"signature_raw": schema.StringAttribute{
			Computed: true, MarkdownDescription: "The same as base64, an ECDSA signature in the form of JSON Web Signatures and PKCS#11: r and s, each as long as the curve's order.",
		},
	})
	resp.Schema = schema.Schema{
		MarkdownDescription: "A signature that is made in the HSM by the current version of a key. Terraform keeps it in no plan and in no state, and " +
			"has it made at plan and once more at apply: where signatures differ each time (ECDSA, RSA-PSS), so do these. " +
			"While the plan is about to make the key, the signature is known only after apply.\n\n" +
			"Every plan makes it, also one that rotates or destroys. So say `version = hsm_key_rotation.example.version` if the key is rotated, with which the plan that replaces a revoked or lost version waits for the " +
			"new one; and take the block out, or give it `count = 0`, when its key is disabled or has come to its end.",
		Attributes: attributes,
	}
}

// signatureModel is what is signed, and what comes of it.
type signatureModel struct {
	KeyID     types.String `tfsdk:"key_id"`
	Version   types.Int64  `tfsdk:"version"`
	Algorithm types.String `tfsdk:"algorithm"`
	Message   types.String `tfsdk:"message"`
	Digest    types.String `tfsdk:"digest"`
	Signature types.String `tfsdk:"signature"`
	Raw       types.String `tfsdk:"signature_raw"`
}

// Open signs.
func (e *signatureEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m signatureModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if !e.client.isReady() {
		m.leaveOpen()
		resp.Diagnostics.Append(resp.Result.Set(ctx, m)...)
		return
	}
	ctx, services := e.client.begin(ctx, &resp.Diagnostics)
	defer e.client.finish(&resp.Diagnostics)
	content := m.content(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	order := signing{key: m.KeyID.ValueString(), version: m.Version, scheme: keyring.Scheme(m.Algorithm.ValueString()), isDigest: !m.Digest.IsNull()}
	made, err := e.client.sign(ctx, services, order, func(*keyring.Version, keyring.Scheme) (lifecycle.Content, error) { return content, nil })
	switch {
	case err != nil:
		report(&resp.Diagnostics, err, path.Root("key_id"))
		return
	case made == nil:
		m.leaveOpen()
	default:
		encoded, err := made.Scheme.Encoded(made.Bytes)
		report(&resp.Diagnostics, err)
		m.Version, m.Algorithm = types.Int64Value(int64(made.Version.Number)), types.StringValue(string(made.Scheme))
		m.Signature, m.Raw = types.StringValue(base64.StdEncoding.EncodeToString(encoded)), types.StringValue(base64.StdEncoding.EncodeToString(made.Bytes))
		tflog.Debug(ctx, "signed", map[string]any{"key": m.KeyID.ValueString(), "version": made.Version.Number, "algorithm": string(made.Scheme)})
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, m)...)
}

// content is what is to be signed.
func (m signatureModel) content(diags *diag.Diagnostics) lifecycle.Content {
	message, err := base64.StdEncoding.DecodeString(m.Message.ValueString())
	report(diags, err, path.Root("message"))
	digest, err := base64.StdEncoding.DecodeString(m.Digest.ValueString())
	report(diags, err, path.Root("digest"))
	return lifecycle.Content{Message: message, Digest: digest}
}

// leaveOpen marks everything as known only after apply.
func (m *signatureModel) leaveOpen() {
	leaveOpenSigner(&m.Version, &m.Algorithm)
	m.Signature, m.Raw = types.StringUnknown(), types.StringUnknown()
}

// base64Validator accepts base64 of RFC 4648 section 4, with padding, that is not empty.
type base64Validator struct{}

func (base64Validator) Description(context.Context) string {
	return `base64 with padding (RFC 4648 section 4), not empty, as of base64encode("…")`
}

func (v base64Validator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v base64Validator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if raw, err := base64.StdEncoding.DecodeString(req.ConfigValue.ValueString()); err != nil || len(raw) == 0 {
		report(&resp.Diagnostics, &fault.Error{Kind: fault.Invalid, Op: "read base64", Problem: "This is not base64, or is empty.", Hint: "Give " + v.Description(ctx) + "."}, req.Path)
	}
}
