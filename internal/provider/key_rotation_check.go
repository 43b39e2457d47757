package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// refuse finds what is wrong with a change, as far as the state can tell.
func (c rotationChange) refuse() {
	stored := storedVersions(c.ctx, c.prior.Versions, c.diags)
	has := "It has: " + strings.Join(slices.Sorted(maps.Keys(stored)), ", ") + "."
	c.checkRevoked(stored, has)
	c.checkPinned(stored, has)
	if !c.plan.PinnedVersion.IsNull() && c.isTriggered() {
		c.diags.AddAttributeWarning(path.Root("rotate_when_changed"), "Nothing is rotated while a version is pinned",
			fmt.Sprintf("A value in rotate_when_changed changes, which would rotate key %q, but pinned_version is set. The new value is taken over, and this change is "+
				"forgotten: it rotates nothing later, when pinned_version is taken away.\n\n"+
				"To rotate then, use `terraform apply -replace=ADDRESS`.", c.prior.KeyID.ValueString()))
	}
}

func (c rotationChange) checkRevoked(stored map[string]versionModel, has string) {
	written := c.plan.revoked(c.ctx, c.diags)
	for _, n := range slices.Sorted(maps.Keys(written)) {
		if _, ok := stored[strconv.Itoa(n)]; !ok {
			c.diags.AddAttributeError(path.Root("revoke").AtMapKey(strconv.Itoa(n)), "Cannot revoke version",
				fmt.Sprintf("Key %q has no version %d.\n\n%s", c.prior.KeyID.ValueString(), n, has))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.prior.revoked(c.ctx, c.diags))) {
		if _, ok := written[n]; !ok && isWhole(c.plan.Revoke) {
			c.diags.AddAttributeWarning(path.Root("revoke"), "A revocation cannot be undone",
				fmt.Sprintf("Version %d of key %q stays revoked although its entry is taken away.\n\n"+
					"Nothing is to be done: other versions serve, and the next rotation makes another one.", n, c.prior.KeyID.ValueString()))
		}
	}
}

// checkPinned refuses a version that cannot become the active one. That the overlap
// of a secret key's version is over it cannot tell: the state publishes none of
// them, and a plan has no clock. The apply refuses these.
func (c rotationChange) checkPinned(stored map[string]versionModel, has string) {
	pinned := c.plan.PinnedVersion
	if pinned.IsNull() || pinned.IsUnknown() || pinned.Equal(c.prior.PinnedVersion) {
		return
	}
	name, n := c.prior.KeyID.ValueString(), pinned.ValueInt64()
	number := strconv.FormatInt(n, 10)
	v, ok := stored[number]
	_, trusted := c.prior.TrustedPublicKeys.Elements()[number]
	refuse := func(kind fault.Kind, problem, hint string) {
		report(c.diags, &fault.Error{Kind: kind, Op: "pin version", Subject: fmt.Sprintf("key %q", name), Problem: problem, Hint: hint}, path.Root("pinned_version"))
	}
	switch state := keyring.State(v.State.ValueString()); {
	case !ok:
		refuse(fault.Invalid, fmt.Sprintf("There is no version %d.", n), has)
	case state == keyring.Destroyed, state == keyring.Compromised:
		refuse(fault.Protected, fmt.Sprintf("Version %d is %s and can never be active again.", n, state), "Pin another version, or none.")
	case state == keyring.PreActivation:
		refuse(fault.Protected, fmt.Sprintf("Version %d waits for its activation: there is nothing to go back to.", n), "Pin an earlier version, or none.")
	case state == keyring.Deactivated && !trusted && !v.PublicKeyPEM.IsNull():
		refuse(fault.Protected, fmt.Sprintf("The overlap of version %d is over, or the version was revoked: it cannot become active again.", n),
			"Pin the active version, one within its overlap (see trusted_public_keys), or none.")
	}
}

// refuseSuperseded refuses changes that ask for something to be done now: an
// instance that is not in charge of the key would not do it, and a revocation that
// does nothing must not look like one that did.
func (c rotationChange) refuseSuperseded(inCharge string) {
	var changed []string
	for _, each := range []struct {
		name    string
		was, is attr.Value
	}{
		{"revoke", c.prior.Revoke, c.plan.Revoke},
		{"pinned_version", c.prior.PinnedVersion, c.plan.PinnedVersion},
		{"rotate_when_changed", c.prior.RotateWhenChanged, c.plan.RotateWhenChanged},
	} {
		if !each.was.Equal(each.is) {
			changed = append(changed, each.name)
		}
	}
	if len(changed) == 0 {
		return
	}
	name := c.prior.KeyID.ValueString()
	report(c.diags, &fault.Error{
		Kind: fault.Conflict, Op: "change rotation", Subject: fmt.Sprintf("key %q", name),
		Problem: fmt.Sprintf("Another rotation, %s, is in charge of the key; this instance, %s, is superseded, and a change of %s here would do nothing.",
			inCharge, c.prior.ID.ValueString(), strings.Join(changed, " and ")),
		Hint: takeCharge(name),
	}, path.Root(changed[0]))
}

// takeCharge is the way out for a superseded instance.
func takeCharge(key string) string {
	return fmt.Sprintf("If this is the only hsm_key_rotation of the key, for example after an older state was restored, take charge: "+
		"`terraform state rm ADDRESS`, then `terraform import ADDRESS %s`. If another configuration rotates the key, make the change there.", key)
}

// inCharge names the instance that rotates a key in place of a superseded one, by
// asking the token if it can.
func (r *keyRotationResource) inCharge(ctx context.Context, prior keyRotationModel, diags *diag.Diagnostics) string {
	const unknown = "another hsm_key_rotation"
	if !r.client.isReady() {
		return unknown
	}
	ctx, services := r.client.begin(ctx, diags)
	if services == nil {
		return unknown
	}
	defer r.client.finish(diags)
	key, err := services.Keys.Read(ctx, prior.KeyID.ValueString(), lifecycle.Known{})
	if err != nil || key.Rotation == nil { // this is a refusal already: it needs no second reason
		return unknown
	}
	return instanceID(key.Spec.Name, key.Rotation.Instance)
}
