package credential_test

import (
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// TestRemoved: all versions end at once, and the tombstone says since when.
func TestRemoved(t *testing.T) {
	b, spec := newBench(t), bot()
	b.create(spec)
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	b.update(spec, true)
	if err := b.service().Destroy(t.Context(), "bot"); err != nil {
		t.Fatal(err)
	}
	b.wantStates("bot", states{1: revoked, 2: revoked})
	stone := b.store.Stored["bot"].Body.Tombstone
	if stone == nil || stone.Actor != "ada@example" || !stone.At.Equal(noon) {
		t.Errorf("tombstone %+v", stone)
	}
	for _, known := range []bool{false, true} {
		_, err := b.service().Read(t.Context(), "bot", known)
		wantFault(t, err, fault.NotFound, `API credential "bot"`, "removed on 2026-03-01 by ada@example")
	}
	if all := must[[]*credential.Credential](t)(b.service().List(t.Context())); len(all) != 0 {
		t.Errorf("%d credentials are listed", len(all))
	}
	_, _, err := b.service().Secret(t.Context(), "bot", 1)
	wantFault(t, err, fault.NotFound, "", "removed on")
	_, err = b.service().Update(t.Context(), spec, false)
	wantFault(t, err, fault.NotFound, "", "removed on")
	generation := b.store.Stored["bot"].Generation
	if err := b.service().Destroy(t.Context(), "bot"); err != nil || b.store.Stored["bot"].Generation != generation {
		t.Errorf("removed once more: %v, generation %d", err, b.store.Stored["bot"].Generation)
	}
}

// TestEvidence: only a tombstone says that a credential is gone.
func TestEvidence(t *testing.T) {
	b := newBench(t)
	_, err := b.service().Read(t.Context(), "bot", false)
	wantFault(t, err, fault.NotFound, "", "no environment's stamp")
	_, err = b.service().Read(t.Context(), "bot", true)
	wantFault(t, err, fault.Inconsistent, "", "another token")
	wantFault(t, b.service().Destroy(t.Context(), "bot"), fault.Inconsistent, "", "another token")

	b.mark.name = "test"
	_, err = b.service().Read(t.Context(), "bot", false)
	wantFault(t, err, fault.NotFound, "", "")
	_, err = b.service().Read(t.Context(), "bot", true)
	wantFault(t, err, fault.Inconsistent, "", "terraform state rm")
	wantFault(t, b.service().Destroy(t.Context(), "bot"), fault.Inconsistent, "", "Restore the HSM")
	_, err = b.service().Update(t.Context(), bot(), false)
	wantFault(t, err, fault.Inconsistent, "", "Restore the HSM")
}

// TestAnotherEnvironment: no verb works on another environment's token, and none writes.
func TestAnotherEnvironment(t *testing.T) {
	b := newBench(t)
	b.create(bot())
	generation := b.store.Stored["bot"].Generation
	other := b.run("prod")
	ctx := t.Context()
	second := bot()
	second.Name = "second"
	for name, verb := range map[string]func() error{
		"check":   func() error { return other.Check(ctx, bot(), nil) },
		"create":  func() error { _, err := other.Create(ctx, second); return err },
		"read":    func() error { _, err := other.Read(ctx, "bot", false); return err },
		"refresh": func() error { _, err := other.Read(ctx, "bot", true); return err },
		"list":    func() error { _, err := other.List(ctx); return err },
		"update":  func() error { _, err := other.Update(ctx, bot(), true); return err },
		"remove":  func() error { return other.Destroy(ctx, "bot") },
		"reveal":  func() error { _, _, err := other.Secret(ctx, "bot", 0); return err },
	} {
		wantFault(t, verb(), fault.Environment, "", `belongs to environment "test", this provider is configured for "prod"`)
		if len(b.store.Stored) != 1 || b.store.Stored["bot"].Generation != generation {
			t.Errorf("%s has written", name)
		}
	}
}

// TestSecretRefused: what has no secret, and what no longer derives to what was issued.
func TestSecretRefused(t *testing.T) {
	b := newBench(t)
	spec, _ := person(t)
	b.create(spec)
	b.create(bot())
	_, _, err := b.service().Secret(t.Context(), "alice", 0)
	wantFault(t, err, fault.Invalid, "", "public_key has no secret")
	_, _, err = b.service().Secret(t.Context(), "bot", 2)
	wantFault(t, err, fault.NotFound, "", "The newest is version 1.")
	_, _, err = b.service().Secret(t.Context(), "nobody", 0)
	wantFault(t, err, fault.NotFound, "", "")

	for name, tamper := range map[string]func(*credential.Version){
		"another salt":      func(v *credential.Version) { v.Salt = "00112233445566778899aabbccddeeff" },
		"no salt":           func(v *credential.Version) { v.Salt = "zz" },
		"another number":    func(v *credential.Version) { v.Number = 2 },
		"another algorithm": func(v *credential.Version) { v.Algorithm = credential.HMACSHA512 },
		"no algorithm":      func(v *credential.Version) { v.Algorithm = "" },
		"another root":      func(v *credential.Version) { v.Root = 2 },
		"another secret":    func(v *credential.Version) { v.Fingerprint = "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.create(bot())
			tamper(b.store.Stored["bot"].Body.Versions[1])
			value, _, err := b.service().Secret(t.Context(), "bot", 1)
			wantFault(t, err, fault.Inconsistent, "", "")
			if len(value.Reveal()) != 0 {
				t.Error("it is handed out nevertheless")
			}
		})
	}
	b.root.key[0] ^= 1
	_, _, err = b.service().Secret(t.Context(), "bot", 1)
	wantFault(t, err, fault.Inconsistent, "", "the derivation key is another one")
}
