package lifecycle_test

import (
	"testing"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle/lifecycletest"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// scheduled is weekly, as a rotation records it.
func scheduled() rotation.Schedule {
	s := weekly
	s.Declared = keyring.Declaration{Every: "168h", Overlap: "1h", RetireAction: keyring.RetireDisables}
	return s
}

// A rotation by hand moves the schedule of the rotation that manages the key, which
// stays in charge and rotates once more when its period is over.
func TestRotateNowAgreesWithRotation(t *testing.T) {
	m := withKey(t)
	rotatedOnce(t, m.Run(), scheduled())
	m.Pass(8 * 24 * time.Hour)
	if !scheduled().Due(m.Key("orders"), m.Now()) {
		t.Fatal("nothing is due")
	}
	k := must[*keyring.Key](t)(m.Run().RotateNow(t.Context(), "orders"))
	if k.Current().Number != 3 || scheduled().Due(k, m.Now()) || k.Superseded(2) {
		t.Errorf("current is %d, due %t, superseded %t", k.Current().Number, scheduled().Due(k, m.Now()), k.Superseded(2))
	}
	if until := k.Versions[2].ProcessUntil; !until.Equal(m.Now().Add(time.Hour)) {
		t.Errorf("version 2 processes until %s", until)
	}
	inOrder(t, m)
	k = must[*keyring.Key](t)(m.Run().Advance(t.Context(), "orders", 2, scheduled(), nil))
	if k.Counter != 3 {
		t.Errorf("the rotation made version %d", k.Counter)
	}
	m.Pass(8 * 24 * time.Hour)
	if _, instance, err := m.Run().Rotate(t.Context(), "orders", scheduled()); err != nil || instance != 4 {
		t.Errorf("the next instance is %d, %v", instance, err)
	}
	inOrder(t, m)
}

// A key without a rotation is left to the first one that comes.
func TestRotateNowWithoutRotation(t *testing.T) {
	m := withKey(t)
	k := must[*keyring.Key](t)(m.Run().RotateNow(t.Context(), "orders"))
	if k.Current().Number != 2 || !k.Versions[1].ProcessUntil.IsZero() {
		t.Errorf("current is %d, version 1 processes until %s", k.Current().Number, k.Versions[1].ProcessUntil)
	}
	if _, instance, err := m.Run().Rotate(t.Context(), "orders", weekly); err != nil || instance != 2 {
		t.Errorf("the first rotation has version %d, %v", instance, err)
	}
}

func TestByHandRefuses(t *testing.T) {
	m := withKey(t)
	_, err := m.Run().RotateNow(t.Context(), "nobody")
	wantFault(t, err, fault.NotFound, "")
	_, err = m.Run().RotateNow(t.Context(), keyring.DerivationKeyName)
	wantFault(t, err, fault.Invalid, "usable")
	_, err = m.Run().Revoke(t.Context(), keyring.DerivationKeyName, 1, keyring.KeyCompromise)
	wantFault(t, err, fault.Invalid, "usable")
	_, err = m.Run().Revoke(t.Context(), "orders", 7, keyring.KeyCompromise)
	wantFault(t, err, fault.Invalid, "It has: 1.")

	delayed := scheduled()
	delayed.ActivationDelay, delayed.Declared.ActivationDelay = time.Hour, "1h"
	rotatedOnce(t, m.Run(), delayed)
	_, err = m.Run().RotateNow(t.Context(), "orders")
	wantFault(t, err, fault.Conflict, "rotated already")

	pinning := scheduled()
	pinning.Pinned, pinning.Declared.Pinned = 1, 1
	must[*keyring.Key](t)(m.Run().Advance(t.Context(), "orders", 2, pinning, nil))
	_, err = m.Run().RotateNow(t.Context(), "orders")
	wantFault(t, err, fault.Protected, "pins version 1")
}

func TestRevokeByHand(t *testing.T) {
	m := withKey(t)
	rotatedOnce(t, m.Run(), scheduled())
	must[*keyring.Key](t)(m.Run().Revoke(t.Context(), "orders", 1, keyring.Superseded))
	inOrder(t, m)
	k := must[*keyring.Key](t)(m.Run().Revoke(t.Context(), "orders", 2, keyring.KeyCompromise))
	if k.Current() != nil || k.State(k.Versions[2]) != keyring.Compromised || !scheduled().Due(k, m.Now()) {
		t.Errorf("the key is %+v", k)
	}
	k = must[*keyring.Key](t)(m.Run().Revoke(t.Context(), "orders", 2, keyring.Superseded))
	if k.State(k.Versions[2]) != keyring.Compromised {
		t.Error("a compromise was taken back")
	}
	if o := m.ObjectsOf("orders", 2); o.Allowed != keyring.None {
		t.Errorf("the HSM still lets it %s", o.Allowed)
	}
	must[*keyring.Key](t)(m.Run().RotateNow(t.Context(), "orders"))
	inOrder(t, m)
}

// A rotation that was killed after its hand-over was recorded is finished, not repeated.
func TestRotateNowIsFinished(t *testing.T) {
	handedOver := 0
	for n := 1; n < 20; n++ {
		m := withKey(t)
		if _, err := m.Doomed(n, lifecycletest.After).RotateNow(t.Context(), "orders"); err == nil {
			break
		}
		v, isOpen := m.Key("orders").Versions[2], m.Key("orders").Work != nil
		if v == nil || v.Pending || !isOpen {
			continue
		}
		handedOver++
		k := must[*keyring.Key](t)(m.Run().RotateNow(t.Context(), "orders"))
		if k.Counter != 2 {
			t.Errorf("killed at write %d, the next run made version %d", n, k.Counter)
		}
		inOrder(t, m)
	}
	if handedOver == 0 {
		t.Error("no kill came after the hand-over")
	}
}
