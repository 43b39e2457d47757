package provider

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/config"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// versionModel is one version in the nested map `versions`.
type versionModel struct {
	State            types.String `tfsdk:"state"`
	Algorithm        types.String `tfsdk:"algorithm"`
	CKAID            types.String `tfsdk:"cka_id"`
	PKCS11URI        types.String `tfsdk:"pkcs11_uri"`
	PublicKeyPEM     types.String `tfsdk:"public_key_pem"`
	Fingerprint      types.String `tfsdk:"fingerprint_sha256"`
	CreatedAt        types.String `tfsdk:"created_at"`
	ActivatedAt      types.String `tfsdk:"activated_at"`
	DeactivatedAt    types.String `tfsdk:"deactivated_at"`
	ProcessUntil     types.String `tfsdk:"process_until"`
	DestroyedAt      types.String `tfsdk:"destroyed_at"`
	Enforcement      types.String `tfsdk:"enforcement"`
	Local            types.Bool   `tfsdk:"local"`
	NeverExtractable types.Bool   `tfsdk:"never_extractable"`
	AlwaysSensitive  types.Bool   `tfsdk:"always_sensitive"`
	Attested         types.Bool   `tfsdk:"attested"`
}

// versionType is the type of one version.
func versionType() types.ObjectType {
	t := types.ObjectType{AttrTypes: map[string]attr.Type{}}
	for _, f := range versionFields {
		t.AttrTypes[f.name] = f.valueType
	}
	return t
}

// versions maps the numbers of a key's committed versions to what there is to say
// of them. It is a map, so that order is never drift.
func versions(ctx context.Context, key *keyring.Key, token keyring.TokenInfo, diags *diag.Diagnostics) types.Map {
	shown := map[string]versionModel{}
	for _, n := range key.Numbers() {
		if v := key.Versions[n]; !v.Pending {
			shown[strconv.Itoa(n)] = versionOf(key, v, token)
		}
	}
	result, more := types.MapValueFrom(ctx, versionType(), shown)
	diags.Append(more...)
	return result
}

func versionOf(key *keyring.Key, v *keyring.Version, token keyring.TokenInfo) versionModel {
	return versionModel{
		State: types.StringValue(string(key.State(v))), Algorithm: types.StringValue(string(v.Algorithm)),
		CKAID: types.StringValue(v.Ref.ID), PKCS11URI: types.StringValue(versionURI(v, token)),
		PublicKeyPEM: pemOf(v), Fingerprint: text(v.Fingerprint),
		CreatedAt: timestamp(v.CreatedAt), ActivatedAt: timestamp(v.ActivatedAt), DeactivatedAt: timestamp(v.DeactivatedAt),
		ProcessUntil: timestamp(v.ProcessUntil), DestroyedAt: timestamp(v.DestroyedAt),
		Enforcement: text(string(v.Enforcement)),
		Local:       types.BoolValue(v.Birth.Local), NeverExtractable: types.BoolValue(v.Birth.NeverExtractable),
		AlwaysSensitive: types.BoolValue(v.Birth.AlwaysSensitive), Attested: types.BoolValue(v.Birth.Attested),
	}
}

// versionURI names a version's private or secret key in a way that other PKCS#11
// programs understand. The label is left out: whoever changes it does not make it
// another key, and the URI goes on to lead there.
func versionURI(v *keyring.Version, token keyring.TokenInfo) string {
	id, _ := hex.DecodeString(v.Ref.ID) // it is hexadecimal, see keyring.Ref
	class := "secret-key"
	if v.Ref.Pair {
		class = "private"
	}
	return config.URI{Token: token.Label, Serial: token.Serial, ID: id, Type: class}.String()
}

// known reads back from a state's versions what the state remembers of a key.
func known(ctx context.Context, stored types.Map, diags *diag.Diagnostics) lifecycle.Known {
	var k lifecycle.Known
	for _, v := range storedVersions(ctx, stored, diags) {
		ref := keyring.Ref{ID: v.CKAID.ValueString(), Pair: keyring.Algorithm(v.Algorithm.ValueString()).IsPair()}
		if uri, err := config.ParseURI(v.PKCS11URI.ValueString()); err == nil {
			k.Serial = uri.Serial
		}
		k.Refs = append(k.Refs, ref)
	}
	return k
}

// storedVersions decodes the map as it is in a state; nil and unknown maps are empty.
func storedVersions(ctx context.Context, stored types.Map, diags *diag.Diagnostics) map[string]versionModel {
	if stored.IsNull() || stored.IsUnknown() {
		return nil
	}
	var shown map[string]versionModel
	diags.Append(stored.ElementsAs(ctx, &shown, false)...)
	return shown
}

// openVersions marks as known only after apply the named attributes of the versions that are
// touched, and keeps what an update in place cannot change: which versions there are, and
// which keys.
func openVersions(stored types.Map, isTouched func(number string) bool, names ...string) types.Map {
	if stored.IsNull() || stored.IsUnknown() {
		return types.MapUnknown(versionType())
	}
	elements := map[string]attr.Value{}
	for number, e := range stored.Elements() {
		version, _ := e.(types.Object)
		attributes := version.Attributes()
		if isTouched(number) {
			for _, name := range names {
				attributes[name] = types.StringUnknown()
			}
		}
		elements[number] = types.ObjectValueMust(versionType().AttrTypes, attributes)
	}
	return types.MapValueMust(versionType(), elements)
}

// settleVersions is settle for a map of which openVersions has left a part open.
func settleVersions(planned *types.Map, now types.Map) {
	if planned.IsUnknown() || planned.IsNull() {
		settle(planned, now)
		return
	}
	elements := map[string]attr.Value{}
	for number, e := range planned.Elements() {
		version, _ := e.(types.Object)
		is, _ := now.Elements()[number].(types.Object)
		attributes := version.Attributes()
		for name, value := range attributes {
			if !value.IsUnknown() {
				continue
			}
			attributes[name] = types.StringNull()
			if found, ok := is.Attributes()[name]; ok {
				attributes[name] = found
			}
		}
		elements[number] = types.ObjectValueMust(versionType().AttrTypes, attributes)
	}
	*planned = types.MapValueMust(versionType(), elements)
}

// isDrifted reports whether some version's object allows something else than its
// record, so that an update has something to put right.
func isDrifted(ctx context.Context, stored types.Map, diags *diag.Diagnostics) bool {
	for _, v := range storedVersions(ctx, stored, diags) {
		if v.Enforcement.ValueString() == string(keyring.EnforcementDrifted) {
			return true
		}
	}
	return false
}

func pemOf(v *keyring.Version) types.String {
	if v == nil || len(v.PublicKey) == 0 {
		return types.StringNull()
	}
	return types.StringValue(v.PublicKey.PEM())
}

func jwkOf(v *keyring.Version, diags *diag.Diagnostics) types.String {
	if v == nil || len(v.PublicKey) == 0 {
		return types.StringNull()
	}
	jwk, err := v.PublicKey.JWK()
	report(diags, err)
	return types.StringValue(jwk)
}

// number is null for no version.
func number(v *keyring.Version) types.Int64 {
	if v == nil {
		return types.Int64Null()
	}
	return types.Int64Value(int64(v.Number))
}

// text is null for an empty string.
func text(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// timestamp is RFC 3339 in UTC, null for "not yet".
func timestamp(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339))
}
