package provider

import (
	"context"
	"slices"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// apiCredentialModel is hsm_api_credential in configuration, plan and state.
type apiCredentialModel struct {
	Name              types.String `tfsdk:"name"`
	Owner             types.String `tfsdk:"owner"`
	Tags              types.Map    `tfsdk:"tags"`
	Enabled           types.Bool   `tfsdk:"enabled"`
	Type              types.String `tfsdk:"type"`
	PublicKey         types.String `tfsdk:"public_key"`
	Algorithm         types.String `tfsdk:"algorithm"`
	Recipients        types.Set    `tfsdk:"recipients"`
	ExpiresAt         types.String `tfsdk:"expires_at"`
	ValidFor          types.String `tfsdk:"valid_for"`
	RotateEvery       types.String `tfsdk:"rotate_every"`
	Overlap           types.String `tfsdk:"overlap"`
	RotateWhenChanged types.Map    `tfsdk:"rotate_when_changed"`
	Revoke            types.Map    `tfsdk:"revoke"`

	ID           types.String `tfsdk:"id"`
	Version      types.Int64  `tfsdk:"version"`
	KeyID        types.String `tfsdk:"key_id"`
	Fingerprint  types.String `tfsdk:"fingerprint_sha256"`
	SealedSecret types.String `tfsdk:"sealed_secret"`
	RotateAt     types.String `tfsdk:"rotate_at"`
	RotationDue  types.Bool   `tfsdk:"rotation_due"`
	Versions     types.Map    `tfsdk:"versions"`
}

// isSpecified reports whether every argument is known.
func (m apiCredentialModel) isSpecified() bool {
	return isWhole(m.Name, m.Owner, m.Tags, m.Enabled, m.RotateWhenChanged, m.Revoke) && m.isCheckable()
}

// isCheckable reports whether those arguments are known which have to go together.
func (m apiCredentialModel) isCheckable() bool {
	return isWhole(m.Type, m.PublicKey, m.Algorithm, m.Recipients, m.ExpiresAt, m.ValidFor, m.RotateEvery, m.Overlap)
}

// spec is what the model asks of the credential. What is not known yet is left out.
func (m apiCredentialModel) spec(ctx context.Context, diags *diag.Diagnostics) credential.Spec {
	spec := credential.Spec{
		Name: m.Name.ValueString(), Owner: m.Owner.ValueString(), Enabled: m.Enabled.ValueBool(),
		Type: credential.Type(m.Type.ValueString()), Algorithm: credential.Algorithm(m.Algorithm.ValueString()),
		ExpiresAt: momentOf(m.ExpiresAt, diags), ValidFor: durationOf(m.ValidFor, diags),
		RotateEvery: durationOf(m.RotateEvery, diags), Overlap: durationOf(m.Overlap, diags),
		Revoke: m.revoked(ctx, diags),
		Declared: credential.Declaration{
			PublicKey: m.PublicKey.ValueString(), ExpiresAt: m.ExpiresAt.ValueString(), ValidFor: m.ValidFor.ValueString(),
			RotateEvery: m.RotateEvery.ValueString(), Overlap: m.Overlap.ValueString(),
		},
	}
	if !m.PublicKey.IsNull() && !m.PublicKey.IsUnknown() {
		key, _, err := credential.ParsePublicKey(m.PublicKey.ValueString())
		m.reportAt(diags, "public_key", err)
		spec.PublicKey = key
	}
	for _, each := range []struct {
		written types.Map
		target  *map[string]string
	}{{m.Tags, &spec.Tags}, {m.RotateWhenChanged, &spec.RotateWhenChanged}} {
		if isWhole(each.written) {
			diags.Append(each.written.ElementsAs(ctx, each.target, false)...)
		}
	}
	spec.Recipients = m.recipients(ctx, diags)
	return spec
}

// recipients lists the recipients, sorted; nil while they are not known.
func (m apiCredentialModel) recipients(ctx context.Context, diags *diag.Diagnostics) []string {
	if !isWhole(m.Recipients) {
		return nil
	}
	var recipients []string
	diags.Append(m.Recipients.ElementsAs(ctx, &recipients, false)...)
	slices.Sort(recipients)
	return recipients
}

// revoked reads the argument revoke, which is that of hsm_key_rotation.
func (m apiCredentialModel) revoked(ctx context.Context, diags *diag.Diagnostics) map[int]keyring.Reason {
	return keyRotationModel{Revoke: m.Revoke}.revoked(ctx, diags)
}

// newAPICredentialModel shows a credential as it is, its arguments as they were last
// applied.
func newAPICredentialModel(ctx context.Context, c *credential.Credential, services *Services, diags *diag.Diagnostics) apiCredentialModel {
	declared := c.Spec.Declared
	m := apiCredentialModel{
		Name: types.StringValue(c.Spec.Name), Owner: types.StringValue(c.Spec.Owner), Enabled: types.BoolValue(c.Spec.Enabled),
		Type: types.StringValue(string(c.Spec.Type)), PublicKey: text(declared.PublicKey), Algorithm: text(string(c.Spec.Algorithm)),
		ExpiresAt: text(declared.ExpiresAt), ValidFor: text(declared.ValidFor), RotateEvery: text(declared.RotateEvery), Overlap: text(declared.Overlap),
		Tags: optionalMap(ctx, c.Spec.Tags, diags), RotateWhenChanged: optionalMap(ctx, c.Spec.RotateWhenChanged, diags),
		Recipients: types.SetNull(types.StringType),

		ID: types.StringValue(c.Spec.Name), RotateAt: timestamp(c.RotateAt()), RotationDue: types.BoolValue(services.Credentials.Due(c)),
		Versions: credentialVersions(ctx, c, services, diags),
	}
	if len(c.Spec.Recipients) > 0 {
		recipients, more := types.SetValueFrom(ctx, types.StringType, c.Spec.Recipients)
		m.Recipients = recipients
		diags.Append(more...)
	}
	reasons := map[string]string{}
	for n, reason := range c.Spec.Revoke {
		reasons[strconv.Itoa(n)] = string(reason)
	}
	m.Revoke = optionalMap(ctx, reasons, diags)
	if newest := c.Newest(); newest != nil {
		m.Version, m.KeyID = types.Int64Value(int64(newest.Number)), types.StringValue(keyID(services, c, newest))
		m.Fingerprint = text(newest.Fingerprint)
	}
	if c.Sealed != nil {
		m.SealedSecret = types.StringValue(c.Sealed.Armored)
	}
	return m
}

// keyID is what a caller puts into its requests.
func keyID(services *Services, c *credential.Credential, v *credential.Version) string {
	return credential.KeyID(services.Credentials.Environment.Name(), c.Spec.Name, v.Number)
}

// optionalMap is null for a map without elements.
func optionalMap(ctx context.Context, m map[string]string, diags *diag.Diagnostics) types.Map {
	if len(m) == 0 {
		return types.MapNull(types.StringType)
	}
	return stringMap(ctx, m, diags)
}

// likeWritten keeps empty collections that were written as such: to the record they
// are the same as none, to Terraform they differ.
func (m *apiCredentialModel) likeWritten(prior apiCredentialModel) {
	for _, each := range []struct{ is, was *types.Map }{
		{&m.Tags, &prior.Tags}, {&m.RotateWhenChanged, &prior.RotateWhenChanged}, {&m.Revoke, &prior.Revoke},
	} {
		if each.is.IsNull() && !each.was.IsNull() && len(each.was.Elements()) == 0 {
			*each.is = *each.was
		}
	}
	if m.Recipients.IsNull() && !prior.Recipients.IsNull() && len(prior.Recipients.Elements()) == 0 {
		m.Recipients = prior.Recipients
	}
}

// keep takes every computed attribute from the prior state.
func (m *apiCredentialModel) keep(prior apiCredentialModel) {
	m.ID, m.Version, m.KeyID, m.Fingerprint = prior.ID, prior.Version, prior.KeyID, prior.Fingerprint
	m.SealedSecret, m.RotateAt, m.RotationDue, m.Versions = prior.SealedSecret, prior.RotateAt, prior.RotationDue, prior.Versions
}

// leaveOpen marks as known only after apply what depends on the newest version.
func (m *apiCredentialModel) leaveOpen() {
	m.ID = m.Name
	m.Version, m.KeyID, m.Fingerprint = types.Int64Unknown(), types.StringUnknown(), types.StringUnknown()
	m.SealedSecret, m.RotateAt, m.RotationDue = m.sealed(), types.StringUnknown(), types.BoolUnknown()
	m.Versions = types.MapUnknown(credentialVersionType())
	if m.RotateEvery.IsNull() {
		m.RotateAt = types.StringNull()
	}
}

// sealed is what can be said in a plan of a secret that will be sealed: only that
// there is none.
func (m *apiCredentialModel) sealed() types.String {
	if m.Recipients.IsNull() || !m.Recipients.IsUnknown() && len(m.Recipients.Elements()) == 0 {
		return types.StringNull()
	}
	return types.StringUnknown()
}

// settle completes a plan: what was planned stays word for word, and what was left
// open is taken from the credential as it is now.
func (m apiCredentialModel) settle(now apiCredentialModel) apiCredentialModel {
	settle(&m.ID, now.ID)
	settle(&m.Version, now.Version)
	settle(&m.KeyID, now.KeyID)
	settle(&m.Fingerprint, now.Fingerprint)
	settle(&m.SealedSecret, now.SealedSecret)
	settle(&m.RotateAt, now.RotateAt)
	settle(&m.RotationDue, now.RotationDue)
	settle(&m.Versions, now.Versions)
	return m
}
