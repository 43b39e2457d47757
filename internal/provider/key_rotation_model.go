package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// keyRotationModel is hsm_key_rotation in configuration, plan and state.
type keyRotationModel struct {
	KeyID             types.String `tfsdk:"key_id"`
	RotateEvery       types.String `tfsdk:"rotate_every"`
	Overlap           types.String `tfsdk:"overlap"`
	ActivationDelay   types.String `tfsdk:"activation_delay"`
	RotateWhenChanged types.Map    `tfsdk:"rotate_when_changed"`
	RetireAction      types.String `tfsdk:"retire_action"`
	Revoke            types.Map    `tfsdk:"revoke"`
	PinnedVersion     types.Int64  `tfsdk:"pinned_version"`

	ID                 types.String `tfsdk:"id"`
	Version            types.Int64  `tfsdk:"version"`
	PreviousVersion    types.Int64  `tfsdk:"previous_version"`
	RotatedAt          types.String `tfsdk:"rotated_at"`
	RotateAt           types.String `tfsdk:"rotate_at"`
	RotationDue        types.Bool   `tfsdk:"rotation_due"`
	PendingTransitions types.List   `tfsdk:"pending_transitions"`
	Superseded         types.Bool   `tfsdk:"superseded"`
	PublicKeyPEM       types.String `tfsdk:"public_key_pem"`
	PublicKeyJWK       types.String `tfsdk:"public_key_jwk"`
	TrustedPublicKeys  types.Map    `tfsdk:"trusted_public_keys"`
	JWKS               types.String `tfsdk:"jwks"`
	Versions           types.Map    `tfsdk:"versions"`
}

// schedule is what the model asks of the rotation.
func (m keyRotationModel) schedule(ctx context.Context, diags *diag.Diagnostics) rotation.Schedule {
	d := keyring.Declaration{
		Every: m.RotateEvery.ValueString(), Overlap: m.Overlap.ValueString(), ActivationDelay: m.ActivationDelay.ValueString(),
		RetireAction: keyring.RetireAction(m.RetireAction.ValueString()), Revoke: m.revoked(ctx, diags),
		Pinned: int(m.PinnedVersion.ValueInt64()),
	}
	diags.Append(m.RotateWhenChanged.ElementsAs(ctx, &d.RotateWhenChanged, false)...)
	return rotation.Schedule{
		Every: durationOf(m.RotateEvery, diags), Overlap: durationOf(m.Overlap, diags), ActivationDelay: durationOf(m.ActivationDelay, diags),
		RetireAction: d.RetireAction, Revoke: d.Revoke, Pinned: d.Pinned, Declared: d,
	}
}

func (m keyRotationModel) revoked(ctx context.Context, diags *diag.Diagnostics) map[int]keyring.Reason {
	if m.Revoke.IsNull() || !isWhole(m.Revoke) {
		return nil
	}
	var written map[string]string
	diags.Append(m.Revoke.ElementsAs(ctx, &written, false)...)
	reasons := make(map[int]keyring.Reason, len(written))
	for number, reason := range written {
		n, err := strconv.Atoi(number)
		if err != nil {
			report(diags, &fault.Error{Kind: fault.Invalid, Op: "read revoke", Problem: fmt.Sprintf("%q is not the number of a version.", number), Hint: "Name versions by their number, such as \"1\"; `versions` lists them."})
			continue
		}
		reasons[n] = keyring.Reason(reason)
	}
	return reasons
}

// declare writes into the model what a rotation was last configured with, for import.
func (m *keyRotationModel) declare(ctx context.Context, d keyring.Declaration, diags *diag.Diagnostics) {
	m.RotateEvery, m.Overlap, m.ActivationDelay = text(d.Every), text(d.Overlap), text(d.ActivationDelay)
	m.RetireAction = text(string(d.RetireAction))
	if m.RetireAction.IsNull() {
		m.RetireAction = types.StringValue(string(keyring.RetireDisables))
	}
	m.RotateWhenChanged, m.Revoke, m.PinnedVersion = types.MapNull(types.StringType), types.MapNull(types.StringType), types.Int64Null()
	if d.Pinned != 0 {
		m.PinnedVersion = types.Int64Value(int64(d.Pinned))
	}
	if d.RotateWhenChanged != nil {
		m.RotateWhenChanged = stringMap(ctx, d.RotateWhenChanged, diags)
	}
	if d.Revoke != nil {
		written := map[string]string{}
		for n, reason := range d.Revoke {
			written[strconv.Itoa(n)] = string(reason)
		}
		m.Revoke = stringMap(ctx, written, diags)
	}
}

// observe fills in every computed attribute with what a key is at a time.
func (m *keyRotationModel) observe(ctx context.Context, key *keyring.Key, instance int, token keyring.TokenInfo, now time.Time, diags *diag.Diagnostics) {
	schedule := m.schedule(ctx, diags)
	superseded := key.Superseded(instance)
	current, newest := key.Current(), key.Newest()

	m.ID = types.StringValue(instanceID(key.Spec.Name, instance))
	m.Superseded = types.BoolValue(superseded)
	m.Version, m.PreviousVersion = number(current), number(predecessor(key, current))
	m.PublicKeyPEM, m.PublicKeyJWK = pemOf(current), jwkOf(current, diags)
	m.Versions = versions(ctx, key, token, diags)
	m.TrustedPublicKeys, m.JWKS = published(ctx, key, now, diags)

	m.RotatedAt = types.StringNull()
	if newest != nil {
		m.RotatedAt = timestamp(activation(newest))
	}
	m.RotateAt, m.RotationDue, m.PendingTransitions = types.StringNull(), types.BoolValue(false), noTransitions()
	if superseded {
		return // another instance decides
	}
	m.RotateAt, m.RotationDue = timestamp(schedule.RotateAt(key)), types.BoolValue(schedule.Due(key, now))
	observed := map[int]keyring.Enforcement{}
	for n, v := range key.Versions {
		observed[n] = v.Enforcement
	}
	var pending []string
	for _, step := range schedule.Pending(key, observed, now) {
		pending = append(pending, step.String())
	}
	if len(pending) > 0 {
		list, more := types.ListValueFrom(ctx, types.StringType, pending)
		m.PendingTransitions = list
		diags.Append(more...)
	}
}

// activation is when a version became active, or is planned to.
func activation(v *keyring.Version) time.Time {
	if v.ActivatedAt.IsZero() {
		return v.ActivateAfter
	}
	return v.ActivatedAt
}

// predecessor is the newest version below the given one that was ever active.
func predecessor(key *keyring.Key, v *keyring.Version) *keyring.Version {
	if v == nil {
		return nil
	}
	for _, n := range slices.Backward(key.Numbers()) {
		if p := key.Versions[n]; n < v.Number && !p.Pending && !p.ActivatedAt.IsZero() {
			return p
		}
	}
	return nil
}

// published is what verifiers are to trust: every version that may still process,
// and one that waits for its activation.
func published(ctx context.Context, key *keyring.Key, now time.Time, diags *diag.Diagnostics) (byNumber types.Map, jwks types.String) {
	pems, isPair := map[string]string{}, false
	var set []keyring.PublicKey
	for _, n := range key.Numbers() {
		v := key.Versions[n]
		if v.Pending || len(v.PublicKey) == 0 {
			continue
		}
		isPair = true
		if key.MayProcess(v, now) || key.State(v) == keyring.PreActivation {
			pems[strconv.Itoa(n)] = v.PublicKey.PEM()
			set = append(set, v.PublicKey)
		}
	}
	jwks = types.StringNull()
	if isPair {
		document, err := keyring.JWKS(set)
		report(diags, err)
		jwks = types.StringValue(document)
	}
	return stringMap(ctx, pems, diags), jwks
}

func stringMap(ctx context.Context, m map[string]string, diags *diag.Diagnostics) types.Map {
	result, more := types.MapValueFrom(ctx, types.StringType, maps.Clone(m))
	diags.Append(more...)
	return result
}

func noTransitions() types.List { return types.ListValueMust(types.StringType, nil) }

// instanceID names one instance of a rotation. Names of keys have no slash.
func instanceID(key string, instance int) string { return fmt.Sprintf("%s/%d", key, instance) }

// instance reads back which key and version an instance stands for.
func (m keyRotationModel) instance(diags *diag.Diagnostics) (key string, number int) {
	key, text, _ := strings.Cut(m.ID.ValueString(), "/")
	number, err := strconv.Atoi(text)
	if err != nil || keyring.ValidateName(key) != nil {
		report(diags, &fault.Error{
			Kind: fault.Internal, Op: "read rotation", Problem: fmt.Sprintf("The id %q in the state is not of the form KEY/NUMBER.", m.ID.ValueString()),
			Hint: "Remove the resource from the state with `terraform state rm` and import it by the key's name.",
		})
	}
	return key, number
}
