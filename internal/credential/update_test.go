package credential_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

const (
	active      = credential.Active
	overlapping = credential.Overlapping
	superseded  = credential.Superseded
	expired     = credential.Expired
	revoked     = credential.Revoked
	suspended   = credential.Suspended
)

type states = map[int]credential.State

// TestRotation: what is due, what it takes to rotate, and how long the replaced version
// is accepted.
func TestRotation(t *testing.T) {
	b, spec := newBench(t), bot()
	due := func(want bool) {
		t.Helper()
		if got := b.service().Due(b.store.Stored["bot"].Body); got != want {
			t.Errorf("at %v it is due: %v", b.clock, got)
		}
	}
	if c := b.create(spec); !c.RotateAt().Equal(noon.Add(30 * day)) {
		t.Errorf("it rotates at %v", c.RotateAt())
	}
	old := b.secret("bot", 1)
	b.clock = noon.Add(30*day - time.Second)
	due(false)
	if c := b.update(spec, true); c.Counter != 1 {
		t.Error("it was rotated before it was due")
	}
	b.clock = noon.Add(30 * day)
	due(true)
	if c := b.update(spec, false); c.Counter != 1 {
		t.Error("it was rotated without being told to")
	}
	b.clock = noon.Add(33 * day) // late: the overlap counts from the replacement
	if c := b.update(spec, true); c.Counter != 2 || !c.Versions[1].AcceptedUntil.Equal(noon.Add(35*day)) || !c.RotateAt().Equal(noon.Add(63*day)) {
		t.Errorf("%+v, version 1 %+v", c, c.Versions[1])
	}
	due(false)
	if c := b.update(spec, true); c.Counter != 2 {
		t.Error("an update that is repeated rotates twice")
	}
	b.wantStates("bot", states{1: overlapping, 2: active})
	if !bytes.Equal(b.secret("bot", 1), old) || bytes.Equal(b.secret("bot", 2), old) {
		t.Error("the versions' secrets are not their own")
	}

	b.clock = noon.Add(35*day - time.Second)
	b.wantStates("bot", states{1: overlapping, 2: active})
	spec.Overlap = 20 * day
	b.update(spec, false)
	b.clock = noon.Add(35 * day)
	b.wantStates("bot", states{1: superseded, 2: active})
	_, _, err := b.service().Secret(t.Context(), "bot", 1)
	wantFault(t, err, fault.Protected, `API credential "bot" version 1`, "its overlap ended on 2026-04-05T12:00:00Z")
}

// TestRotatedFor lists what makes a new version, and what does not.
func TestRotatedFor(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*credential.Spec)
		rotate bool
		want   states
	}{
		"nothing":                 {func(*credential.Spec) {}, true, states{1: active}},
		"another owner":           {func(s *credential.Spec) { s.Owner = "options-desk" }, true, states{1: active}},
		"another schedule":        {func(s *credential.Spec) { s.RotateEvery = day }, true, states{1: active}},
		"a watched value":         {func(s *credential.Spec) { s.RotateWhenChanged = map[string]string{"incident": "one"} }, true, states{1: overlapping, 2: active}},
		"one that nobody watches": {func(s *credential.Spec) { s.RotateWhenChanged = nil }, true, states{1: active}},
		"another algorithm":       {func(s *credential.Spec) { s.Algorithm = credential.HMACSHA512 }, false, states{1: overlapping, 2: active}},
		"no overlap":              {func(s *credential.Spec) { s.Algorithm, s.Overlap = credential.HMACSHA512, 0 }, false, states{1: superseded, 2: active}},
		"revocation":              {func(s *credential.Spec) { s.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise} }, false, states{1: revoked, 2: active}},
		"revocation, and disabled": {func(s *credential.Spec) {
			s.Revoke, s.Enabled = map[int]keyring.Reason{1: keyring.KeyCompromise}, false
		}, false, states{1: revoked, 2: suspended}},
		"being disabled":               {func(s *credential.Spec) { s.Enabled = false }, true, states{1: suspended}},
		"an end, but not before it":    {func(s *credential.Spec) { s.ExpiresAt = noon.Add(3 * day) }, true, states{1: active}},
		"a validity that is over":      {func(s *credential.Spec) { s.ValidFor = 2 * day }, true, states{1: active}},
		"with a watched value removed": {func(s *credential.Spec) { s.RotateWhenChanged = map[string]string{} }, true, states{1: overlapping, 2: active}},
	} {
		t.Run(name, func(t *testing.T) {
			b, spec := newBench(t), bot()
			b.create(spec)
			test.change(&spec)
			b.update(spec, test.rotate)
			b.wantStates("bot", test.want)
			b.update(spec, test.rotate)
			b.wantStates("bot", test.want)
		})
	}
}

// TestRevocation: an old version ends alone, and nothing takes a revocation back.
func TestRevocation(t *testing.T) {
	b, spec := newBench(t), bot()
	b.create(spec)
	spec.RotateWhenChanged = map[string]string{"incident": "one"}
	b.update(spec, true)
	spec.Revoke = map[int]keyring.Reason{1: keyring.AffiliationChanged}
	b.update(spec, true)
	b.wantStates("bot", states{1: revoked, 2: active})
	v := b.store.Stored["bot"].Body.Versions[1]
	if v.RevokedFor != keyring.AffiliationChanged || !v.RevokedAt.Equal(noon) {
		t.Errorf("%+v", v)
	}
	spec.Revoke = nil
	b.clock = b.clock.Add(hour)
	b.update(spec, true)
	b.wantStates("bot", states{1: revoked, 2: active})
	spec.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	b.update(spec, true)
	if v := b.store.Stored["bot"].Body.Versions[1]; v.RevokedFor != keyring.AffiliationChanged || !v.RevokedAt.Equal(noon) {
		t.Errorf("it was revoked again: %+v", v)
	}
	spec.Revoke = map[int]keyring.Reason{3: keyring.KeyCompromise}
	_, err := b.service().Update(t.Context(), spec, true)
	wantFault(t, err, fault.Invalid, "revoke", "no version 3")
	_, _, err = b.service().Secret(t.Context(), "bot", 1)
	wantFault(t, err, fault.Protected, "", "It was revoked on 2026-03-01T12:00:00Z (affiliation_changed).")
}

// TestAnotherPublicKey: its owner makes the next version, and a compromised key does not
// come back.
func TestAnotherPublicKey(t *testing.T) {
	b := newBench(t)
	first, _ := person(t)
	second, _ := person(t)
	first.Overlap, second.Overlap = 2*day, 2*day
	b.create(first)
	if c := b.update(second, false); c.Counter != 2 || !bytes.Equal(c.Versions[1].PublicKey, first.PublicKey) || !bytes.Equal(c.Versions[2].PublicKey, second.PublicKey) {
		t.Errorf("%+v", c)
	}
	b.wantStates("alice", states{1: overlapping, 2: active})
	second.Revoke = map[int]keyring.Reason{2: keyring.KeyCompromise}
	b.update(second, false) // nobody but its owner can make the next one
	b.wantStates("alice", states{1: overlapping, 2: revoked})
	if !b.service().Due(b.store.Stored["alice"].Body) {
		t.Error("it needs no other key")
	}
	first.Revoke = second.Revoke
	b.update(first, false) // a key that nobody else has may
	b.wantStates("alice", states{1: overlapping, 2: revoked, 3: active})
	_, err := b.service().Update(t.Context(), second, false)
	wantFault(t, err, fault.Invalid, "public_key", "the key of version 2, which was revoked as compromised")
}

// TestValidity: a version ends with its validity, a credential with its end, and an end
// that has come is no mistake of whoever changes something else.
func TestValidity(t *testing.T) {
	b, spec := newBench(t), bot()
	spec.ValidFor, spec.RotateEvery = 10*day, 0
	b.create(spec)
	b.clock = noon.Add(10*day - time.Second)
	b.wantStates("bot", states{1: active})
	b.clock = noon.Add(10 * day)
	b.wantStates("bot", states{1: expired})
	_, _, err := b.service().Secret(t.Context(), "bot", 0)
	wantFault(t, err, fault.Protected, "", "It expired on 2026-03-11T12:00:00Z.")
	if c := b.update(spec, true); c.Counter != 2 {
		t.Error("an expired version is not replaced")
	}
	b.wantStates("bot", states{1: expired, 2: active})

	spec.ValidFor, spec.ExpiresAt = 0, b.clock.Add(3*day)
	b.update(spec, false) // an overlap is for what was accepted when it was replaced
	b.wantStates("bot", states{1: superseded, 2: active})
	b.clock = b.clock.Add(3 * day)
	b.wantStates("bot", states{1: superseded, 2: expired})
	if b.service().Due(b.store.Stored["bot"].Body) {
		t.Error("what has ended is due for a rotation")
	}
	spec.Owner, spec.Overlap = "options-desk", 9*day
	b.update(spec, true)
	spec.ExpiresAt = spec.ExpiresAt.Add(-hour)
	_, err = b.service().Update(t.Context(), spec, true)
	wantFault(t, err, fault.Invalid, "expires_at", "would have expired")
}

// TestCheckedAtPlan: what the versions that there are do not allow is found without a
// change.
func TestCheckedAtPlan(t *testing.T) {
	b, spec := newBench(t), bot()
	spec.ExpiresAt = noon.Add(5 * day)
	b.create(spec)
	longer := spec
	longer.Overlap = 6 * day
	wantFault(t, b.service().Check(t.Context(), longer, &spec), fault.Invalid, "overlap", "longer than the credential is valid")

	spec.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise, 2: keyring.KeyCompromise}
	wantFault(t, b.service().Check(t.Context(), spec, &spec), fault.Invalid, "revoke", "no version 2")
	spec.Name = "another"
	wantFault(t, b.service().Check(t.Context(), spec, nil), fault.Invalid, "revoke", "no version 1")

	first, _ := person(t)
	second, _ := person(t)
	b.create(first)
	second.Revoke = map[int]keyring.Reason{1: keyring.KeyCompromise}
	b.update(second, false)
	wantFault(t, b.service().Check(t.Context(), first, &second), fault.Invalid, "public_key", "revoked as compromised")
}

// TestSuspended: a disabled credential is not accepted, and comes back as it was.
func TestSuspended(t *testing.T) {
	b, spec := newBench(t), bot()
	b.create(spec)
	secret := b.secret("bot", 0)
	spec.Enabled = false
	b.update(spec, true)
	b.clock = noon.Add(31 * day)
	b.wantStates("bot", states{1: suspended})
	if b.service().Due(b.store.Stored["bot"].Body) {
		t.Error("a disabled credential is due for a rotation")
	}
	_, _, err := b.service().Secret(t.Context(), "bot", 0)
	wantFault(t, err, fault.Protected, "", "Set enabled = true")
	spec.Enabled = true
	b.update(spec, false)
	if !bytes.Equal(b.secret("bot", 0), secret) {
		t.Error("it came back with another secret")
	}
}

// TestTypeStays: a credential does not change what its callers prove themselves with.
func TestTypeStays(t *testing.T) {
	b := newBench(t)
	b.create(bot())
	spec, _ := person(t)
	spec.Name = "bot"
	_, err := b.service().Update(t.Context(), spec, false)
	wantFault(t, err, fault.Invalid, "type", "does not change")
	b.wantStates("bot", states{1: active})
}
