package provider

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
	"github.com/keystead/terraform-provider-hsm/internal/webtoken"
)

// jwtEphemeral is the ephemeral resource hsm_jwt.
type jwtEphemeral struct{ client *client }

var (
	_ ephemeral.EphemeralResourceWithConfigure      = (*jwtEphemeral)(nil)
	_ ephemeral.EphemeralResourceWithValidateConfig = (*jwtEphemeral)(nil)
)

func (e *jwtEphemeral) Metadata(_ context.Context, _ ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = typeName + "_jwt"
}

func (e *jwtEphemeral) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	e.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (e *jwtEphemeral) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	attributes := signingAttributes()
	maps.Copy(attributes, map[string]schema.Attribute{
		"claims": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The claims, a JSON object: `jsonencode({ iss = \"…\", sub = \"…\", aud = \"…\" })`. `iat`, `nbf` and `exp` are set when the token " +
				"is signed, and must not be among them; `nbf` is a minute before `iat`, for verifiers whose clock is behind. `iss`, `sub` and `jti` are strings, `aud` is one or a list of them.",
		},
		"valid_for": schema.StringAttribute{
			Optional: true, MarkdownDescription: "How long the token is valid, in whole seconds: from `1s` to `1h`. Default: `5m`.",
		},
		"token":      schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "The signed token (JWS Compact Serialization)."},
		"kid":        schema.StringAttribute{Computed: true, MarkdownDescription: "`kid` in the token's header: of a pair that of its public key in `jwks`, of an HMAC key `NAME:VERSION`."},
		"expires_at": schema.StringAttribute{Computed: true, MarkdownDescription: "When the token expires (RFC 3339, UTC): its `exp`."},
	})
	resp.Schema = schema.Schema{
		MarkdownDescription: "A JSON Web Token (RFC 7519) that is signed in the HSM by the current version of a key, to authenticate another provider with a key that never leaves the HSM. " +
			"Whoever knows `jwks` of the key's `hsm_key_rotation` can verify it, also while and after the key is rotated with an overlap.\n\n" +
			"Terraform keeps it in no plan and in no state. It opens it at plan and once more at apply, so that each has a token of its own. " +
			"While the plan is about to make the key, the token is known only after apply.\n\n" +
			"Every plan opens it, also one that rotates or destroys. So say `version = hsm_key_rotation.example.version`, with which the plan that replaces a revoked or lost version waits for the new one; and " +
			"take the block out, or give it `count = 0`, when its key is disabled or has come to its end.",
		Attributes: attributes,
	}
}

// jwtModel is what is signed, and what comes of it.
type jwtModel struct {
	KeyID     types.String `tfsdk:"key_id"`
	Version   types.Int64  `tfsdk:"version"`
	Algorithm types.String `tfsdk:"algorithm"`
	Claims    types.String `tfsdk:"claims"`
	ValidFor  types.String `tfsdk:"valid_for"`
	Token     types.String `tfsdk:"token"`
	Kid       types.String `tfsdk:"kid"`
	ExpiresAt types.String `tfsdk:"expires_at"`
}

// validity is how long the token is to be valid.
func (m jwtModel) validity() (time.Duration, error) {
	if m.ValidFor.IsNull() || m.ValidFor.IsUnknown() {
		return webtoken.DefaultValidity, nil
	}
	d, err := parseDuration(m.ValidFor.ValueString())
	if err != nil {
		return 0, err
	}
	return d, webtoken.CheckValidity(d)
}

// ValidateConfig finds what no token could be made of, before any token is needed.
func (e *jwtEphemeral) ValidateConfig(ctx context.Context, req ephemeral.ValidateConfigRequest, resp *ephemeral.ValidateConfigResponse) {
	var m jwtModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if _, err := m.validity(); err != nil {
		report(&resp.Diagnostics, err, path.Root("valid_for"))
	}
	if !m.Claims.IsUnknown() {
		report(&resp.Diagnostics, webtoken.CheckClaims(m.Claims.ValueString()), path.Root("claims"))
	}
}

// Open signs the token.
func (e *jwtEphemeral) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	var m jwtModel
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
	validity, err := m.validity()
	if err != nil {
		report(&resp.Diagnostics, err, path.Root("valid_for"))
		return
	}
	draft, err := webtoken.New(m.Claims.ValueString(), services.Keys.Now(), validity)
	if err != nil {
		report(&resp.Diagnostics, err, path.Root("claims"))
		return
	}
	var input string
	made, err := e.client.sign(ctx, services, signing{key: m.KeyID.ValueString(), version: m.Version, scheme: keyring.Scheme(m.Algorithm.ValueString())},
		func(v *keyring.Version, scheme keyring.Scheme) (lifecycle.Content, error) {
			var err error
			input, err = draft.SigningInput(v, scheme)
			return lifecycle.Content{Message: []byte(input)}, err
		})
	switch {
	case err != nil:
		report(&resp.Diagnostics, err, path.Root("key_id"))
		return
	case made == nil:
		m.leaveOpen()
	default:
		kid, err := webtoken.KeyID(made.Version)
		report(&resp.Diagnostics, err)
		m.Version, m.Algorithm = types.Int64Value(int64(made.Version.Number)), types.StringValue(string(made.Scheme))
		m.Token, m.Kid, m.ExpiresAt = types.StringValue(webtoken.Signed(input, made.Bytes)), types.StringValue(kid), timestamp(draft.Expires)
		tflog.Debug(ctx, "signed a token", map[string]any{"key": m.KeyID.ValueString(), "version": made.Version.Number, "expires_at": m.ExpiresAt.ValueString()})
	}
	resp.Diagnostics.Append(resp.Result.Set(ctx, m)...)
}

// leaveOpen marks everything as known only after apply.
func (m *jwtModel) leaveOpen() {
	leaveOpenSigner(&m.Version, &m.Algorithm)
	m.Token, m.Kid, m.ExpiresAt = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
}

// leaveOpenSigner marks what is not configured of who signs as known only after apply.
func leaveOpenSigner(version *types.Int64, algorithm *types.String) {
	if version.IsNull() {
		*version = types.Int64Unknown()
	}
	if algorithm.IsNull() {
		*algorithm = types.StringUnknown()
	}
}
