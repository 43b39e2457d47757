package provider

import (
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
)

// credentialVersionModel is one version in the nested map `versions`.
type credentialVersionModel struct {
	State         types.String `tfsdk:"state"`
	Algorithm     types.String `tfsdk:"algorithm"`
	KeyID         types.String `tfsdk:"key_id"`
	Fingerprint   types.String `tfsdk:"fingerprint_sha256"`
	PublicKeyPEM  types.String `tfsdk:"public_key_pem"`
	CreatedAt     types.String `tfsdk:"created_at"`
	ExpiresAt     types.String `tfsdk:"expires_at"`
	AcceptedUntil types.String `tfsdk:"accepted_until"`
	RevokedAt     types.String `tfsdk:"revoked_at"`
	RevokedFor    types.String `tfsdk:"revoked_for"`
}

// credentialVersionFields are the attributes of a version, which are all texts.
var credentialVersionFields = []struct{ name, description string }{
	{"state", "`active`, `overlapping` (replaced, and still accepted for a while), `superseded` (replaced, and no longer accepted), `expired`, `revoked` or " +
		"`suspended` (the credential is disabled), as of the last refresh. Only an active and an overlapping version are accepted."},
	{"algorithm", "How requests are signed: `hmac-sha256`, `hmac-sha512`, `ed25519`, `ecdsa-p256` or `ecdsa-secp256k1`."},
	{"key_id", "What the caller puts into requests that it signs with this version."},
	{"fingerprint_sha256", "Hexadecimal SHA-256 of the SubjectPublicKeyInfo, or of the secret."},
	{"public_key_pem", "Public key as PEM (SubjectPublicKeyInfo). Null for shared secrets."},
	{"created_at", "When it was issued (RFC 3339, UTC)."},
	{"expires_at", "When it expires, by `expires_at` or `valid_for` (RFC 3339, UTC). Null for never."},
	{"accepted_until", "End of the overlap: until when it is accepted beside its successor (RFC 3339, UTC). Null before it is replaced."},
	{"revoked_at", "When it was revoked (RFC 3339, UTC). Null if it was not."},
	{"revoked_for", "Why it was revoked. Null if it was not."},
}

// credentialVersionType is the type of one version.
func credentialVersionType() types.ObjectType {
	t := types.ObjectType{AttrTypes: map[string]attr.Type{}}
	for _, f := range credentialVersionFields {
		t.AttrTypes[f.name] = types.StringType
	}
	return t
}

func credentialVersionsAttribute() schema.MapNestedAttribute {
	nested := schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{}}
	for _, f := range credentialVersionFields {
		nested.Attributes[f.name] = schema.StringAttribute{Computed: true, MarkdownDescription: f.description}
	}
	return schema.MapNestedAttribute{
		Computed: true, NestedObject: nested,
		MarkdownDescription: "The credential's versions by number. Numbers count up from 1 and are never used again, not even after the credential was removed " +
			"and its name is used anew. That time passes (an overlap ends, a version expires) is seen at the next refresh, and is no change in a plan.",
	}
}

// credentialVersions maps the numbers of a credential's versions to what there is to
// say of them.
func credentialVersions(ctx context.Context, c *credential.Credential, services *Services, diags *diag.Diagnostics) types.Map {
	now := services.Credentials.Now()
	shown := map[string]credentialVersionModel{}
	for n, v := range c.Versions {
		m := credentialVersionModel{
			State: types.StringValue(string(c.State(v, now))), Algorithm: types.StringValue(string(v.Algorithm)),
			KeyID: types.StringValue(keyID(services, c, v)), Fingerprint: text(v.Fingerprint),
			CreatedAt: timestamp(v.CreatedAt), ExpiresAt: timestamp(c.ExpiresAt(v)), AcceptedUntil: timestamp(v.AcceptedUntil),
			RevokedAt: timestamp(v.RevokedAt), RevokedFor: text(string(v.RevokedFor)),
		}
		if len(v.PublicKey) > 0 {
			m.PublicKeyPEM = types.StringValue(v.PublicKey.PEM())
		}
		shown[strconv.Itoa(n)] = m
	}
	result, more := types.MapValueFrom(ctx, credentialVersionType(), shown)
	diags.Append(more...)
	return result
}

// storedCredentialVersions decodes the map as it is in a state; nil and unknown maps
// are empty.
func storedCredentialVersions(ctx context.Context, stored types.Map, diags *diag.Diagnostics) map[string]credentialVersionModel {
	if stored.IsNull() || stored.IsUnknown() {
		return nil
	}
	var shown map[string]credentialVersionModel
	diags.Append(stored.ElementsAs(ctx, &shown, false)...)
	return shown
}
