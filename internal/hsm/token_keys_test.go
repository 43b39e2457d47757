package hsm_test

import (
	"slices"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/cryptoki"
	"github.com/keystead/terraform-provider-hsm/internal/hsm"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// withoutSessionKeys makes no keys that vanish with the session, like a TPM.
func withoutSessionKeys(device hsm.Device) *rig {
	return &rig{Device: device, attributes: func(list []cryptoki.Attribute) []cryptoki.Attribute {
		isKey := slices.ContainsFunc(list, func(a cryptoki.Attribute) bool { return a.Type == cryptoki.CKA_KEY_TYPE })
		isSession := slices.ContainsFunc(list, func(a cryptoki.Attribute) bool { return a.Type == cryptoki.CKA_TOKEN && !a.Bool() })
		if isKey && isSession {
			return append(slices.Clone(list), cryptoki.Bool(0x7FFFFFF1, true)) // SoftHSM: CKR_ATTRIBUTE_TYPE_INVALID
		}
		return list
	}}
}

// TestCapabilitiesTokenKeysOnly: a token that makes no session keys is tried with token
// keys, finds the same, and holds none of them afterwards, nor what a killed run left.
func TestCapabilitiesTokenKeysOnly(t *testing.T) {
	b := newBench(t)
	left := order("left", keyring.AES256, keyring.Encrypt|keyring.Decrypt)
	left.Ref.Label = "terraform-provider-hsm probe"
	b.generate(t, left)
	kept := order("kept", keyring.AES256, keyring.Encrypt|keyring.Decrypt)
	b.generate(t, kept)

	c, err := hsm.NewOn(withoutSessionKeys(b.device)).Capabilities(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []keyring.Algorithm{keyring.AES256, keyring.HMACSHA256, keyring.ECP256, keyring.Ed448} {
		if c.Algorithms[a] == keyring.None {
			t.Errorf("%s was not found: %v", a, c.Algorithms)
		}
	}
	if c.Enforcement != keyring.EnforcedByHSM || !c.RestrictsMechanisms || !c.KeepsRecords {
		t.Errorf("enforces %q, restricts %t, keeps records %t", c.Enforcement, c.RestrictsMechanisms, c.KeepsRecords)
	}
	objects, err := b.device.Search(t.Context(), []cryptoki.Attribute{cryptoki.Bool(cryptoki.CKA_TOKEN, true)})
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 1 || len(b.objects(t, kept.Ref.ID)) != 1 {
		t.Errorf("on the token are %d objects", len(objects))
	}
}

// TestReticent: a token that must not be told which flags are off gets a key whose flags
// are exactly those that were ordered all the same.
func TestReticent(t *testing.T) {
	b := newBench(t)
	var off []uint // flags that a template says are off
	r := &rig{Device: b.device, profile: &cryptoki.Profile{Reticent: true}, attributes: func(list []cryptoki.Attribute) []cryptoki.Attribute {
		for _, a := range list {
			if slices.Contains([]uint{cryptoki.CKA_ENCRYPT, cryptoki.CKA_DECRYPT, cryptoki.CKA_WRAP, cryptoki.CKA_UNWRAP}, a.Type) && !a.Bool() {
				off = append(off, a.Type)
			}
		}
		return list
	}}
	token := hsm.NewOn(r)
	for _, a := range []keyring.Algorithm{keyring.RSA2048, keyring.ECP256} {
		off = nil
		o := order("reticent", a, keyring.Sign|keyring.Verify)
		if _, err := token.Generate(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if seen := b.inspect(t, o.Ref, keyring.None); seen.Permitted != o.Operations {
			t.Errorf("the %s key may %s", a, seen.Permitted)
		}
		if len(off) > 0 {
			t.Errorf("the template for %s says of %x that they are off", a, off)
		}
	}
}
