package provider

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/secret"
)

// apiCredentialSecret is the ephemeral resource hsm_api_credential_secret.
type apiCredentialSecret struct{ client *client }

var _ ephemeral.EphemeralResourceWithConfigure = (*apiCredentialSecret)(nil)

func (e *apiCredentialSecret) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = typeName + "_api_credential_secret"
}

func (e *apiCredentialSecret) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	e.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (e *apiCredentialSecret) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	sensitive := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "The secret of a `hsm_api_credential` with `type = \"shared_secret\"`, to hand it to another provider's write-only argument. It is derived in the HSM " +
			"each time, and is the same each time; Terraform keeps it in no plan and in no state.\n\n" +
			"Only a version that is accepted has a secret: one that was revoked, has expired, is past its overlap or is suspended is refused. While the plan is " +
			"about to issue the credential, or to change it so that it will have one, the secret is known only after apply.\n\n" +
			"Every plan opens it, also one that destroys. So take the block out, or give it `count = 0`, when its credential is disabled or has come to its end.",
		Attributes: map[string]schema.Attribute{
			"credential_id": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"credential"}},
				MarkdownDescription: "`id` of the `hsm_api_credential`.",
			},
			"version": schema.Int64Attribute{
				Optional: true, Computed: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
				MarkdownDescription: "Number of the version, at least 1. Default: the newest. With `version = hsm_api_credential.example.version` the plan of a rotation " +
					"waits for the new one instead of opening the old one.",
			},
			"base64":    sensitive("The secret as base64 (RFC 4648 section 4), with padding. This is also what is in `sealed_secret`."),
			"base64url": sensitive("The secret as base64url (RFC 4648 section 5), without padding, as in JSON Web Keys."),
			"hex":       sensitive("The secret as lower-case hexadecimal."),
			"key_id":    schema.StringAttribute{Computed: true, MarkdownDescription: "What the caller puts into its requests to say which credential and version it signs with."},
		},
	}
}

// apiCredentialSecretModel is what is opened, and what comes of it.
type apiCredentialSecretModel struct {
	CredentialID types.String `tfsdk:"credential_id"`
	Version      types.Int64  `tfsdk:"version"`
	Base64       types.String `tfsdk:"base64"`
	Base64URL    types.String `tfsdk:"base64url"`
	Hex          types.String `tfsdk:"hex"`
	KeyID        types.String `tfsdk:"key_id"`
}

// Open derives the secret. Terraform opens at plan what it has the arguments of, be it
// there or not; so what this run is still going to make is answered with unknown values,
// as Terraform itself answers while arguments are unknown.
func (e *apiCredentialSecret) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m apiCredentialSecretModel
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
	name := m.CredentialID.ValueString()
	derived, version, err := services.Credentials.Secret(ctx, name, int(m.Version.ValueInt64()))
	switch {
	case err == nil:
		ctx = m.fill(ctx, derived)
		m.Version = types.Int64Value(int64(version.Number))
		m.KeyID = types.StringValue(credential.KeyID(services.Credentials.Environment.Name(), name, version.Number))
		tflog.Debug(ctx, "derived a secret", map[string]any{"key_id": m.KeyID.ValueString()})
	case e.client.awaited.has(name) && (fault.Is(err, fault.NotFound) || fault.Is(err, fault.Protected)):
		m.leaveOpen()
	default:
		report(&resp.Diagnostics, blocking(err), path.Root("credential_id"))
		return
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, m)...)
}

// blocking adds to the refusal of a version what it means for the configuration: nothing
// of it can be planned or destroyed any more.
func blocking(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Protected {
		return err
	}
	refusal := *f
	refusal.Hint = strings.TrimSpace(refusal.Hint + " Until then, take the ephemeral resource out of the configuration, or give it count = 0: every plan opens it, also one that destroys.")
	return &refusal
}

// fill writes the secret in its three forms, which from then on are masked in whatever
// is logged with the returned context.
func (m *apiCredentialSecretModel) fill(ctx context.Context, derived secret.Value) context.Context {
	raw := derived.Reveal()
	defer clear(raw)
	m.Base64 = types.StringValue(base64.StdEncoding.EncodeToString(raw))
	m.Base64URL = types.StringValue(base64.RawURLEncoding.EncodeToString(raw))
	m.Hex = types.StringValue(hex.EncodeToString(raw))
	ctx = mask(ctx, secret.New(m.Base64.ValueString()))
	ctx = mask(ctx, secret.New(m.Base64URL.ValueString()))
	return mask(ctx, secret.New(m.Hex.ValueString()))
}

// leaveOpen marks everything as known only after apply.
func (m *apiCredentialSecretModel) leaveOpen() {
	m.Base64, m.Base64URL, m.Hex, m.KeyID = types.StringUnknown(), types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	if m.Version.IsNull() {
		m.Version = types.Int64Unknown()
	}
}
