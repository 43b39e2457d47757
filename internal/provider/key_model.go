package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// keyModel is hsm_key in configuration, plan and state.
type keyModel struct {
	shownKey
	Import types.Object `tfsdk:"import"`
}

// shownKey is what the resource and the data source hsm_key have in common.
type shownKey struct {
	Name               types.String `tfsdk:"name"`
	Algorithm          types.String `tfsdk:"algorithm"`
	Operations         types.Set    `tfsdk:"operations"`
	AllowedMechanisms  types.Set    `tfsdk:"allowed_mechanisms"`
	Extractable        types.Bool   `tfsdk:"extractable"`
	Tags               types.Map    `tfsdk:"tags"`
	Enabled            types.Bool   `tfsdk:"enabled"`
	DeletionProtection types.Bool   `tfsdk:"deletion_protection"`
	OnDestroy          types.String `tfsdk:"on_destroy"`

	ID             types.String `tfsdk:"id"`
	PKCS11URI      types.String `tfsdk:"pkcs11_uri"`
	CreatedAt      types.String `tfsdk:"created_at"`
	CurrentVersion types.Int64  `tfsdk:"current_version"`
	PublicKeyPEM   types.String `tfsdk:"public_key_pem"`
	PublicKeyJWK   types.String `tfsdk:"public_key_jwk"`
	Versions       types.Map    `tfsdk:"versions"`
}

// isSpecified reports whether everything that the token is asked about at plan is known.
func (m keyModel) isSpecified() bool {
	return isWhole(m.Name, m.Algorithm, m.Operations, m.AllowedMechanisms, m.Extractable, m.Import)
}

// isWhole reports whether values are known, with all of their elements.
func isWhole(values ...attr.Value) bool {
	for _, v := range values {
		if v.IsUnknown() {
			return false
		}
		var elements []attr.Value
		switch v := v.(type) {
		case types.Set:
			elements = v.Elements()
		case types.Object:
			for _, e := range v.Attributes() {
				elements = append(elements, e)
			}
		case types.Map:
			for _, e := range v.Elements() {
				elements = append(elements, e)
			}
		}
		if !isWhole(elements...) {
			return false
		}
	}
	return true
}

// spec is what the model asks of the key.
func (m keyModel) spec(ctx context.Context, diags *diag.Diagnostics) keyring.Spec {
	spec := keyring.Spec{
		Name: m.Name.ValueString(), Algorithm: keyring.Algorithm(m.Algorithm.ValueString()), Extractable: m.Extractable.ValueBool(),
		Enabled: m.Enabled.ValueBool(), DeletionProtection: m.DeletionProtection.ValueBool(), OnDestroy: keyring.OnDestroy(m.OnDestroy.ValueString()),
	}
	var operations []string
	diags.Append(m.Operations.ElementsAs(ctx, &operations, false)...)
	var err error
	spec.Operations, err = keyring.ParseOperations(operations)
	report(diags, err)

	diags.Append(m.AllowedMechanisms.ElementsAs(ctx, &spec.AllowedMechanisms, false)...)
	slices.Sort(spec.AllowedMechanisms)
	if isWhole(m.Tags) { // at plan they may not be known yet, and nobody asks for them then
		diags.Append(m.Tags.ElementsAs(ctx, &spec.Tags, false)...)
	}
	spec.Import = importOf(ctx, m.Import, diags)
	return spec
}

// newKeyModel shows a key as it is.
func newKeyModel(ctx context.Context, key *keyring.Key, token keyring.TokenInfo, diags *diag.Diagnostics) keyModel {
	m := keyModel{Import: importObject(key.Spec.Import), shownKey: shownKey{
		Name: types.StringValue(key.Spec.Name), Algorithm: types.StringValue(string(key.Spec.Algorithm)),
		Operations: operationSet(key.Spec.Operations), AllowedMechanisms: types.SetNull(types.StringType), Tags: types.MapNull(types.StringType),
		Extractable: types.BoolValue(key.Spec.Extractable), Enabled: types.BoolValue(key.Spec.Enabled),
		DeletionProtection: types.BoolValue(key.Spec.DeletionProtection), OnDestroy: types.StringValue(string(key.Spec.OnDestroy)),

		ID: types.StringValue(key.Spec.Name), CreatedAt: timestamp(key.CreatedAt),
		Versions: versions(ctx, key, token, diags),
	}}
	if len(key.Spec.AllowedMechanisms) > 0 {
		set, more := types.SetValueFrom(ctx, types.StringType, key.Spec.AllowedMechanisms)
		m.AllowedMechanisms = set
		diags.Append(more...)
	}
	if len(key.Spec.Tags) > 0 {
		tags, more := types.MapValueFrom(ctx, types.StringType, key.Spec.Tags)
		m.Tags = tags
		diags.Append(more...)
	}
	current := key.Current()
	m.CurrentVersion, m.PublicKeyPEM, m.PublicKeyJWK = number(current), pemOf(current), jwkOf(current, diags)
	if current != nil {
		m.PKCS11URI = types.StringValue(versionURI(current, token))
	}
	return m
}

// settle completes a plan: what was planned stays word for word, as Terraform
// demands, and what was left open is taken from the key as it is now.
func (m keyModel) settle(now keyModel) keyModel {
	settle(&m.ID, now.ID)
	settle(&m.PKCS11URI, now.PKCS11URI)
	settle(&m.CreatedAt, now.CreatedAt)
	settle(&m.CurrentVersion, now.CurrentVersion)
	settle(&m.PublicKeyPEM, now.PublicKeyPEM)
	settle(&m.PublicKeyJWK, now.PublicKeyJWK)
	settleVersions(&m.Versions, now.Versions)
	return m
}

func settle[T attr.Value](planned *T, now T) {
	if (*planned).IsUnknown() {
		*planned = now
	}
}

// keep takes every computed attribute from the prior state.
func (m *keyModel) keep(prior keyModel) {
	m.ID, m.PKCS11URI, m.CreatedAt, m.CurrentVersion = prior.ID, prior.PKCS11URI, prior.CreatedAt, prior.CurrentVersion
	m.PublicKeyPEM, m.PublicKeyJWK, m.Versions = prior.PublicKeyPEM, prior.PublicKeyJWK, prior.Versions
}

// leaveOpen marks every computed attribute as known only after apply.
func (m *keyModel) leaveOpen() {
	m.openCurrent()
	m.CreatedAt, m.ID = types.StringUnknown(), m.Name
}

// openCurrent marks as known only after apply what a new current version changes.
func (m *keyModel) openCurrent() {
	m.PKCS11URI, m.CurrentVersion = types.StringUnknown(), types.Int64Unknown()
	m.PublicKeyPEM, m.PublicKeyJWK, m.Versions = types.StringUnknown(), types.StringUnknown(), types.MapUnknown(versionType())
}

// likeWritten keeps an empty map that was written as such: to the token "no tags"
// and "tags = {}" are the same, to Terraform they differ.
func (m *keyModel) likeWritten(prior keyModel) {
	if m.Tags.IsNull() && !prior.Tags.IsNull() && len(prior.Tags.Elements()) == 0 {
		m.Tags = prior.Tags
	}
}

func operationSet(o keyring.Operations) types.Set {
	var names []attr.Value
	for _, name := range o.Names() {
		names = append(names, types.StringValue(name))
	}
	return types.SetValueMust(types.StringType, names)
}
